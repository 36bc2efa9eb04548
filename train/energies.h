// Energies of several sets of texts side by side: data, noise, other distributions.
//
//     ebm_energy_bins bins;
//     EBM_TRY(ebm_energy_bins_choose(sets, count, 0, &bins));                       // common to all
//     size_t *counts = calloc(bins.count, sizeof *counts);
//     ebm_energy_histogram(&bins, sets[0].energy, sets[0].count, counts);
//     EBM_TRY(ebm_energy_histogram_print(stdout, &bins, sets, count));
#ifndef EBM_ENERGIES_H
#define EBM_ENERGIES_H

#include <stdio.h>

#include "bootstrap.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_ENERGY_QUANTILES = 7, EBM_ENERGY_BINS_MOST = 1000 };
extern const double ebm_energy_quantile_at[EBM_ENERGY_QUANTILES]; // 0, .05, .25, .5, .75, .95, 1

// Borrowed. Lower is more like data.
typedef struct {
    const char *name;
    const double *energy; // count
    size_t count;
} ebm_energy_set;

typedef struct {
    double mean, deviation; // deviation: of the sample, with n - 1; 0 for one text
    double quantile[EBM_ENERGY_QUANTILES];
} ebm_energy_summary;

// Finite energies, at least one.
ebm_status ebm_energy_summarize(const ebm_energy_set *set, ebm_energy_summary *out);

// Bin b is [first + b width, first + (b + 1) width); every edge is a multiple of the width, so that histograms of
// different models can be laid side by side.
typedef struct {
    double first, width;
    size_t count;
} ebm_energy_bins;

// The fewest bins that hold all energies. width: 0 chooses 1, 2 or 5 times a power of ten such that there are at most
// 24; one that makes more than EBM_ENERGY_BINS_MOST is refused.
ebm_status ebm_energy_bins_choose(const ebm_energy_set *sets, size_t count, double width, ebm_energy_bins *out);
double ebm_energy_bin_edge(const ebm_energy_bins *bins, size_t index); // 0 to count

// How many of the energies lie in each bin; those of the sets that the bins were chosen for all do.
void ebm_energy_histogram(const ebm_energy_bins *bins, const double *energy, size_t energies, size_t *count);

// A block of lines for each set, ASCII, at most 79 columns: the lower edge of a bin, how many, a bar. A character of a
// bar is the same share of a set in all of them.
ebm_status ebm_energy_histogram_print(FILE *stream, const ebm_energy_bins *bins, const ebm_energy_set *sets,
                                      size_t count);

#ifdef __cplusplus
}
#endif
#endif
