// Draws the next token of each slot from its logits: temperature, then the top k (or all), then one Philox number that
// belongs to (text, position), so that a text comes out the same whichever slot it sits in.
//
//     const ebm_sampling how = {.temperature = 1, .top_k = 20, .seed = seed, .banned = ids, .banned_count = 2};
//     EBM_TRY(ebm_sample(device, next, logits, texts, positions, slots, vocabulary, &how));
#ifndef EBM_SAMPLING_H
#define EBM_SAMPLING_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_TOP_K_DEFAULT = 20, EBM_TOP_K_MAX = 64, EBM_BANNED_MAX = 16 };

typedef struct {
    float temperature;   // > 0
    int top_k;           // 1 to EBM_TOP_K_MAX; 0: the whole softmax
    uint64_t seed;       // key of the random numbers ...
    uint32_t step;       // ... with this step and EBM_SITE_SAMPLE
    ebm_slice banned;    // int32 ids never drawn (mask, beginning of text); 0 elements: none
    size_t banned_count; // at most EBM_BANNED_MAX
} ebm_sampling;

// next (slots) int32 <- one token a slot from logits (slots, vocabulary). texts (slots) uint32: number of the text in
// the slot; positions (slots) int32: position of the token drawn, 0 to 1023, or negative: the slot is idle and
// next[slot] is left as it is. Top k: the k largest logits that are not banned; among equal ones the lowest ids.
// -INFINITY is never drawn, NaN neither. A row where nothing can be drawn gives -1. The random number is word 0 of
// block texts * 1024 + positions: u in [0, 1) with 24 bits; the token is the first whose cumulative probability exceeds
// u, in falling order of logits (top k, ties by id) or in order of ids (whole softmax).
ebm_status ebm_sample(ebm_device *device, ebm_slice next, ebm_slice logits, ebm_slice texts, ebm_slice positions,
                      size_t slots, size_t vocabulary, const ebm_sampling *sampling);

// out[i] = map[in[i]], int32, i < count; an id outside [0, map.count) gives -1. out may be in.
ebm_status ebm_map_ids(ebm_device *device, ebm_slice out, ebm_slice in, ebm_slice map, size_t count);

#ifdef __cplusplus
}
#endif
#endif
