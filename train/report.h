// An evaluation: every metric with its interval and floor, as values, as a table and as JSON.
//
//     ebm_evaluation_options options = ebm_evaluation_defaults();
//     ebm_evaluation e;
//     EBM_TRY(ebm_evaluate(&predictions, &options, &e));
//     EBM_TRY(ebm_evaluation_print(stdout, &e));
//     EBM_TRY(ebm_evaluation_json(&e, &text)); // one object; free(text)
#ifndef EBM_REPORT_H
#define EBM_REPORT_H

#include <stdio.h>

#include "bootstrap.h"
#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double temperature; // 1
    int bins;           // 20
    int resamples;      // 1000; 0: no intervals
    int redraws;        // 200; 0: no floors
    uint64_t seed;      // 0
} ebm_evaluation_options;

ebm_evaluation_options ebm_evaluation_defaults(void);

// What is not defined (f1 without two labels, the mean energy without energies) or not asked for is NaN.
typedef struct {
    size_t examples;
    int labels;
    ebm_evaluation_options options; // as used
    double value[EBM_METRICS];
    ebm_interval interval[EBM_METRICS];
    ebm_floor floor[EBM_ECES]; // index: metric - EBM_ECE_CLASS_WISE
    double mean_energy;
} ebm_evaluation;

// About 10k examples x 3 labels take a second with the defaults; inside training choose 0 resamples and redraws.
ebm_status ebm_evaluate(const ebm_predictions *predictions, const ebm_evaluation_options *options, ebm_evaluation *out);

// A table of at most 80 columns; metrics that are NaN are left out.
ebm_status ebm_evaluation_print(FILE *stream, const ebm_evaluation *evaluation);

// One object, text to be freed by the caller: examples, labels, temperature, bins, resamples, redraws, seed (its 64
// bits as a signed number); for each metric <name>, <name>_low, <name>_high; for each ECE also <name>_floor,
// <name>_floor_95 and <name>_floor_p (the p-value of being calibrated); mean_energy when there is one. What was not
// asked for is left out; f1 is null without two labels.
ebm_status ebm_evaluation_json(const ebm_evaluation *evaluation, char **text);

#ifdef __cplusplus
}
#endif
#endif
