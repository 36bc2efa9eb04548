// What ebmcl eval measures: one method's predictions, by a model or from files of several seeds, whole or in halves.
//
//     eval_method method = {0};
//     EBM_CHECK(eval_method_read(&files, &method), end);              // or _add for predictions at hand
//     EBM_CHECK(eval_method_divide(&method, &division), end);
//     use(&method.runs);
//     end: eval_method_free(&method);
#ifndef EBM_EVAL_METHOD_H
#define EBM_EVAL_METHOD_H

#include "options.h"
#include "portion.h"
#include "predictions_read.h"
#include "suite.h"

typedef struct {
    ebm_read_predictions read, others; // of files; else zeroed
    ebm_predictions rows;              // the whole set
    bool probabilities;
    const double *counts;              // of annotators, or NULL
    const ebm_predictions *other_rows; // of another distribution, or NULL
    ebm_prediction_rows half[2];       // what is measured of it
    double *half_counts[2];
    float *mean, *mean_others; // of eval_method_average: logits, then energies where there are some
    ebm_predictions averaged_others;
} eval_seed;

typedef struct {
    eval_seed *seed;
    size_t seeds;
    ebm_suite_part *part;
    ebm_suite_runs runs; // after eval_method_divide
} eval_method;

// Files of predictions, one a seed, and what goes with them.
typedef struct {
    ebm_string_list predictions, others; // others: none, one for all seeds or one for each
    const char *labels, *counts, *label_column;
    ebm_score_kind scores;
} eval_files;

ebm_status eval_method_read(const eval_files *files, eval_method *method);
// One seed's predictions, borrowed; counts (of annotators) and others may be NULL. probabilities: the logits' level
// says nothing.
ebm_status eval_method_add(eval_method *method, const ebm_predictions *predictions, const double *counts,
                           const ebm_predictions *others, bool probabilities);
// Puts one seed in the place of all that were read: the mean of their probabilities (average.h), also on texts of
// another distribution. EBM_ERROR_INPUT when they are not of the same examples with the same labels.
ebm_status eval_method_average(eval_method *method);

typedef struct {
    ebm_portion portion; // what is measured ...
    ebm_portion second;  // ... and as the other half, when `halves` is 2
    int halves;
    uint64_t seed; // of random halves
    double temperature;
    bool fit_temperature; // in each half the one fitted on the other; halves is 2
} eval_division;
ebm_status eval_method_divide(eval_method *method, const eval_division *division);

void eval_method_free(eval_method *method); // zeroed is accepted

#endif
