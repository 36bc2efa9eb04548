// The predictions of a method of a comparison, as what the suite measures: seeds x the two halves of the evaluation
// set, each half tested with what was chosen and fitted on the other.
//
//     compare_runs runs = {0};
//     EBM_TRY(compare_runs_read(place, task, variant, &runs));      // runs.seeds may be 0: nothing is done yet
//     use(&runs.raw, &runs.calibrated);
//     compare_runs_free(&runs);
#ifndef EBM_COMPARE_RUNS_H
#define EBM_COMPARE_RUNS_H

#include "compare_cell.h"
#include "portion.h"
#include "predictions_read.h"
#include "suite.h"

typedef struct {
    char name[64];
    ebm_read_predictions read; // labels are not read
} compare_others;

typedef struct {
    int64_t seed;
    ebm_read_predictions read[2]; // for the test on the first half and on the second; read[1] is empty when it is [0]
    ebm_predictions rows[2];      // the same, whole
    ebm_prediction_rows half[2];  // what is tested of it
    double temperature[2];        // fitted on the other half, of the same predictions
    int64_t step[2];              // the evaluation that was taken
    compare_others *others;       // as many as the task has sets of another distribution, or NULL
} compare_seed;

typedef struct {
    compare_seed *seed;
    size_t seeds, missing; // done, and wanted but not done
    size_t sets;           // of another distribution
    double *counts[2];     // annotators' labels of the two halves, or NULL
    double seconds;        // mean of a cell's training, of all seeds of an ensemble their sum
    ebm_suite_part *raw_part, *calibrated_part;
    ebm_suite_runs raw, calibrated;
} compare_runs;

ebm_status compare_runs_read(const compare_place *place, const compare_task *task, const compare_variant *variant,
                             compare_runs *runs);
void compare_runs_free(compare_runs *runs); // zeroed is accepted

#endif
