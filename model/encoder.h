// Transformer encoder of the BERT kind (BERT, RoBERTa; Devlin et al. 2019) on packed batches, forward and backward.
//
//     ebm_encoder *encoder = NULL;
//     EBM_TRY(ebm_encoder_create(device, config, parameters, &limits, &encoder));   // plans, names its parameters
//     ... ebm_arena_plan, ebm_parameters_allocate, ebm_encoder_allocate, ebm_parameters_load
//     EBM_TRY(ebm_encoder_forward(encoder, &batch, &run));      // -> ebm_encoder_output: (tokens, C)
//     ... write the gradient of the output into ebm_encoder_gradient
//     EBM_TRY(ebm_encoder_backward(encoder, &batch, &run));     // adds to the parameters' gradients
#ifndef EBM_ENCODER_H
#define EBM_ENCODER_H

#include "batch.h"
#include "config.h"
#include "parameters.h"
#include "run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_encoder ebm_encoder;

// Names every parameter in `parameters` and plans activations for `limits`. `config` and `parameters` are borrowed and
// must outlive the encoder. EBM_ERROR_UNSUPPORTED for a family that is not an encoder.
// half: when training, what the backward pass needs is stored as halves (half.h); without training it changes nothing.
ebm_status ebm_encoder_create(ebm_device *device, const ebm_config *config, ebm_parameters *parameters,
                              const ebm_limits *limits, bool half, ebm_encoder **encoder);
void ebm_encoder_free(ebm_encoder *encoder);           // NULL is accepted
ebm_arena *ebm_encoder_arena(ebm_encoder *encoder);    // to be planned with the others
ebm_status ebm_encoder_allocate(ebm_encoder *encoder); // after planning

// The batch must fit the limits; its ids, positions and types must be within the tables.
ebm_status ebm_encoder_forward(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run);
// As forward, but of the last layer's output only the vector of each sequence's first token is made, which is all that
// a classifier reads of it: what comes behind that layer's attention works on as many rows as there are sequences, with
// dropout keyed by sequences there. Output and gradient are then (sequences, C) until the next forward pass.
ebm_status ebm_encoder_forward_first(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run);
// Of the last forward pass, whichever it was.
// With half storage only after a forward pass that trained (run->training): no other one keeps anything.
ebm_status ebm_encoder_backward(ebm_encoder *encoder, const ebm_batch *batch, const ebm_run *run);

// Who wants to know how far the backward pass is: called whenever a layer's gradients are complete as far as this pass
// goes (everything that makes them is queued). They are those of tensors `first` and above of the table of parameters;
// heads, declared after the encoder, are among them.
typedef ebm_status ebm_backward_listener(void *context, size_t first);
void ebm_encoder_watch(ebm_encoder *encoder, ebm_backward_listener *listener, void *context); // NULL: no longer

// With half storage: what activations are multiplied by before they are rounded, from the next forward pass on; a power
// of two, 1 at first.
void ebm_encoder_set_half_scale(ebm_encoder *encoder, float scale);

// Of the last forward pass: (tokens, C), or (sequences, C) of first tokens.
ebm_slice ebm_encoder_output(const ebm_encoder *encoder);   // until backward
ebm_slice ebm_encoder_gradient(const ebm_encoder *encoder); // to be written before backward; overwritten

#ifdef __cplusplus
}
#endif
#endif
