#include "calibrator.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrator_internal.h"
#include "scores.h"

enum { FEW_EXAMPLES = 100 };

static const ebm_calibrator_family *const FAMILIES[EBM_CALIBRATORS] = {
    [EBM_CALIBRATOR_TEMPERATURE] = &ebm_family_temperature,
    [EBM_CALIBRATOR_TEMPERATURE_ECE] = &ebm_family_temperature_ece,
    [EBM_CALIBRATOR_VECTOR] = &ebm_family_vector,
    [EBM_CALIBRATOR_MATRIX] = &ebm_family_matrix,
    [EBM_CALIBRATOR_PLATT] = &ebm_family_platt,
    [EBM_CALIBRATOR_ISOTONIC] = &ebm_family_isotonic,
    [EBM_CALIBRATOR_HISTOGRAM] = &ebm_family_histogram,
    [EBM_CALIBRATOR_SCALING_BINNING] = &ebm_family_scaling_binning,
    [EBM_CALIBRATOR_BETA] = &ebm_family_beta,
    [EBM_CALIBRATOR_ENSEMBLE] = &ebm_family_ensemble,
};

const ebm_calibrator_family *ebm_calibrator_family_of(ebm_calibrator_kind kind) { return FAMILIES[kind]; }

static const char *const NAMES[] = {EBM_CALIBRATOR_NAMES};
_Static_assert(sizeof NAMES / sizeof *NAMES == EBM_CALIBRATORS, "a name for every calibrator");
const char *ebm_calibrator_name(ebm_calibrator_kind kind) { return NAMES[kind]; }
bool ebm_calibrator_is_affine(ebm_calibrator_kind kind) { return FAMILIES[kind]->affine; }

ebm_status ebm_calibrator_by_name(const char *name, ebm_calibrator_kind *out)
{
    for (int k = 0; k < EBM_CALIBRATORS; k++)
        if (!strcmp(name, NAMES[k])) {
            *out = (ebm_calibrator_kind)k;
            return ebm_ok();
        }
    return ebm_fail(EBM_ERROR_INPUT,
                    "calibrator: temperature, temperature-ece, vector, matrix, platt, isotonic, histogram,"
                    " scaling-binning, beta or ensemble-temperature expected, found \"%s\"",
                    name);
}

ebm_calibrator_options ebm_calibrator_defaults(void)
{
    return (ebm_calibrator_options){.bins = 10, .ece_bins = EBM_BINS_DEFAULT, .regularization = -1};
}

// --- numbers ---------------------------------------------------------------------------------------------------------

double ebm_sigmoid(double x) { return x >= 0 ? 1 / (1 + exp(-x)) : exp(x) / (1 + exp(x)); }
double ebm_softplus(double x) { return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)); }

void ebm_softmax(double *z, int labels)
{
    double largest = z[0], sum = 0;
    for (int y = 1; y < labels; y++) largest = fmax(largest, z[y]);
    for (int y = 0; y < labels; y++) sum += z[y] = exp(z[y] - largest);
    for (int y = 0; y < labels; y++) z[y] /= sum;
}

// Of the largest logit 1 - p is the others' sum, which 1 minus a rounded p would lose; all others have p <= 1/2.
void ebm_log_odds(const float *logits, int labels, double *score)
{
    int top = 0;
    double second = -INFINITY, others = 0;
    for (int y = 1; y < labels; y++)
        if (logits[y] > logits[top]) top = y;
    for (int y = 0; y < labels; y++)
        if (y != top) second = fmax(second, (double)logits[y]);
    for (int y = 0; y < labels; y++)
        if (y != top) others += exp((double)logits[y] - second);
    score[top] = (double)logits[top] - second - log(others);
    const double log_top = -ebm_softplus(-score[top]);
    for (int y = 0; y < labels; y++) {
        if (y == top) continue;
        const double log_p = fmin((double)logits[y] - (double)logits[top] + log_top, -M_LN2);
        score[y] = log_p - log1p(-exp(log_p));
    }
}

// --- what there is in one --------------------------------------------------------------------------------------------

ebm_status ebm_calibrator_create(ebm_calibrator_kind kind, size_t parts, ebm_calibrator **out)
{
    ebm_calibrator *c = calloc(1, sizeof *c);
    if (c) c->part = calloc(parts + 1, sizeof *c->part);
    if (!c || !c->part) {
        free(c);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for a calibrator of %zu labels", parts);
    }
    c->facts.kind = kind;
    c->parts = parts;
    *out = c;
    return ebm_ok();
}

void ebm_calibrator_free(ebm_calibrator *c)
{
    if (!c) return;
    for (size_t i = 0; i < c->parts; i++)
        for (int k = 0; k < EBM_CALIBRATOR_LISTS; k++) free(c->part[i].list[k]);
    free(c->part);
    free(c);
}

ebm_status ebm_calibrator_list(ebm_calibrator_part *part, int list, size_t length)
{
    part->list[list] = calloc(length + 1, sizeof(double));
    if (!part->list[list]) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu numbers of a calibrator", length);
    part->length[list] = length;
    return ebm_ok();
}

size_t ebm_calibrator_part_count(const ebm_calibrator_family *family, int labels)
{
    if (!family->check) return 0;
    return family->value && labels > 2 ? (size_t)labels : 1;
}

const ebm_calibrator_facts *ebm_calibrator_facts_of(const ebm_calibrator *c) { return &c->facts; }

const ebm_temperature *ebm_calibrator_temperature(const ebm_calibrator *c)
{
    return FAMILIES[c->facts.kind]->check ? NULL : &c->temperature;
}

void ebm_calibrator_set_fitted_on(ebm_calibrator *c, const char *text)
{
    snprintf(c->facts.fitted_on, sizeof c->facts.fitted_on, "%s", text);
    snprintf(c->temperature.fitted_on, sizeof c->temperature.fitted_on, "%s", text);
}

void ebm_calibrator_set_averaging(ebm_calibrator *c, const ebm_averaging *averaging)
{
    c->facts.averaging = *averaging;
}

void ebm_calibrator_set_folded(ebm_calibrator *c)
{
    c->facts.folded = true;
    if (!ebm_calibrator_temperature(c)) return;
    c->temperature.folded = c->temperature.temperature;
    c->temperature.temperature = 1;
}

void ebm_calibrator_note(const ebm_calibrator *c, char *text, size_t size)
{
    const ebm_calibrator_facts *f = &c->facts;
    char absent[80] = "", few[80] = "";
    if (f->kind == EBM_CALIBRATOR_TEMPERATURE) {
        ebm_temperature_note(&c->temperature, text, size);
        return;
    }
    if (f->absent)
        snprintf(absent, sizeof absent, "%zu of the %d labels never occur in the examples", f->absent, f->labels);
    if (f->examples < FEW_EXAMPLES)
        snprintf(few, sizeof few, "fitted on %zu examples only: expect it to be off", f->examples);
    snprintf(text, size, "%s%s%s", absent, *absent && *few ? "; " : "", few);
}

// --- applying --------------------------------------------------------------------------------------------------------

static void apply(const ebm_calibrator *c, const float *logits, int labels, double *p)
{
    const ebm_calibrator_family *family = FAMILIES[c->facts.kind];
    if (c->facts.folded) {
        for (int y = 0; y < labels; y++) p[y] = (double)logits[y];
        ebm_softmax(p, labels);
    } else if (family->apply) {
        family->apply(c, logits, labels, p);
    } else {
        ebm_calibrator_apply_rest(c, logits, labels, p);
    }
}

static ebm_status check_labels(const ebm_calibrator *c, int labels)
{
    if (c->facts.labels == 0 || c->facts.labels == labels) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "calibration: it was fitted with %d labels, the predictions have %d",
                    c->facts.labels, labels);
}

ebm_status ebm_calibrator_probabilities(const ebm_calibrator *c, const ebm_predictions *predictions, double **out)
{
    EBM_TRY(check_labels(c, predictions->labels));
    EBM_TRY(ebm_logits_check(predictions, 1));
    const size_t labels = (size_t)predictions->labels;
    double *p = malloc(predictions->count * labels * sizeof *p);
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the probabilities of %zu examples", predictions->count);
    for (size_t i = 0; i < predictions->count; i++)
        apply(c, predictions->logits + i * labels, predictions->labels, p + i * labels);
    *out = p;
    return ebm_ok();
}

static ebm_status affine_logits(const ebm_calibrator *c, const ebm_predictions *predictions, float *out)
{
    const size_t labels = (size_t)predictions->labels;
    double *weight = calloc(labels * labels + labels, sizeof *weight), *bias = weight + labels * labels;
    if (!weight) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu labels", labels);
    const ebm_status status = ebm_calibrator_affine(c, predictions->labels, weight, bias);
    for (size_t i = 0; status.code == EBM_OK && i < predictions->count; i++)
        for (size_t y = 0; y < labels; y++) {
            double sum = bias[y];
            for (size_t j = 0; j < labels; j++)
                sum += weight[y * labels + j] * (double)predictions->logits[i * labels + j];
            out[i * labels + y] = (float)sum;
        }
    free(weight);
    return status;
}

static ebm_status log_probabilities(const ebm_calibrator *c, const ebm_predictions *predictions, float *out)
{
    double *p = NULL;
    EBM_TRY(ebm_calibrator_probabilities(c, predictions, &p));
    for (size_t i = 0; i < predictions->count * (size_t)predictions->labels; i++)
        out[i] = (float)log(fmax(p[i], EBM_PROBABILITY_LEAST));
    free(p);
    return ebm_ok();
}

ebm_status ebm_calibrator_logits(const ebm_calibrator *c, const ebm_predictions *predictions, float **out)
{
    EBM_TRY(check_labels(c, predictions->labels));
    EBM_TRY(ebm_logits_check(predictions, 1));
    const size_t cells = predictions->count * (size_t)predictions->labels;
    float *logits = malloc(cells * sizeof *logits);
    if (!logits) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu logits", cells);
    const ebm_status status = FAMILIES[c->facts.kind]->affine ? affine_logits(c, predictions, logits)
                                                              : log_probabilities(c, predictions, logits);
    if (status.code == EBM_OK)
        *out = logits;
    else
        free(logits);
    return status;
}

ebm_status ebm_calibrator_affine(const ebm_calibrator *c, int labels, double *weight, double *bias)
{
    const size_t Y = (size_t)labels;
    const ebm_calibrator_kind kind = c->facts.kind;
    EBM_TRY(check_labels(c, labels));
    if (!FAMILIES[kind]->affine)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s is not an affine function of the logits", NAMES[kind]);
    memset(weight, 0, Y * Y * sizeof *weight);
    memset(bias, 0, Y * sizeof *bias);
    const bool identity = c->facts.folded || ebm_calibrator_temperature(c);
    const double diagonal = c->facts.folded ? 1 : 1 / c->temperature.temperature;
    for (size_t y = 0; y < Y; y++) {
        if (identity) weight[y * Y + y] = diagonal;
        if (!identity && kind == EBM_CALIBRATOR_VECTOR) weight[y * Y + y] = c->part[0].list[0][y];
        if (!identity) bias[y] = c->part[0].list[1][y];
    }
    if (!identity && kind == EBM_CALIBRATOR_MATRIX) memcpy(weight, c->part[0].list[0], Y * Y * sizeof *weight);
    return ebm_ok();
}

// --- fitting ---------------------------------------------------------------------------------------------------------

static ebm_status check_options(const ebm_calibrator_options *o)
{
    if (o->bins < 1 || o->bins > EBM_BINS_MOST || o->ece_bins < 1 || o->ece_bins > EBM_BINS_MOST)
        return ebm_fail(EBM_ERROR_INPUT, "calibrator: 1 to %d bins expected, found %d and %d", EBM_BINS_MOST, o->bins,
                        o->ece_bins);
    if (!(o->regularization <= 1e6)) // also for NaN
        return ebm_fail(EBM_ERROR_INPUT, "calibrator: a regularization of at most 1e6 expected, found %g",
                        o->regularization);
    return ebm_ok();
}

static ebm_status check_size(const ebm_predictions *predictions, ebm_calibrator_kind kind)
{
    const size_t labels = (size_t)predictions->labels;
    for (size_t i = 0; FAMILIES[kind]->bounded && i < predictions->count * labels; i++)
        if (fabs((double)predictions->logits[i]) > EBM_CALIBRATOR_LARGEST_LOGIT)
            return ebm_fail(EBM_ERROR_INPUT, "%s: row %zu: logits from -1e4 to 1e4 expected, found %g", NAMES[kind],
                            i / labels, (double)predictions->logits[i]);
    return ebm_ok();
}

static ebm_status count_absent(const ebm_predictions *predictions, size_t *absent)
{
    bool *seen = calloc((size_t)predictions->labels, sizeof *seen);
    if (!seen) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %d labels", predictions->labels);
    for (size_t i = 0; i < predictions->count; i++) seen[predictions->label[i]] = true;
    *absent = 0;
    for (int y = 0; y < predictions->labels; y++) *absent += !seen[y];
    free(seen);
    return ebm_ok();
}

static double nll_of(const ebm_predictions *predictions, const double *p)
{
    double sum = 0;
    for (size_t i = 0; i < predictions->count; i++)
        sum -= log(fmax(p[i * (size_t)predictions->labels + (size_t)predictions->label[i]], EBM_PROBABILITY_LEAST));
    return sum / (double)predictions->count;
}

static ebm_status measure(ebm_calibrator *c, const ebm_predictions *predictions)
{
    double *before = NULL, *after = NULL;
    EBM_TRY(count_absent(predictions, &c->facts.absent));
    if (ebm_calibrator_temperature(c)) { // what its file holds
        c->facts.nll_before = c->temperature.nll_before;
        c->facts.nll_after = c->temperature.nll_after;
        return ebm_ok();
    }
    ebm_status status = ebm_probabilities_create(predictions, 1, &before);
    if (status.code == EBM_OK) status = ebm_calibrator_probabilities(c, predictions, &after);
    if (status.code == EBM_OK) {
        c->facts.nll_before = nll_of(predictions, before);
        c->facts.nll_after = nll_of(predictions, after);
    }
    free(before);
    free(after);
    return status;
}

static ebm_status fit(const ebm_predictions *predictions, const ebm_calibrator_options *options, ebm_calibrator *c)
{
    const ebm_calibrator_family *family = FAMILIES[c->facts.kind];
    c->facts.labels = predictions->labels;
    c->facts.examples = predictions->count;
    EBM_TRY(
        ebm_in(family->fit ? family->fit(predictions, options, c) : ebm_calibrator_fit_rest(predictions, options, c),
               "%s", NAMES[c->facts.kind]));
    return measure(c, predictions);
}

ebm_status ebm_calibrator_fit(const ebm_predictions *predictions, ebm_calibrator_kind kind,
                              const ebm_calibrator_options *options, ebm_calibrator **out)
{
    ebm_calibrator *c = NULL;
    EBM_TRY(ebm_predictions_check(predictions));
    EBM_TRY(check_options(options));
    EBM_TRY(check_size(predictions, kind));
    EBM_TRY(ebm_calibrator_create(kind, ebm_calibrator_part_count(FAMILIES[kind], predictions->labels), &c));
    const ebm_status status = fit(predictions, options, c);
    if (status.code == EBM_OK)
        *out = c;
    else
        ebm_calibrator_free(c);
    return status;
}
