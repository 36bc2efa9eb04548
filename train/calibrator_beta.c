// Beta calibration of one label against the rest. Kull, Silva Filho, Flach, "Beta calibration: a well-founded and
// easily implemented improvement on logistic calibration for binary classifiers", AISTATS 2017: logistic regression on
// ln p and -ln(1 - p) whose factors must not be negative. The problem is convex, so its minimum is the best of those
// where none, one or both factors are held at 0, among the ones that are allowed.
#include <math.h>
#include <stdlib.h>

#include "calibrator_internal.h"

enum { A, B, C };

// Both features can be had from log odds without loss; `which`: the features that are in, bit 0 for a, bit 1 for b.
static void set_features(const ebm_binary *e, int which, double *x)
{
    for (size_t i = 0; i < e->count; i++) {
        if (which & 1) *x++ = -ebm_softplus(-e->score[i]);
        if (which & 2) *x++ = ebm_softplus(e->score[i]);
    }
}

static double objective(const ebm_binary *e, const double *abc)
{
    double sum = 0;
    for (size_t i = 0; i < e->count; i++) {
        const double u = abc[B] * ebm_softplus(e->score[i]) - abc[A] * ebm_softplus(-e->score[i]) + abc[C];
        sum += ebm_softplus(e->hit[i] ? -u : u);
    }
    const double away_a = abc[A] - 1, away_b = abc[B] - 1;
    return sum / (double)e->count + EBM_CALIBRATOR_PULL / 2 * (away_a * away_a + away_b * away_b + abc[C] * abc[C]);
}

static ebm_status fit_some(const ebm_binary *e, int which, const double *target, double *x, double abc[3])
{
    const size_t features = (size_t)(which & 1) + (size_t)(which >> 1);
    const double toward[3] = {features > 0, features > 1, 0};
    double theta[3];
    set_features(e, which, x);
    EBM_TRY(ebm_logistic_fit(e->count, features, x, target, EBM_CALIBRATOR_PULL, toward, theta));
    abc[A] = which & 1 ? theta[0] : 0;
    abc[B] = which & 2 ? theta[features - 1] : 0;
    abc[C] = theta[features];
    return ebm_ok();
}

static ebm_status fit_best(const ebm_binary *e, const double *target, double *x, double best[3])
{
    double least = INFINITY, abc[3];
    for (int which = 3; which >= 0; which--) {
        EBM_TRY(fit_some(e, which, target, x, abc));
        const double reached = objective(e, abc);
        if (abc[A] < 0 || abc[B] < 0 || !(reached < least)) continue;
        least = reached;
        for (int k = 0; k < 3; k++) best[k] = abc[k];
        if (which == 3) return ebm_ok(); // the minimum without bounds is within them
    }
    return ebm_ok();
}

static ebm_status fit_part(const ebm_binary *e, const ebm_calibrator_options *options, ebm_calibrator_part *part)
{
    (void)options;
    double best[3] = {0};
    for (int k = 0; k < 3; k++) EBM_TRY(ebm_calibrator_list(part, k, 1));
    double *target = malloc(e->count * sizeof *target), *x = malloc((2 * e->count + 1) * sizeof *x);
    ebm_status status = target && x ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu examples", e->count);
    for (size_t i = 0; status.code == EBM_OK && i < e->count; i++) target[i] = e->hit[i];
    if (status.code == EBM_OK) status = fit_best(e, target, x, best);
    for (int k = 0; k < 3; k++) part->list[k][0] = best[k];
    free(target);
    free(x);
    return status;
}

static double value(const ebm_calibrator_part *part, double score)
{
    return ebm_sigmoid(part->list[B][0] * ebm_softplus(score) - part->list[A][0] * ebm_softplus(-score) +
                       part->list[C][0]);
}

static const char *check(const ebm_calibrator_part *part, int labels)
{
    (void)labels;
    const bool three = part->length[A] == 1 && part->length[B] == 1 && part->length[C] == 1;
    return three && part->list[A][0] >= 0 && part->list[B][0] >= 0 ? NULL : "one a, b and c each, a and b not negative";
}

const ebm_calibrator_family ebm_family_beta = {
    .list = {"a", "b", "c"}, .bounded = true, .fit_part = fit_part, .value = value, .check = check};
