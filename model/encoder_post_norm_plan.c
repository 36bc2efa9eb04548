// The parameters of a post-norm encoder, by the family's names, and its memory.
#include <stdlib.h>

#include "encoder_post_norm.h"
#include "half.h"

static ebm_tensor *create_table(ebm_post_norm *e, ebm_parameters *p, const char *name, size_t rows)
{
    if (!name) return NULL;
    ebm_encoder_name full;
    ebm_encoder_embedding_name(&e->base, name, full);
    ebm_tensor *table = ebm_parameters_tensor(p, rows * e->E, true);
    ebm_parameters_name(p, table, 0, rows, e->E, EBM_INIT_NORMAL, "%s.weight", full);
    return table;
}

static void create_embeddings(ebm_post_norm *e, ebm_parameters *p)
{
    const ebm_config *c = e->base.config;
    const ebm_family_names *names = &e->base.family->names;
    ebm_encoder_name full;
    e->word = create_table(e, p, names->word, c->vocabulary);
    e->position = create_table(e, p, names->position, c->max_positions);
    e->type = create_table(e, p, names->type, c->type_vocabulary);
    ebm_encoder_embedding_name(&e->base, names->norm, full);
    e->norm = ebm_norm_create(p, e->E, c->layer_norm_eps, true, full);
    if (e->E == e->C) return;
    ebm_encoder_embedding_name(&e->base, names->project, full);
    e->project = ebm_linear_create(p, e->C, e->E, true, &(const char *){full}, 1);
}

static ebm_linear create_linear(ebm_post_norm *e, ebm_parameters *p, size_t layer, const char *name, size_t outputs,
                                size_t inputs)
{
    ebm_encoder_name full;
    ebm_encoder_layer_name(&e->base, layer, name, full);
    return ebm_linear_create(p, outputs, inputs, true, &(const char *){full}, 1);
}

static ebm_norm create_norm(ebm_post_norm *e, ebm_parameters *p, size_t layer, const char *name)
{
    ebm_encoder_name full;
    ebm_encoder_layer_name(&e->base, layer, name, full);
    return ebm_norm_create(p, e->C, e->base.config->layer_norm_eps, true, full);
}

static void create_layer(ebm_post_norm *e, ebm_parameters *p, size_t layer)
{
    const ebm_family_names *names = &e->base.family->names;
    ebm_post_norm_weights *w = &e->weights[layer];
    const size_t C = e->C;
    w->first_tensor = ebm_parameters_tensor_count(p);
    ebm_encoder_name query, key, value;
    ebm_encoder_layer_name(&e->base, layer, names->query, query);
    ebm_encoder_layer_name(&e->base, layer, names->key, key);
    ebm_encoder_layer_name(&e->base, layer, names->value, value);
    w->qkv = ebm_linear_create(p, 3 * C, C, true, (const char *[]){query, key, value}, 3);
    w->out = create_linear(e, p, layer, names->out, C, C);
    w->norm1 = create_norm(e, p, layer, names->norm1);
    w->up = create_linear(e, p, layer, names->up, e->F, C);
    w->down = create_linear(e, p, layer, names->down, C, e->F);
    w->norm2 = create_norm(e, p, layer, names->norm2);
}

static void plan_layer(ebm_post_norm *e, ebm_post_norm_activations *a)
{
    ebm_arena *arena = e->base.arena;
    const size_t T = e->base.limits.tokens, C = e->C;
    ebm_arena_reserve(arena, &a->qkv, T * 3 * C);
    ebm_arena_reserve(arena, &a->lse, T * e->H);
    ebm_arena_reserve(arena, &a->context, T * C);
    ebm_arena_reserve(arena, &a->sum1, T * C);
    ebm_arena_reserve(arena, &a->y1, T * C);
    ebm_arena_reserve(arena, &a->mean1, T);
    ebm_arena_reserve(arena, &a->rstd1, T);
    ebm_arena_reserve(arena, &a->up, T * e->F);
    ebm_arena_reserve(arena, &a->sum2, T * C);
    ebm_arena_reserve(arena, &a->y2, T * C);
    ebm_arena_reserve(arena, &a->mean2, T);
    ebm_arena_reserve(arena, &a->rstd2, T);
}

// The widest of what passes through the shared buffers: query, key and value, or the inner layer.
static size_t widest_of(const ebm_post_norm *e) { return 3 * e->C > e->F ? 3 * e->C : e->F; }

static size_t most_folded(const ebm_post_norm *e)
{
    const size_t fit = ebm_attention_first_most(e->H, e->base.limits.tokens);
    return fit < e->base.limits.sequences ? fit : e->base.limits.sequences;
}

static void plan_backward(ebm_post_norm *e)
{
    ebm_arena *arena = e->base.arena;
    const size_t T = e->base.limits.tokens, C = e->C;
    const size_t widest = e->E > widest_of(e) ? e->E : widest_of(e);
    ebm_arena_reserve(arena, &e->base.gradient, T * C);
    ebm_arena_reserve(arena, &e->d_branch, T * C);
    ebm_arena_reserve(arena, &e->d_context, T * C);
    if (e->base.half) {
        ebm_arena_reserve(arena, &e->d_wide, T * widest_of(e));
        ebm_arena_share(arena, &e->d_inner, &e->d_wide, T * e->F);
        ebm_arena_share(arena, &e->d_qkv, &e->d_wide, T * 3 * C);
    } else {
        ebm_arena_reserve(arena, &e->d_inner, T * e->F);
        ebm_arena_reserve(arena, &e->d_qkv, T * 3 * C);
    }
    ebm_arena_reserve(arena, &e->d_first_qkv, most_folded(e) * 3 * C);
    ebm_arena_reserve(arena, &e->d_rows, T * e->H);
    if (e->E != C) ebm_arena_reserve(arena, &e->d_normed, T * e->E);
    ebm_arena_reserve(arena, &e->column_scratch, EBM_COLUMN_SLABS * 2 * widest);
}

// The buffers of half storage that are not the backward pass's, and what lies in them before the first layer.
static void plan_shared(ebm_post_norm *e)
{
    ebm_arena *arena = e->base.arena;
    ebm_post_norm_shared *s = &e->shared;
    const size_t T = e->base.limits.tokens, width = e->C > e->E ? e->C : e->E;
    ebm_arena_reserve(arena, &s->wide, T * widest_of(e));
    ebm_arena_reserve(arena, &s->stream, T * width);
    ebm_arena_reserve(arena, &s->sum, T * width);
    ebm_arena_reserve(arena, &s->mean, T);
    ebm_arena_reserve(arena, &s->rstd, T);
    ebm_arena_share(arena, &e->embedded, &s->sum, T * e->E);
    ebm_arena_share(arena, &e->normed, &s->stream, T * e->E);
    ebm_arena_share(arena, &e->mean0, &s->mean, T);
    ebm_arena_share(arena, &e->rstd0, &s->rstd, T);
    ebm_arena_share(arena, &e->gelu, &s->wide, T * e->F);
}

static void plan_half_layer(ebm_post_norm *e, ebm_post_norm_activations *a)
{
    ebm_arena *arena = e->base.arena;
    const ebm_post_norm_shared *s = &e->shared;
    const size_t T = e->base.limits.tokens, C = e->C;
    ebm_arena_reserve(arena, &a->half.qkv, ebm_half_elements(T * 3 * C));
    ebm_arena_reserve(arena, &a->half.context, ebm_half_elements(T * C));
    ebm_arena_reserve(arena, &a->half.sum1, ebm_half_elements(T * C));
    ebm_arena_reserve(arena, &a->half.up, ebm_half_elements(T * e->F));
    ebm_arena_reserve(arena, &a->half.sum2, ebm_half_elements(T * C));
    ebm_arena_reserve(arena, &a->lse, T * e->H);
    ebm_arena_share(arena, &a->qkv, &s->wide, T * 3 * C);
    ebm_arena_share(arena, &a->context, &e->d_context, T * C);
    ebm_arena_share(arena, &a->sum1, &s->sum, T * C);
    ebm_arena_share(arena, &a->y1, &e->d_branch, T * C);
    ebm_arena_share(arena, &a->mean1, &s->mean, T);
    ebm_arena_share(arena, &a->rstd1, &s->rstd, T);
    ebm_arena_share(arena, &a->up, &s->wide, T * e->F);
    ebm_arena_share(arena, &a->sum2, &s->sum, T * C);
    ebm_arena_share(arena, &a->y2, &s->stream, T * C);
    ebm_arena_share(arena, &a->mean2, &s->mean, T);
    ebm_arena_share(arena, &a->rstd2, &s->rstd, T);
}

static void plan_half(ebm_post_norm *e)
{
    plan_backward(e);
    plan_shared(e);
    if (e->E != e->C) ebm_arena_reserve(e->base.arena, &e->projected, e->base.limits.tokens * e->C);
    for (size_t l = 0; l < e->L; l++) plan_half_layer(e, &e->activations[l]);
}

static void plan_float(ebm_post_norm *e)
{
    ebm_arena *arena = e->base.arena;
    const bool training = e->base.limits.training;
    const size_t T = e->base.limits.tokens;
    ebm_arena_reserve(arena, &e->embedded, T * e->E);
    ebm_arena_reserve(arena, &e->normed, T * e->E);
    ebm_arena_reserve(arena, &e->mean0, T);
    ebm_arena_reserve(arena, &e->rstd0, T);
    ebm_arena_reserve(arena, &e->gelu, T * e->F);
    if (e->E != e->C) ebm_arena_reserve(arena, &e->projected, T * e->C);
    for (size_t l = 0; l < (training ? e->L : 1); l++) plan_layer(e, &e->activations[l]);
    if (training) plan_backward(e);
}

static void plan(ebm_post_norm *e)
{
    if (e->base.half)
        plan_half(e);
    else
        plan_float(e);
    e->base.output = &ebm_post_norm_kept(e, e->L - 1)->y2;
}

ebm_status ebm_post_norm_create(ebm_encoder *encoder, ebm_parameters *parameters)
{
    ebm_post_norm *e = (ebm_post_norm *)encoder;
    const ebm_config *config = encoder->config;
    e->C = config->hidden;
    e->E = config->embedding;
    e->F = config->intermediate;
    e->H = config->heads;
    e->L = config->layers;
    e->weights = calloc(e->L, sizeof *e->weights);
    e->activations = calloc(e->L, sizeof *e->activations);
    if (!e->weights || !e->activations)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an encoder of %zu layers", e->L);
    create_embeddings(e, parameters);
    for (size_t l = 0; l < e->L; l++) create_layer(e, parameters, l);
    plan(e);
    return ebm_ok();
}

void ebm_post_norm_release(ebm_encoder *encoder)
{
    ebm_post_norm *e = (ebm_post_norm *)encoder;
    free(e->weights);
    free(e->activations);
}
