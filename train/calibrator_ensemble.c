// Ensemble temperature scaling (Zhang, Kailkhura, Han, "Mix-n-Match: Ensemble and Compositional Methods for Uncertainty
// Calibration in Deep Learning", ICML 2020, section 4.1): a mixture of the tempered, the plain and the uniform
// prediction, which keeps the order of the labels. The mixture's NLL is convex in its weights.
#include <math.h>
#include <stdlib.h>

#include "calibrator_internal.h"
#include "scores.h"

enum { TEMPERATURE, WEIGHT, COMPONENTS = 3, SWEEPS = 10000 };
#define GAP 1e-12

typedef struct {
    size_t count;
    const double (*a)[COMPONENTS]; // of each example, each component's probability of its label
    double w[COMPONENTS];
} mixture;

static double mixed(const mixture *m, size_t i)
{
    return m->w[0] * m->a[i][0] + m->w[1] * m->a[i][1] + m->w[2] * m->a[i][2];
}

// What NLL can still fall by: the largest of mean(a_k / mixture) - 1 bounds it from above, NLL being convex.
static double gap(const mixture *m)
{
    double slope[COMPONENTS] = {0}, largest = 0;
    for (size_t i = 0; i < m->count; i++)
        for (int k = 0; k < COMPONENTS; k++) slope[k] += m->a[i][k] / mixed(m, i);
    for (int k = 0; k < COMPONENTS; k++) largest = fmax(largest, slope[k] / (double)m->count - 1);
    return largest;
}

// Derivatives of NLL by t, weight that moves from component l to component k.
static double slope_at(const mixture *m, int k, int l, double t, double *curvature)
{
    double slope = 0;
    *curvature = 0;
    for (size_t i = 0; i < m->count; i++) {
        const double d = m->a[i][k] - m->a[i][l], share = d / (mixed(m, i) + t * d);
        slope -= share;
        *curvature += share * share;
    }
    return slope;
}

// The best t between -w_k and w_l: Newton's method kept within a bracket. The ends themselves are tried by their slope.
static void exchange(mixture *m, int k, int l)
{
    double low = -m->w[k], high = m->w[l], t = 0, curvature;
    if (!(high > low)) return;
    if (slope_at(m, k, l, high, &curvature) <= 0) {
        t = high;
    } else if (slope_at(m, k, l, low, &curvature) >= 0) {
        t = low;
    } else {
        for (int round = 0; round < 100 && high - low > 1e-16; round++) {
            const double slope = slope_at(m, k, l, t, &curvature);
            if (slope < 0)
                low = t;
            else
                high = t;
            double next = curvature > 0 ? t - slope / curvature : low - 1;
            if (!(next > low && next < high)) next = low + (high - low) / 2;
            if (fabs(next - t) <= 1e-16 || slope == 0) break;
            t = next;
        }
    }
    m->w[k] = fmax(0, m->w[k] + t);
    m->w[l] = fmax(0, m->w[l] - t);
}

static void find_weights(mixture *m)
{
    for (int k = 0; k < COMPONENTS; k++) m->w[k] = 1.0 / COMPONENTS;
    for (int sweep = 0; sweep < SWEEPS && gap(m) > GAP; sweep++)
        for (int k = 0; k < COMPONENTS; k++) exchange(m, k, (k + 1) % COMPONENTS);
    const double sum = m->w[0] + m->w[1] + m->w[2];
    for (int k = 0; k < COMPONENTS; k++) m->w[k] /= sum;
}

static ebm_status components_of(const ebm_predictions *predictions, double temperature, double (*a)[COMPONENTS])
{
    const size_t labels = (size_t)predictions->labels;
    double *p = malloc(labels * sizeof *p);
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu labels", labels);
    for (size_t i = 0; i < predictions->count; i++) {
        const float *z = predictions->logits + i * labels;
        const int label = predictions->label[i];
        ebm_log_softmax(z, predictions->labels, temperature, p);
        a[i][0] = exp(p[label]);
        ebm_log_softmax(z, predictions->labels, 1, p);
        a[i][1] = exp(p[label]);
        a[i][2] = 1 / (double)labels;
    }
    free(p);
    return ebm_ok();
}

static ebm_status fit(const ebm_predictions *predictions, const ebm_calibrator_options *options, ebm_calibrator *c)
{
    (void)options;
    ebm_temperature temperature;
    EBM_TRY(ebm_temperature_fit(predictions, &temperature));
    EBM_TRY(ebm_calibrator_list(&c->part[0], TEMPERATURE, 1));
    EBM_TRY(ebm_calibrator_list(&c->part[0], WEIGHT, COMPONENTS));
    double(*a)[COMPONENTS] = malloc(predictions->count * sizeof *a);
    if (!a) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu examples", predictions->count);
    mixture m = {predictions->count, (const double(*)[COMPONENTS])a, {0}};
    const ebm_status status = components_of(predictions, temperature.temperature, a);
    if (status.code == EBM_OK) find_weights(&m);
    c->part[0].list[TEMPERATURE][0] = temperature.temperature;
    for (int k = 0; k < COMPONENTS; k++) c->part[0].list[WEIGHT][k] = m.w[k];
    free(a);
    return status;
}

static void apply(const ebm_calibrator *c, const float *logits, int labels, double *p)
{
    const double T = c->part[0].list[TEMPERATURE][0], *w = c->part[0].list[WEIGHT];
    double largest = (double)logits[0], tempered = 0, plain = 0;
    for (int y = 1; y < labels; y++) largest = fmax(largest, (double)logits[y]);
    for (int y = 0; y < labels; y++) {
        tempered += exp(((double)logits[y] - largest) / T);
        plain += exp((double)logits[y] - largest);
    }
    for (int y = 0; y < labels; y++)
        p[y] = w[0] * exp(((double)logits[y] - largest) / T) / tempered +
               w[1] * exp((double)logits[y] - largest) / plain + w[2] / labels;
}

static const char *check(const ebm_calibrator_part *part, int labels)
{
    (void)labels;
    static const char expected[] = "a temperature from 1e-6 to 1e6 and three weights, not negative, with a sum of 1";
    if (part->length[TEMPERATURE] != 1 || part->length[WEIGHT] != COMPONENTS) return expected;
    const double *w = part->list[WEIGHT], T = part->list[TEMPERATURE][0];
    const bool weights = w[0] >= 0 && w[1] >= 0 && w[2] >= 0 && fabs(w[0] + w[1] + w[2] - 1) <= 1e-9;
    return weights && T >= 1e-6 && T <= 1e6 ? NULL : expected;
}

const ebm_calibrator_family ebm_family_ensemble = {
    .list = {"temperature", "weight"}, .fit = fit, .apply = apply, .check = check};
