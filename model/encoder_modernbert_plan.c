// The parameters of a ModernBERT encoder and its memory.
#include <stdlib.h>

#include "encoder_modernbert.h"
#include "half.h"
#include "rotary.h"

static ebm_linear create_linear(ebm_modernbert *e, ebm_parameters *p, size_t layer, const char *name, size_t outputs,
                                size_t inputs, bool biased)
{
    ebm_encoder_name full;
    ebm_encoder_layer_name(&e->base, layer, name, full);
    return ebm_linear_create(p, outputs, inputs, biased, &(const char *){full}, 1);
}

static ebm_norm create_norm(ebm_modernbert *e, ebm_parameters *p, const char *full)
{
    const ebm_config *c = e->base.config;
    return ebm_norm_create(p, e->C, c->layer_norm_eps, c->bias.norm, full);
}

static ebm_norm create_layer_norm(ebm_modernbert *e, ebm_parameters *p, size_t layer, const char *name)
{
    ebm_encoder_name full;
    ebm_encoder_layer_name(&e->base, layer, name, full);
    return create_norm(e, p, full);
}

static void create_embeddings(ebm_modernbert *e, ebm_parameters *p)
{
    const ebm_family_names *names = &e->base.family->names;
    const size_t words = e->base.config->vocabulary;
    ebm_encoder_name full;
    ebm_encoder_embedding_name(&e->base, names->word, full);
    e->word = ebm_parameters_tensor(p, words * e->C, true);
    ebm_parameters_name(p, e->word, 0, words, e->C, EBM_INIT_NORMAL, "%s.weight", full);
    ebm_encoder_embedding_name(&e->base, names->norm, full);
    e->norm = create_norm(e, p, full);
}

static void create_layer(ebm_modernbert *e, ebm_parameters *p, size_t layer)
{
    const ebm_config *c = e->base.config;
    const ebm_family_names *names = &e->base.family->names;
    ebm_modernbert_weights *w = &e->weights[layer];
    const size_t C = e->C;
    w->first_tensor = ebm_parameters_tensor_count(p);
    if (layer > 0) w->attention_norm = create_layer_norm(e, p, layer, names->norm1);
    w->qkv = create_linear(e, p, layer, names->qkv, 3 * C, C, c->bias.attention);
    w->out = create_linear(e, p, layer, names->out, C, C, c->bias.attention);
    w->mlp_norm = create_layer_norm(e, p, layer, names->norm2);
    w->up = create_linear(e, p, layer, names->up, 2 * e->F, C, c->bias.mlp);
    w->down = create_linear(e, p, layer, names->down, C, e->F, c->bias.mlp);
}

static void plan_layer(ebm_modernbert *e, ebm_modernbert_activations *a)
{
    ebm_arena *arena = e->base.arena;
    const size_t T = e->base.limits.tokens, C = e->C;
    ebm_arena_reserve(arena, &a->norm1, T * C);
    ebm_arena_reserve(arena, &a->mean1, T);
    ebm_arena_reserve(arena, &a->rstd1, T);
    ebm_arena_reserve(arena, &a->qkv, T * 3 * C);
    ebm_arena_reserve(arena, &a->lse, T * e->H);
    ebm_arena_reserve(arena, &a->context, T * C);
    ebm_arena_reserve(arena, &a->middle, T * C);
    ebm_arena_reserve(arena, &a->norm2, T * C);
    ebm_arena_reserve(arena, &a->mean2, T);
    ebm_arena_reserve(arena, &a->rstd2, T);
    ebm_arena_reserve(arena, &a->up, T * 2 * e->F);
    ebm_arena_reserve(arena, &a->end, T * C);
}

static size_t widest_of(const ebm_modernbert *e) { return 3 * e->C > 2 * e->F ? 3 * e->C : 2 * e->F; }

static void plan_backward(ebm_modernbert *e)
{
    ebm_arena *arena = e->base.arena;
    const size_t T = e->base.limits.tokens, C = e->C;
    ebm_arena_reserve(arena, &e->base.gradient, T * C);
    ebm_arena_reserve(arena, &e->d_branch, T * C);
    ebm_arena_reserve(arena, &e->d_context, T * C);
    ebm_arena_reserve(arena, &e->d_gated, T * e->F);
    if (e->base.half) {
        ebm_arena_reserve(arena, &e->d_wide, T * widest_of(e));
        ebm_arena_share(arena, &e->d_up, &e->d_wide, T * 2 * e->F);
        ebm_arena_share(arena, &e->d_qkv, &e->d_wide, T * 3 * C);
    } else {
        ebm_arena_reserve(arena, &e->d_up, T * 2 * e->F);
        ebm_arena_reserve(arena, &e->d_qkv, T * 3 * C);
    }
    ebm_arena_reserve(arena, &e->d_rows, T * e->H);
    ebm_arena_reserve(arena, &e->column_scratch, EBM_COLUMN_SLABS * 2 * widest_of(e));
}

// The buffers of half storage that are not the backward pass's, and what lies in them before and after the layers.
static void plan_shared(ebm_modernbert *e)
{
    ebm_arena *arena = e->base.arena;
    ebm_modernbert_shared *s = &e->shared;
    const size_t T = e->base.limits.tokens, C = e->C;
    ebm_arena_reserve(arena, &s->wide, T * widest_of(e));
    ebm_arena_reserve(arena, &s->stream, T * C);
    ebm_arena_reserve(arena, &s->middle, T * C);
    ebm_arena_reserve(arena, &s->normed, T * C);
    ebm_arena_reserve(arena, &s->mean, T);
    ebm_arena_reserve(arena, &s->rstd, T);
    ebm_arena_share(arena, &e->embedded, &s->middle, T * C);
    ebm_arena_share(arena, &e->x0, &s->stream, T * C);
    ebm_arena_share(arena, &e->mean0, &s->mean, T);
    ebm_arena_share(arena, &e->rstd0, &s->rstd, T);
    ebm_arena_share(arena, &e->output, &s->normed, T * C);
    ebm_arena_share(arena, &e->mean, &s->mean, T);
    ebm_arena_share(arena, &e->rstd, &s->rstd, T);
}

static void plan_half_layer(ebm_modernbert *e, ebm_modernbert_activations *a)
{
    ebm_arena *arena = e->base.arena;
    const ebm_modernbert_shared *s = &e->shared;
    const size_t T = e->base.limits.tokens, C = e->C;
    ebm_arena_reserve(arena, &a->half.qkv, ebm_half_elements(T * 3 * C));
    ebm_arena_reserve(arena, &a->half.context, ebm_half_elements(T * C));
    ebm_arena_reserve(arena, &a->half.middle, ebm_half_elements(T * C));
    ebm_arena_reserve(arena, &a->half.up, ebm_half_elements(T * 2 * e->F));
    ebm_arena_reserve(arena, &a->half.end, ebm_half_elements(T * C));
    ebm_arena_reserve(arena, &a->lse, T * e->H);
    ebm_arena_share(arena, &a->norm1, &s->normed, T * C);
    ebm_arena_share(arena, &a->mean1, &s->mean, T);
    ebm_arena_share(arena, &a->rstd1, &s->rstd, T);
    ebm_arena_share(arena, &a->qkv, &s->wide, T * 3 * C);
    ebm_arena_share(arena, &a->context, &e->d_context, T * C);
    ebm_arena_share(arena, &a->middle, &s->middle, T * C);
    ebm_arena_share(arena, &a->norm2, &s->normed, T * C);
    ebm_arena_share(arena, &a->mean2, &s->mean, T);
    ebm_arena_share(arena, &a->rstd2, &s->rstd, T);
    ebm_arena_share(arena, &a->up, &s->wide, T * 2 * e->F);
    ebm_arena_share(arena, &a->end, &s->stream, T * C);
}

static void plan_half(ebm_modernbert *e)
{
    plan_backward(e);
    plan_shared(e);
    ebm_arena_reserve(e->base.arena, &e->gated, e->base.limits.tokens * e->F);
    for (size_t l = 0; l < e->L; l++) plan_half_layer(e, &e->activations[l]);
}

static void plan_float(ebm_modernbert *e)
{
    ebm_arena *arena = e->base.arena;
    const bool training = e->base.limits.training;
    const size_t T = e->base.limits.tokens, C = e->C;
    ebm_arena_reserve(arena, &e->embedded, T * C);
    ebm_arena_reserve(arena, &e->x0, T * C);
    ebm_arena_reserve(arena, &e->mean0, T);
    ebm_arena_reserve(arena, &e->rstd0, T);
    ebm_arena_reserve(arena, &e->gated, T * e->F);
    for (size_t l = 0; l < (training ? e->L : 1); l++) plan_layer(e, &e->activations[l]);
    ebm_arena_reserve(arena, &e->output, T * C);
    ebm_arena_reserve(arena, &e->mean, T);
    ebm_arena_reserve(arena, &e->rstd, T);
    if (training) plan_backward(e);
}

static void plan(ebm_modernbert *e)
{
    ebm_arena *arena = e->base.arena;
    ebm_arena_reserve(arena, &e->global_table, e->places * (e->C / e->H));
    ebm_arena_reserve(arena, &e->local_table, e->places * (e->C / e->H));
    if (e->base.half)
        plan_half(e);
    else
        plan_float(e);
    e->base.output = &e->output;
}

ebm_status ebm_modernbert_create(ebm_encoder *encoder, ebm_parameters *parameters)
{
    ebm_modernbert *e = (ebm_modernbert *)encoder;
    const ebm_config *config = encoder->config;
    const size_t longest = ebm_config_max_tokens(config), tokens = encoder->limits.tokens;
    ebm_encoder_name full;
    e->C = config->hidden;
    e->F = config->intermediate;
    e->H = config->heads;
    e->L = config->layers;
    e->places = longest < tokens ? longest : tokens; // no sequence is longer than a batch
    e->weights = calloc(e->L, sizeof *e->weights);
    e->activations = calloc(e->L, sizeof *e->activations);
    if (!e->weights || !e->activations)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an encoder of %zu layers", e->L);
    create_embeddings(e, parameters);
    for (size_t l = 0; l < e->L; l++) create_layer(e, parameters, l);
    ebm_encoder_embedding_name(encoder, encoder->family->names.final_norm, full);
    e->final_norm = create_norm(e, parameters, full);
    plan(e);
    return ebm_ok();
}

ebm_status ebm_modernbert_fill(ebm_encoder *encoder)
{
    ebm_modernbert *e = (ebm_modernbert *)encoder;
    const ebm_config *config = encoder->config;
    const size_t size = e->C / e->H;
    float *values = malloc((e->places * size + 1) * sizeof *values);
    if (!values) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu rotary positions", e->places);
    ebm_rotary_table(values, e->places, size, config->global_theta);
    ebm_status status = ebm_slice_write(encoder->device, e->global_table, 0, e->places * size, values);
    ebm_rotary_table(values, e->places, size, config->local_theta);
    if (status.code == EBM_OK) status = ebm_slice_write(encoder->device, e->local_table, 0, e->places * size, values);
    free(values);
    return status;
}

void ebm_modernbert_release(ebm_encoder *encoder)
{
    ebm_modernbert *e = (ebm_modernbert *)encoder;
    free(e->weights);
    free(e->activations);
}
