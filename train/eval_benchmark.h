// A pass of prediction to be timed: texts to tokens, packed batches, logits, as ebm_predictor_dataset does it, of a
// model's directory or of random weights.
//
//     EBM_TRY(ebm_eval_benchmark_create(device, config, tokenizer, &settings, &benchmark));
//     ... ebm_eval_benchmark_arenas planned ...
//     EBM_CHECK(ebm_eval_benchmark_allocate(benchmark, NULL), end);           // random weights
//     EBM_CHECK(ebm_eval_benchmark_pass(benchmark, dataset, &pass), end);     // the first one builds kernels
#ifndef EBM_EVAL_BENCHMARK_H
#define EBM_EVAL_BENCHMARK_H

#include "classifier.h"
#include "dataset.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    size_t token_budget; // of a packed batch; 0: as ebm_predictor_open
    size_t max_length;   // of a text in tokens
    uint64_t seed;       // of random weights
} ebm_eval_benchmark_settings;

typedef struct {
    double encode, predict; // seconds: texts to tokens; tokens to logits on the host
    size_t tokens;
} ebm_eval_pass;

typedef struct ebm_eval_benchmark ebm_eval_benchmark;

// config and tokenizer are borrowed.
ebm_status ebm_eval_benchmark_create(ebm_device *device, const ebm_config *config, const ebm_tokenizer *tokenizer,
                                     const ebm_eval_benchmark_settings *settings, ebm_eval_benchmark **benchmark);
void ebm_eval_benchmark_free(ebm_eval_benchmark *benchmark); // NULL is accepted

enum { EBM_EVAL_BENCHMARK_ARENAS = EBM_CLASSIFIER_ARENAS + 1 };
size_t ebm_eval_benchmark_arenas(ebm_eval_benchmark *benchmark, ebm_arena *arenas[EBM_EVAL_BENCHMARK_ARENAS]);
// directory: weights of a model, or NULL for random ones; what a directory lacks (a head) is random.
ebm_status ebm_eval_benchmark_allocate(ebm_eval_benchmark *benchmark, const char *directory);

ebm_status ebm_eval_benchmark_pass(ebm_eval_benchmark *benchmark, const ebm_dataset *texts, ebm_eval_pass *pass);

#ifdef __cplusplus
}
#endif
#endif
