#include "encoder.h"

#include <stdlib.h>

#include "attention.h"
#include "gemm.h"
#include "operations.h"
#include "random.h"

// Parameters of one layer; query, key and value are one matrix on the device, so one product makes all three.
typedef struct {
    ebm_tensor *qkv, *qkv_bias, *out, *out_bias, *gain1, *shift1;
    ebm_tensor *up, *up_bias, *down, *down_bias, *gain2, *shift2;
} layer_weights;

// What a layer keeps for its backward pass. T tokens, C channels, H heads, F inner size.
typedef struct {
    ebm_slice qkv;          // (T, 3C)
    ebm_slice lse;          // (T, H)
    ebm_slice context;      // (T, C)
    ebm_slice sum1, y1;     // (T, C) before and after the first LayerNorm
    ebm_slice mean1, rstd1; // (T)
    ebm_slice up, gelu;     // (T, F)
    ebm_slice sum2, y2;     // (T, C) before and after the second LayerNorm; y2 is the layer's output
    ebm_slice mean2, rstd2; // (T)
} layer_activations;

struct ebm_encoder {
    ebm_device *device;
    const ebm_config *config;
    ebm_limits limits;
    ebm_arena *arena;
    size_t C, F, H, L;
    ebm_tensor *word, *position, *type, *gain, *shift;
    layer_weights *weights;         // L
    layer_activations *activations; // L when training, else one shared by all layers
    ebm_slice embedded, x0, mean0, rstd0;
    // Scratch of the backward pass, shared by all layers: gradients of the residual stream, of a sublayer's output, ...
    ebm_slice d_stream, d_branch, d_context, d_inner, d_qkv, d_rows, column_scratch;
};

static layer_activations *kept(ebm_encoder *e, size_t layer) { return &e->activations[e->limits.training ? layer : 0]; }

static const char *prefix_of(const ebm_config *config)
{
    return config->family == EBM_FAMILY_ROBERTA ? "roberta" : "bert";
}

static void name_embeddings(ebm_encoder *e, ebm_parameters *p)
{
    const ebm_config *c = e->config;
    const char *family = prefix_of(c);
    const size_t C = e->C;
    e->word = ebm_parameters_tensor(p, c->vocabulary * C, true);
    ebm_parameters_name(p, e->word, 0, c->vocabulary, C, EBM_INIT_NORMAL, "%s.embeddings.word_embeddings.weight",
                        family);
    e->position = ebm_parameters_tensor(p, c->max_positions * C, true);
    ebm_parameters_name(p, e->position, 0, c->max_positions, C, EBM_INIT_NORMAL,
                        "%s.embeddings.position_embeddings.weight", family);
    e->type = ebm_parameters_tensor(p, c->type_vocabulary * C, true);
    ebm_parameters_name(p, e->type, 0, c->type_vocabulary, C, EBM_INIT_NORMAL,
                        "%s.embeddings.token_type_embeddings.weight", family);
    e->gain = ebm_parameters_tensor(p, C, false);
    ebm_parameters_name(p, e->gain, 0, 0, C, EBM_INIT_ONE, "%s.embeddings.LayerNorm.weight", family);
    e->shift = ebm_parameters_tensor(p, C, false);
    ebm_parameters_name(p, e->shift, 0, 0, C, EBM_INIT_ZERO, "%s.embeddings.LayerNorm.bias", family);
}

// One matrix and one bias: "<family>.encoder.layer.<l>.<where>.weight" and ".bias".
static void name_linear(ebm_encoder *e, ebm_parameters *p, size_t layer, const char *where, size_t rows, size_t columns,
                        ebm_tensor **weight, ebm_tensor **bias)
{
    const char *family = prefix_of(e->config);
    *weight = ebm_parameters_tensor(p, rows * columns, true);
    ebm_parameters_name(p, *weight, 0, rows, columns, EBM_INIT_NORMAL, "%s.encoder.layer.%zu.%s.weight", family, layer,
                        where);
    *bias = ebm_parameters_tensor(p, rows, false);
    ebm_parameters_name(p, *bias, 0, 0, rows, EBM_INIT_ZERO, "%s.encoder.layer.%zu.%s.bias", family, layer, where);
}

static void name_norm(ebm_encoder *e, ebm_parameters *p, size_t layer, const char *where, ebm_tensor **gain,
                      ebm_tensor **shift)
{
    const char *family = prefix_of(e->config);
    *gain = ebm_parameters_tensor(p, e->C, false);
    ebm_parameters_name(p, *gain, 0, 0, e->C, EBM_INIT_ONE, "%s.encoder.layer.%zu.%s.LayerNorm.weight", family, layer,
                        where);
    *shift = ebm_parameters_tensor(p, e->C, false);
    ebm_parameters_name(p, *shift, 0, 0, e->C, EBM_INIT_ZERO, "%s.encoder.layer.%zu.%s.LayerNorm.bias", family, layer,
                        where);
}

static void name_layer(ebm_encoder *e, ebm_parameters *p, size_t layer)
{
    static const char *const parts[3] = {"query", "key", "value"};
    const char *family = prefix_of(e->config);
    layer_weights *w = &e->weights[layer];
    const size_t C = e->C;
    w->qkv = ebm_parameters_tensor(p, 3 * C * C, true);
    w->qkv_bias = ebm_parameters_tensor(p, 3 * C, false);
    for (size_t i = 0; i < 3; i++) {
        ebm_parameters_name(p, w->qkv, i * C * C, C, C, EBM_INIT_NORMAL,
                            "%s.encoder.layer.%zu.attention.self.%s.weight", family, layer, parts[i]);
        ebm_parameters_name(p, w->qkv_bias, i * C, 0, C, EBM_INIT_ZERO, "%s.encoder.layer.%zu.attention.self.%s.bias",
                            family, layer, parts[i]);
    }
    name_linear(e, p, layer, "attention.output.dense", C, C, &w->out, &w->out_bias);
    name_norm(e, p, layer, "attention.output", &w->gain1, &w->shift1);
    name_linear(e, p, layer, "intermediate.dense", e->F, C, &w->up, &w->up_bias);
    name_linear(e, p, layer, "output.dense", C, e->F, &w->down, &w->down_bias);
    name_norm(e, p, layer, "output", &w->gain2, &w->shift2);
}

static void plan_layer(ebm_encoder *e, layer_activations *a)
{
    const size_t T = e->limits.tokens, C = e->C;
    ebm_arena_reserve(e->arena, &a->qkv, T * 3 * C);
    ebm_arena_reserve(e->arena, &a->lse, T * e->H);
    ebm_arena_reserve(e->arena, &a->context, T * C);
    ebm_arena_reserve(e->arena, &a->sum1, T * C);
    ebm_arena_reserve(e->arena, &a->y1, T * C);
    ebm_arena_reserve(e->arena, &a->mean1, T);
    ebm_arena_reserve(e->arena, &a->rstd1, T);
    ebm_arena_reserve(e->arena, &a->up, T * e->F);
    ebm_arena_reserve(e->arena, &a->gelu, T * e->F);
    ebm_arena_reserve(e->arena, &a->sum2, T * C);
    ebm_arena_reserve(e->arena, &a->y2, T * C);
    ebm_arena_reserve(e->arena, &a->mean2, T);
    ebm_arena_reserve(e->arena, &a->rstd2, T);
}

static void plan(ebm_encoder *e)
{
    const size_t T = e->limits.tokens, C = e->C;
    ebm_arena_reserve(e->arena, &e->embedded, T * C);
    ebm_arena_reserve(e->arena, &e->x0, T * C);
    ebm_arena_reserve(e->arena, &e->mean0, T);
    ebm_arena_reserve(e->arena, &e->rstd0, T);
    for (size_t l = 0; l < (e->limits.training ? e->L : 1); l++) plan_layer(e, &e->activations[l]);
    if (!e->limits.training) return;
    const size_t widest = 3 * C > e->F ? 3 * C : e->F;
    ebm_arena_reserve(e->arena, &e->d_stream, T * C);
    ebm_arena_reserve(e->arena, &e->d_branch, T * C);
    ebm_arena_reserve(e->arena, &e->d_context, T * C);
    ebm_arena_reserve(e->arena, &e->d_inner, T * e->F);
    ebm_arena_reserve(e->arena, &e->d_qkv, T * 3 * C);
    ebm_arena_reserve(e->arena, &e->d_rows, T * e->H);
    ebm_arena_reserve(e->arena, &e->column_scratch, EBM_COLUMN_SLABS * 2 * widest);
}

ebm_status ebm_encoder_create(ebm_device *device, const ebm_config *config, ebm_parameters *parameters,
                              const ebm_limits *limits, ebm_encoder **out)
{
    *out = NULL;
    if (config->family != EBM_FAMILY_BERT && config->family != EBM_FAMILY_ROBERTA)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "an encoder of family bert or roberta is needed, found %s",
                        ebm_family_name(config->family));
    ebm_encoder *e = calloc(1, sizeof *e);
    if (!e) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an encoder");
    e->device = device;
    e->config = config;
    e->limits = *limits;
    e->C = config->hidden;
    e->F = config->intermediate;
    e->H = config->heads;
    e->L = config->layers;
    e->arena = ebm_arena_create(device, limits->training ? "encoder activations and gradients" : "encoder activations");
    e->weights = calloc(e->L, sizeof *e->weights);
    e->activations = calloc(e->L, sizeof *e->activations);
    if (!e->arena || !e->weights || !e->activations) {
        ebm_encoder_free(e);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an encoder of %zu layers", config->layers);
    }
    name_embeddings(e, parameters);
    for (size_t l = 0; l < e->L; l++) name_layer(e, parameters, l);
    plan(e);
    *out = e;
    return ebm_ok();
}

void ebm_encoder_free(ebm_encoder *e)
{
    if (!e) return;
    ebm_arena_free(e->arena);
    free(e->weights);
    free(e->activations);
    free(e);
}

ebm_arena *ebm_encoder_arena(ebm_encoder *e) { return e->arena; }

ebm_status ebm_encoder_allocate(ebm_encoder *e)
{
    if (e->limits.training) EBM_TRY(ebm_gemm_prepare(e->device));
    return ebm_arena_allocate(e->arena);
}

ebm_slice ebm_encoder_output(const ebm_encoder *e) { return e->activations[e->limits.training ? e->L - 1 : 0].y2; }
ebm_slice ebm_encoder_gradient(const ebm_encoder *e) { return e->d_stream; }

static ebm_dropout dropout_at(const ebm_encoder *e, const ebm_batch *batch, const ebm_run *run, float probability,
                              uint32_t site)
{
    const ebm_dropout dropout = {run->training ? probability : 0.0f, run->seed, run->step, site, batch->first_token};
    return dropout;
}

static uint32_t layer_site(size_t layer, uint32_t place)
{
    return EBM_SITE_DROPOUT_LAYERS + 8 * (uint32_t)layer + place;
}

static ebm_attention attention_of(const ebm_encoder *e, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    const ebm_attention attention = {
        .heads = e->H,
        .head_size = e->C / e->H,
        .causal = false,
        .dropout = dropout_at(e, batch, run, e->config->attention_dropout, layer_site(layer, 0)),
    };
    return attention;
}

// y (T, rows of w) = x w^T + bias
static ebm_status linear(ebm_encoder *e, ebm_slice y, ebm_slice x, const ebm_tensor *w, ebm_slice bias, size_t T,
                         size_t outputs, size_t inputs)
{
    return ebm_gemm(e->device, EBM_GEMM_NT, T, outputs, inputs, ebm_matrix_of(x, inputs),
                    ebm_matrix_of(w->weight, inputs), 0, ebm_matrix_of(y, outputs), bias);
}

// dw += dy^T x, db += column sums of dy, dx (+)= dy w
static ebm_status linear_backward(ebm_encoder *e, ebm_slice dx, float beta, ebm_slice dy, ebm_slice x, ebm_tensor *w,
                                  ebm_tensor *bias, size_t T, size_t outputs, size_t inputs)
{
    const ebm_slice none = {0};
    EBM_TRY(ebm_gemm(e->device, EBM_GEMM_TN, outputs, inputs, T, ebm_matrix_of(dy, outputs), ebm_matrix_of(x, inputs),
                     1, ebm_matrix_of(w->gradient, inputs), none));
    EBM_TRY(ebm_bias_gradient(e->device, bias->gradient, dy, e->column_scratch, T, outputs));
    return ebm_gemm(e->device, EBM_GEMM_NN, T, inputs, outputs, ebm_matrix_of(dy, outputs),
                    ebm_matrix_of(w->weight, inputs), beta, ebm_matrix_of(dx, inputs), none);
}

static ebm_status embed(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run)
{
    const ebm_dropout dropout = dropout_at(e, batch, run, e->config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    EBM_TRY(ebm_embedding_forward(e->device, e->embedded, batch, e->word->weight, e->position->weight, e->type->weight,
                                  e->C));
    EBM_TRY(ebm_layernorm_forward(e->device, e->x0, e->mean0, e->rstd0, e->embedded, e->gain->weight, e->shift->weight,
                                  e->config->layer_norm_eps, batch->tokens, e->C));
    if (dropout.probability == 0) return ebm_ok();
    return ebm_dropout_apply(e->device, e->x0, e->x0, &dropout, batch->tokens, e->C);
}

static ebm_status embed_backward(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run)
{
    const ebm_dropout dropout = dropout_at(e, batch, run, e->config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    if (dropout.probability != 0)
        EBM_TRY(ebm_dropout_apply(e->device, e->d_stream, e->d_stream, &dropout, batch->tokens, e->C));
    EBM_TRY(ebm_layernorm_backward_weights(e->device, e->gain->gradient, e->shift->gradient, e->d_stream, e->embedded,
                                           e->mean0, e->rstd0, e->column_scratch, batch->tokens, e->C));
    EBM_TRY(ebm_layernorm_backward(e->device, e->d_stream, e->d_stream, e->embedded, e->mean0, e->rstd0,
                                   e->gain->weight, false, batch->tokens, e->C));
    return ebm_embedding_backward(e->device, e->word->gradient, e->position->gradient, e->type->gradient, e->d_stream,
                                  batch, e->C);
}

static ebm_status layer_forward(ebm_encoder *e, size_t l, ebm_slice x, const ebm_batch *batch, const ebm_run *run)
{
    const layer_weights *w = &e->weights[l];
    layer_activations *a = kept(e, l);
    const size_t T = batch->tokens, C = e->C, F = e->F;
    const float epsilon = e->config->layer_norm_eps, p = e->config->hidden_dropout;
    const ebm_slice none = {0};
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_dropout after_attention = dropout_at(e, batch, run, p, layer_site(l, 1));
    const ebm_dropout after_inner = dropout_at(e, batch, run, p, layer_site(l, 2));

    EBM_TRY(linear(e, a->qkv, x, w->qkv, w->qkv_bias->weight, T, 3 * C, C));
    EBM_TRY(ebm_attention_forward(e->device, a->context, a->lse, a->qkv, batch, &attention));
    EBM_TRY(linear(e, a->sum1, a->context, w->out, none, T, C, C));
    EBM_TRY(ebm_residual_layernorm_forward(e->device, a->y1, a->sum1, a->mean1, a->rstd1, a->sum1, w->out_bias->weight,
                                           x, w->gain1->weight, w->shift1->weight, epsilon, &after_attention, T, C));
    EBM_TRY(linear(e, a->up, a->y1, w->up, w->up_bias->weight, T, F, C));
    EBM_TRY(ebm_gelu_forward(e->device, a->gelu, a->up, EBM_GELU_ERF, T, F));
    EBM_TRY(linear(e, a->sum2, a->gelu, w->down, none, T, C, F));
    return ebm_residual_layernorm_forward(e->device, a->y2, a->sum2, a->mean2, a->rstd2, a->sum2, w->down_bias->weight,
                                          a->y1, w->gain2->weight, w->shift2->weight, epsilon, &after_inner, T, C);
}

// d_stream holds the gradient of the layer's output and leaves holding that of its input.
static ebm_status layer_backward(ebm_encoder *e, size_t l, ebm_slice x, const ebm_batch *batch, const ebm_run *run)
{
    layer_weights *w = &e->weights[l];
    layer_activations *a = kept(e, l);
    const size_t T = batch->tokens, C = e->C, F = e->F;
    const float p = e->config->hidden_dropout;
    const ebm_attention attention = attention_of(e, batch, run, l);
    const ebm_dropout after_attention = dropout_at(e, batch, run, p, layer_site(l, 1));
    const ebm_dropout after_inner = dropout_at(e, batch, run, p, layer_site(l, 2));

    EBM_TRY(ebm_layernorm_backward_weights(e->device, w->gain2->gradient, w->shift2->gradient, e->d_stream, a->sum2,
                                           a->mean2, a->rstd2, e->column_scratch, T, C));
    EBM_TRY(ebm_residual_layernorm_backward(e->device, e->d_stream, e->d_branch, e->d_stream, a->sum2, a->mean2,
                                            a->rstd2, w->gain2->weight, &after_inner, T, C));
    EBM_TRY(linear_backward(e, e->d_inner, 0, e->d_branch, a->gelu, w->down, w->down_bias, T, C, F));
    EBM_TRY(ebm_gelu_backward(e->device, e->d_inner, e->d_inner, a->up, EBM_GELU_ERF, T, F));
    EBM_TRY(linear_backward(e, e->d_stream, 1, e->d_inner, a->y1, w->up, w->up_bias, T, F, C));

    EBM_TRY(ebm_layernorm_backward_weights(e->device, w->gain1->gradient, w->shift1->gradient, e->d_stream, a->sum1,
                                           a->mean1, a->rstd1, e->column_scratch, T, C));
    EBM_TRY(ebm_residual_layernorm_backward(e->device, e->d_stream, e->d_branch, e->d_stream, a->sum1, a->mean1,
                                            a->rstd1, w->gain1->weight, &after_attention, T, C));
    EBM_TRY(linear_backward(e, e->d_context, 0, e->d_branch, a->context, w->out, w->out_bias, T, C, C));
    EBM_TRY(ebm_attention_backward(e->device, e->d_qkv, e->d_context, a->context, a->qkv, a->lse, e->d_rows, batch,
                                   &attention));
    return linear_backward(e, e->d_stream, 1, e->d_qkv, x, w->qkv, w->qkv_bias, T, 3 * C, C);
}

static ebm_status check_batch(const ebm_encoder *e, const ebm_batch *batch)
{
    if (batch->tokens > e->limits.tokens || batch->sequences > e->limits.sequences)
        return ebm_fail(EBM_ERROR_INPUT, "a batch of %zu tokens in %zu sequences, planned for %zu in %zu",
                        batch->tokens, batch->sequences, e->limits.tokens, e->limits.sequences);
    if (batch->longest > ebm_config_max_tokens(e->config))
        return ebm_fail(EBM_ERROR_INPUT, "a sequence of %zu tokens, the model has positions for %zu", batch->longest,
                        ebm_config_max_tokens(e->config));
    return ebm_ok();
}

static ebm_slice layer_input(ebm_encoder *e, size_t l) { return l == 0 ? e->x0 : kept(e, l - 1)->y2; }

ebm_status ebm_encoder_forward(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run)
{
    EBM_TRY(check_batch(e, batch));
    EBM_TRY(embed(e, batch, run));
    for (size_t l = 0; l < e->L; l++) EBM_TRY(layer_forward(e, l, layer_input(e, l), batch, run));
    return ebm_ok();
}

ebm_status ebm_encoder_backward(ebm_encoder *e, const ebm_batch *batch, const ebm_run *run)
{
    if (!e->limits.training)
        return ebm_fail(EBM_ERROR_INPUT, "backward of an encoder that was not planned for training");
    for (size_t l = e->L; l-- > 0;) EBM_TRY(layer_backward(e, l, layer_input(e, l), batch, run));
    return embed_backward(e, batch, run);
}
