// Internal. Examples sorted once by a score, for the measures of many resamples: detection.h and selective.h of
// examples that count several times.
#ifndef EBM_RANKING_H
#define EBM_RANKING_H

#include "selective.h"

typedef struct {
    size_t count;
    uint32_t *order; // largest score first, equal ones in the order of rows
    bool *last;      // count: the last of a run of equal scores
} ebm_ranking;

// `what` begins the sentence when a score is not finite or there is none.
ebm_status ebm_ranking_create(const char *what, const double *score, size_t count, ebm_ranking *out);
void ebm_ranking_free(ebm_ranking *ranking); // zeroed is accepted

// weight: how often each example counts (whole numbers), NULL: once. Equal scores have the mean of their ranks; the
// rank of all counts from the largest, which changes no correlation's size and, when both are ranked so, not its sign.
void ebm_ranking_ranks(const ebm_ranking *ranking, const double *weight, double *rank);
// weight: how often each example counts (whole numbers), NULL: once. NaN where one kind has no examples.
ebm_detection ebm_ranking_detection(const ebm_ranking *ranking, const bool *in, const double *weight);
// The same with the risk-coverage curve; risk may be NULL, else it has room for the sum of weights.
ebm_selective ebm_ranking_selective(const ebm_ranking *ranking, const bool *right, const double *weight, double *risk);

#endif
