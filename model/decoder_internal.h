// The inside of the decoder, for its files: parameters and memory, passes over packed batches, generation.
#ifndef EBM_DECODER_INTERNAL_H
#define EBM_DECODER_INTERNAL_H

#include "attention.h"
#include "decoder.h"
#include "gemm_packed.h"

// Rows of the vocabulary product at a time: bounds the logits' memory at EBM_DECODER_LOSS_ROWS x vocabulary.
enum { EBM_DECODER_LOSS_ROWS = 256 };

// GPT-2 stores its matrices input-major (Conv1D), so y = x w with w (inputs, outputs) as in the file.
typedef struct {
    ebm_tensor *gain1, *shift1, *qkv, *qkv_bias, *out, *out_bias;
    ebm_tensor *gain2, *shift2, *up, *up_bias, *down, *down_bias;
    ebm_packed packed_qkv, packed_out, packed_up, packed_down;
} ebm_decoder_weights;

typedef struct {
    ebm_slice norm1, mean1, rstd1; // (T, C), (T), (T)
    ebm_slice qkv, lse, context;   // (T, 3C), (T, H), (T, C)
    ebm_slice middle;              // (T, C) residual stream after attention
    ebm_slice norm2, mean2, rstd2;
    ebm_slice up;  // (T, F)
    ebm_slice end; // (T, C) residual stream after the layer
} ebm_decoder_activations;

struct ebm_decoder {
    ebm_device *device;
    const ebm_config *config;
    ebm_decoder_settings set;
    ebm_parameters *parameters; // borrowed
    ebm_arena *arena, *packed_arena;
    uint64_t packed_version; // of the parameters when they were packed, counted from 1; 0: they were not
    size_t C, F, H, L, V;
    ebm_tensor *word, *position, *gain, *shift;
    ebm_decoder_weights *weights;
    ebm_decoder_activations *activations; // L when training, else one shared by all layers
    ebm_slice x0, output, mean, rstd;
    ebm_slice gelu; // (T or slots, F) of one layer: made again in the backward pass
    ebm_slice d_stream, d_branch, d_context, d_inner, d_qkv, d_rows, column_scratch;
    // The loss works on the rows that have a target: their hidden states, gradients and logits, LOSS_ROWS at a time.
    ebm_slice rows, targets, row_hidden, row_gradient, row_loss, logits;
    int32_t *host_rows, *host_targets;
    float *host_loss;
    ebm_slice *cache;             // L
    ebm_decoder_activations step; // one token a slot
    ebm_slice step_x0, step_output, step_mean, step_rstd;
};

// Where a layer's activations are: training keeps them all.
static inline ebm_decoder_activations *ebm_decoder_kept(const ebm_decoder *d, size_t layer)
{
    return &d->activations[d->set.limits.training ? layer : 0];
}

static inline ebm_slice ebm_decoder_layer_input(const ebm_decoder *d, size_t layer)
{
    return layer == 0 ? d->x0 : ebm_decoder_kept(d, layer - 1)->end;
}

// Packs the weights of a decoder that generates, where they are not packed as they are now. Before a pass.
ebm_status ebm_decoder_pack(ebm_decoder *decoder);

// A LayerNorm, and where it writes.
typedef struct {
    const ebm_tensor *gain, *shift;
    ebm_slice y, mean, rstd;
} ebm_decoder_norm;

// The one in front of a layer's attention, of a packed batch or of one token a slot (step); behind the last layer that
// of the output.
ebm_decoder_norm ebm_decoder_norm_before(const ebm_decoder *decoder, size_t layer, bool step);

// Shared by packed batches and generation: the setting of a layer's attention, the LayerNorm of what was embedded, and
// what lies before and behind attention in a layer, for T tokens. A layer takes its input x normed, in norm1, and
// leaves its own normed by `next`.
ebm_attention ebm_decoder_attention(const ebm_decoder *decoder, const ebm_batch *batch, const ebm_run *run,
                                    size_t layer);
ebm_status ebm_decoder_norm_embedded(ebm_decoder *decoder, const ebm_decoder_norm *norm, ebm_slice x, size_t T);
ebm_status ebm_decoder_before_attention(ebm_decoder *decoder, const ebm_decoder_weights *w, ebm_decoder_activations *a,
                                        size_t T);
ebm_status ebm_decoder_after_attention(ebm_decoder *decoder, const ebm_decoder_weights *w, ebm_decoder_activations *a,
                                       ebm_slice x, const ebm_decoder_norm *next, const ebm_dropout *first,
                                       const ebm_dropout *second, size_t T);
ebm_status ebm_decoder_layer(ebm_decoder *decoder, size_t layer, const ebm_batch *batch, const ebm_run *run);

#endif
