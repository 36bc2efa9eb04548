// What the passes of a model are told about the moment they run in.
#ifndef EBM_RUN_H
#define EBM_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// training: dropout is on and activations are kept for backward. seed and step key the dropout.
typedef struct {
    bool training;
    uint64_t seed;
    uint32_t step;
} ebm_run;

// The largest packed batch a model's memory is planned for.
typedef struct {
    size_t tokens, sequences;
    bool training; // gradients and every layer's activations are kept
} ebm_limits;

#endif
