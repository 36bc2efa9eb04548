// Generation with a key/value cache: a fixed number of slots, each refilled as soon as its text ends; the next token of
// all slots is drawn on the device, the host looks in every EBM_GENERATOR_LOOK tokens to refill.
//
//     EBM_TRY(ebm_generator_create(model, &settings, arena, &generator));   // decoder planned with `slots`, `capacity`
//     EBM_TRY(ebm_generator_run(generator, prompts, following, first_text, false));
//     ... texts lie in ebm_generator_tokens (block, most_new) on the device, their lengths on the host ...
#ifndef EBM_GENERATOR_H
#define EBM_GENERATOR_H

#include "noise_model.h"
#include "sampling.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_GENERATOR_LOOK = 2 };

typedef struct {
    size_t slots, capacity;   // as the decoder was planned
    size_t block, ahead;      // texts of a run, and of those that follow, at most
    size_t most_new;          // tokens of a text at most, end token included
    ebm_limits prompt_limits; // as the decoder's
    float temperature;
    int top_k;
    uint64_t seed;
} ebm_generator_settings;

typedef struct ebm_generator ebm_generator;

ebm_status ebm_generator_create(ebm_noise_model *model, const ebm_generator_settings *settings, ebm_arena *arena,
                                ebm_generator **generator);
void ebm_generator_free(ebm_generator *generator); // NULL is accepted

// One prompt, its last token (the start token) included; borrowed during the call.
typedef struct {
    const int32_t *ids;
    size_t count; // 1 to capacity - most_new
} ebm_prompt;

typedef struct {
    const ebm_prompt *list;
    size_t count; // at most `block`; of those that follow, `ahead`
} ebm_prompts;

// Writes one text for each prompt. Text i draws its random numbers as text first_text + i, so it does not depend on the
// slot it sat in. Special tokens of the model's roles except end (and the separator, where allowed) are never drawn; of
// the labels the first ones are not, up to EBM_BANNED_MAX tokens in all.
//
// `following` (count 0: none) are the prompts of the texts after these. Slots that run out of prompts begin with them
// instead of lying idle; the next run, when it is about the first of just those texts and the others follow it, goes on
// where this one stopped, any other one forgets them. A text comes out the same either way where the products' rows are
// independent (gemm.h); where they are not, give none, or a run's texts depend on the run before in their last bits.
ebm_status ebm_generator_run(ebm_generator *generator, ebm_prompts prompts, ebm_prompts following, uint64_t first_text,
                             bool allow_separator);
ebm_slice ebm_generator_tokens(const ebm_generator *generator);       // (block, most_new) int32
const int32_t *ebm_generator_lengths(const ebm_generator *generator); // of the last run; -2: cut without an end
uint64_t ebm_generator_sampled(const ebm_generator *generator);       // tokens drawn for finished texts since creation
uint64_t ebm_generator_steps(const ebm_generator *generator); // tokens each slot had time for: steps of the decoder

#ifdef __cplusplus
}
#endif
#endif
