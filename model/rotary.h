// Rotary positions (Su et al. 2021): queries and keys turn by angles in proportion to their token's position, so that
// their product depends on the distance alone.
//
//     ebm_rotary_table(values, places, head_size, 10000);                     // once, to be written to the device
//     EBM_TRY(ebm_rotary_forward(device, qkv, table, &batch, heads, head_size));
#ifndef EBM_ROTARY_H
#define EBM_ROTARY_H

#include <stddef.h>

#include "arena.h"
#include "batch.h"

// values (places, head_size): for each position the head_size / 2 cosines, then as many sines, of its angles
// position * theta^(-2 i / head_size). The angles are rounded to floats where transformers rounds them: at position
// 1000 that moves them by up to 3e-5, which a more exact table would show as a difference.
void ebm_rotary_table(float *values, size_t places, size_t head_size, double theta);

// Turns the queries and keys in qkv (tokens, 3C) in place, each by its batch position; places past the table are
// clamped. Backward turns their gradients in dqkv back.
ebm_status ebm_rotary_forward(ebm_device *device, ebm_slice qkv, ebm_slice table, const ebm_batch *batch, size_t heads,
                              size_t head_size);
ebm_status ebm_rotary_backward(ebm_device *device, ebm_slice dqkv, ebm_slice table, const ebm_batch *batch,
                               size_t heads, size_t head_size);

#endif
