// The kernels of mixup (cl/mixup.cl): mixing vectors, the way back, and cross-entropy with two labels. mixup.h has
// sources and formula.
#ifndef EBM_MIXING_H
#define EBM_MIXING_H

#include "arena.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

// Who is mixed with whom, of `rows` texts: int32 on the device, in range (checked where they are made: mixup.h).
typedef struct {
    ebm_slice partners, starts, users; // (rows), (rows + 1), (rows): see ebm_mixup_users
    float lambda;                      // share of the text itself
    size_t rows;
} ebm_mixing;

// y[i] = lambda x[i] + (1 - lambda) x[partner of i]; (rows, channels), channels a multiple of 16. y may not be x.
ebm_status ebm_mix_forward(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_mixing *mixing, size_t channels);
// Adds to dx: lambda dy[i] + (1 - lambda) times the sum of dy over the texts whose partner i is.
ebm_status ebm_mix_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, const ebm_mixing *mixing, size_t channels);

// m_i = lambda CE(f_i, label of i) + (1 - lambda) CE(f_i, label of its partner) of every row:
//     loss[i] = keep before[i] + weight m_i;  dlogits = weight / rows times the slope of m_i
// loss may be before. Labels as in ebm_cross_entropy: one outside [0, Y) gives a NaN loss and a zero gradient.
typedef struct {
    ebm_slice loss, dlogits; // written
    ebm_slice before, logits, labels;
    size_t label_count;
    float keep, weight;
} ebm_mixed_loss_rows;
ebm_status ebm_mixed_loss(ebm_device *device, const ebm_mixed_loss_rows *rows, const ebm_mixing *mixing);

#ifdef __cplusplus
}
#endif
#endif
