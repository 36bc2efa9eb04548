// The parameters of the decoder, by GPT-2's names, and its memory.
#include <stdio.h>
#include <stdlib.h>

#include "decoder_internal.h"
#include "gemm.h"
#include "operations.h"
#include "products.h"
#include "sizes.h"

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
    ebm_decoder_weights *w = &d->weights[layer];
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

static void plan_layer(ebm_decoder *d, ebm_decoder_activations *a, size_t T, bool with_lse)
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
    ebm_arena_reserve(d->arena, &a->end, T * C);
}

static void plan_loss(ebm_decoder *d)
{
    const size_t T = d->set.limits.tokens;
    ebm_arena_reserve(d->arena, &d->rows, T + 1);
    ebm_arena_reserve(d->arena, &d->targets, EBM_DECODER_LOSS_ROWS);
    ebm_arena_reserve(d->arena, &d->row_hidden, T * d->C);
    ebm_arena_reserve(d->arena, &d->row_gradient, d->set.limits.training ? T * d->C : 0);
    ebm_arena_reserve(d->arena, &d->row_loss, EBM_DECODER_LOSS_ROWS);
    ebm_arena_reserve(d->arena, &d->logits, EBM_DECODER_LOSS_ROWS * d->V);
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

// Sizes are set in any case; memory is planned where weights stay as they are.
static void plan_packed(ebm_decoder *d, ebm_packed *packed, size_t inputs, size_t outputs)
{
    const bool kept = d->set.slots > 0 && !d->set.limits.training;
    *packed = (ebm_packed){.form = EBM_GEMM_NN, .n = outputs, .k = inputs};
    if (kept) ebm_packed_reserve(d->device, EBM_GEMM_NN, outputs, inputs, d->packed_arena, packed);
}

static void plan_weights(ebm_decoder *d, ebm_decoder_weights *w)
{
    plan_packed(d, &w->packed_qkv, d->C, 3 * d->C);
    plan_packed(d, &w->packed_out, d->C, d->C);
    plan_packed(d, &w->packed_up, d->C, d->F);
    plan_packed(d, &w->packed_down, d->F, d->C);
}

static void plan(ebm_decoder *d)
{
    const size_t T = d->set.limits.tokens;
    ebm_arena_reserve(d->arena, &d->x0, T * d->C);
    ebm_arena_reserve(d->arena, &d->output, T * d->C);
    ebm_arena_reserve(d->arena, &d->mean, T);
    ebm_arena_reserve(d->arena, &d->rstd, T);
    ebm_arena_reserve(d->arena, &d->gelu, (T > d->set.slots ? T : d->set.slots) * d->F);
    for (size_t l = 0; l < (d->set.limits.training ? d->L : 1); l++) plan_layer(d, &d->activations[l], T, true);
    for (size_t l = 0; l < d->L; l++) plan_weights(d, &d->weights[l]);
    if (!d->set.only_generates) plan_loss(d);
    if (d->set.limits.training) plan_backward(d);
    if (d->set.slots > 0) plan_generation(d);
}

static bool allocate_host(ebm_decoder *d)
{
    const size_t T = d->set.limits.tokens;
    d->arena = ebm_arena_create(d->device, d->set.limits.training ? "noise model activations and gradients"
                                                                  : "noise model activations");
    d->packed_arena = ebm_arena_create(d->device, "noise model's packed weights");
    d->weights = calloc(d->L, sizeof *d->weights);
    d->activations = calloc(d->L, sizeof *d->activations);
    d->cache = calloc(d->L, sizeof *d->cache);
    d->host_rows = calloc(T + 1, sizeof *d->host_rows);
    d->host_targets = calloc(T, sizeof *d->host_targets);
    d->host_loss = calloc(EBM_DECODER_LOSS_ROWS, sizeof *d->host_loss);
    return d->arena && d->packed_arena && d->weights && d->activations && d->cache && d->host_rows && d->host_targets &&
           d->host_loss;
}

static ebm_status reserve_products(const ebm_decoder *d)
{
    const ebm_limits *limits = &d->set.limits;
    if (!ebm_fits_matrix(d->set.slots, 2 * d->C * d->set.capacity) || !ebm_fits_matrix(d->V, d->C))
        return ebm_fail(EBM_ERROR_MEMORY, "%zu texts of %zu tokens: more than a program of this system can take",
                        d->set.slots, d->set.capacity);
    EBM_TRY(ebm_model_reserve(d->device, d->config, limits->tokens, limits->sequences, limits->training));
    return ebm_model_reserve_generation(d->device, d->config, d->set.slots);
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
    d->parameters = parameters;
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
    const ebm_status status = reserve_products(d);
    if (status.code == EBM_OK)
        *out = d;
    else
        ebm_decoder_free(d);
    return status;
}

void ebm_decoder_free(ebm_decoder *d)
{
    if (!d) return;
    ebm_arena_free(d->arena);
    ebm_arena_free(d->packed_arena);
    free(d->weights);
    free(d->activations);
    free(d->cache);
    free(d->host_rows);
    free(d->host_targets);
    free(d->host_loss);
    free(d);
}

size_t ebm_decoder_arenas(ebm_decoder *d, ebm_arena *arenas[EBM_DECODER_ARENAS])
{
    arenas[0] = d->arena;
    arenas[1] = d->packed_arena;
    return ebm_arena_bytes(d->packed_arena) > 0 ? 2 : 1;
}

ebm_status ebm_decoder_allocate(ebm_decoder *d)
{
    if (d->set.limits.training) EBM_TRY(ebm_gemm_prepare(d->device));
    EBM_TRY(ebm_arena_allocate(d->packed_arena));
    return ebm_arena_allocate(d->arena);
}

ebm_slice ebm_decoder_output(const ebm_decoder *d) { return d->output; }
