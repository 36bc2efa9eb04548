// Histogram binning (Zadrozny and Elkan, "Obtaining Calibrated Probability Estimates from Decision Trees and Naive
// Bayesian Classifiers", ICML 2001) and scaling-binning (Kumar, Liang, Ma, "Verified Uncertainty Calibration", NeurIPS
// 2019, algorithm 1), of one label against the rest. Both are constant in bins of equally many examples: one at the
// share of the label there, the other at the mean of a Platt scaling.
#include <stdlib.h>
#include <string.h>

#include "calibrator_internal.h"

enum { EDGE, BIN_VALUE };                              // histogram
enum { SLOPE, OFFSET, SCALED_EDGE, SCALED_BIN_VALUE }; // scaling-binning; the first two are Platt's

typedef struct {
    double at, value; // what decides the bin, what is averaged in it
} point;

static int by_place(const void *a, const void *b)
{
    const double x = ((const point *)a)->at, y = ((const point *)b)->at;
    return (x > y) - (x < y);
}

size_t ebm_bin_among(const double *edge, size_t edges, double value)
{
    size_t low = 0, high = edges; // the first edge that is not below the value
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (edge[middle] < value)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

// Equal neighbours make an edge at their value, which the bin below includes. A next edge that is not above it, or that
// no example lies below of, is left out.
size_t ebm_equal_mass_edges(const double *values, size_t count, size_t bins, double *edge)
{
    size_t edges = 0, end = 0;
    if (bins > count) bins = count;
    for (size_t b = 0; b + 1 < bins; b++) {
        end += count / bins + (b < count % bins);
        const double last = values[end - 1], middle = last + (values[end] - last) / 2;
        if (edges > 0 && !(last > edge[edges - 1])) continue; // nothing is between
        edge[edges++] = middle;
    }
    if (edges > 0 && !(values[count - 1] > edge[edges - 1])) edges--; // nothing is above
    return edges;
}

// Edges of the points' places and the means of their values between, as two lists of the part from `first` on.
static ebm_status store(const double *at, const point *points, size_t count, size_t bins, int first,
                        ebm_calibrator_part *part)
{
    double edge[EBM_BINS_MOST], sum[EBM_BINS_MOST] = {0}, weight[EBM_BINS_MOST] = {0};
    const size_t edges = ebm_equal_mass_edges(at, count, bins, edge);
    for (size_t i = 0; i < count; i++) {
        const size_t bin = ebm_bin_among(edge, edges, points[i].at);
        sum[bin] += points[i].value;
        weight[bin] += 1;
    }
    EBM_TRY(ebm_calibrator_list(part, first, edges));
    EBM_TRY(ebm_calibrator_list(part, first + 1, edges + 1));
    memcpy(part->list[first], edge, edges * sizeof *edge);
    for (size_t b = 0; b <= edges; b++) part->list[first + 1][b] = sum[b] / weight[b];
    return ebm_ok();
}

static ebm_status bin_points(point *points, size_t count, const ebm_calibrator_options *options, int first,
                             ebm_calibrator_part *part)
{
    qsort(points, count, sizeof *points, by_place);
    double *at = malloc(count * sizeof *at);
    if (!at) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu examples", count);
    for (size_t i = 0; i < count; i++) at[i] = points[i].at;
    const ebm_status status = store(at, points, count, (size_t)options->bins, first, part);
    free(at);
    return status;
}

static ebm_status fit_histogram(const ebm_binary *e, const ebm_calibrator_options *options, ebm_calibrator_part *part)
{
    point *points = malloc(e->count * sizeof *points);
    if (!points) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu examples", e->count);
    for (size_t i = 0; i < e->count; i++) points[i] = (point){ebm_sigmoid(e->score[i]), e->hit[i]};
    const ebm_status status = bin_points(points, e->count, options, EDGE, part);
    free(points);
    return status;
}

static ebm_status fit_scaling_binning(const ebm_binary *e, const ebm_calibrator_options *options,
                                      ebm_calibrator_part *part)
{
    EBM_TRY(ebm_family_platt.fit_part(e, options, part));
    point *points = malloc(e->count * sizeof *points);
    if (!points) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu examples", e->count);
    for (size_t i = 0; i < e->count; i++) {
        const double scaled = ebm_family_platt.value(part, e->score[i]);
        points[i] = (point){scaled, scaled};
    }
    const ebm_status status = bin_points(points, e->count, options, SCALED_EDGE, part);
    free(points);
    return status;
}

static double histogram_value(const ebm_calibrator_part *part, double score)
{
    return part->list[BIN_VALUE][ebm_bin_among(part->list[EDGE], part->length[EDGE], ebm_sigmoid(score))];
}

static double scaling_binning_value(const ebm_calibrator_part *part, double score)
{
    const double scaled = ebm_family_platt.value(part, score);
    return part->list[SCALED_BIN_VALUE][ebm_bin_among(part->list[SCALED_EDGE], part->length[SCALED_EDGE], scaled)];
}

static const char *check_bins(const ebm_calibrator_part *part, int first)
{
    static const char expected[] = "ascending edges and one value from 0 to 1 more than those";
    const size_t edges = part->length[first];
    const double *edge = part->list[first], *v = part->list[first + 1];
    if (part->length[first + 1] != edges + 1) return expected;
    for (size_t i = 0; i <= edges; i++)
        if (v[i] < 0 || v[i] > 1 || (i > 0 && i < edges && !(edge[i] > edge[i - 1]))) return expected;
    return NULL;
}

static const char *check_histogram(const ebm_calibrator_part *part, int labels)
{
    (void)labels;
    return check_bins(part, EDGE);
}

static const char *check_scaling_binning(const ebm_calibrator_part *part, int labels)
{
    const char *platt = ebm_family_platt.check(part, labels);
    return platt ? platt : check_bins(part, SCALED_EDGE);
}

const ebm_calibrator_family ebm_family_histogram = {
    .list = {"edge", "value"}, .fit_part = fit_histogram, .value = histogram_value, .check = check_histogram};
const ebm_calibrator_family ebm_family_scaling_binning = {.list = {"slope", "offset", "edge", "value"},
                                                          .bounded = true,
                                                          .fit_part = fit_scaling_binning,
                                                          .value = scaling_binning_value,
                                                          .check = check_scaling_binning};
