// What annotators called a task's evaluation texts, as rows beside its predictions.
#ifndef EBM_COMPARE_ANNOTATIONS_H
#define EBM_COMPARE_ANNOTATIONS_H

#include "compare_plan.h"
#include "metrics.h"

// That the columns which tasks name are there, before hours of training.
ebm_status compare_annotations_check(const compare_plan *plan);

// Reads the columns that the task names, with the labels of `model` (an output directory of ebmcl train on the task).
// Counts as annotators.h wants them, rows x labels, for the caller to free(); NULL when the task names no columns.
// EBM_ERROR_INPUT when the texts are no more those that were predicted (`rows`): their number or a label differs.
ebm_status compare_annotations_read(const compare_task *task, const char *model, const ebm_predictions *rows,
                                    double **counts);

#endif
