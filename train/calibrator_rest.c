// Maps of one label against the rest, and logistic regression, which two of them are.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "calibrator_internal.h"
#include "newton.h"

static ebm_status binary_create(size_t count, ebm_binary *out)
{
    *out = (ebm_binary){count, malloc(count * sizeof *out->score), malloc(count * sizeof *out->hit), 0};
    if (out->score && out->hit) return ebm_ok();
    free(out->score);
    free(out->hit);
    return ebm_fail(EBM_ERROR_MEMORY, "no memory for the scores of %zu examples", count);
}

static void fill(const ebm_predictions *predictions, int label, double *row, ebm_binary *out)
{
    const size_t labels = (size_t)predictions->labels;
    out->hits = 0;
    for (size_t i = 0; i < predictions->count; i++) {
        ebm_log_odds(predictions->logits + i * labels, predictions->labels, row);
        out->score[i] = row[label];
        out->hit[i] = predictions->label[i] == label;
        out->hits += out->hit[i];
    }
}

ebm_status ebm_calibrator_fit_rest(const ebm_predictions *predictions, const ebm_calibrator_options *options,
                                   ebm_calibrator *c)
{
    const ebm_calibrator_family *family = ebm_calibrator_family_of(c->facts.kind);
    ebm_binary examples;
    EBM_TRY(binary_create(predictions->count, &examples));
    double *row = malloc((size_t)predictions->labels * sizeof *row);
    ebm_status status = row ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %d labels", predictions->labels);
    for (size_t i = 0; status.code == EBM_OK && i < c->parts; i++) {
        fill(predictions, c->parts == 1 ? 1 : (int)i, row, &examples);
        status = family->fit_part(&examples, options, &c->part[i]);
    }
    free(row);
    free(examples.score);
    free(examples.hit);
    return status;
}

void ebm_calibrator_apply_rest(const ebm_calibrator *c, const float *logits, int labels, double *p)
{
    const ebm_calibrator_family *family = ebm_calibrator_family_of(c->facts.kind);
    double sum = 0;
    ebm_log_odds(logits, labels, p);
    if (c->parts == 1) {
        p[1] = family->value(&c->part[0], p[1]);
        p[0] = 1 - p[1];
        return;
    }
    for (int y = 0; y < labels; y++) sum += p[y] = family->value(&c->part[y], p[y]);
    for (int y = 0; y < labels; y++) p[y] = sum > 0 ? p[y] / sum : 1.0 / labels;
}

// --- logistic regression ---------------------------------------------------------------------------------------------

enum { FEATURES_MOST = 2 };

// In units of each feature's root mean square, so that the search sees variables of one size.
typedef struct {
    size_t count, features;
    const double *x, *target, *toward;
    double pull, unit[FEATURES_MOST + 1];
    double *p;
} logistic;

static double input(const logistic *l, size_t i, size_t j)
{
    return j < l->features ? l->x[i * l->features + j] / l->unit[j] : 1;
}

static double linear(const logistic *l, size_t i, const double *theta)
{
    double sum = 0;
    for (size_t j = 0; j <= l->features; j++) sum += theta[j] * input(l, i, j);
    return sum;
}

static double value(void *context, const double *theta, double *gradient)
{
    logistic *l = context;
    double sum = 0;
    memset(gradient, 0, (l->features + 1) * sizeof *gradient);
    for (size_t i = 0; i < l->count; i++) {
        const double u = linear(l, i, theta);
        l->p[i] = ebm_sigmoid(u);
        sum += l->target[i] * ebm_softplus(-u) + (1 - l->target[i]) * ebm_softplus(u);
        for (size_t j = 0; j <= l->features; j++) gradient[j] += (l->p[i] - l->target[i]) * input(l, i, j);
    }
    sum /= (double)l->count;
    for (size_t j = 0; j <= l->features; j++) {
        const double away = theta[j] / l->unit[j] - l->toward[j];
        gradient[j] = gradient[j] / (double)l->count + l->pull * away / l->unit[j];
        sum += l->pull / 2 * away * away;
    }
    return sum;
}

static void curvature(void *context, const double *direction, double *product)
{
    const logistic *l = context;
    memset(product, 0, (l->features + 1) * sizeof *product);
    for (size_t i = 0; i < l->count; i++) {
        const double u = linear(l, i, direction) * l->p[i] * (1 - l->p[i]) / (double)l->count;
        for (size_t j = 0; j <= l->features; j++) product[j] += u * input(l, i, j);
    }
    for (size_t j = 0; j <= l->features; j++) product[j] += l->pull * direction[j] / (l->unit[j] * l->unit[j]);
}

static void set_units(logistic *l)
{
    for (size_t j = 0; j < l->features; j++) {
        double squares = 0;
        for (size_t i = 0; i < l->count; i++) squares += l->x[i * l->features + j] * l->x[i * l->features + j];
        l->unit[j] = squares > 0 ? sqrt(squares / (double)l->count) : 1;
    }
    l->unit[l->features] = 1;
}

ebm_status ebm_logistic_fit(size_t count, size_t features, const double *x, const double *target, double pull,
                            const double *toward, double *theta)
{
    logistic l = {count, features, x, target, toward, pull, {0}, malloc(count * sizeof(double))};
    if (!l.p) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu examples", count);
    set_units(&l);
    memset(theta, 0, (features + 1) * sizeof *theta);
    const ebm_status status = ebm_newton_minimize(&(ebm_convex){&l, features + 1, value, curvature}, theta);
    for (size_t j = 0; j <= features; j++) theta[j] /= l.unit[j];
    free(l.p);
    return status;
}
