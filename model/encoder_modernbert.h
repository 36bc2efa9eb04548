// The inside of the ModernBERT encoder, for its two files: parameters and memory, and the passes.
#ifndef EBM_ENCODER_MODERNBERT_H
#define EBM_ENCODER_MODERNBERT_H

#include "encoder_form.h"
#include "layers.h"

// up makes both halves of the GLU in one product. The first layer has no norm before its attention.
typedef struct {
    ebm_norm attention_norm, mlp_norm;
    ebm_linear qkv, out, up, down;
    size_t first_tensor; // in the table of parameters
} ebm_modernbert_weights;

// Activations as halves, two in an element, in half storage; else of 0 elements.
typedef struct {
    ebm_slice qkv, context, middle, up, end;
} ebm_modernbert_halves;

// What a layer keeps for its backward pass. T tokens, C channels, H heads, F inner size. In half storage the halves and
// lse are the layer's own, the rest lies in buffers that all layers share (ebm_modernbert_shared).
typedef struct {
    ebm_modernbert_halves half;
    ebm_slice norm1, mean1, rstd1; // (T, C), (T), (T): the input of attention; not of the first layer
    ebm_slice qkv, lse, context;   // (T, 3C) turned, (T, H), (T, C)
    ebm_slice middle;              // (T, C): the stream after attention
    ebm_slice norm2, mean2, rstd2;
    ebm_slice up;  // (T, 2F)
    ebm_slice end; // (T, C): the stream after the layer
} ebm_modernbert_activations;

// In half storage: who has a buffer when. Each is written where the last one before it is not needed any more.
typedef struct {
    ebm_slice wide;       // (T, 3C or 2F): qkv, up
    ebm_slice stream;     // (T, C): x0, end
    ebm_slice middle;     // (T, C): embedded, middle, in backward context
    ebm_slice normed;     // (T, C): norm1, norm2, output
    ebm_slice mean, rstd; // (T): of the norm that was made last
} ebm_modernbert_shared;

typedef struct {
    ebm_encoder base;
    size_t C, F, H, L;
    size_t places; // rows of the tables
    ebm_tensor *word;
    ebm_norm norm, final_norm;
    ebm_modernbert_weights *weights;         // L
    ebm_modernbert_activations *activations; // L when training, else one shared by all layers
    ebm_slice global_table, local_table;     // (places, C / H), see rotary.h
    ebm_slice embedded, x0, mean0, rstd0;
    ebm_slice output, mean, rstd; // of the final norm
    // Scratch of the backward pass, shared by all layers; the gradient of the stream is base.gradient.
    ebm_modernbert_shared shared; // half storage only
    ebm_slice d_wide;             // likewise: d_up, then d_qkv
    ebm_slice gated;              // (T, F) of one layer: made again in the backward pass
    ebm_slice d_branch, d_context, d_gated, d_up, d_qkv, d_rows, column_scratch;
} ebm_modernbert;

ebm_status ebm_modernbert_create(ebm_encoder *encoder, ebm_parameters *parameters);
ebm_status ebm_modernbert_fill(ebm_encoder *encoder);
void ebm_modernbert_release(ebm_encoder *encoder);

static inline ebm_modernbert_activations *ebm_modernbert_kept(const ebm_modernbert *e, size_t layer)
{
    return &e->activations[e->base.limits.training ? layer : 0];
}

#endif
