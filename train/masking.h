// Masks texts for masked language modelling (Devlin et al. 2019, section 3.1): each token but special ones is chosen
// with a probability, .15; a chosen one becomes the mask token with probability .8, a token drawn uniformly from the
// whole vocabulary with .1, and stays with .1. What it was is the target. Drawn anew for each step (Liu et al. 2019,
// section 4.1), so in every epoch each text is masked in another way.
//
//     EBM_TRY(ebm_masking_create(tokenizer, 0.15, seed, most_positions, &masking));
//     EBM_CHECK(ebm_masking_draw(masking, texts, count, step, &masked), end);    // valid until the next draw
//     end: ebm_masking_free(masking);
#ifndef EBM_MASKING_H
#define EBM_MASKING_H

#include "packing.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// Texts without a chosen token are left out. All borrowed from what drew it.
typedef struct {
    const ebm_sequence *sequence; // count, masked
    const int32_t *const *target; // of each, one id a token, -1 where none is to be told; those of one text lie
                                  // directly behind those of the text before
    const size_t *masked;    // of each, how many are to be told
    size_t count, positions; // texts; targets of all
    size_t most_positions;   // in one batch, as planned
} ebm_masked_texts;

typedef struct ebm_masking ebm_masking;

// probability: above 0, at most 1. EBM_ERROR_INPUT when the tokenizer (borrowed) has no mask token.
ebm_status ebm_masking_create(const ebm_tokenizer *tokenizer, double probability, uint64_t seed, size_t most_positions,
                              ebm_masking **masking);
void ebm_masking_free(ebm_masking *masking); // NULL is accepted

// A function of the seed, the step, the texts' places in the list and their tokens alone.
ebm_status ebm_masking_draw(ebm_masking *masking, const ebm_sequence *texts, size_t count, uint32_t step,
                            ebm_masked_texts *masked);

// How many masked positions to plan for in a batch of so many tokens: the expected number and five deviations, and at
// least the longest text.
size_t ebm_masking_positions(size_t tokens, size_t longest, double probability);

#ifdef __cplusplus
}
#endif
#endif
