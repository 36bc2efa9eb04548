// The inside of the post-norm encoder, for its two files: parameters and memory, and the passes.
#ifndef EBM_ENCODER_POST_NORM_H
#define EBM_ENCODER_POST_NORM_H

#include "attention_first.h"
#include "encoder_form.h"
#include "layers.h"

// query, key and value are one matrix on the device, so one product makes all three.
typedef struct {
    ebm_linear qkv, out, up, down;
    ebm_norm norm1, norm2;
    size_t first_tensor; // in the table of parameters
} ebm_post_norm_weights;

// Activations as halves, two in an element, in half storage; else of 0 elements.
typedef struct {
    ebm_slice qkv, context, sum1, up, sum2;
} ebm_post_norm_halves;

// What a layer keeps for its backward pass. T tokens, C channels, H heads, F inner size. In half storage the halves and
// lse are the layer's own, the rest lies in buffers that all layers share (ebm_post_norm_shared).
typedef struct {
    ebm_post_norm_halves half;
    ebm_slice qkv;          // (T, 3C)
    ebm_slice lse;          // (T, H)
    ebm_slice context;      // (T, C)
    ebm_slice sum1, y1;     // (T, C) before and after the first LayerNorm
    ebm_slice mean1, rstd1; // (T)
    ebm_slice up;           // (T, F)
    ebm_slice sum2, y2;     // (T, C) before and after the second LayerNorm; y2 is the layer's output
    ebm_slice mean2, rstd2; // (T)
} ebm_post_norm_activations;

// In half storage: who has a buffer when. Each is written where the last one before it is not needed any more.
typedef struct {
    ebm_slice wide;       // (T, 3C or F): qkv; up, and GELU of it in its place
    ebm_slice stream;     // (T, C or E): a layer's input and output, normed; in backward y1's place taken by d_branch
    ebm_slice sum;        // (T, C or E): embedded, sum1, sum2
    ebm_slice mean, rstd; // (T): of what sum holds
} ebm_post_norm_shared;

typedef struct {
    ebm_encoder base;
    size_t C, F, H, L;
    size_t E; // width of the embeddings: C but for ELECTRA, which projects them to C when it differs
    ebm_tensor *word, *position, *type;
    ebm_norm norm;
    ebm_linear project;
    ebm_post_norm_weights *weights;           // L
    ebm_post_norm_activations *activations;   // L when training, else one shared by all layers
    ebm_slice embedded, normed, mean0, rstd0; // (T, E), (T)
    ebm_slice projected, d_normed;            // (T, C), (T, E); 0 elements when nothing is projected
    ebm_slice gelu;                           // (T, F) of one layer: made again in the backward pass
    // Scratch of the backward pass, shared by all layers; the gradient of the residual stream is base.gradient.
    ebm_post_norm_shared shared; // half storage only
    ebm_slice d_wide;            // likewise: d_inner, then d_qkv
    ebm_slice d_branch, d_context, d_inner, d_qkv, d_rows, column_scratch;
    ebm_slice d_first_qkv; // (S, 3C), S the most sequences that ebm_attention_first_most admits
} ebm_post_norm;

ebm_status ebm_post_norm_create(ebm_encoder *encoder, ebm_parameters *parameters);
void ebm_post_norm_release(ebm_encoder *encoder);

static inline ebm_post_norm_activations *ebm_post_norm_kept(const ebm_post_norm *e, size_t layer)
{
    return &e->activations[e->base.limits.training ? layer : 0];
}

#endif
