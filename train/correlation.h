// Correlation of two numbers of each example, with bootstrap intervals: of the energy with the entropy of p(y | x)
// (He et al. 2021, section 5), for one.
//
//   pearson    of the values
//   spearman   of their ranks; equal values have the mean of theirs
//
//     ebm_correlation c;
//     EBM_TRY(ebm_correlation_measure(energy, entropy, 1000, EBM_RESAMPLES_DEFAULT, seed, &c));
#ifndef EBM_CORRELATION_H
#define EBM_CORRELATION_H

#include "bootstrap.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double pearson, spearman;                         // NaN where one of the two does not vary
    ebm_interval pearson_interval, spearman_interval; // NaN without resamples, and where a resample does not vary
} ebm_correlation;

// Finite values of at least one example, at most 2^32 - 1. resamples: 0 to a million; resample r draws as
// ebm_bootstrap's does, so both describe the same samples. A function of the arguments alone.
ebm_status ebm_correlation_measure(const double *a, const double *b, size_t count, int resamples, uint64_t seed,
                                   ebm_correlation *out);

#ifdef __cplusplus
}
#endif
#endif
