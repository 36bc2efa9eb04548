// Training texts with some tokens filled in anew by a masked language model: each token is masked with probability M,
// the model sees the rest, and every masked token is drawn from its own distribution (temperature, top k) in one pass.
// Fills of a text do not know of each other.
//
//     EBM_TRY(ebm_noise_filler_create(&settings, arena, &filler));       // then ebm_noise_filler_set_texts
//     EBM_TRY(ebm_noise_filler_run(filler, first_text, count, raw, lengths));      // (count, most) tokens on the host
#ifndef EBM_NOISE_FILLER_H
#define EBM_NOISE_FILLER_H

#include "masked_lm.h"
#include "noise_texts.h"

typedef struct {
    ebm_masked_lm *lm; // its limits hold the longest sequence
    bool pairs;
    size_t most; // tokens of a text
    float mask_probability, temperature;
    int top_k;
    uint64_t seed;
} ebm_noise_filler_settings;

typedef struct ebm_noise_filler ebm_noise_filler;

// Roles of the tokens around a text; they, and the unknown token, are never drawn.
ebm_noise_roles ebm_noise_filler_roles(const ebm_tokenizer *tokenizer);
// Tokens a text (a pair with its separator) may have, so that it is not cut in sequences of max_length, nor the
// model's.
size_t ebm_noise_filler_most(const ebm_masked_lm *lm, bool pairs, size_t max_length);

ebm_status ebm_noise_filler_create(const ebm_noise_filler_settings *settings, ebm_arena *arena,
                                   ebm_noise_filler **filler);
void ebm_noise_filler_free(ebm_noise_filler *filler); // NULL is accepted

// What is filled, in the tokens of the model, with the roles and the length from above; borrowed.
void ebm_noise_filler_set_texts(ebm_noise_filler *filler, const ebm_noise_texts *texts);

// Texts first_text to first_text + count - 1, each a function of its number and the settings: a random training text
// (EBM_SITE_PROMPT), its masks (EBM_SITE_MASK), its fills (EBM_SITE_SAMPLE). Runs of the same texts give the same bits.
ebm_status ebm_noise_filler_run(ebm_noise_filler *filler, uint64_t first_text, size_t count, int32_t *raw,
                                int32_t *lengths);
uint64_t ebm_noise_filler_filled(const ebm_noise_filler *filler); // tokens drawn since creation

#endif
