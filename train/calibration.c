#include "calibration.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scores.h"

#define FEW_EXAMPLES 100

typedef struct {
    double nll, slope, curvature; // mean NLL and its derivatives by b = 1/T
} nll_at;

static nll_at nll_of(const ebm_predictions *predictions, double b, double *p)
{
    const int labels = predictions->labels;
    nll_at sum = {0};
    for (size_t i = 0; i < predictions->count; i++) {
        const float *f = predictions->logits + i * (size_t)labels;
        const double truth = (double)f[predictions->label[i]];
        double slope = 0, squares = 0; // moments of f - f[label]: no digits are lost to a common level of the logits
        ebm_log_softmax(f, labels, 1 / b, p);
        sum.nll -= p[predictions->label[i]];
        for (int y = 0; y < labels; y++) {
            const double d = (double)f[y] - truth;
            slope += exp(p[y]) * d;
            squares += exp(p[y]) * d * d;
        }
        sum.slope += slope;
        sum.curvature += squares - slope * slope;
    }
    const double n = (double)predictions->count;
    return (nll_at){sum.nll / n, sum.slope / n, sum.curvature / n};
}

static bool logits_are_flat(const ebm_predictions *predictions)
{
    const size_t labels = (size_t)predictions->labels;
    for (size_t i = 0; i < predictions->count; i++)
        for (size_t y = 1; y < labels; y++)
            if (predictions->logits[i * labels + y] != predictions->logits[i * labels]) return false;
    return true;
}

// The root of the slope between low and high, where it is negative and positive. A Newton step that leaves the bracket
// is replaced by its geometric middle; the bracket shrinks in every round, so it ends.
static double find_minimum(const ebm_predictions *predictions, double low, double high, double *p)
{
    double b = 1;
    for (int round = 0; round < 200 && high - low > 1e-12 * high; round++) {
        const nll_at here = nll_of(predictions, b, p);
        if (here.slope < 0)
            low = b;
        else
            high = b;
        double next = here.curvature > 0 ? b - here.slope / here.curvature : 0;
        if (fabs(next - b) <= 1e-9 * b) return next;
        if (!(next > low && next < high)) next = sqrt(low * high);
        b = next;
    }
    return b;
}

static void fit_checked(const ebm_predictions *predictions, double *p, ebm_temperature *fit)
{
    const double lowest = 1 / EBM_TEMPERATURE_HIGHEST, highest = 1 / EBM_TEMPERATURE_LOWEST; // of b
    if (logits_are_flat(predictions)) {
        fit->bound = EBM_BOUND_FLAT;
        fit->temperature = 1;
    } else if (nll_of(predictions, lowest, p).slope >= 0) {
        fit->bound = EBM_BOUND_HIGHEST;
        fit->temperature = EBM_TEMPERATURE_HIGHEST;
    } else if (nll_of(predictions, highest, p).slope <= 0) {
        fit->bound = EBM_BOUND_LOWEST;
        fit->temperature = EBM_TEMPERATURE_LOWEST;
    } else {
        fit->temperature = 1 / find_minimum(predictions, lowest, highest, p);
    }
    fit->nll_before = nll_of(predictions, 1, p).nll;
    fit->nll_after = nll_of(predictions, 1 / fit->temperature, p).nll;
}

ebm_status ebm_temperature_fit(const ebm_predictions *predictions, ebm_temperature *out)
{
    EBM_TRY(ebm_predictions_check(predictions));
    double *p = malloc((size_t)predictions->labels * sizeof *p);
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %d labels", predictions->labels);
    *out = (ebm_temperature){.examples = predictions->count};
    fit_checked(predictions, p, out);
    free(p);
    return ebm_ok();
}

void ebm_temperature_note(const ebm_temperature *fit, char *text, size_t size)
{
    static const char *const bounds[] = {
        [EBM_BOUND_NONE] = "",
        [EBM_BOUND_LOWEST] = "the temperature stopped at its lowest value: no example speaks against being surer",
        [EBM_BOUND_HIGHEST] = "the temperature stopped at its highest value: the logits are no better than chance here",
        [EBM_BOUND_FLAT] = "all logits are equal within each example: the temperature has no effect and stays 1",
    };
    const bool few = fit->examples < FEW_EXAMPLES;
    const char *bound = bounds[fit->bound];
    snprintf(text, size, "%s%s", bound, *bound && few ? "; " : "");
    const size_t used = *bound && few ? strlen(bound) + 2 : strlen(bound);
    if (few && used < size)
        snprintf(text + used, size - used, "fitted on %zu examples only: expect it to be off", fit->examples);
}
