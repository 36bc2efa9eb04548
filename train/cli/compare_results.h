// What came out of a comparison: for each task and method the suite's measures over seeds and halves, as the model says
// it and with a temperature fitted on the other half, and the difference from the first method; written in several
// forms.
#ifndef EBM_COMPARE_RESULTS_H
#define EBM_COMPARE_RESULTS_H

#include "compare_runs.h"

typedef struct {
    char name[64];
    ebm_suite suite; // ood_* rows
} compare_shift;

typedef struct {
    size_t seeds, missing; // seeds 0: nothing is done, and all below is empty
    double seconds;        // as in compare_runs
    double temperature;    // mean over seeds and halves
    ebm_suite raw, calibrated;
    bool has_difference; // not for the first method itself
    ebm_suite raw_difference, calibrated_difference;
    compare_shift *shifts; // each set of another distribution
    size_t shift_count;
} compare_result;

typedef struct {
    const compare_plan *plan;
    compare_result *result; // task * plan->variant_count + variant
    ebm_suite_options options;
} compare_results;

// `full` adds selective prediction, detection of errors and more errors of calibration; other distributions are always
// measured where a task has them.
ebm_status compare_results_measure(const compare_place *place, bool full, compare_results *results);
void compare_results_free(compare_results *results); // zeroed is accepted

const compare_result *compare_results_at(const compare_results *results, size_t task, size_t variant);

// The columns of tables: a measure, raw or with a temperature.
typedef struct {
    const char *metric, *heading;
    bool calibrated, less_is_better;
} compare_column;
enum { COMPARE_COLUMNS_MOST = 8 };
// Those of a task (its own metric beside accuracy), of NULL those of the mean over tasks. Returns how many.
size_t compare_columns(const compare_task *task, compare_column columns[COMPARE_COLUMNS_MOST]);
// Those of the agreement with a task's annotators, none where it names no columns of theirs.
size_t compare_agreement_columns(const compare_task *task, compare_column columns[COMPARE_COLUMNS_MOST]);
#define COMPARE_AGREEMENT_HELP                                                                                         \
    "human CE: cross-entropy with the shares of the annotators' labels; TV: total variation between these and the "    \
    "probabilities; entropy: rank correlation of both entropies over texts"
// The row of a result for a column, NULL when there is none; `difference`: of its difference from the first method.
const ebm_suite_row *compare_cell_row(const compare_result *result, const compare_column *column, bool difference);
// Mean of a column over the tasks, for a method that has all of them, else NaN.
double compare_mean_over_tasks(const compare_results *results, size_t variant, const compare_column *column);
// Whether a value is the best of its column: of a task, or of the mean over tasks (task: plan->task_count).
bool compare_is_best(const compare_results *results, size_t task, size_t variant, const compare_column *column);
// +1 better than the first method, -1 worse, when the 95 % interval of the difference leaves 0 out; else 0.
int compare_verdict(const compare_result *result, const compare_column *column);

// The least and the most that perfectly calibrated models would show as class-wise ECE on a task's texts, over methods;
// false when no method has any.
bool compare_floor(const compare_results *results, size_t task, double *least, double *most);

// compare_print.c
ebm_status compare_print(FILE *stream, const compare_results *results);
// compare_files.c: results.json, results.csv (a line a number) and results.tex in the folder.
json_t *compare_results_json(const compare_results *results);
ebm_status compare_write(const compare_results *results, const char *folder);

#endif
