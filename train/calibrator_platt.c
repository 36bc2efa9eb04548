// Platt scaling of one label against the rest, on log odds. Platt, "Probabilistic Outputs for Support Vector Machines
// and Comparisons to Regularized Likelihood Methods", 1999, section 2.2: the targets are those of a uniform prior on
// the label's share, so the fit has a minimum for separated examples and for one label only as well.
#include <stdlib.h>

#include "calibrator_internal.h"

enum { SLOPE, OFFSET };

static ebm_status fit_part(const ebm_binary *e, const ebm_calibrator_options *options, ebm_calibrator_part *part)
{
    (void)options;
    const double hit = ((double)e->hits + 1) / ((double)e->hits + 2), miss = 1 / ((double)(e->count - e->hits) + 2);
    const double toward[2] = {0};
    double theta[2];
    EBM_TRY(ebm_calibrator_list(part, SLOPE, 1));
    EBM_TRY(ebm_calibrator_list(part, OFFSET, 1));
    double *target = malloc(e->count * sizeof *target);
    if (!target) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu targets", e->count);
    for (size_t i = 0; i < e->count; i++) target[i] = e->hit[i] ? hit : miss;
    const ebm_status status = ebm_logistic_fit(e->count, 1, e->score, target, 0, toward, theta);
    free(target);
    part->list[SLOPE][0] = theta[0];
    part->list[OFFSET][0] = theta[1];
    return status;
}

static double value(const ebm_calibrator_part *part, double score)
{
    return ebm_sigmoid(part->list[SLOPE][0] * score + part->list[OFFSET][0]);
}

static const char *check(const ebm_calibrator_part *part, int labels)
{
    (void)labels;
    return part->length[SLOPE] == 1 && part->length[OFFSET] == 1 ? NULL : "one slope and one offset";
}

const ebm_calibrator_family ebm_family_platt = {
    .list = {"slope", "offset"}, .bounded = true, .fit_part = fit_part, .value = value, .check = check};
