// Attention over packed texts and against a cache. tests/test_attention.c derives the tolerances: scores and lse stay
// below 16, so a probability is off by 2^-24 * 64 at most, values and out by as much; gradients of keys and values
// carry the sum of a key's probabilities over the queries, 1 + log(tokens), and queries are four times larger.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention.h"
#include "kernel_check_internal.h"
#include "reference_attention.h"

enum { TEXTS = 3, TOKENS = 1 + 17 + 70 }; // within a tile, across one, across a panel of keys
static const int32_t STARTS[TEXTS + 1] = {0, 1, 18, TOKENS};
static const double RELATIVE = 64 * EBM_UNIT_ROUNDOFF;

// Queries reach 4, so that some see one key and some all.
static ebm_trial_tensor *make_qkv(ebm_trial *t, size_t channels)
{
    ebm_trial_tensor *qkv = ebm_trial_uniform(t, TOKENS * 3 * channels, 1);
    for (size_t i = 0; i < qkv->count; i++)
        if (i % (3 * channels) < channels) qkv->before[i] *= 4;
    return qkv;
}

static double *widen(const ebm_trial_tensor *tensor)
{
    double *wide = malloc(tensor->count * sizeof *wide);
    for (size_t i = 0; wide && i < tensor->count; i++) wide[i] = (double)tensor->before[i];
    return wide;
}

typedef struct {
    ebm_trial_tensor *starts, *qkv, *dout, *out, *lse, *dqkv, *scratch;
} packed;

static void compare_all(ebm_trial *t, const ebm_trial_tensor *tensor, const double *expected, double allowed)
{
    for (size_t i = 0; i < tensor->count; i++) ebm_trial_near(t, tensor->now[i], expected[i], allowed);
}

static ebm_status compare_packed(ebm_trial *t, const packed *p, const ebm_attention *attention)
{
    double *qkv = widen(p->qkv), *dout = widen(p->dout), *out = widen(p->out), *lse = widen(p->lse),
           *dqkv = widen(p->dqkv);
    ebm_status status = ebm_ok();
    if (qkv && dout && out && lse && dqkv) {
        ebm_reference_attention_forward(out, lse, qkv, STARTS, TEXTS, attention);
        ebm_reference_attention_backward(dqkv, dout, qkv, STARTS, TEXTS, attention);
        compare_all(t, p->out, out, RELATIVE);
        compare_all(t, p->lse, lse, RELATIVE);
        compare_all(t, p->dqkv, dqkv, 8 * (1 + log(TOKENS)) * RELATIVE);
    } else {
        status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of kernels");
    }
    free(qkv), free(dout), free(out), free(lse), free(dqkv);
    return status;
}

static ebm_status check_packed(ebm_device *device, const ebm_attention *attention, double *worst)
{
    const size_t channels = attention->heads * attention->head_size, heads = TOKENS * attention->heads;
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    const packed p = {ebm_trial_zero(&t, TEXTS + 1),
                      make_qkv(&t, channels),
                      ebm_trial_uniform(&t, TOKENS * channels, 1),
                      ebm_trial_uniform(&t, TOKENS * channels, 1),
                      ebm_trial_uniform(&t, heads, 1),
                      ebm_trial_uniform(&t, TOKENS * 3 * channels, 1),
                      ebm_trial_uniform(&t, heads, 1)};
    memcpy(p.starts->before, STARTS, sizeof STARTS);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_batch batch = {
        .sequences = TEXTS, .tokens = TOKENS, .longest = 70, .starts = p.starts->slice, .host_starts = STARTS};
    EBM_TRIAL(&t, ebm_attention_forward(device, p.out->slice, p.lse->slice, p.qkv->slice, &batch, attention));
    EBM_TRIAL(&t, ebm_attention_backward(device, p.dqkv->slice, p.dout->slice, p.out->slice, p.qkv->slice, p.lse->slice,
                                         p.scratch->slice, &batch, attention));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    EBM_TRIAL(&t, compare_packed(&t, &p, attention));
    return ebm_trial_end(&t, worst);
}

// One program for all: a first start should not take long.
ebm_status ebm_check_attention(ebm_device *device, double *worst)
{
    const ebm_dropout some = {0.1f, UINT64_C(0x123456789abcdef0), 3, 96, UINT64_C(1) << 40};
    const ebm_attention forms[] = {
        {.heads = 2, .head_size = 32, .dropout = some},
        {.heads = 1, .head_size = 32, .dropout = some, .causal = true},
        {.heads = 1, .head_size = 32, .dropout = some, .window = 9},
        {.heads = 1, .head_size = 32, .dropout = some, .queries = 1},
    };
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) EBM_TRY(check_packed(device, &forms[i], worst));
    return ebm_ok();
}

ebm_status ebm_check_attention_64(ebm_device *device, double *worst)
{
    const ebm_attention plain = {.heads = 1, .head_size = 64}, causal = {.heads = 2, .head_size = 64, .causal = true};
    EBM_TRY(check_packed(device, &plain, worst));
    return check_packed(device, &causal, worst);
}

// ---- one token more against a cache

typedef struct {
    ebm_attention attention;
    size_t channels, capacity;
    ebm_trial_tensor *starts, *qkv, *slot_of, *cache, *step, *lengths, *out;
} cached;

enum { SLOTS = TEXTS + 2 }; // text i in slot TEXTS - 1 - i, two idle ones behind
static size_t slot_of(size_t text) { return TEXTS - 1 - text; }
static size_t last_of(size_t text) { return (size_t)STARTS[text + 1] - 1; }

static void fill_cached(cached *c)
{
    const size_t row = 3 * c->channels;
    for (size_t s = 0; s < SLOTS; s++) ebm_trial_as_integers(c->lengths)[s] = -1;
    for (size_t text = 0; text < TEXTS; text++) {
        ebm_trial_as_integers(c->slot_of)[text] = (int32_t)slot_of(text);
        ebm_trial_as_integers(c->lengths)[slot_of(text)] = STARTS[text + 1] - STARTS[text] - 1;
        memcpy(c->step->before + slot_of(text) * row, c->qkv->before + last_of(text) * row, row * sizeof(float));
    }
    memcpy(c->starts->before, STARTS, sizeof STARTS);
}

// The last token of each text as packed causal attention has it; keys and values as they were put in.
static ebm_status compare_cached(ebm_trial *t, const cached *c)
{
    double *qkv = widen(c->qkv), *out = malloc(TOKENS * c->channels * sizeof *out),
           *lse = malloc(TOKENS * c->attention.heads * sizeof *lse);
    const size_t width = 2 * c->channels;
    ebm_status status = ebm_ok();
    if (qkv && out && lse)
        ebm_reference_attention_forward(out, lse, qkv, STARTS, TEXTS, &c->attention);
    else
        status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of kernels");
    for (size_t i = 0; i < SLOTS * c->channels && status.code == EBM_OK; i++) {
        const size_t slot = i / c->channels, at = i % c->channels;
        const double expected = slot < TEXTS ? out[last_of(slot_of(slot)) * c->channels + at] : 0;
        ebm_trial_near(t, c->out->now[i], expected, slot < TEXTS ? RELATIVE : 0);
    }
    for (size_t i = 0; i < c->cache->count && status.code == EBM_OK; i++) {
        const size_t slot = i / (c->capacity * width), place = i / width % c->capacity, text = slot_of(slot);
        const bool filled = slot < TEXTS && place < (size_t)(STARTS[text + 1] - STARTS[text]);
        const float *old = c->qkv->before;
        ebm_trial_near(t, c->cache->now[i],
                       filled ? (double)old[((size_t)STARTS[text] + place) * 3 * c->channels + c->channels + i % width]
                              : (double)c->cache->before[i],
                       0);
    }
    free(qkv), free(out), free(lse);
    return status;
}

ebm_status ebm_check_attention_cache(ebm_device *device, double *worst)
{
    cached c = {.attention = {.heads = 2, .head_size = 64, .causal = true}, .channels = 128, .capacity = 70};
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    c.starts = ebm_trial_zero(&t, TEXTS + 1);
    c.qkv = make_qkv(&t, c.channels);
    c.slot_of = ebm_trial_zero(&t, TEXTS);
    c.cache = ebm_trial_uniform(&t, SLOTS * c.capacity * 2 * c.channels, 1);
    c.step = ebm_trial_uniform(&t, SLOTS * 3 * c.channels, 1);
    c.lengths = ebm_trial_zero(&t, SLOTS);
    c.out = ebm_trial_uniform(&t, SLOTS * c.channels, 1);
    fill_cached(&c);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_batch batch = {
        .sequences = TEXTS, .tokens = TOKENS, .longest = 70, .starts = c.starts->slice, .host_starts = STARTS};
    EBM_TRIAL(&t, ebm_attention_fill_cache(device, c.cache->slice, c.qkv->slice, c.slot_of->slice, &batch, c.capacity,
                                           &c.attention));
    EBM_TRIAL(&t, ebm_attention_cached(device, c.out->slice, c.cache->slice, c.step->slice, c.lengths->slice, SLOTS,
                                       c.capacity, &c.attention));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    EBM_TRIAL(&t, compare_cached(&t, &c));
    return ebm_trial_end(&t, worst);
}
