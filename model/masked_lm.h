// A masked language model for inference: an encoder with its head (mlm_head.h) and tokenizer from a directory, as
// BertForMaskedLM and RobertaForMaskedLM of transformers are saved.
//
//     EBM_TRY(ebm_masked_lm_open(device, "roberta-base", &limits, 256, &lm));    // plans its memory
//     ... ebm_masked_lm_arenas planned with the others; EBM_CHECK(ebm_masked_lm_allocate(lm), end);   // loads
//     EBM_CHECK(ebm_masked_lm_forward(lm, &batch), end);
//     EBM_CHECK(ebm_masked_lm_predict(lm, places, count), end);                  // -> ebm_masked_lm_logits
#ifndef EBM_MASKED_LM_H
#define EBM_MASKED_LM_H

#include "batch.h"
#include "config.h"
#include "parameters.h"
#include "run.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_masked_lm ebm_masked_lm;

// rows: masked positions predicted at a time. limits.training is not looked at. EBM_ERROR_INPUT for a tokenizer without
// a mask token; EBM_ERROR_UNSUPPORTED as ebm_mlm_head_create.
ebm_status ebm_masked_lm_open(ebm_device *device, const char *directory, const ebm_limits *limits, size_t rows,
                              ebm_masked_lm **lm);
void ebm_masked_lm_free(ebm_masked_lm *lm); // NULL is accepted

enum { EBM_MASKED_LM_ARENAS = 6 };
size_t ebm_masked_lm_arenas(ebm_masked_lm *lm, ebm_arena *arenas[EBM_MASKED_LM_ARENAS]);
// Allocates and loads. EBM_ERROR_INPUT where the directory has an encoder without such a head.
ebm_status ebm_masked_lm_allocate(ebm_masked_lm *lm);

ebm_status ebm_masked_lm_forward(ebm_masked_lm *lm, const ebm_batch *batch); // the encoder
// Logits at `count` of the batch's tokens, whose numbers are in places (int32); count at most `rows`.
ebm_status ebm_masked_lm_predict(ebm_masked_lm *lm, ebm_slice places, size_t count);
ebm_slice ebm_masked_lm_logits(const ebm_masked_lm *lm);   // (count, ebm_masked_lm_vocabulary)
size_t ebm_masked_lm_vocabulary(const ebm_masked_lm *lm);  // tokens of the tokenizer that the model has rows for
size_t ebm_masked_lm_rows(const ebm_masked_lm *lm);        // as planned
ebm_limits ebm_masked_lm_limits(const ebm_masked_lm *lm);  // likewise
ebm_device *ebm_masked_lm_device(const ebm_masked_lm *lm); // borrowed, like those below
const ebm_config *ebm_masked_lm_config(const ebm_masked_lm *lm);
const ebm_tokenizer *ebm_masked_lm_tokenizer(const ebm_masked_lm *lm);

#ifdef __cplusplus
}
#endif
#endif
