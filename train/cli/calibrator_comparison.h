// Every calibrator fitted on one part of the predictions and judged on the other.
#ifndef EBM_CALIBRATOR_COMPARISON_H
#define EBM_CALIBRATOR_COMPARISON_H

#include "calibrator.h"
#include "json_output.h"
#include "portion.h"

typedef struct {
    const char *name;          // "none": the model as it is
    ebm_status status;         // of the fit; what follows holds where it is EBM_OK
    double value[EBM_METRICS]; // on the other part
    double floor;              // of its class-wise ECE: the mean of what a calibrated model would show there
    size_t zeros;              // examples there whose label got a probability of 0
} ebm_compared;

typedef struct {
    size_t fitted_on, judged_on; // examples
    ebm_portion fit_portion, judge_portion;
    ebm_compared row[EBM_CALIBRATORS + 1];
} ebm_comparison;

// `portion`: what is fitted on; a half, judged on the other one; EBM_PORTION_ALL is the first half. A calibrator that
// cannot be fitted has its reason in its row.
ebm_status ebm_comparison_run(const ebm_predictions *predictions, ebm_portion portion, uint64_t seed,
                              const ebm_calibrator_options *options, ebm_comparison *out);
void ebm_comparison_print(const ebm_comparison *comparison);
json_t *ebm_comparison_object(const ebm_comparison *comparison); // NULL when memory ran out

#endif
