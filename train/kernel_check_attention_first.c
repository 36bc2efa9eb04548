// Attention of first tokens, against attention on queries, keys and values in double precision. Errors may be what
// those of attention may be (kernel_check_attention.c); scores are sums of fewer numbers there, of 48 + 16 here.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "attention_first.h"
#include "kernel_check_internal.h"
#include "reference_attention.h"

enum { TEXTS = 6, TOKENS = 1 + 17 + 5 + 1 + 3 + 33, HEADS = 3, SIZE = 16, C = HEADS * SIZE }; // no whole set of texts
static const int32_t STARTS[TEXTS + 1] = {0, 1, 18, 23, 24, 27, TOKENS};
static const double RELATIVE = 64 * EBM_UNIT_ROUNDOFF;

typedef struct {
    ebm_trial trial;
    ebm_attention attention;
    ebm_trial_tensor *starts, *x, *first, *dout, *d_first, *weights, *bias, *d_weights, *d_bias, *out, *dx;
    ebm_trial_tensor *work, *p, *d_work, *d_scores, *d_qkv, *scratch;
} first_case;

static void make_tensors(first_case *c)
{
    ebm_trial *t = &c->trial;
    c->starts = ebm_trial_zero(t, TEXTS + 1);
    c->x = ebm_trial_uniform(t, TOKENS * C, 1);
    c->first = ebm_trial_zero(t, TEXTS * C);
    c->dout = ebm_trial_uniform(t, TEXTS * C, 1);
    c->d_first = ebm_trial_uniform(t, TEXTS * C, 1);
    c->weights = ebm_trial_uniform(t, 3 * C * C, 0.5); // queries and keys of about 1.2, scores up to about 6
    c->bias = ebm_trial_uniform(t, 3 * C, 1);
    c->d_weights = ebm_trial_uniform(t, 3 * C * C, 1);
    c->d_bias = ebm_trial_uniform(t, 3 * C, 1);
    c->out = ebm_trial_uniform(t, TEXTS * C, 1);
    c->dx = ebm_trial_uniform(t, TOKENS * C, 1);
    c->work = ebm_trial_uniform(t, TEXTS * (2 * HEADS + 1) * C, 1);
    c->p = ebm_trial_uniform(t, TOKENS * HEADS, 1);
    c->d_work = ebm_trial_uniform(t, TEXTS * 2 * HEADS * C, 1);
    c->d_scores = ebm_trial_uniform(t, TOKENS * HEADS, 1);
    c->d_qkv = ebm_trial_uniform(t, TEXTS * 3 * C, 1);
    c->scratch = ebm_trial_uniform(t, EBM_COLUMN_SLABS * 3 * C, 1);
    memcpy(c->starts->before, STARTS, sizeof STARTS);
    for (size_t s = 0; s < TEXTS; s++)
        memcpy(c->first->before + s * C, c->x->before + STARTS[s] * C, C * sizeof(float));
}

static ebm_status compute(first_case *c)
{
    ebm_device *device = c->trial.device;
    ebm_tensor weight = {.weight = c->weights->slice, .gradient = c->d_weights->slice};
    ebm_tensor bias = {.weight = c->bias->slice, .gradient = c->d_bias->slice};
    const ebm_linear qkv = {&weight, &bias, 3 * C, C};
    const ebm_attention_first memory = {c->work->slice,     c->p->slice,     c->d_work->slice,
                                        c->d_scores->slice, c->d_qkv->slice, c->scratch->slice};
    const ebm_batch batch = {
        .sequences = TEXTS, .tokens = TOKENS, .longest = 33, .starts = c->starts->slice, .host_starts = STARTS};
    EBM_TRY(ebm_attention_first_forward(device, &memory, c->out->slice, c->x->slice, c->first->slice, &qkv, &batch,
                                        &c->attention));
    return ebm_attention_first_backward(device, &memory, c->dx->slice, c->d_first->slice, c->dout->slice, c->x->slice,
                                        c->first->slice, &qkv, &batch, &c->attention);
}

typedef struct {
    double qkv[TOKENS * 3 * C], out[TOKENS * C], lse[TOKENS * HEADS], dout[TOKENS * C], dqkv[TOKENS * 3 * C];
    double dx[TOKENS * C], d_weights[3 * C * C], d_bias[3 * C];
} expected_numbers;

static void expect(const first_case *c, expected_numbers *e)
{
    for (size_t i = 0; i < TOKENS * 3 * C; i++) {
        const size_t o = i % (3 * C);
        const float *x = c->x->before + i / (3 * C) * C, *w = c->weights->before + o * C;
        e->qkv[i] = (double)c->bias->before[o];
        for (size_t k = 0; k < C; k++) e->qkv[i] += (double)x[k] * (double)w[k];
    }
    for (size_t i = 0; i < TEXTS * C; i++) {
        const size_t at = (size_t)STARTS[i / C] * C + i % C;
        e->dout[at] = (double)c->dout->before[i];
        e->dx[at] = (double)c->d_first->before[i];
    }
    ebm_reference_attention_forward(e->out, e->lse, e->qkv, STARTS, TEXTS, &c->attention);
    ebm_reference_attention_backward(e->dqkv, e->dout, e->qkv, STARTS, TEXTS, &c->attention);
    for (size_t i = 0; i < 3 * C * C; i++) e->d_weights[i] = (double)c->d_weights->before[i];
    for (size_t i = 0; i < 3 * C; i++) e->d_bias[i] = (double)c->d_bias->before[i];
    for (size_t i = 0; i < TOKENS * 3 * C; i++) {
        const size_t token = i / (3 * C), o = i % (3 * C);
        e->d_bias[o] += e->dqkv[i];
        for (size_t k = 0; k < C; k++) {
            e->dx[token * C + k] += e->dqkv[i] * (double)c->weights->before[o * C + k];
            e->d_weights[o * C + k] += e->dqkv[i] * (double)c->x->before[token * C + k];
        }
    }
}

static ebm_status compare(first_case *c)
{
    ebm_trial *t = &c->trial;
    expected_numbers *e = calloc(1, sizeof *e);
    if (!e) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of kernels");
    expect(c, e);
    const double slopes = 8 * (1 + log(TOKENS)) * RELATIVE;
    for (size_t i = 0; i < TEXTS * C; i++)
        ebm_trial_near(t, c->out->now[i], e->out[(size_t)STARTS[i / C] * C + i % C], 4 * RELATIVE); // values reach 4
    for (size_t i = 0; i < TOKENS * C; i++) ebm_trial_near(t, c->dx->now[i], e->dx[i], slopes);
    for (size_t i = 0; i < 3 * C * C; i++) ebm_trial_near(t, c->d_weights->now[i], e->d_weights[i], slopes);
    for (size_t i = 0; i < 3 * C; i++) ebm_trial_near(t, c->d_bias->now[i], e->d_bias[i], slopes);
    free(e);
    return ebm_ok();
}

ebm_status ebm_check_attention_first(ebm_device *device, double *worst)
{
    const ebm_dropout some = {0.1f, UINT64_C(0x123456789abcdef0), 3, 96, UINT64_C(1) << 40};
    first_case c = {.attention = {.heads = HEADS, .head_size = SIZE, .queries = 1, .dropout = some}};
    EBM_TRY(ebm_trial_begin(&c.trial, device));
    make_tensors(&c);
    EBM_TRIAL(&c.trial, ebm_trial_upload(&c.trial));
    EBM_TRIAL(&c.trial, compute(&c));
    EBM_TRIAL(&c.trial, ebm_trial_download(&c.trial));
    EBM_TRIAL(&c.trial, compare(&c));
    return ebm_trial_end(&c.trial, worst);
}
