// Energies, losses and the optimiser. Tolerances as tests/test_energy.c and its neighbours derive them.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "energy.h"
#include "kernel_check_internal.h"
#include "label_loss.h"
#include "lm_loss.h"
#include "mixing.h"
#include "mixup.h"
#include "objective.h"
#include "optimizer.h"
#include "reference_loss.h"

enum { ROWS = 33, LABELS = 5, FIRST = 3, BEHIND = 2, ALL = FIRST + ROWS + BEHIND, LOGITS = ALL * LABELS };
static const ebm_rows ASKED = {FIRST, ROWS}; // rows around them must not change
static const double u = EBM_UNIT_ROUNDOFF;

static bool is_asked(size_t row) { return row >= FIRST && row < FIRST + ROWS; }

static ebm_trial_tensor *make_labels(ebm_trial *t) { return ebm_trial_integers(t, ALL, LABELS); }

// ---- energies: 16 roundings of at most 8 + ln 5; slopes below 2 with exp's 3 ulp and a sum of 5

static ebm_status check_energy(ebm_device *device, ebm_energy_kind kind, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *f = ebm_trial_uniform(&t, LOGITS, 8), *df = ebm_trial_uniform(&t, LOGITS, 1),
                     *e = ebm_trial_uniform(&t, ALL, 1), *de = ebm_trial_uniform(&t, ALL, 1);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_energy_forward(device, e->slice, f->slice, kind, FIRST, ROWS, LABELS));
    EBM_TRIAL(&t, ebm_energy_backward(device, df->slice, de->slice, f->slice, kind, FIRST, ROWS, LABELS));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t i = 0; i < LOGITS; i++) {
        const size_t row = i / LABELS;
        const float *logits = f->before + row * LABELS;
        const double energy = ebm_reference_energy(logits, LABELS, kind), old = (double)df->before[i];
        const double slope =
            kind == EBM_ENERGY_HIDDEN ? exp((double)f->before[i] + energy) : (double)f->before[i] == -energy;
        if (!is_asked(row)) {
            ebm_trial_near(&t, df->now[i], old, 0);
            ebm_trial_near(&t, e->now[row], (double)e->before[row], 0);
            continue;
        }
        ebm_trial_near(&t, e->now[row], energy, 1.6e-5);
        ebm_trial_near(&t, df->now[i], old - (double)de->before[row] * slope, 2e-6);
    }
    return ebm_trial_end(&t, worst);
}

ebm_status ebm_check_energy(ebm_device *device, double *worst)
{
    EBM_TRY(check_energy(device, EBM_ENERGY_HIDDEN, worst));
    return check_energy(device, EBM_ENERGY_SHARP_HIDDEN, worst);
}

// ---- losses of labels. Logits are below 6 in size: -ln p reaches 15; a dozen roundings of sums of it make 3e-5.
// Gradients: terms up to 15 (1 + b + w), a power's error 4 ulp of at most 1.

enum { BINS = 20 };

// Whether a probability lies so near the edge of a bin that float may take the other one.
static bool is_at_an_edge(const float *f)
{
    const double sum = ebm_reference_log_sum_exp(f, LABELS);
    for (size_t y = 0; y < LABELS; y++) {
        const double place = exp((double)f[y] - sum) * BINS;
        if (fabs(place - round(place)) < 1e-4 && round(place) > 0) return true;
    }
    return false;
}

static void compare_labels(ebm_trial *t, const ebm_label_loss *settings, const ebm_label_loss_rows *r,
                           const ebm_trial_tensor *f, const ebm_trial_tensor *labels, const float *q,
                           ebm_trial_tensor *const results[3])
{
    const double total = (double)r->total;
    for (size_t row = 0; row < ALL; row++) {
        double slope[LABELS];
        const float *logits = f->before + row * LABELS;
        const size_t label = (size_t)ebm_trial_as_integers(labels)[row];
        const ebm_reference_loss expected = ebm_reference_label_loss(settings, logits, LABELS, label, q, BINS, slope);
        const bool asked = is_asked(row);
        if (q && is_at_an_edge(logits)) continue;
        ebm_trial_near(t, results[0]->now[row], asked ? expected.loss : (double)results[0]->before[row],
                       asked ? 3e-5 : 0);
        ebm_trial_near(t, results[1]->now[row], asked ? expected.plain : (double)results[1]->before[row],
                       asked ? 2e-5 : 0);
        for (size_t y = 0; y < LABELS; y++)
            ebm_trial_near(t, results[2]->now[row * LABELS + y],
                           asked ? slope[y] / total : (double)results[2]->before[row * LABELS + y],
                           asked ? 5e-6 / total : 0);
    }
}

static ebm_status check_label_loss(ebm_device *device, const ebm_label_loss *settings, double *worst)
{
    const bool known = settings->posterior_weight > 0;
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *f = ebm_trial_uniform(&t, LOGITS, 6), *labels = make_labels(&t),
                     *q = ebm_trial_uniform(&t, (size_t)LABELS * BINS, 1);
    ebm_trial_tensor *const results[3] = {ebm_trial_uniform(&t, ALL, 1), ebm_trial_uniform(&t, ALL, 1),
                                          ebm_trial_uniform(&t, LOGITS, 1)};
    for (size_t i = 0; i < q->count; i++) q->before[i] = i % 7 == 3 ? 0.0f : fabsf(q->before[i]); // with gaps
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_label_loss_rows r = {.loss = results[0]->slice,
                                   .plain = results[1]->slice,
                                   .dlogits = results[2]->slice,
                                   .logits = f->slice,
                                   .labels = labels->slice,
                                   .posterior = known ? q->slice : (ebm_slice){NULL, 0},
                                   .label_count = LABELS,
                                   .bins = known ? BINS : 0,
                                   .rows = ASKED,
                                   .total = 2 * ROWS}; // half of a split step
    EBM_TRIAL(&t, ebm_label_loss_run(device, settings, &r));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare_labels(&t, settings, &r, f, labels, known ? q->before : NULL, results);
    return ebm_trial_end(&t, worst);
}

ebm_status ebm_check_label_loss(ebm_device *device, double *worst)
{
    static const ebm_label_loss SETTINGS[] = {{0.1f, 0, 0, 0}, {0, 2, 0.1f, 0}, {0.05f, 2, 0.2f, 0.7f}};
    for (size_t i = 0; i < sizeof SETTINGS / sizeof *SETTINGS; i++)
        EBM_TRY(check_label_loss(device, &SETTINGS[i], worst));
    return ebm_ok();
}

// ---- cross-entropy: the same with nothing but the plain part, a gradient within 20 roundings of its scale

ebm_status ebm_check_cross_entropy(ebm_device *device, double *worst)
{
    const float weight = 0.25f;
    const double scale = (double)weight / (2 * ROWS);
    const ebm_label_loss plain = {0, 0, 0, 0};
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *f = ebm_trial_uniform(&t, LOGITS, 8), *df = ebm_trial_uniform(&t, LOGITS, 1),
                     *loss = ebm_trial_uniform(&t, ALL, 1), *labels = make_labels(&t);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_cross_entropy(device, loss->slice, df->slice, f->slice, labels->slice, LABELS, ASKED, 2 * ROWS,
                                    weight));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t row = 0; row < ALL; row++) {
        double slope[LABELS];
        const ebm_reference_loss expected = ebm_reference_label_loss(
            &plain, f->before + row * LABELS, LABELS, (size_t)ebm_trial_as_integers(labels)[row], NULL, 0, slope);
        const bool asked = is_asked(row);
        ebm_trial_near(&t, loss->now[row], asked ? expected.plain : (double)loss->before[row], asked ? 1.8e-5 : 0);
        for (size_t y = 0; y < LABELS; y++)
            ebm_trial_near(&t, df->now[row * LABELS + y],
                           asked ? scale * slope[y] : (double)df->before[row * LABELS + y], asked ? 1.2e-6 * scale : 0);
    }
    return ebm_trial_end(&t, worst);
}

// ---- NCE, the margin loss, and their statistics

enum { DATA = 17, NOISE = 34, CONTRAST = FIRST + DATA + 1 + NOISE + BEHIND };
static const ebm_nce_rows ROWS_OF_BOTH = {{FIRST, DATA}, {FIRST + DATA + 1, NOISE}, 2 * DATA, 2 * NOISE, 8, 0.5f};

static bool is_in(ebm_rows rows, size_t row) { return row >= rows.first && row < rows.first + rows.count; }

// |E| < 8, K = 8: losses reach 8 * 10, 8 roundings of that are 4e-5; squared hinges reach 100, 4 roundings 2.4e-5.
static void compare_contrast(ebm_trial *t, const float *energy, const ebm_trial_tensor *loss,
                             const ebm_trial_tensor *denergy, double margin)
{
    const ebm_nce_rows *c = &ROWS_OF_BOTH;
    for (size_t i = 0; i < CONTRAST; i++) {
        const bool data = is_in(c->data, i), noise = is_in(c->noise, i);
        double expected = (double)loss->before[i], slope = (double)denergy->before[i];
        if (data || noise) {
            const double hinge = fmax(0, margin + (data ? 1 : -1) * (double)energy[i]);
            expected = margin > 0 ? hinge * hinge : ebm_reference_nce((double)energy[i], c->noise_ratio, data, &slope);
            if (margin > 0) slope = (data ? 2 : -2) * hinge;
            slope *= (double)c->weight / (double)(data ? c->total_data : c->total_noise);
        }
        const bool asked = data || noise;
        ebm_trial_near(t, loss->now[i], expected, asked ? 4e-5 : 0);
        ebm_trial_near(t, denergy->now[i], slope, asked ? 2e-6 * fabs(slope) + 1e-9 : 0);
    }
}

static ebm_status check_contrast(ebm_device *device, float margin, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *energy = ebm_trial_uniform(&t, CONTRAST, 8), *loss = ebm_trial_uniform(&t, CONTRAST, 1),
                     *denergy = ebm_trial_uniform(&t, CONTRAST, 1);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    if (margin > 0)
        EBM_TRIAL(&t, ebm_energy_margin(device, loss->slice, denergy->slice, energy->slice, &ROWS_OF_BOTH, margin));
    else
        EBM_TRIAL(&t, ebm_nce(device, loss->slice, denergy->slice, energy->slice, &ROWS_OF_BOTH));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare_contrast(&t, energy->before, loss, denergy, (double)margin);
    return ebm_trial_end(&t, worst);
}

typedef struct {
    ebm_trial_tensor *ce, *logits, *labels, *nce, *energy, *label_loss, *sums;
} statistics_case;

static void sum_statistics(const statistics_case *s, double expected[EBM_STATISTICS_COUNT])
{
    ebm_objective_sums sums = {.labelled = ROWS, .data = DATA, .noise = NOISE};
    for (size_t i = FIRST; i < FIRST + ROWS; i++) {
        const float *f = s->logits->before + i * LABELS;
        size_t best = 0;
        for (size_t y = 1; y < LABELS; y++)
            if (f[y] > f[best]) best = y;
        sums.cross_entropy += (double)s->ce->before[i];
        sums.label_loss += (double)s->label_loss->before[i];
        sums.correct += (int32_t)best == ebm_trial_as_integers(s->labels)[i];
    }
    for (size_t i = 0; i < CONTRAST; i++) {
        const double e = (double)s->energy->before[i], loss = (double)s->nce->before[i], above = e > 0;
        if (is_in(ROWS_OF_BOTH.data, i)) sums.nce_data += loss, sums.data_energy += e, sums.data_apart += 1 - above;
        if (is_in(ROWS_OF_BOTH.noise, i))
            sums.nce_noise += loss, sums.noise_energy += e, sums.noise_apart += above, sums.noise_z += exp(-e);
    }
    memcpy(expected, &sums, sizeof sums);
}

// Sums of at most 34 terms below 21 each, from 0: 34 roundings of a running sum below 700 in the worst case.
static ebm_status check_statistics(ebm_device *device, double *worst)
{
    _Static_assert(sizeof(ebm_objective_sums) == EBM_STATISTICS_COUNT * sizeof(double), "one double a statistic");
    double expected[EBM_STATISTICS_COUNT];
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    const statistics_case s = {
        ebm_trial_normal(&t, ALL, 2, 0.5),       ebm_trial_uniform(&t, LOGITS, 4),   make_labels(&t),
        ebm_trial_normal(&t, CONTRAST, 3, 0.5),  ebm_trial_uniform(&t, CONTRAST, 3), ebm_trial_normal(&t, ALL, 3, 0.5),
        ebm_trial_zero(&t, EBM_STATISTICS_COUNT)};
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_objective_rows rows = {.ce_loss = s.ce->slice,
                                     .logits = s.logits->slice,
                                     .labels = s.labels->slice,
                                     .label_count = LABELS,
                                     .rows = ASKED,
                                     .nce_loss = s.nce->slice,
                                     .energy = s.energy->slice,
                                     .contrast = &ROWS_OF_BOTH,
                                     .label_loss = s.label_loss->slice};
    EBM_TRIAL(&t, ebm_objective_add_statistics(device, s.sums->slice, &rows));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    sum_statistics(&s, expected);
    for (size_t i = 0; i < EBM_STATISTICS_COUNT; i++) ebm_trial_near(&t, s.sums->now[i], expected[i], 34 * u * 700);
    return ebm_trial_end(&t, worst);
}

ebm_status ebm_check_objective(ebm_device *device, double *worst)
{
    EBM_TRY(check_contrast(device, 0, worst));
    EBM_TRY(check_contrast(device, 1.5f, worst));
    return check_statistics(device, worst);
}

// ---- mixup

static const float LAMBDA = 0.3f;

// Some texts are chosen often, some never, some choose themselves.
static void choose(ebm_trial_tensor *const m[3])
{
    int32_t *partners = ebm_trial_as_integers(m[0]);
    for (int32_t i = 0; i < ROWS; i++) partners[i] = i % 3 == 0 ? i : (i * i + 1) % (ROWS / 2 + 1);
    ebm_mixup_users(partners, ROWS, ebm_trial_as_integers(m[1]), ebm_trial_as_integers(m[2]));
}

// Values below 4 in size: a mixed one has three roundings of at most 4 u; the way back adds up to ROWS of them.
static void compare_mixed(ebm_trial *t, const int32_t *partner, ebm_trial_tensor *const v[4], size_t channels)
{
    const double own = (double)LAMBDA, other = (double)(1 - LAMBDA);
    for (size_t i = 0; i < ROWS * channels; i++) {
        const size_t row = i / channels, c = i % channels;
        double slope = (double)v[3]->before[i] + own * (double)v[2]->before[i];
        for (size_t r = 0; r < ROWS; r++)
            if ((size_t)partner[r] == row) slope += other * (double)v[2]->before[r * channels + c];
        const double mixed =
            own * (double)v[0]->before[i] + other * (double)v[0]->before[(size_t)partner[row] * channels + c];
        ebm_trial_near(t, v[1]->now[i], mixed, 3 * 4 * u);
        ebm_trial_near(t, v[3]->now[i], slope, ROWS * ROWS * 4 * u);
    }
}

// A loss reaches 15, a dozen roundings of it make 2e-5; slopes 1: 2e-6.
static void compare_mixed_losses(ebm_trial *t, const int32_t *partner, const ebm_trial_tensor *labels,
                                 ebm_trial_tensor *const l[3], double keep, double weight)
{
    const double own = (double)LAMBDA, other = (double)(1 - LAMBDA);
    for (size_t row = 0; row < ROWS; row++) {
        const float *f = l[0]->before + row * LABELS;
        const size_t a = (size_t)ebm_trial_as_integers(labels)[row],
                     b = (size_t)ebm_trial_as_integers(labels)[partner[row]];
        const double sum = ebm_reference_log_sum_exp(f, LABELS);
        const double mixed = sum - own * (double)f[a] - other * (double)f[b];
        ebm_trial_near(t, l[1]->now[row], keep * (double)l[1]->before[row] + weight * mixed, 2e-5);
        for (size_t y = 0; y < LABELS; y++) {
            const double target = (a == y ? own : 0) + (b == y ? other : 0);
            ebm_trial_near(t, l[2]->now[row * LABELS + y], weight / ROWS * (exp((double)f[y] - sum) - target),
                           2e-6 / ROWS);
        }
    }
}

ebm_status ebm_check_mixup(ebm_device *device, double *worst)
{
    enum { CHANNELS = 48 };
    const size_t count = (size_t)ROWS * CHANNELS;
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *const m[3] = {ebm_trial_zero(&t, ROWS), ebm_trial_zero(&t, ROWS + 1), ebm_trial_zero(&t, ROWS)};
    ebm_trial_tensor *const v[4] = {ebm_trial_uniform(&t, count, 4), ebm_trial_zero(&t, count),
                                    ebm_trial_uniform(&t, count, 4), ebm_trial_uniform(&t, count, 4)};
    ebm_trial_tensor *const l[3] = {ebm_trial_uniform(&t, (size_t)ROWS * LABELS, 6), ebm_trial_uniform(&t, ROWS, 6),
                                    ebm_trial_zero(&t, (size_t)ROWS * LABELS)};
    ebm_trial_tensor *labels = ebm_trial_integers(&t, ROWS, LABELS);
    choose(m);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_mixing mixing = {m[0]->slice, m[1]->slice, m[2]->slice, LAMBDA, ROWS};
    const ebm_mixed_loss_rows rows = {.loss = l[1]->slice,
                                      .dlogits = l[2]->slice,
                                      .before = l[1]->slice,
                                      .logits = l[0]->slice,
                                      .labels = labels->slice,
                                      .label_count = LABELS,
                                      .keep = 0.5f,
                                      .weight = 0.25f};
    EBM_TRIAL(&t, ebm_mix_forward(device, v[1]->slice, v[0]->slice, &mixing, CHANNELS));
    EBM_TRIAL(&t, ebm_mix_backward(device, v[3]->slice, v[2]->slice, &mixing, CHANNELS));
    EBM_TRIAL(&t, ebm_mixed_loss(device, &rows, &mixing));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare_mixed(&t, ebm_trial_as_integers(m[0]), v, CHANNELS);
    compare_mixed_losses(&t, ebm_trial_as_integers(m[0]), labels, l, 0.5, 0.25);
    return ebm_trial_end(&t, worst);
}

// ---- softmax over a vocabulary. Logits reach 12: a loss is below 36, a dozen roundings of it are 2.6e-5; a sum's
// relative error 2 sqrt(V) u and exp's.

ebm_status ebm_check_lm_loss(ebm_device *device, double *worst)
{
    enum { TEXTS = 9, VOCABULARY = 1001, STRIDE = 1008 };
    const float scale = 0.25f;
    const double sum_error = 2 * sqrt((double)VOCABULARY) * u + 2e-6, s = (double)scale;
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *f = ebm_trial_uniform(&t, (size_t)TEXTS * STRIDE, 12), *loss = ebm_trial_zero(&t, TEXTS),
                     *evaluated = ebm_trial_zero(&t, TEXTS), *targets = ebm_trial_integers(&t, TEXTS, VOCABULARY);
    ebm_trial_as_integers(targets)[3] = -1;
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    EBM_TRIAL(&t, ebm_lm_loss(device, evaluated->slice, f->slice, STRIDE, targets->slice, TEXTS, VOCABULARY));
    EBM_TRIAL(
        &t, ebm_lm_loss_and_gradient(device, loss->slice, f->slice, STRIDE, targets->slice, TEXTS, VOCABULARY, scale));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    for (size_t row = 0; row < TEXTS; row++) {
        const float *logits = f->before + row * STRIDE;
        const int32_t target = ebm_trial_as_integers(targets)[row];
        const double sum = ebm_reference_log_sum_exp(logits, VOCABULARY);
        const double expected = target < 0 ? 0 : sum - (double)logits[target];
        ebm_trial_near(&t, loss->now[row], expected, target < 0 ? 0 : 2.6e-5 + sum_error);
        ebm_trial_near(&t, evaluated->now[row], expected, target < 0 ? 0 : 2.6e-5 + sum_error);
        for (size_t v = 0; v < STRIDE; v++) {
            const double p = exp((double)logits[v] - sum), hit = (int32_t)v == target;
            const bool inside = v < VOCABULARY;
            ebm_trial_near(&t, f->now[row * STRIDE + v],
                           !inside      ? (double)logits[v]
                           : target < 0 ? 0
                                        : s * (p - hit),
                           inside && target >= 0 ? s * (p * sum_error + hit * 2 * u) + 1e-37 : 0);
        }
    }
    return ebm_trial_end(&t, worst);
}

// ---- the optimiser

enum { ELEMENTS = EBM_OPTIMIZER_CHUNK + 37 }; // two chunks, the second with a rest
static const ebm_adamw ADAMW = {0.9, 0.98, 1e-4, 0.1, 1};
static const double RATE = 1e-2;
enum { UPDATE = 3 };

typedef struct {
    ebm_parameters *parameters;
    ebm_optimizer *optimizer;
    ebm_arena *arena;
    ebm_tensor *tensor;
} optimizer_case;

static ebm_status make_optimizer(ebm_device *device, optimizer_case *o)
{
    o->parameters = ebm_parameters_create(device, true);
    o->arena = ebm_arena_create(device, "known answers of AdamW");
    if (!o->parameters || !o->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of kernels");
    o->tensor = ebm_parameters_tensor(o->parameters, ELEMENTS, true);
    ebm_parameters_name(o->parameters, o->tensor, 0, 0, ELEMENTS, EBM_INIT_ZERO, "%s", "weight");
    EBM_TRY(ebm_optimizer_create(device, o->parameters, &ADAMW, o->arena, &o->optimizer));
    EBM_TRY(ebm_parameters_allocate(o->parameters));
    return ebm_arena_allocate(o->arena);
}

// parts: weight, gradient, moments, as the optimiser's tensor has them.
static ebm_status move_parts(ebm_trial *t, const ebm_tensor *tensor, ebm_trial_tensor *const parts[4], bool back)
{
    const ebm_slice slices[4] = {tensor->weight, tensor->gradient, tensor->moment1, tensor->moment2};
    for (int i = 0; i < 4; i++)
        EBM_TRY(back ? ebm_slice_read(t->device, slices[i], 0, ELEMENTS, parts[i]->now)
                     : ebm_slice_write(t->device, slices[i], 0, ELEMENTS, parts[i]->before));
    return ebm_ok();
}

// The norm: half the relative error of a sum with so many additions in a row. Moments: that of the clipped gradient
// and four roundings; the step: theirs over the denominator and six more; the weight itself: three.
static void compare_update(ebm_trial *t, ebm_trial_tensor *const parts[4], double norm)
{
    const double in_a_row = (double)EBM_OPTIMIZER_CHUNK / (ebm_device_lanes(t->device) * ebm_device_group(t->device));
    const double relative = (in_a_row + 12) * u, b1 = ADAMW.beta1, b2 = ADAMW.beta2;
    double squares = 0;
    for (size_t i = 0; i < ELEMENTS; i++) squares += (double)parts[1]->before[i] * (double)parts[1]->before[i];
    const double expected = sqrt(squares), clip = fmin(1, ADAMW.max_norm / (expected + 1e-6));
    ebm_trial_near(t, (float)norm, expected, (relative + u) * expected);
    for (size_t i = 0; i < ELEMENTS; i++) {
        const double w = (double)parts[0]->before[i], g = clip * (double)parts[1]->before[i];
        const double m = b1 * (double)parts[2]->before[i] + (1 - b1) * g;
        const double v = b2 * (double)parts[3]->before[i] + (1 - b2) * g * g;
        const double m_allowed = 4 * u * (fabs((double)parts[2]->before[i]) + fabs(g)) + relative * (1 - b1) * fabs(g);
        const double v_allowed = 4 * u * v + 2 * relative * (1 - b2) * g * g;
        const double root = sqrt(v / (1 - pow(b2, UPDATE))) + ADAMW.epsilon, size = RATE / (1 - pow(b1, UPDATE));
        const double step = size * m / root, shrunk = w * (1 - RATE * ADAMW.weight_decay);
        const double step_allowed = size * m_allowed / root + fabs(step) * (v_allowed / (2 * v) + 6 * u);
        ebm_trial_near(t, parts[0]->now[i], shrunk - step, 3 * u * (fabs(w) + fabs(step)) + step_allowed);
        ebm_trial_near(t, parts[1]->now[i], 0, 0);
        ebm_trial_near(t, parts[2]->now[i], m, m_allowed);
        ebm_trial_near(t, parts[3]->now[i], v, v_allowed);
    }
}

ebm_status ebm_check_optimizer(ebm_device *device, double *worst)
{
    double norm = 0;
    optimizer_case o = {0};
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    ebm_trial_tensor *const parts[4] = {ebm_trial_uniform(&t, ELEMENTS, 1), ebm_trial_uniform(&t, ELEMENTS, 0.1),
                                        ebm_trial_uniform(&t, ELEMENTS, 0.1),
                                        ebm_trial_normal(&t, ELEMENTS, 0.01, 1e-3)};
    EBM_TRIAL(&t, make_optimizer(device, &o));
    EBM_TRIAL(&t, move_parts(&t, o.tensor, parts, false));
    EBM_TRIAL(&t, ebm_optimizer_step(o.optimizer, RATE, UPDATE, true));
    EBM_TRIAL(&t, ebm_optimizer_norm(o.optimizer, &norm));
    EBM_TRIAL(&t, move_parts(&t, o.tensor, parts, true));
    if (t.status.code == EBM_ERROR_NONFINITE) { // of finite gradients
        t.status = ebm_ok();
        t.worst = HUGE_VAL;
    }
    compare_update(&t, parts, norm);
    ebm_optimizer_free(o.optimizer);
    ebm_parameters_free(o.parameters);
    ebm_arena_free(o.arena);
    return ebm_trial_end(&t, worst);
}
