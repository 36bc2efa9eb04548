// Top-k sampling from hidden states without most of the logits, on CPU devices with AVX512-VNNI: products of bytes give
// an upper bound of every logit (cl/screen.cl says how sure it is: it fails for one token in 4e10), and the few logits
// that can be among the k largest are made in fp32. A quarter of the vocabulary product's arithmetic and of its bytes,
// the same tokens but for fp32's rounding.
//
//     if (ebm_screen_is_possible(device, channels)) EBM_TRY(ebm_screen_create(device, arena, S, V, C, &screen));
//     ... the arena allocated ...
//     EBM_TRY(ebm_screen_take(screen, word));                                   // again when they have changed
//     EBM_TRY(ebm_screen_sample(screen, next, hidden, texts, positions, &how)); // instead of a product and ebm_sample
#ifndef EBM_SCREEN_H
#define EBM_SCREEN_H

#include "sampling.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_screen ebm_screen;

bool ebm_screen_is_possible(ebm_device *device, size_t channels);

// Memory for `slots` hidden states of `channels` and a vocabulary is reserved in `arena`.
ebm_status ebm_screen_create(ebm_device *device, ebm_arena *arena, size_t slots, size_t vocabulary, size_t channels,
                             ebm_screen **screen);
void ebm_screen_free(ebm_screen *screen); // NULL is accepted

// Rounds and packs the output embedding `word` (vocabulary, channels), which is borrowed.
ebm_status ebm_screen_take(ebm_screen *screen, ebm_slice word);

// As ebm_sample with logits = hidden (slots, channels) times word transposed; top_k is at least 1.
ebm_status ebm_screen_sample(ebm_screen *screen, ebm_slice next, ebm_slice hidden, ebm_slice texts, ebm_slice positions,
                             const ebm_sampling *sampling);

#ifdef __cplusplus
}
#endif
#endif
