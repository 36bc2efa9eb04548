// Softmax cross-entropy over a vocabulary, fused with its gradient: the loss of the noise model.
//
//     EBM_TRY(ebm_lm_loss_and_gradient(device, loss, logits, stride, targets, rows, vocabulary, 1.0f / total));
//     ... logits now holds the gradient ...
//
//     loss[i] = logsumexp f_i - f_i[target]      df_i = scale * (softmax f_i - onehot(target))
#ifndef EBM_LM_LOSS_H
#define EBM_LM_LOSS_H

#include <stddef.h>

#include "arena.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

// logits: row i starts at element i * stride and has `vocabulary` elements, any number >= 1, stride >= vocabulary;
// elements between two rows are left alone. targets (rows) int32: -1 = no target, loss 0. A target outside the
// vocabulary (the host checks them) gives a NaN loss. Writes loss (rows).
ebm_status ebm_lm_loss(ebm_device *device, ebm_slice loss, ebm_slice logits, size_t stride, ebm_slice targets,
                       size_t rows, size_t vocabulary);
// The same, and logits is replaced by the gradient: rows without a (valid) target become zero.
ebm_status ebm_lm_loss_and_gradient(ebm_device *device, ebm_slice loss, ebm_slice logits, size_t stride,
                                    ebm_slice targets, size_t rows, size_t vocabulary, float scale);

#ifdef __cplusplus
}
#endif
#endif
