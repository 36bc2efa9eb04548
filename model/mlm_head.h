// The head of a masked language model (Devlin et al. 2019): at masked positions only,
//
//     dense C x C -> GELU -> LayerNorm -> logits (V) by the word embeddings (tied) plus a bias
//
// BERT's cls.predictions, RoBERTa's and XLM-R's lm_head, DistilBERT's vocab_transform. Training goes by mlm_loss.h.
//
//     EBM_TRY(ebm_mlm_head_create(device, config, parameters, arena, 256, vocabulary, &head));   // behind the
//     encoder's
//     ... plan, allocate, load; EBM_TRY(ebm_mlm_head_loaded(head, file));
//     EBM_TRY(ebm_mlm_head_forward(head, ebm_encoder_output(encoder), places, count));           // -> _logits
#ifndef EBM_MLM_HEAD_H
#define EBM_MLM_HEAD_H

#include "config.h"
#include "parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_mlm_head ebm_mlm_head;

// Names its parameters and plans activations for `rows` positions at a time in `arena`. The encoder must have named its
// parameters before, for the word embeddings are the decoder. vocabulary: so many of the first tokens get logits (a
// table padded with rows that no token has), at most config->vocabulary. EBM_ERROR_UNSUPPORTED for other families and
// for a decoder with weights of its own.
ebm_status ebm_mlm_head_create(ebm_device *device, const ebm_config *config, ebm_parameters *parameters,
                               ebm_arena *arena, size_t rows, size_t vocabulary, ebm_mlm_head **head);
void ebm_mlm_head_free(ebm_mlm_head *head); // NULL is accepted

// After a load: EBM_ERROR_INPUT naming the first tensor of the head that the file lacks.
ebm_status ebm_mlm_head_loaded(ebm_mlm_head *head, const ebm_safetensors *file);

// hidden (tokens, C); places: int32 numbers of the tokens to predict, count <= rows of them.
ebm_status ebm_mlm_head_forward(ebm_mlm_head *head, ebm_slice hidden, ebm_slice places, size_t count);
ebm_slice ebm_mlm_head_logits(const ebm_mlm_head *head); // (count, vocabulary)

// For training, after creation: plans what a backward pass needs besides.
ebm_status ebm_mlm_head_plan_backward(ebm_mlm_head *head, ebm_arena *arena);
// After a forward of `count` positions, from the gradient of their logits, which stands in the logits' place: adds to
// the gradients of the parameters, the word embeddings' included, and writes those of the positions' vectors into rows
// [first, first + count) of d_rows (rows, C).
ebm_status ebm_mlm_head_backward(ebm_mlm_head *head, ebm_slice d_rows, size_t first, size_t count);

#ifdef __cplusplus
}
#endif
#endif
