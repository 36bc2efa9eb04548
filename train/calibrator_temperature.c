// Temperatures: by NLL, and by ECE on the grid of the published code.
#include <stddef.h>

#include "calibrator_internal.h"

// nce_glue/my_calibration.py of https://github.com/salesforce/ebm_calibration_nlu
static const double GRID[] = {0.1, 0.5, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 1.75, 2, 2.25, 2.5, 3};

static ebm_status fit_nll(const ebm_predictions *predictions, const ebm_calibrator_options *options, ebm_calibrator *c)
{
    (void)options;
    return ebm_temperature_fit(predictions, &c->temperature);
}

// Equal errors: the lowest temperature, as there. bound stays EBM_BOUND_NONE: the grid's ends are no minimum's.
static ebm_status fit_ece(const ebm_predictions *predictions, const ebm_calibrator_options *options, ebm_calibrator *c)
{
    double least = 2, value[EBM_METRICS];
    c->temperature = (ebm_temperature){.examples = predictions->count};
    for (size_t i = 0; i < sizeof GRID / sizeof *GRID; i++) {
        EBM_TRY(ebm_metrics(predictions, GRID[i], options->ece_bins, value));
        if (GRID[i] == 1) c->temperature.nll_before = value[EBM_NLL];
        if (!(value[EBM_ECE_TOP_LABEL] < least)) continue;
        least = value[EBM_ECE_TOP_LABEL];
        c->temperature.temperature = GRID[i];
        c->temperature.nll_after = value[EBM_NLL];
    }
    return ebm_ok();
}

static void apply(const ebm_calibrator *c, const float *logits, int labels, double *p)
{
    for (int y = 0; y < labels; y++) p[y] = (double)logits[y] / c->temperature.temperature;
    ebm_softmax(p, labels);
}

const ebm_calibrator_family ebm_family_temperature = {.affine = true, .fit = fit_nll, .apply = apply};
const ebm_calibrator_family ebm_family_temperature_ece = {.affine = true, .fit = fit_ece, .apply = apply};
