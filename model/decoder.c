#include "decoder.h"

#include <stdio.h>
#include <stdlib.h>

#include "attention.h"
#include "gemm.h"
#include "lm_loss.h"
#include "operations.h"
#include "random.h"

// Rows of the vocabulary product at a time: bounds the logits' memory at LOSS_ROWS x vocabulary.
enum { LOSS_ROWS = 256 };

// GPT-2 stores its matrices input-major (Conv1D), so y = x w with w (inputs, outputs) as in the file.
typedef struct {
    ebm_tensor *gain1, *shift1, *qkv, *qkv_bias, *out, *out_bias;
    ebm_tensor *gain2, *shift2, *up, *up_bias, *down, *down_bias;
} layer_weights;

typedef struct {
    ebm_slice norm1, mean1, rstd1; // (T, C), (T), (T)
    ebm_slice qkv, lse, context;   // (T, 3C), (T, H), (T, C)
    ebm_slice middle;              // (T, C) residual stream after attention
    ebm_slice norm2, mean2, rstd2;
    ebm_slice up, gelu; // (T, F)
    ebm_slice end;      // (T, C) residual stream after the layer
} layer_activations;

struct ebm_decoder {
    ebm_device *device;
    const ebm_config *config;
    ebm_decoder_settings set;
    ebm_arena *arena;
    size_t C, F, H, L, V;
    ebm_tensor *word, *position, *gain, *shift;
    layer_weights *weights;
    layer_activations *activations; // L when training, else one shared by all layers
    ebm_slice x0, output, mean, rstd;
    ebm_slice d_stream, d_branch, d_context, d_inner, d_qkv, d_rows, column_scratch;
    // The loss works on the rows that have a target: their hidden states, gradients and logits, LOSS_ROWS at a time.
    ebm_slice rows, targets, row_hidden, row_gradient, row_loss, logits;
    int32_t *host_rows, *host_targets;
    float *host_loss;
    ebm_slice *cache;       // L
    layer_activations step; // one token a slot
    ebm_slice step_x0, step_output, step_mean, step_rstd;
};

static layer_activations *kept(ebm_decoder *d, size_t layer)
{
    return &d->activations[d->set.limits.training ? layer : 0];
}

static void name_norm(ebm_parameters *p, size_t C, const char *where, ebm_tensor **gain, ebm_tensor **shift)
{
    *gain = ebm_parameters_tensor(p, C, false);
    ebm_parameters_name(p, *gain, 0, 0, C, EBM_INIT_ONE, "transformer.%s.weight", where);
    *shift = ebm_parameters_tensor(p, C, false);
    ebm_parameters_name(p, *shift, 0, 0, C, EBM_INIT_ZERO, "transformer.%s.bias", where);
}

static void name_linear(ebm_parameters *p, size_t layer, const char *where, size_t inputs, size_t outputs,
                        ebm_tensor **weight, ebm_tensor **bias)
{
    *weight = ebm_parameters_tensor(p, inputs * outputs, true);
    ebm_parameters_name(p, *weight, 0, inputs, outputs, EBM_INIT_NORMAL, "transformer.h.%zu.%s.weight", layer, where);
    *bias = ebm_parameters_tensor(p, outputs, false);
    ebm_parameters_name(p, *bias, 0, 0, outputs, EBM_INIT_ZERO, "transformer.h.%zu.%s.bias", layer, where);
}

static void name_layer(ebm_decoder *d, ebm_parameters *p, size_t layer)
{
    layer_weights *w = &d->weights[layer];
    const size_t C = d->C;
    char where[32];
    snprintf(where, sizeof where, "h.%zu.ln_1", layer);
    name_norm(p, C, where, &w->gain1, &w->shift1);
    name_linear(p, layer, "attn.c_attn", C, 3 * C, &w->qkv, &w->qkv_bias);
    name_linear(p, layer, "attn.c_proj", C, C, &w->out, &w->out_bias);
    snprintf(where, sizeof where, "h.%zu.ln_2", layer);
    name_norm(p, C, where, &w->gain2, &w->shift2);
    name_linear(p, layer, "mlp.c_fc", C, d->F, &w->up, &w->up_bias);
    name_linear(p, layer, "mlp.c_proj", d->F, C, &w->down, &w->down_bias);
}

static void name_parameters(ebm_decoder *d, ebm_parameters *p)
{
    const size_t positions = d->config->max_positions;
    d->word = ebm_parameters_tensor(p, d->V * d->C, true);
    ebm_parameters_name(p, d->word, 0, d->V, d->C, EBM_INIT_NORMAL, "transformer.wte.weight");
    d->position = ebm_parameters_tensor(p, positions * d->C, true);
    ebm_parameters_name(p, d->position, 0, positions, d->C, EBM_INIT_NORMAL, "transformer.wpe.weight");
    for (size_t l = 0; l < d->L; l++) name_layer(d, p, l);
    name_norm(p, d->C, "ln_f", &d->gain, &d->shift);
}

static void plan_layer(ebm_decoder *d, layer_activations *a, size_t T, bool with_lse)
{
    const size_t C = d->C;
    ebm_arena_reserve(d->arena, &a->norm1, T * C);
    ebm_arena_reserve(d->arena, &a->mean1, T);
    ebm_arena_reserve(d->arena, &a->rstd1, T);
    ebm_arena_reserve(d->arena, &a->qkv, T * 3 * C);
    ebm_arena_reserve(d->arena, &a->lse, with_lse ? T * d->H : 0);
    ebm_arena_reserve(d->arena, &a->context, T * C);
    ebm_arena_reserve(d->arena, &a->middle, T * C);
    ebm_arena_reserve(d->arena, &a->norm2, T * C);
    ebm_arena_reserve(d->arena, &a->mean2, T);
    ebm_arena_reserve(d->arena, &a->rstd2, T);
    ebm_arena_reserve(d->arena, &a->up, T * d->F);
    ebm_arena_reserve(d->arena, &a->gelu, T * d->F);
    ebm_arena_reserve(d->arena, &a->end, T * C);
}

static void plan_loss(ebm_decoder *d)
{
    const size_t T = d->set.limits.tokens, rows = LOSS_ROWS > d->set.slots ? LOSS_ROWS : d->set.slots;
    ebm_arena_reserve(d->arena, &d->rows, T + 1);
    ebm_arena_reserve(d->arena, &d->targets, LOSS_ROWS);
    ebm_arena_reserve(d->arena, &d->row_hidden, T * d->C);
    ebm_arena_reserve(d->arena, &d->row_gradient, d->set.limits.training ? T * d->C : 0);
    ebm_arena_reserve(d->arena, &d->row_loss, LOSS_ROWS);
    ebm_arena_reserve(d->arena, &d->logits, rows * d->V);
}

static void plan_backward(ebm_decoder *d)
{
    const size_t T = d->set.limits.tokens, C = d->C, widest = 3 * C > d->F ? 3 * C : d->F;
    ebm_arena_reserve(d->arena, &d->d_stream, T * C);
    ebm_arena_reserve(d->arena, &d->d_branch, T * C);
    ebm_arena_reserve(d->arena, &d->d_context, T * C);
    ebm_arena_reserve(d->arena, &d->d_inner, T * d->F);
    ebm_arena_reserve(d->arena, &d->d_qkv, T * 3 * C);
    ebm_arena_reserve(d->arena, &d->d_rows, T * d->H);
    ebm_arena_reserve(d->arena, &d->column_scratch, EBM_COLUMN_SLABS * 2 * widest);
}

static void plan_generation(ebm_decoder *d)
{
    const size_t S = d->set.slots, C = d->C;
    for (size_t l = 0; l < d->L; l++) ebm_arena_reserve(d->arena, &d->cache[l], S * d->set.capacity * 2 * C);
    plan_layer(d, &d->step, S, false);
    ebm_arena_reserve(d->arena, &d->step_x0, S * C);
    ebm_arena_reserve(d->arena, &d->step_output, S * C);
    ebm_arena_reserve(d->arena, &d->step_mean, S);
    ebm_arena_reserve(d->arena, &d->step_rstd, S);
}

static void plan(ebm_decoder *d)
{
    const size_t T = d->set.limits.tokens;
    ebm_arena_reserve(d->arena, &d->x0, T * d->C);
    ebm_arena_reserve(d->arena, &d->output, T * d->C);
    ebm_arena_reserve(d->arena, &d->mean, T);
    ebm_arena_reserve(d->arena, &d->rstd, T);
    for (size_t l = 0; l < (d->set.limits.training ? d->L : 1); l++) plan_layer(d, &d->activations[l], T, true);
    plan_loss(d);
    if (d->set.limits.training) plan_backward(d);
    if (d->set.slots > 0) plan_generation(d);
}

static bool allocate_host(ebm_decoder *d)
{
    const size_t T = d->set.limits.tokens;
    d->arena = ebm_arena_create(d->device, d->set.limits.training ? "noise model activations and gradients"
                                                                  : "noise model activations");
    d->weights = calloc(d->L, sizeof *d->weights);
    d->activations = calloc(d->L, sizeof *d->activations);
    d->cache = calloc(d->L, sizeof *d->cache);
    d->host_rows = calloc(T + 1, sizeof *d->host_rows);
    d->host_targets = calloc(T, sizeof *d->host_targets);
    d->host_loss = calloc(LOSS_ROWS, sizeof *d->host_loss);
    return d->arena && d->weights && d->activations && d->cache && d->host_rows && d->host_targets && d->host_loss;
}

ebm_status ebm_decoder_create(ebm_device *device, const ebm_config *config, ebm_parameters *parameters,
                              const ebm_decoder_settings *settings, ebm_decoder **out)
{
    *out = NULL;
    if (config->family != EBM_FAMILY_GPT2)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "a noise model of family gpt2 is needed, found %s",
                        ebm_family_name(config->family));
    if (settings->slots > 0 && settings->capacity > config->max_positions)
        return ebm_fail(EBM_ERROR_INPUT, "texts of up to %zu tokens, the noise model has positions for %zu",
                        settings->capacity, config->max_positions);
    ebm_decoder *d = calloc(1, sizeof *d);
    if (!d) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a decoder");
    d->device = device;
    d->config = config;
    d->set = *settings;
    d->C = config->hidden;
    d->F = config->intermediate;
    d->H = config->heads;
    d->L = config->layers;
    d->V = config->vocabulary;
    if (!allocate_host(d)) {
        ebm_decoder_free(d);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a decoder of %zu layers", config->layers);
    }
    name_parameters(d, parameters);
    plan(d);
    *out = d;
    return ebm_ok();
}

void ebm_decoder_free(ebm_decoder *d)
{
    if (!d) return;
    ebm_arena_free(d->arena);
    free(d->weights);
    free(d->activations);
    free(d->cache);
    free(d->host_rows);
    free(d->host_targets);
    free(d->host_loss);
    free(d);
}

ebm_arena *ebm_decoder_arena(ebm_decoder *d) { return d->arena; }

ebm_status ebm_decoder_allocate(ebm_decoder *d)
{
    if (d->set.limits.training) EBM_TRY(ebm_gemm_prepare(d->device));
    return ebm_arena_allocate(d->arena);
}

ebm_slice ebm_decoder_output(const ebm_decoder *d) { return d->output; }
ebm_slice ebm_decoder_logits(const ebm_decoder *d) { return d->logits; }

static ebm_dropout dropout_at(const ebm_batch *batch, const ebm_run *run, float probability, uint32_t site)
{
    const ebm_dropout dropout = {run->training ? probability : 0.0f, run->seed, run->step, site, batch->first_token};
    return dropout;
}

static uint32_t layer_site(size_t layer, uint32_t place)
{
    return EBM_SITE_DROPOUT_LAYERS + 8 * (uint32_t)layer + place;
}

static ebm_attention attention_of(const ebm_decoder *d, const ebm_batch *batch, const ebm_run *run, size_t layer)
{
    const ebm_attention attention = {
        .heads = d->H,
        .head_size = d->C / d->H,
        .causal = true,
        .dropout = dropout_at(batch, run, d->config->attention_dropout, layer_site(layer, 0)),
    };
    return attention;
}

// y (T, outputs) = x w + bias
static ebm_status linear(ebm_decoder *d, ebm_slice y, ebm_slice x, const ebm_tensor *w, ebm_slice bias, size_t T,
                         size_t inputs, size_t outputs)
{
    return ebm_gemm(d->device, EBM_GEMM_NN, T, outputs, inputs, ebm_matrix_of(x, inputs),
                    ebm_matrix_of(w->weight, outputs), 0, ebm_matrix_of(y, outputs), bias);
}

// dw += x^T dy, db += column sums of dy, dx = dy w^T
static ebm_status linear_backward(ebm_decoder *d, ebm_slice dx, ebm_slice dy, ebm_slice x, ebm_tensor *w,
                                  ebm_tensor *bias, size_t T, size_t inputs, size_t outputs)
{
    const ebm_slice none = {0};
    EBM_TRY(ebm_gemm(d->device, EBM_GEMM_TN, inputs, outputs, T, ebm_matrix_of(x, inputs), ebm_matrix_of(dy, outputs),
                     1, ebm_matrix_of(w->gradient, outputs), none));
    EBM_TRY(ebm_bias_gradient(d->device, bias->gradient, dy, d->column_scratch, T, outputs));
    return ebm_gemm(d->device, EBM_GEMM_NT, T, inputs, outputs, ebm_matrix_of(dy, outputs),
                    ebm_matrix_of(w->weight, outputs), 0, ebm_matrix_of(dx, inputs), none);
}

static ebm_status norm(ebm_decoder *d, ebm_slice y, ebm_slice mean, ebm_slice rstd, ebm_slice x, const ebm_tensor *gain,
                       const ebm_tensor *shift, size_t T)
{
    return ebm_layernorm_forward(d->device, y, mean, rstd, x, gain->weight, shift->weight, d->config->layer_norm_eps, T,
                                 d->C);
}

// The part of a layer before attention, and the part after: between them training and generation differ.
static ebm_status before_attention(ebm_decoder *d, const layer_weights *w, layer_activations *a, ebm_slice x, size_t T)
{
    EBM_TRY(norm(d, a->norm1, a->mean1, a->rstd1, x, w->gain1, w->shift1, T));
    return linear(d, a->qkv, a->norm1, w->qkv, w->qkv_bias->weight, T, d->C, 3 * d->C);
}

static ebm_status after_attention(ebm_decoder *d, const layer_weights *w, layer_activations *a, ebm_slice x,
                                  const ebm_dropout *first, const ebm_dropout *second, size_t T)
{
    const ebm_slice none = {0};
    EBM_TRY(linear(d, a->middle, a->context, w->out, none, T, d->C, d->C));
    EBM_TRY(ebm_residual_forward(d->device, a->middle, a->middle, w->out_bias->weight, x, first, T, d->C));
    EBM_TRY(norm(d, a->norm2, a->mean2, a->rstd2, a->middle, w->gain2, w->shift2, T));
    EBM_TRY(linear(d, a->up, a->norm2, w->up, w->up_bias->weight, T, d->C, d->F));
    EBM_TRY(ebm_gelu_forward(d->device, a->gelu, a->up, EBM_GELU_TANH, T, d->F));
    EBM_TRY(linear(d, a->end, a->gelu, w->down, none, T, d->F, d->C));
    return ebm_residual_forward(d->device, a->end, a->end, w->down_bias->weight, a->middle, second, T, d->C);
}

static ebm_status layer_forward(ebm_decoder *d, size_t l, ebm_slice x, const ebm_batch *batch, const ebm_run *run)
{
    const layer_weights *w = &d->weights[l];
    layer_activations *a = kept(d, l);
    const float p = d->config->hidden_dropout;
    const ebm_attention attention = attention_of(d, batch, run, l);
    const ebm_dropout first = dropout_at(batch, run, p, layer_site(l, 1));
    const ebm_dropout second = dropout_at(batch, run, p, layer_site(l, 2));
    EBM_TRY(before_attention(d, w, a, x, batch->tokens));
    EBM_TRY(ebm_attention_forward(d->device, a->context, a->lse, a->qkv, batch, &attention));
    return after_attention(d, w, a, x, &first, &second, batch->tokens);
}

static ebm_slice layer_input(ebm_decoder *d, size_t l) { return l == 0 ? d->x0 : kept(d, l - 1)->end; }

// d_stream: gradient of the layer's output on entry, of its input on return.
static ebm_status layer_backward(ebm_decoder *d, size_t l, const ebm_batch *batch, const ebm_run *run)
{
    const layer_weights *w = &d->weights[l];
    layer_activations *a = kept(d, l);
    const size_t T = batch->tokens, C = d->C, F = d->F;
    const float p = d->config->hidden_dropout;
    const ebm_attention attention = attention_of(d, batch, run, l);
    const ebm_dropout first = dropout_at(batch, run, p, layer_site(l, 1));
    const ebm_dropout second = dropout_at(batch, run, p, layer_site(l, 2));

    EBM_TRY(ebm_dropout_apply(d->device, d->d_branch, d->d_stream, &second, T, C));
    EBM_TRY(linear_backward(d, d->d_inner, d->d_branch, a->gelu, w->down, w->down_bias, T, F, C));
    EBM_TRY(ebm_gelu_backward(d->device, d->d_inner, d->d_inner, a->up, EBM_GELU_TANH, T, F));
    EBM_TRY(linear_backward(d, d->d_branch, d->d_inner, a->norm2, w->up, w->up_bias, T, C, F));
    EBM_TRY(ebm_layernorm_backward_weights(d->device, w->gain2->gradient, w->shift2->gradient, d->d_branch, a->middle,
                                           a->mean2, a->rstd2, d->column_scratch, T, C));
    EBM_TRY(ebm_layernorm_backward(d->device, d->d_stream, d->d_branch, a->middle, a->mean2, a->rstd2, w->gain2->weight,
                                   true, T, C));

    EBM_TRY(ebm_dropout_apply(d->device, d->d_branch, d->d_stream, &first, T, C));
    EBM_TRY(linear_backward(d, d->d_context, d->d_branch, a->context, w->out, w->out_bias, T, C, C));
    EBM_TRY(ebm_attention_backward(d->device, d->d_qkv, d->d_context, a->context, a->qkv, a->lse, d->d_rows, batch,
                                   &attention));
    EBM_TRY(linear_backward(d, d->d_branch, d->d_qkv, a->norm1, w->qkv, w->qkv_bias, T, C, 3 * C));
    EBM_TRY(ebm_layernorm_backward_weights(d->device, w->gain1->gradient, w->shift1->gradient, d->d_branch,
                                           layer_input(d, l), a->mean1, a->rstd1, d->column_scratch, T, C));
    return ebm_layernorm_backward(d->device, d->d_stream, d->d_branch, layer_input(d, l), a->mean1, a->rstd1,
                                  w->gain1->weight, true, T, C);
}

ebm_status ebm_decoder_forward(ebm_decoder *d, const ebm_batch *batch, const ebm_run *run)
{
    if (batch->tokens > d->set.limits.tokens || batch->longest > d->config->max_positions)
        return ebm_fail(EBM_ERROR_INPUT, "a batch of %zu tokens, the longest text %zu; planned for %zu and %zu",
                        batch->tokens, batch->longest, d->set.limits.tokens, d->config->max_positions);
    const ebm_slice none = {0};
    const ebm_dropout dropout = dropout_at(batch, run, d->config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    EBM_TRY(ebm_embedding_forward(d->device, d->x0, batch, d->word->weight, d->position->weight, none, d->C));
    if (dropout.probability != 0) EBM_TRY(ebm_dropout_apply(d->device, d->x0, d->x0, &dropout, batch->tokens, d->C));
    for (size_t l = 0; l < d->L; l++) EBM_TRY(layer_forward(d, l, layer_input(d, l), batch, run));
    return norm(d, d->output, d->mean, d->rstd, kept(d, d->L - 1)->end, d->gain, d->shift, batch->tokens);
}

// Rows that have a target, as a batch whose "first tokens" they are.
static ebm_batch target_rows(ebm_decoder *d, const ebm_batch *batch, const int32_t *targets)
{
    ebm_batch rows = *batch;
    rows.sequences = 0;
    rows.starts = d->rows;
    for (size_t t = 0; t < batch->tokens; t++) {
        if (targets[t] < 0) continue;
        d->host_rows[rows.sequences] = (int32_t)t;
        d->host_targets[rows.sequences++] = targets[t];
    }
    d->host_rows[rows.sequences] = (int32_t)batch->tokens;
    return rows;
}

static ebm_matrix rows_from(ebm_slice slice, size_t first, size_t columns)
{
    const ebm_matrix matrix = {slice, first * columns, columns};
    return matrix;
}

// Logits of `count` target rows from `first` on, their losses, and with `gradient` what flows back through them.
static ebm_status loss_rows(ebm_decoder *d, size_t first, size_t count, float scale, bool gradient, double *sum)
{
    const ebm_slice none = {0};
    const ebm_matrix hidden = rows_from(d->row_hidden, first, d->C), word = ebm_matrix_of(d->word->weight, d->C);
    const ebm_matrix logits = ebm_matrix_of(d->logits, d->V);
    EBM_TRY(ebm_slice_write(d->device, d->targets, 0, count, d->host_targets + first));
    EBM_TRY(ebm_gemm(d->device, EBM_GEMM_NT, count, d->V, d->C, hidden, word, 0, logits, none));
    if (gradient) {
        EBM_TRY(ebm_lm_loss_and_gradient(d->device, d->row_loss, d->logits, d->V, d->targets, count, d->V, scale));
        EBM_TRY(ebm_gemm(d->device, EBM_GEMM_NN, count, d->C, d->V, logits, word, 0,
                         rows_from(d->row_gradient, first, d->C), none));
        EBM_TRY(ebm_gemm(d->device, EBM_GEMM_TN, d->V, d->C, count, logits, hidden, 1,
                         ebm_matrix_of(d->word->gradient, d->C), none));
    } else {
        EBM_TRY(ebm_lm_loss(d->device, d->row_loss, d->logits, d->V, d->targets, count, d->V));
    }
    EBM_TRY(ebm_slice_read(d->device, d->row_loss, 0, count, d->host_loss));
    for (size_t i = 0; i < count; i++) *sum += (double)d->host_loss[i];
    return ebm_ok();
}

ebm_status ebm_decoder_loss(ebm_decoder *d, const ebm_batch *batch, const int32_t *targets, size_t total, bool gradient,
                            double *loss_sum, size_t *target_count)
{
    if (gradient && !d->set.limits.training)
        return ebm_fail(EBM_ERROR_INPUT, "a gradient of a decoder that was not planned for training");
    const ebm_batch rows = target_rows(d, batch, targets);
    *loss_sum = 0;
    *target_count = rows.sequences;
    // The rows before the first target belong to none of the "sequences"; without any target that is all of them.
    if (gradient) EBM_TRY(ebm_slice_zero(d->device, d->d_stream, 0, (size_t)d->host_rows[0] * d->C));
    if (rows.sequences == 0) return ebm_ok();
    EBM_TRY(ebm_slice_write(d->device, d->rows, 0, rows.sequences + 1, d->host_rows));
    EBM_TRY(ebm_first_tokens_forward(d->device, d->row_hidden, d->output, &rows, d->C));
    const float scale = total > 0 ? 1.0f / (float)total : 0.0f;
    for (size_t first = 0; first < rows.sequences; first += LOSS_ROWS) {
        const size_t count = rows.sequences - first < LOSS_ROWS ? rows.sequences - first : LOSS_ROWS;
        EBM_TRY(loss_rows(d, first, count, scale, gradient, loss_sum));
    }
    return gradient ? ebm_first_tokens_backward(d->device, d->d_stream, d->row_gradient, &rows, d->C) : ebm_ok();
}

ebm_status ebm_decoder_backward(ebm_decoder *d, const ebm_batch *batch, const ebm_run *run)
{
    const size_t T = batch->tokens;
    const ebm_slice last = kept(d, d->L - 1)->end, none = {0};
    EBM_TRY(ebm_layernorm_backward_weights(d->device, d->gain->gradient, d->shift->gradient, d->d_stream, last, d->mean,
                                           d->rstd, d->column_scratch, T, d->C));
    EBM_TRY(ebm_layernorm_backward(d->device, d->d_stream, d->d_stream, last, d->mean, d->rstd, d->gain->weight, false,
                                   T, d->C));
    for (size_t l = d->L; l-- > 0;) EBM_TRY(layer_backward(d, l, batch, run));
    const ebm_dropout dropout = dropout_at(batch, run, d->config->embedding_dropout, EBM_SITE_DROPOUT_EMBEDDING);
    if (dropout.probability != 0) EBM_TRY(ebm_dropout_apply(d->device, d->d_stream, d->d_stream, &dropout, T, d->C));
    return ebm_embedding_backward(d->device, d->word->gradient, d->position->gradient, none, d->d_stream, batch, d->C);
}

ebm_status ebm_decoder_prefill(ebm_decoder *d, const ebm_batch *prompts, ebm_slice slot_of)
{
    const ebm_run run = {0};
    const ebm_slice none = {0};
    EBM_TRY(ebm_embedding_forward(d->device, d->x0, prompts, d->word->weight, d->position->weight, none, d->C));
    for (size_t l = 0; l < d->L; l++) {
        const ebm_attention attention = attention_of(d, prompts, &run, l);
        EBM_TRY(layer_forward(d, l, layer_input(d, l), prompts, &run));
        EBM_TRY(ebm_attention_fill_cache(d->device, d->cache[l], kept(d, l)->qkv, slot_of, prompts, d->set.capacity,
                                         &attention));
    }
    return ebm_ok();
}

ebm_status ebm_decoder_step(ebm_decoder *d, ebm_slice ids, ebm_slice positions)
{
    const ebm_run run = {0};
    const ebm_slice none = {0};
    const size_t S = d->set.slots;
    const ebm_batch batch = {.sequences = S, .tokens = S, .longest = 1, .ids = ids, .positions = positions};
    const ebm_dropout off = {0};
    layer_activations *a = &d->step;
    EBM_TRY(ebm_embedding_forward(d->device, d->step_x0, &batch, d->word->weight, d->position->weight, none, d->C));
    for (size_t l = 0; l < d->L; l++) {
        const ebm_attention attention = attention_of(d, &batch, &run, l);
        const ebm_slice x = l == 0 ? d->step_x0 : a->end;
        EBM_TRY(before_attention(d, &d->weights[l], a, x, S));
        EBM_TRY(ebm_attention_cached(d->device, a->context, d->cache[l], a->qkv, positions, S, d->set.capacity,
                                     &attention));
        EBM_TRY(after_attention(d, &d->weights[l], a, x, &off, &off, S));
    }
    EBM_TRY(norm(d, d->step_output, d->step_mean, d->step_rstd, a->end, d->gain, d->shift, S));
    return ebm_gemm(d->device, EBM_GEMM_NT, S, d->V, d->C, ebm_matrix_of(d->step_output, d->C),
                    ebm_matrix_of(d->word->weight, d->C), 0, ebm_matrix_of(d->logits, d->V), none);
}
