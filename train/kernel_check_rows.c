// Row and element operations. Tolerances are counted in roundings u = 2^-24; tests/test_operations_*.c derive the same.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "half.h"
#include "kernel_check_internal.h"
#include "launch.h"
#include "operations.h"
#include "random.h"
#include "reference.h"
#include "rotary.h"

enum { ROWS = EBM_CHECK_ROWS, CHANNELS = EBM_CHECK_CHANNELS, COUNT = ROWS * CHANNELS };
static const double u = EBM_UNIT_ROUNDOFF, EPSILON = 1e-5;
static const ebm_dropout SOME = {.probability = 0.1f, .seed = 77, .step = 4, .site = 97, .first_row = 1000};

// ---- random numbers: the words of the host

ebm_status ebm_check_random(ebm_device *device, double *worst)
{
    enum { GROUPS = 3 };
    const uint64_t seed = UINT64_C(0x299f31d0a4093822), first = (UINT64_C(1) << 34) - 8; // past 32 bits in a vector
    const size_t words = GROUPS * (size_t)(ebm_device_lanes(device) * ebm_device_group(device));
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *vectors = ebm_trial_zero(&t, words), *scalars = ebm_trial_zero(&t, words);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    ebm_launch l = ebm_launch_begin(device, "random_check.cl", "random_check", "%s", "");
    ebm_arg_slice(&l, vectors->slice);
    ebm_arg_slice(&l, scalars->slice);
    ebm_arg_u64(&l, seed);
    ebm_arg_u32(&l, 7);
    ebm_arg_u32(&l, 96);
    ebm_arg_u64(&l, first);
    EBM_TRIAL(&t, ebm_launch_rows(&l, GROUPS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < words; i++) {
        uint32_t block[4];
        ebm_random_block(block, seed, 7, 96, (first + i) >> 2);
        ebm_trial_equal(&t, ebm_trial_integers_now(vectors)[i], (int32_t)block[i % 4]);
        ebm_trial_equal(&t, ebm_trial_integers_now(scalars)[i], (int32_t)block[i % 4]);
    }
    return ebm_trial_end(&t, worst);
}

// ---- LayerNorm

// Additions one after another in a sum over the channels: at least 4 lanes, then their tree and the work-group's.
static double depth(const ebm_device *device)
{
    return (double)CHANNELS / (ebm_device_lanes(device) * ebm_device_group(device)) + 1 + 2 + 6;
}

static void widen(double *to, const float *from, size_t count)
{
    for (size_t i = 0; i < count; i++) to[i] = (double)from[i];
}

typedef struct {
    ebm_trial_tensor *y, *mean, *rstd, *gain, *shift;
} norm_tensors;

// rstd: half of what the sum of squares and its mending have, and 2 ulp of rsqrt. mean: its last rounding and the
// mending's.
static void compare_norm(ebm_trial *t, const float *x, const norm_tensors *n)
{
    const double sum = depth(t->device), relative = (0.5 * (sum + 4) + 4) * u;
    for (size_t row = 0; row < ROWS; row++) {
        double wide[CHANNELS], y[CHANNELS], mean, rstd;
        widen(wide, x + row * CHANNELS, CHANNELS);
        ebm_reference_norm(y, &mean, &rstd, wide, n->gain->before, n->shift->before, EPSILON, CHANNELS);
        const double mean_allowed = 2 * u * fabs(mean) + (sum + 2) * u / rstd;
        ebm_trial_near(t, n->mean->now[row], mean, mean_allowed);
        ebm_trial_near(t, n->rstd->now[row], rstd, relative * rstd);
        for (size_t c = 0; c < CHANNELS; c++) {
            const double g = fabs((double)n->gain->before[c]);
            const double allowed = (relative + 4 * u) * g * fabs(wide[c] - mean) * rstd + g * rstd * mean_allowed +
                                   u * fabs((double)n->shift->before[c]) + u * fabs(y[c]);
            ebm_trial_near(t, n->y->now[row * CHANNELS + c], y[c], allowed);
        }
    }
}

// dx = rstd (g - average(g) - h average(g h)): each average has depth + 3 roundings of terms of the size max|g| or
// max|g h|; g, h and the differences five more.
static void compare_norm_gradient(ebm_trial *t, const float *dx, const float *dy, const float *x, const float *mean,
                                  const float *rstd, const float *gain)
{
    for (size_t row = 0; row < ROWS; row++) {
        double wide[CHANNELS], slopes[CHANNELS], expected[CHANNELS], g = 0, h = 0;
        const double m = (double)mean[row], r = (double)rstd[row];
        widen(wide, x + row * CHANNELS, CHANNELS);
        widen(slopes, dy + row * CHANNELS, CHANNELS);
        for (size_t c = 0; c < CHANNELS; c++) {
            g = fmax(g, fabs(slopes[c] * (double)gain[c]));
            h = fmax(h, fabs((wide[c] - m) * r));
        }
        ebm_reference_norm_backward(expected, slopes, wide, m, r, gain, CHANNELS);
        for (size_t c = 0; c < CHANNELS; c++)
            ebm_trial_near(t, dx[row * CHANNELS + c], expected[c], (depth(t->device) + 8) * u * r * g * (1 + h * h));
    }
}

// Additions in a sum over rows: of a slab, over slabs, and the value that was there.
static const double COLUMN = 32 + (double)ROWS / 32 + 2 + (double)ROWS / EBM_COLUMN_SLABS;

static void compare_weights(ebm_trial *t, const ebm_trial_tensor *dgain, const ebm_trial_tensor *dshift,
                            const float *dy, const float *x, const norm_tensors *n)
{
    for (size_t c = 0; c < CHANNELS; c++) {
        double gain = (double)dgain->before[c], shift = (double)dshift->before[c];
        double gain_size = fabs(gain), shift_size = fabs(shift);
        for (size_t row = 0; row < ROWS; row++) {
            const double d = (double)dy[row * CHANNELS + c];
            const double h = ((double)x[row * CHANNELS + c] - (double)n->mean->now[row]) * (double)n->rstd->now[row];
            gain += d * h, gain_size += fabs(d * h);
            shift += d, shift_size += fabs(d);
        }
        ebm_trial_near(t, dgain->now[c], gain, (COLUMN + 3) * u * gain_size);
        ebm_trial_near(t, dshift->now[c], shift, COLUMN * u * shift_size);
    }
}

ebm_status ebm_check_layernorm(ebm_device *device, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *x = ebm_trial_normal(&t, COUNT, 0.3, 1.5), *dy = ebm_trial_normal(&t, COUNT, 0, 1),
                     *dx = ebm_trial_zero(&t, COUNT), *dgain = ebm_trial_normal(&t, CHANNELS, 0, 1),
                     *dshift = ebm_trial_normal(&t, CHANNELS, 0, 1),
                     *scratch = ebm_trial_zero(&t, (size_t)EBM_COLUMN_SLABS * 2 * CHANNELS);
    const norm_tensors n = {ebm_trial_zero(&t, COUNT), ebm_trial_zero(&t, ROWS), ebm_trial_zero(&t, ROWS),
                            ebm_trial_normal(&t, CHANNELS, 1, 0.5), ebm_trial_normal(&t, CHANNELS, 0, 1)};
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_layernorm_forward(device, n.y->slice, n.mean->slice, n.rstd->slice, x->slice, n.gain->slice,
                                        n.shift->slice, (float)EPSILON, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_layernorm_backward(device, dx->slice, dy->slice, x->slice, n.mean->slice, n.rstd->slice,
                                         n.gain->slice, false, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_layernorm_backward_weights(device, dgain->slice, dshift->slice, dy->slice, x->slice,
                                                 n.mean->slice, n.rstd->slice, scratch->slice, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare_norm(&t, x->before, &n);
    compare_norm_gradient(&t, dx->now, dy->before, x->before, n.mean->now, n.rstd->now, n.gain->before);
    compare_weights(&t, dgain, dshift, dy->before, x->before, &n);
    return ebm_trial_end(&t, worst);
}

// ---- the end of a sublayer

// s = residual + mask (a + bias): four roundings; LayerNorm is judged on the s that it was given.
static ebm_status check_sublayer(ebm_device *device, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *a = ebm_trial_normal(&t, COUNT, 0, 1), *bias = ebm_trial_normal(&t, CHANNELS, 0, 1),
                     *residual = ebm_trial_normal(&t, COUNT, 0, 1), *s = ebm_trial_zero(&t, COUNT),
                     *dy = ebm_trial_normal(&t, COUNT, 0, 1), *ds = ebm_trial_zero(&t, COUNT),
                     *da = ebm_trial_zero(&t, COUNT), *dgain = ebm_trial_normal(&t, CHANNELS, 0, 1),
                     *dshift = ebm_trial_normal(&t, CHANNELS, 0, 1),
                     *scratch = ebm_trial_zero(&t, (size_t)EBM_COLUMN_SLABS * 2 * CHANNELS);
    const norm_tensors n = {ebm_trial_zero(&t, COUNT), ebm_trial_zero(&t, ROWS), ebm_trial_zero(&t, ROWS),
                            ebm_trial_normal(&t, CHANNELS, 1, 0.5), ebm_trial_normal(&t, CHANNELS, 0, 1)};
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_residual_layernorm_forward(device, n.y->slice, s->slice, n.mean->slice, n.rstd->slice, a->slice,
                                                 bias->slice, residual->slice, n.gain->slice, n.shift->slice,
                                                 (float)EPSILON, &SOME, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_residual_layernorm_backward_all(device, ds->slice, da->slice, dgain->slice, dshift->slice,
                                                      dy->slice, s->slice, n.mean->slice, n.rstd->slice, n.gain->slice,
                                                      &SOME, scratch->slice, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < COUNT; i++) {
        const double mask = ebm_reference_mask(&SOME, i / CHANNELS, i % CHANNELS, CHANNELS);
        const double dropped = mask * ((double)a->before[i] + (double)bias->before[i % CHANNELS]);
        const double old = (double)residual->before[i], slope = mask * (double)ds->now[i];
        ebm_trial_near(&t, s->now[i], old + dropped, 4 * u * (fabs(dropped) + fabs(old)));
        ebm_trial_near(&t, da->now[i], slope, 2 * u * fabs(slope));
    }
    compare_norm(&t, s->now, &n);
    compare_norm_gradient(&t, ds->now, dy->before, s->now, n.mean->now, n.rstd->now, n.gain->before);
    compare_weights(&t, dgain, dshift, dy->before, s->now, &n);
    return ebm_trial_end(&t, worst);
}

ebm_status ebm_check_residual(ebm_device *device, double *worst)
{
    ebm_trial t;
    EBM_TRY(check_sublayer(device, worst));
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *a = ebm_trial_normal(&t, COUNT, 0, 1), *dropped = ebm_trial_zero(&t, COUNT);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_dropout_apply(device, dropped->slice, a->slice, &SOME, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < COUNT; i++) {
        const double mask = ebm_reference_mask(&SOME, i / CHANNELS, i % CHANNELS, CHANNELS);
        const double kept = mask * (double)a->before[i];
        ebm_trial_near(&t, dropped->now[i], kept, 2 * u * fabs(kept));
    }
    return ebm_trial_end(&t, worst);
}

// ---- GELU and GeGLU

// Phi: fit and its rounding 2e-7, exp within 3 ulp of at most 1 / 2. Slope: besides x phi(x), at most 0.25, times exp's
// 3 ulp and the rounding of its argument, x^2 u, where x^3 phi(x) is at most 0.47. Last, the roundings of the products.
static const double GELU = 2e-7 + 5 * 0x1p-24, GELU_SLOPE = 2e-7 + (3 + 0.25 * 8 + 0.47 * 2 + 4) * 0x1p-24;

static ebm_status check_gelu(ebm_device *device, ebm_gelu kind, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *x = ebm_trial_zero(&t, COUNT), *dy = ebm_trial_normal(&t, COUNT, 0, 1),
                     *y = ebm_trial_zero(&t, COUNT), *dx = ebm_trial_zero(&t, COUNT),
                     *again = ebm_trial_zero(&t, COUNT);
    for (size_t i = 0; i < COUNT; i++) x->before[i] = -12.0f + 24.0f * (float)i / (float)(COUNT - 1);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_gelu_forward(device, y->slice, x->slice, kind, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_gelu_backward(device, dx->slice, again->slice, dy->slice, x->slice, kind, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < COUNT; i++) {
        const double v = (double)x->before[i], d = (double)dy->before[i];
        ebm_trial_near(&t, y->now[i], ebm_reference_gelu(v, kind), GELU * fabs(v) + 1e-30);
        ebm_trial_near(&t, again->now[i], ebm_reference_gelu(v, kind), GELU * fabs(v) + 1e-30);
        ebm_trial_near(&t, dx->now[i], d * ebm_reference_gelu_slope(v, kind), GELU_SLOPE * fabs(d) + 1e-30);
    }
    return ebm_trial_end(&t, worst);
}

static ebm_status check_geglu(ebm_device *device, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *ab = ebm_trial_normal(&t, 2 * (size_t)COUNT, 0, 2), *dz = ebm_trial_normal(&t, COUNT, 0, 1),
                     *z = ebm_trial_zero(&t, COUNT), *dab = ebm_trial_zero(&t, 2 * (size_t)COUNT),
                     *again = ebm_trial_zero(&t, COUNT);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_geglu_forward(device, z->slice, ab->slice, &SOME, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_geglu_backward(device, dab->slice, again->slice, dz->slice, ab->slice, &SOME, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < COUNT; i++) {
        const size_t row = i / CHANNELS, c = i % CHANNELS, at = 2 * row * CHANNELS + c;
        const double a = (double)ab->before[at], b = (double)ab->before[at + CHANNELS];
        const double mask = ebm_reference_mask(&SOME, row, c, CHANNELS), d = mask * (double)dz->before[i];
        const double gelu = ebm_reference_gelu(a, EBM_GELU_ERF), off = (GELU + 4 * u) * fabs(a);
        ebm_trial_near(&t, z->now[i], mask * gelu * b, mask * off * fabs(b) + 1e-30);
        ebm_trial_near(&t, again->now[i], mask * gelu * b, mask * off * fabs(b) + 1e-30);
        ebm_trial_near(&t, dab->now[at], d * b * ebm_reference_gelu_slope(a, EBM_GELU_ERF),
                       (GELU_SLOPE + 4 * u) * fabs(d * b) + 1e-30);
        ebm_trial_near(&t, dab->now[at + CHANNELS], d * gelu, off * fabs(d) + 1e-30);
    }
    return ebm_trial_end(&t, worst);
}

ebm_status ebm_check_gelu(ebm_device *device, double *worst)
{
    EBM_TRY(check_gelu(device, EBM_GELU_ERF, worst));
    EBM_TRY(check_gelu(device, EBM_GELU_TANH, worst));
    return check_geglu(device, worst);
}

// ---- embeddings

enum { WORDS = 23, PLACES = 9, KINDS = 2, TABLES = 3 };
static const uint32_t TABLE_ROWS[TABLES] = {WORDS, PLACES, KINDS};

// Gradient of a table: one addition for each token of a row.
static void compare_table(ebm_trial *t, const ebm_trial_tensor *table, const ebm_trial_tensor *ids, size_t rows,
                          const float *dy)
{
    for (size_t i = 0; i < rows * CHANNELS; i++) {
        double sum = (double)table->before[i], size = fabs(sum);
        for (size_t token = 0; token < ROWS; token++) {
            if ((size_t)ebm_trial_as_integers(ids)[token] != i / CHANNELS) continue;
            const double d = (double)dy[token * CHANNELS + i % CHANNELS];
            sum += d, size += fabs(d);
        }
        ebm_trial_near(t, table->now[i], sum, ROWS * u * size);
    }
}

ebm_status ebm_check_embedding(ebm_device *device, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *ids[TABLES], *table[TABLES], *dtable[TABLES], *y = ebm_trial_zero(&t, COUNT),
                                                                    *dy = ebm_trial_normal(&t, COUNT, 0, 1);
    for (size_t k = 0; k < TABLES; k++) {
        ids[k] = ebm_trial_integers(&t, ROWS, TABLE_ROWS[k]);
        table[k] = ebm_trial_normal(&t, (size_t)TABLE_ROWS[k] * CHANNELS, 0, 1);
        dtable[k] = ebm_trial_normal(&t, (size_t)TABLE_ROWS[k] * CHANNELS, 0, 1);
    }
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_batch batch = {.sequences = 1,
                             .tokens = ROWS,
                             .longest = ROWS,
                             .ids = ids[0]->slice,
                             .positions = ids[1]->slice,
                             .types = ids[2]->slice};
    EBM_TRIAL(&t, ebm_embedding_forward(device, y->slice, &batch, table[0]->slice, table[1]->slice, table[2]->slice,
                                        CHANNELS));
    EBM_TRIAL(&t, ebm_embedding_backward(device, dtable[0]->slice, dtable[1]->slice, dtable[2]->slice, dy->slice,
                                         &batch, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < COUNT; i++) {
        double sum = 0, size = 0;
        for (size_t k = 0; k < TABLES; k++) {
            const size_t row = (size_t)ebm_trial_as_integers(ids[k])[i / CHANNELS];
            sum += (double)table[k]->before[row * CHANNELS + i % CHANNELS];
            size += fabs((double)table[k]->before[row * CHANNELS + i % CHANNELS]);
        }
        ebm_trial_near(&t, y->now[i], sum, 2 * u * size);
    }
    for (size_t k = 0; k < TABLES; k++) compare_table(&t, dtable[k], ids[k], TABLE_ROWS[k], dy->before);
    return ebm_trial_end(&t, worst);
}

// ---- column sums

ebm_status ebm_check_sums(ebm_device *device, double *worst)
{
    enum { ODD = CHANNELS - 15 }; // any number of channels will do
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *dy = ebm_trial_normal(&t, (size_t)ROWS * ODD, 0.5, 1), *dbias = ebm_trial_normal(&t, ODD, 0, 1),
                     *scratch = ebm_trial_zero(&t, (size_t)EBM_COLUMN_SLABS * ODD);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_bias_gradient(device, dbias->slice, dy->slice, scratch->slice, ROWS, ODD));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t c = 0; c < ODD; c++) {
        double sum = (double)dbias->before[c], size = fabs(sum);
        for (size_t row = 0; row < ROWS; row++) {
            sum += (double)dy->before[row * ODD + c];
            size += fabs((double)dy->before[row * ODD + c]);
        }
        ebm_trial_near(&t, dbias->now[c], sum, COLUMN * u * size);
    }
    return ebm_trial_end(&t, worst);
}

// ---- heads

// tanh: 5 ulp in OpenCL; y (1 - y^2): three roundings of terms of at most 1. A sum of squares: each product and sum
// rounded once. The others are exact or one rounding.
static ebm_status check_elements(ebm_device *device, double *worst)
{
    const float scale = 0.25f;
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *x = ebm_trial_normal(&t, COUNT, 0, 2), *dy = ebm_trial_normal(&t, COUNT, 0, 1),
                     *tanhs = ebm_trial_zero(&t, COUNT), *dtanh = ebm_trial_zero(&t, COUNT),
                     *relu = ebm_trial_zero(&t, COUNT), *drelu = ebm_trial_zero(&t, COUNT),
                     *sum = ebm_trial_normal(&t, COUNT, 0, 1), *dx = ebm_trial_normal(&t, COUNT, 0, 1),
                     *norms = ebm_trial_zero(&t, ROWS);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_tanh_forward(device, tanhs->slice, x->slice, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_tanh_backward(device, dtanh->slice, dy->slice, tanhs->slice, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_relu_forward(device, relu->slice, x->slice, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_relu_backward(device, drelu->slice, dy->slice, relu->slice, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_add(device, sum->slice, x->slice, ROWS, CHANNELS));
    EBM_TRIAL(&t, ebm_squared_norms(device, norms->slice, dx->slice, x->slice, scale, 1, ROWS - 1, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < COUNT; i++) {
        const double v = (double)x->before[i], d = (double)dy->before[i], y = (double)tanhs->now[i];
        const double step = i < CHANNELS ? 0 : (double)scale * v, moved = (double)dx->before[i] + step;
        ebm_trial_near(&t, tanhs->now[i], tanh(v), 10 * u * fabs(tanh(v)));
        ebm_trial_near(&t, dtanh->now[i], d * (1 - y * y), 4 * u * fabs(d));
        ebm_trial_near(&t, relu->now[i], fmax(v, 0), 0);
        ebm_trial_near(&t, drelu->now[i], v > 0 ? d : 0, 0);
        ebm_trial_near(&t, sum->now[i], v + (double)sum->before[i], u * fabs(v + (double)sum->before[i]));
        ebm_trial_near(&t, dx->now[i], moved, 2 * u * (fabs(step) + fabs(moved)));
    }
    for (size_t row = 1; row < ROWS; row++) {
        double square = 0;
        for (size_t i = row * CHANNELS; i < (row + 1) * CHANNELS; i++)
            square += (double)x->before[i] * (double)x->before[i];
        ebm_trial_near(&t, norms->now[row], square, (CHANNELS + 1) * u * square);
    }
    return ebm_trial_end(&t, worst);
}

typedef struct {
    ebm_trial_tensor *starts, *x, *first, *mean, *dy, *dfirst, *dmean;
} pooled;

// Mean: a rounding for each token and the division's 2.5 ulp; first tokens are copied.
static void compare_pooled(ebm_trial *t, const pooled *p, size_t sequences)
{
    const int32_t *starts = ebm_trial_as_integers(p->starts);
    for (size_t i = 0; i < sequences * CHANNELS; i++) {
        const size_t s = i / CHANNELS, c = i % CHANNELS, from = (size_t)starts[s], to = (size_t)starts[s + 1];
        const double tokens = (double)(to - from), d = (double)p->dy->before[i];
        double mean = 0, size = 0;
        for (size_t token = from; token < to; token++) {
            mean += (double)p->x->before[token * CHANNELS + c] / tokens;
            size += fabs((double)p->x->before[token * CHANNELS + c]) / tokens;
            ebm_trial_near(t, p->dmean->now[token * CHANNELS + c], d / tokens, 5 * u * fabs(d) / tokens);
            ebm_trial_near(t, p->dfirst->now[token * CHANNELS + c], token == from ? d : 0, 0);
        }
        ebm_trial_near(t, p->mean->now[i], mean, (tokens + 5) * u * size);
        ebm_trial_near(t, p->first->now[i], (double)p->x->before[from * CHANNELS + c], 0);
    }
}

static ebm_status check_pooling(ebm_device *device, double *worst)
{
    enum { SEQUENCES = 3 };
    static const int32_t starts[SEQUENCES + 1] = {0, 1, 20, ROWS};
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    const size_t pooled_count = (size_t)SEQUENCES * CHANNELS;
    const pooled p = {ebm_trial_zero(&t, SEQUENCES + 1),        ebm_trial_normal(&t, COUNT, 0.5, 2),
                      ebm_trial_zero(&t, pooled_count),         ebm_trial_zero(&t, pooled_count),
                      ebm_trial_normal(&t, pooled_count, 0, 1), ebm_trial_normal(&t, COUNT, 0, 1),
                      ebm_trial_normal(&t, COUNT, 0, 1)};
    memcpy(p.starts->before, starts, sizeof starts);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_batch batch = {.sequences = SEQUENCES, .tokens = ROWS, .longest = 19, .starts = p.starts->slice};
    EBM_TRIAL(&t, ebm_first_tokens_forward(device, p.first->slice, p.x->slice, &batch, CHANNELS));
    EBM_TRIAL(&t, ebm_first_tokens_backward(device, p.dfirst->slice, p.dy->slice, &batch, CHANNELS));
    EBM_TRIAL(&t, ebm_mean_tokens_forward(device, p.mean->slice, p.x->slice, &batch, CHANNELS));
    EBM_TRIAL(&t, ebm_mean_tokens_backward(device, p.dmean->slice, p.dy->slice, &batch, CHANNELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare_pooled(&t, &p, SEQUENCES);
    return ebm_trial_end(&t, worst);
}

ebm_status ebm_check_head(ebm_device *device, double *worst)
{
    EBM_TRY(check_elements(device, worst));
    return check_pooling(device, worst);
}

// ---- rotary positions

// Two products and their sum; values are left alone.
static void compare_turned(ebm_trial *t, const ebm_trial_tensor *qkv, const ebm_trial_tensor *table,
                           const ebm_trial_tensor *positions, size_t heads, size_t size, double turn)
{
    const size_t width = 3 * heads * size, half = size / 2;
    for (size_t i = 0; i < ROWS * width; i++) {
        const size_t at = i % width, place = (size_t)ebm_trial_as_integers(positions)[i / width];
        const bool first = at % size < half;
        const float *row = table->before + place * size;
        const double x = (double)qkv->before[i], pair = (double)qkv->before[first ? i + half : i - half];
        const double cosine = (double)row[at % half], sine = turn * (double)row[half + at % half];
        if (at < 2 * heads * size)
            ebm_trial_near(t, qkv->now[i], x * cosine + (first ? -pair : pair) * sine, 2 * u * (fabs(x) + fabs(pair)));
        else
            ebm_trial_near(t, qkv->now[i], x, 0);
    }
}

ebm_status ebm_check_rotary(ebm_device *device, double *worst)
{
    enum { HEADS = 3, SIZE = 48, TURNS = 40 };
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    const size_t count = (size_t)ROWS * 3 * HEADS * SIZE;
    ebm_trial_tensor *qkv = ebm_trial_normal(&t, count, 0, 1), *dqkv = ebm_trial_normal(&t, count, 0, 1),
                     *table = ebm_trial_zero(&t, (size_t)TURNS * SIZE),
                     *positions = ebm_trial_integers(&t, ROWS, TURNS);
    ebm_rotary_table(table->before, TURNS, SIZE, 10000);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_batch batch = {.sequences = 1, .tokens = ROWS, .longest = ROWS, .positions = positions->slice};
    EBM_TRIAL(&t, ebm_rotary_forward(device, qkv->slice, table->slice, &batch, HEADS, SIZE));
    EBM_TRIAL(&t, ebm_rotary_backward(device, dqkv->slice, table->slice, &batch, HEADS, SIZE));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare_turned(&t, qkv, table, positions, HEADS, SIZE, 1);
    compare_turned(&t, dqkv, table, positions, HEADS, SIZE, -1);
    return ebm_trial_end(&t, worst);
}

// ---- halves: there and back

ebm_status ebm_check_half(ebm_device *device, double *worst)
{
    enum { HALVES = 1001 };
    static const float SCALE = 0.5f;
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *x = ebm_trial_normal(&t, HALVES, 0, 100), *back = ebm_trial_zero(&t, HALVES),
                     *halves = ebm_trial_zero(&t, ebm_half_elements(HALVES));
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_half_pack(device, halves->slice, x->slice, HALVES, SCALE));
    EBM_TRIAL(&t, ebm_half_unpack(device, back->slice, halves->slice, HALVES, SCALE));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < HALVES; i++) { // rounded once: 11 bits, or a half of the least subnormal
        const double expected = (double)x->before[i];
        ebm_trial_near(&t, back->now[i], expected, fabs(expected) * 0x1p-11 + 0x1p-25 / (double)SCALE);
    }
    return ebm_trial_end(&t, worst);
}
