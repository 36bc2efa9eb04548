// Halves of an evaluation set: one for choosing and fitting calibrators, the other as test (GLUE's test labels
// are hidden). Of n rows each half has floor(n/2); with an odd n the row in the middle is in neither.
//
//     ebm_prediction_rows half = {0};
//     EBM_TRY(ebm_predictions_portion(&all, EBM_PORTION_FIRST_HALF, seed, &half));
//     EBM_TRY(ebm_metrics(&half.rows, 1.0, 20, value));
//     ebm_prediction_rows_free(&half);
#ifndef EBM_PORTION_H
#define EBM_PORTION_H

#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_PORTION_ALL,
    EBM_PORTION_FIRST_HALF, // in file order
    EBM_PORTION_SECOND_HALF,
    EBM_PORTION_RANDOM_FIRST_HALF,  // after a shuffle by the seed (EBM_SITE_SPLIT); rows again in file order
    EBM_PORTION_RANDOM_SECOND_HALF, // disjoint from the other for the same seed
    EBM_PORTIONS,
} ebm_portion;

// "all", "first-half", "second-half", "random-first-half", "random-second-half"
const char *ebm_portion_name(ebm_portion portion);
ebm_status ebm_portion_by_name(const char *name, ebm_portion *out);

// The rows of a portion, ascending, in a new array for the caller to free. Fails when the portion would be empty.
ebm_status ebm_portion_rows(ebm_portion portion, size_t count, uint64_t seed, uint32_t **rows, size_t *number);

typedef struct {
    ebm_predictions rows; // points into what is owned below
    float *logits, *energy;
    int32_t *label;
} ebm_prediction_rows;

// A copy of the rows of a portion.
ebm_status ebm_predictions_portion(const ebm_predictions *all, ebm_portion portion, uint64_t seed,
                                   ebm_prediction_rows *out);
// The same of the annotators' counts (annotators.h) of `count` examples, for the caller to free().
ebm_status ebm_counts_portion(const double *counts, size_t count, int labels, ebm_portion portion, uint64_t seed,
                              double **out);
void ebm_prediction_rows_free(ebm_prediction_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
