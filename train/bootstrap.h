// How far a metric can be trusted on this many examples: bootstrap intervals, and the value a perfectly calibrated
// model would still show (the floor of an ECE).
//
//     ebm_interval interval[EBM_METRICS];
//     EBM_TRY(ebm_bootstrap(&predictions, 1.0, 20, EBM_RESAMPLES_DEFAULT, seed, interval));
//     ebm_floor floor[EBM_ECES];
//     EBM_TRY(ebm_ece_floor(&predictions, 1.0, 20, EBM_REDRAWS_DEFAULT, seed, floor));
//
// Both are functions of their arguments alone: the same seed gives the same bits. Resample r draws from Philox at
// (seed, step r, EBM_SITE_BOOTSTRAP), redraw r at (seed, step r, EBM_SITE_FLOOR).
#ifndef EBM_BOOTSTRAP_H
#define EBM_BOOTSTRAP_H

#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EBM_RESAMPLES_DEFAULT 1000
#define EBM_REDRAWS_DEFAULT 200

typedef struct {
    double low, high;
} ebm_interval;

typedef struct {
    double mean, high; // high: the 95 % quantile
    double p; // of the hypothesis that the model is calibrated: (1 + redraws at or above the error) / (1 + redraws)
} ebm_floor;

// 95 % percentile intervals: the 2.5 % and 97.5 % quantiles (linear between order statistics) of the metrics of
// `resamples` samples of count examples drawn with replacement. An ECE is pushed up by sampling noise, and a resample
// adds that noise once more: an interval of an ECE lies high and may not hold the value itself. NaN where the metric
// is.
ebm_status ebm_bootstrap(const ebm_predictions *predictions, double temperature, int bins, int resamples, uint64_t seed,
                         ebm_interval interval[EBM_METRICS]);

// The three ECEs (index: metric - EBM_ECE_CLASS_WISE) with the labels redrawn from the model's own probabilities:
// differences near this floor mean nothing. An error
// above `high` rejects at 5 % that the model is calibrated (a Monte Carlo test; the redraws limit p to 1 / (1 +
// redraws)).
ebm_status ebm_ece_floor(const ebm_predictions *predictions, double temperature, int bins, int redraws, uint64_t seed,
                         ebm_floor floor[EBM_ECES]);

// The quantile (0 to 1) of count > 0 sorted values, linear between neighbours (numpy's default).
double ebm_quantile_of_sorted(const double *sorted, size_t count, double quantile);

#ifdef __cplusplus
}
#endif
#endif
