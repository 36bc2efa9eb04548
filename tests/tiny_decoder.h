// The tiny GPT-2 of fixtures/models with everything a training step needs, and the fixture's texts.
#ifndef EBM_TESTS_TINY_DECODER_H
#define EBM_TESTS_TINY_DECODER_H

#include "decoder.h"
#include "expected.h"
#include "optimizer.h"
#include "packing.h"

enum { LM_ROWS = 8, LM_TOKENS = 83, LM_CAPACITY = 32, LM_STEPS = 10 };

typedef struct {
    ebm_safetensors *expected;
    ebm_config *config;
    ebm_parameters *parameters;
    ebm_decoder *decoder;
    ebm_arena *arena;
    ebm_packing *packing;
    ebm_optimizer *optimizer;                            // NULL without training
    ebm_slice slot_of, step_ids, step_positions, logits; // logits: of a step
    int32_t *ids, *targets;
    ebm_sequence rows[LM_ROWS];
    size_t starts[LM_ROWS + 1];
} tiny_decoder;

void tiny_decoder_open(tiny_decoder *t, bool training, float dropout); // weights loaded, LM_ROWS slots for generation
void tiny_decoder_free(tiny_decoder *t);
ebm_batch tiny_decoder_pack(tiny_decoder *t, size_t first, size_t count, uint64_t first_token);
// Forward, loss and backward of all texts: the mean loss.
double tiny_decoder_gradients(tiny_decoder *t, const ebm_run *run);

#endif
