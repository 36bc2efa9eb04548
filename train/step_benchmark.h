// A training step to be timed: the trainer's own (forward, backward, AdamW, the norm read back) on random token ids,
// or on texts drawn at random, whose lengths differ.
//
//     EBM_TRY(ebm_step_benchmark_create(device, config, &settings, &benchmark));
//     ... ebm_step_benchmark_arenas planned ...
//     EBM_CHECK(ebm_step_benchmark_allocate(benchmark, NULL), end);       // random weights
//     EBM_CHECK(ebm_step_benchmark_step(benchmark, &seconds, &tokens), end); // the first one builds kernels
//     EBM_CHECK(ebm_step_benchmark_step(benchmark, &seconds, &tokens), end);
#ifndef EBM_STEP_BENCHMARK_H
#define EBM_STEP_BENCHMARK_H

#include "classifier.h"
#include "encoded.h"
#include "step.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    size_t batch_size, sequence_length; // labelled texts, tokens of every text
    const ebm_encoded *texts; // instead of random tokens: each text of a step is drawn from these, noise too; borrowed
    ebm_objective_kind objective;
    ebm_energy_kind energy; // joint only, like the next two
    ebm_nce_data nce_data;
    int noise_ratio;
    size_t token_budget;   // of one packed batch; 0: the whole step in one
    bool fp16_activations; // as the classifier's
    uint64_t seed;
} ebm_step_benchmark_settings;

typedef struct ebm_step_benchmark ebm_step_benchmark;

// `config` is borrowed. EBM_ERROR_INPUT when the model has no positions for sequence_length.
ebm_status ebm_step_benchmark_create(ebm_device *device, const ebm_config *config,
                                     const ebm_step_benchmark_settings *settings, ebm_step_benchmark **benchmark);
void ebm_step_benchmark_free(ebm_step_benchmark *benchmark); // NULL is accepted

enum { EBM_STEP_BENCHMARK_ARENAS = EBM_CLASSIFIER_ARENAS + 1 };
size_t ebm_step_benchmark_arenas(ebm_step_benchmark *benchmark, ebm_arena *arenas[EBM_STEP_BENCHMARK_ARENAS]);
// directory: weights of a model, or NULL for random ones.
ebm_status ebm_step_benchmark_allocate(ebm_step_benchmark *benchmark, const char *directory);

// One step, waited for; *tokens: of all its texts, noise included. Each one updates the weights, so the next is another
// step of a (pointless) training.
ebm_status ebm_step_benchmark_step(ebm_step_benchmark *benchmark, double *seconds, size_t *tokens);

#ifdef __cplusplus
}
#endif
#endif
