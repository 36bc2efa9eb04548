// A head on one vector of each sequence:
//
//     [dropout ->] dense C x C -> tanh, ReLU or GELU [-> LayerNorm] -> dropout -> linear C x outputs
//
// BERT's pooler and classifier, the heads of RoBERTa, DistilBERT, ELECTRA and ModernBERT, and the scalar energy's head
// (He et al. 2021) all have this shape.
#ifndef EBM_HEAD_H
#define EBM_HEAD_H

#include "batch.h"
#include "parameters.h"
#include "run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_ACTIVATION_TANH, EBM_ACTIVATION_RELU, EBM_ACTIVATION_GELU } ebm_activation; // GELU: the erf form

// What differs from head to head.
typedef struct {
    const char *dense, *norm, *linear; // in the checkpoint, without ".weight" and ".bias"; borrowed; norm may be NULL
    ebm_activation activation;
    bool dropout_first; // before the dense layer too
} ebm_head_form;

typedef struct {
    size_t channels, outputs;
    ebm_head_form form;
    bool unbiased, unshifted; // the dense layer has no bias, the norm no shift; the linear layer always has a bias
    float norm_epsilon;       // where the form has a norm
    float dropout;
    uint32_t site; // EBM_SITE_DROPOUT_HEAD or _ENERGY; the second dropout draws from site + 1
} ebm_head_settings;

typedef struct ebm_head ebm_head;

// Names its parameters and plans its activations in `arena`.
ebm_status ebm_head_create(ebm_device *device, const ebm_head_settings *settings, ebm_parameters *parameters,
                           ebm_arena *arena, const ebm_limits *limits, ebm_head **head);
void ebm_head_free(ebm_head *head); // NULL is accepted

// pooled (sequences, C) -> output (sequences, outputs)
ebm_status ebm_head_forward(ebm_head *head, ebm_slice pooled, const ebm_batch *batch, const ebm_run *run);
// From the gradient in ebm_head_gradient; adds to d_pooled (sequences, C) and to the parameters' gradients.
ebm_status ebm_head_backward(ebm_head *head, ebm_slice d_pooled, const ebm_batch *batch, const ebm_run *run);
ebm_slice ebm_head_output(const ebm_head *head);
ebm_slice ebm_head_gradient(const ebm_head *head);
const ebm_tensor *ebm_head_linear(const ebm_head *head, const ebm_tensor **bias); // the last layer, borrowed
// Divides the last layer's weights and bias, and with them every output. divisor: finite, not 0. After allocation.
ebm_status ebm_head_divide(ebm_head *head, double divisor);
// Puts an affine map behind the last layer and into its weights and bias: every output o becomes map o + offset. map:
// outputs x outputs by rows; offset: outputs. After allocation.
ebm_status ebm_head_map(ebm_head *head, const double *map, const double *offset);

#ifdef __cplusplus
}
#endif
#endif
