// Generation to be timed: a block of noise texts after random prompts, through the generator that training uses.
//
//     EBM_TRY(ebm_noise_benchmark_create(model, &settings, &benchmark));     // model planned with the same slots
//     ... ebm_noise_benchmark_arena planned with the model's, all allocated ...
//     EBM_CHECK(ebm_noise_benchmark_run(benchmark, &seconds, &tokens), end); // the first one builds kernels
#ifndef EBM_NOISE_BENCHMARK_H
#define EBM_NOISE_BENCHMARK_H

#include "generator.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    size_t slots, texts;            // at a time, in a run
    size_t prompt_tokens, most_new; // of every prompt; of a text at most
    int top_k;
    uint64_t seed;
} ebm_noise_benchmark_settings;

typedef struct ebm_noise_benchmark ebm_noise_benchmark;

// What the noise model has to be opened with. EBM_ERROR_INPUT when prompt and text are longer than the model can hold.
ebm_status ebm_noise_benchmark_decoder(const ebm_noise_benchmark_settings *settings, ebm_decoder_settings *decoder);

ebm_status ebm_noise_benchmark_create(ebm_noise_model *model, const ebm_noise_benchmark_settings *settings,
                                      ebm_noise_benchmark **benchmark); // the model is borrowed
void ebm_noise_benchmark_free(ebm_noise_benchmark *benchmark);          // NULL is accepted
ebm_arena *ebm_noise_benchmark_arena(ebm_noise_benchmark *benchmark);

// settings.texts texts, new ones each time; *tokens: how many were drawn for them, end tokens included.
ebm_status ebm_noise_benchmark_run(ebm_noise_benchmark *benchmark, double *seconds, uint64_t *tokens);

#ifdef __cplusplus
}
#endif
#endif
