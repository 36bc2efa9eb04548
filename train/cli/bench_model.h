// The model whose sizes a part of ebmcl bench works at: a directory, or one of the usual sizes with random weights.
#ifndef EBM_BENCH_MODEL_H
#define EBM_BENCH_MODEL_H

#include "config.h"
#include "options.h"

typedef struct {
    const char *directory;
    int random; // a place in the lists below; -1: not given
} ebm_bench_model;

enum { EBM_BENCH_ROBERTA_BASE, EBM_BENCH_MINILM_L6, EBM_BENCH_MODERNBERT_BASE, EBM_BENCH_NOISE };
// The encoders, and with "noise" behind them: a GPT-2 over BERT's vocabulary.
extern const char *const EBM_BENCH_ENCODERS[];
extern const char *const EBM_BENCH_MODELS[];

#define EBM_BENCH_MODEL_OPTIONS(type, member, sizes)                                                                   \
    {"model_name_or_path",                                                                                             \
     EBM_OPTION_MODEL,                                                                                                 \
     offsetof(type, member.directory),                                                                                 \
     NULL,                                                                                                             \
     "A model: directory or hub name",                                                                                 \
     0,                                                                                                                \
     0,                                                                                                                \
     false,                                                                                                            \
     NULL,                                                                                                             \
     false},                                                                                                           \
    {                                                                                                                  \
        "random", EBM_OPTION_ENUM, offsetof(type, member.random), NULL,                                                \
            "Instead of a model: random weights of this size", 0, 0, false, sizes, false                               \
    }

// EBM_ERROR_INPUT unless one of the two was given.
ebm_status ebm_bench_model_config(const ebm_bench_model *model, ebm_config **config);
const char *ebm_bench_model_name(const ebm_bench_model *model);

#endif
