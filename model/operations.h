// The row-wise operations of a transformer: thin wrappers that launch the kernels of cl/. Shapes are row-major; T
// tokens (rows), C channels, a multiple of 16 unless said otherwise. Nothing is allocated. "adds to" means +=.
#ifndef EBM_OPERATIONS_H
#define EBM_OPERATIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "batch.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

// Dropout keyed by (seed, step, site, element): element (row, column) of a (rows, C) tensor draws word
// ((first_row + row) * C + column) of its stream, so forward and backward, and a split step, see the same mask.
// Kept elements are divided by (1 - probability). probability = 0: no dropout, nothing is drawn.
typedef struct {
    float probability;
    uint64_t seed;
    uint32_t step, site;
    uint64_t first_row;
} ebm_dropout;

// y[t] = word[ids[t]] + position[positions[t]] + type[types[t]]; without the second when position.count = 0, without
// the third when type.count = 0. Ids are checked on the host beforehand; an id out of range is clamped, never read out
// of bounds.
ebm_status ebm_embedding_forward(ebm_device *device, ebm_slice y, const ebm_batch *batch, ebm_slice word,
                                 ebm_slice position, ebm_slice type, size_t channels);
// Adds to dword, dposition, dtype, tokens of one id in their order: no atomics, same bits each run.
ebm_status ebm_embedding_backward(ebm_device *device, ebm_slice dword, ebm_slice dposition, ebm_slice dtype,
                                  ebm_slice dy, const ebm_batch *batch, size_t channels);

// y = gain * (x - mean) * rstd + shift; writes y, mean, rstd (T). y may be x. shift (and dshift below) may have 0
// elements: a LayerNorm without.
ebm_status ebm_layernorm_forward(ebm_device *device, ebm_slice y, ebm_slice mean, ebm_slice rstd, ebm_slice x,
                                 ebm_slice gain, ebm_slice shift, float epsilon, size_t rows, size_t channels);
// dx (written, or added to when `accumulate`), may be dy when not accumulating. Needs x as it was in forward.
ebm_status ebm_layernorm_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, ebm_slice x, ebm_slice mean,
                                  ebm_slice rstd, ebm_slice gain, bool accumulate, size_t rows, size_t channels);
// Adds to dgain, dshift. scratch: at least EBM_COLUMN_SLABS * 2 * channels elements.
ebm_status ebm_layernorm_backward_weights(ebm_device *device, ebm_slice dgain, ebm_slice dshift, ebm_slice dy,
                                          ebm_slice x, ebm_slice mean, ebm_slice rstd, ebm_slice scratch, size_t rows,
                                          size_t channels);

// Fused end of a sublayer: s = residual + dropout(a + bias); y = layernorm(s). `s` may be `a` (in place). Writes s, y,
// mean, rstd. BERT goes on with y alone; a pre-norm layer with s as its stream and y as the next sublayer's input. bias
// and shift may have 0 elements: none.
ebm_status ebm_residual_layernorm_forward(ebm_device *device, ebm_slice y, ebm_slice s, ebm_slice mean, ebm_slice rstd,
                                          ebm_slice a, ebm_slice bias, ebm_slice residual, ebm_slice gain,
                                          ebm_slice shift, float epsilon, const ebm_dropout *dropout, size_t rows,
                                          size_t channels);
// From dy (gradient of y): ds = gradient of s (= of the residual), da = gradient of (a + bias) = ds under the mask.
// ds may be dy. Weight gradients: ebm_layernorm_backward_weights with x = s (before dy is overwritten).
ebm_status ebm_residual_layernorm_backward(ebm_device *device, ebm_slice ds, ebm_slice da, ebm_slice dy, ebm_slice s,
                                           ebm_slice mean, ebm_slice rstd, ebm_slice gain, const ebm_dropout *dropout,
                                           size_t rows, size_t channels);

// Both: ebm_layernorm_backward_weights, with its scratch, and then ebm_residual_layernorm_backward. On CPUs one pass
// over dy and s.
ebm_status ebm_residual_layernorm_backward_all(ebm_device *device, ebm_slice ds, ebm_slice da, ebm_slice dgain,
                                               ebm_slice dshift, ebm_slice dy, ebm_slice s, ebm_slice mean,
                                               ebm_slice rstd, ebm_slice gain, const ebm_dropout *dropout,
                                               ebm_slice scratch, size_t rows, size_t channels);

// y = dropout(x); y may be x. With probability 0 a copy.
ebm_status ebm_dropout_apply(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_dropout *dropout, size_t rows,
                             size_t channels);

typedef enum { EBM_GELU_ERF, EBM_GELU_TANH } ebm_gelu; // BERT: x Phi(x) exactly; GPT-2: the tanh form
ebm_status ebm_gelu_forward(ebm_device *device, ebm_slice y, ebm_slice x, ebm_gelu kind, size_t rows, size_t channels);
// dx = dy * gelu'(x); dx may be dy. And y = gelu(x) again, unless it is an empty slice; y may be x.
ebm_status ebm_gelu_backward(ebm_device *device, ebm_slice dx, ebm_slice y, ebm_slice dy, ebm_slice x, ebm_gelu kind,
                             size_t rows, size_t channels);

// GeGLU: z (T, C) = dropout(gelu(a) * b) from ab (T, 2C), a and b side by side. Backward writes dab (T, 2C), which may
// be ab, from dz, and z again, unless it is an empty slice. The erf form.
ebm_status ebm_geglu_forward(ebm_device *device, ebm_slice z, ebm_slice ab, const ebm_dropout *dropout, size_t rows,
                             size_t channels);
ebm_status ebm_geglu_backward(ebm_device *device, ebm_slice dab, ebm_slice z, ebm_slice dz, ebm_slice ab,
                              const ebm_dropout *dropout, size_t rows, size_t channels);

// dbias (C) += sum over rows of dy. Slabs of rows first, then the slabs, in a fixed order. Any channels > 0.
// scratch: at least EBM_COLUMN_SLABS * channels elements.
#define EBM_COLUMN_SLABS 64
ebm_status ebm_bias_gradient(ebm_device *device, ebm_slice dbias, ebm_slice dy, ebm_slice scratch, size_t rows,
                             size_t channels);

// The vectors at each sequence's first token: y (sequences, C) from x (tokens, C); and back: dx is zeroed, then dy is
// put at the first tokens.
ebm_status ebm_first_tokens_forward(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_batch *batch,
                                    size_t channels);
ebm_status ebm_first_tokens_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, const ebm_batch *batch,
                                     size_t channels);

// The mean of each sequence's tokens: y (sequences, C) from x (tokens, C), added up in their order; and back: dx of a
// token is dy of its sequence over the sequence's length, written for every token.
ebm_status ebm_mean_tokens_forward(ebm_device *device, ebm_slice y, ebm_slice x, const ebm_batch *batch,
                                   size_t channels);
ebm_status ebm_mean_tokens_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, const ebm_batch *batch,
                                    size_t channels);

ebm_status ebm_tanh_forward(ebm_device *device, ebm_slice y, ebm_slice x, size_t rows, size_t channels); // y may be x
// dx = dy * (1 - y^2); dx may be dy.
ebm_status ebm_tanh_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, ebm_slice y, size_t rows, size_t channels);
// y = max(x, 0), NaN stays NaN; y may be x. dx = dy where y > 0, else 0; dx may be dy.
ebm_status ebm_relu_forward(ebm_device *device, ebm_slice y, ebm_slice x, size_t rows, size_t channels);
ebm_status ebm_relu_backward(ebm_device *device, ebm_slice dx, ebm_slice dy, ebm_slice y, size_t rows, size_t channels);
// Of rows [first, first + count): norms[row] = sum over channels of x^2, and dx += scale * x.
ebm_status ebm_squared_norms(ebm_device *device, ebm_slice norms, ebm_slice dx, ebm_slice x, float scale, size_t first,
                             size_t count, size_t channels);
ebm_status ebm_add(ebm_device *device, ebm_slice y, ebm_slice x, size_t rows, size_t channels); // adds x to y

#ifdef __cplusplus
}
#endif
#endif
