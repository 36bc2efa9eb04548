#include "energies.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS_AIMED_AT = 24, BAR = 56 };

const double ebm_energy_quantile_at[EBM_ENERGY_QUANTILES] = {0, 0.05, 0.25, 0.5, 0.75, 0.95, 1};

static ebm_status check_set(const ebm_energy_set *set)
{
    if (!set->count) return ebm_fail(EBM_ERROR_INPUT, "energies of %s: at least one expected, found none", set->name);
    for (size_t i = 0; i < set->count; i++)
        if (!isfinite(set->energy[i]))
            return ebm_fail(EBM_ERROR_NONFINITE, "energies of %s: row %zu is %g", set->name, i, set->energy[i]);
    return ebm_ok();
}

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

ebm_status ebm_energy_summarize(const ebm_energy_set *set, ebm_energy_summary *out)
{
    EBM_TRY(check_set(set));
    const size_t n = set->count;
    double *sorted = malloc(n * sizeof *sorted), sum = 0, squares = 0;
    if (!sorted) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu energies", n);
    memcpy(sorted, set->energy, n * sizeof *sorted);
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    for (size_t i = 0; i < n; i++) sum += sorted[i];
    out->mean = sum / (double)n;
    for (size_t i = 0; i < n; i++) squares += (sorted[i] - out->mean) * (sorted[i] - out->mean);
    out->deviation = n > 1 ? sqrt(squares / (double)(n - 1)) : 0;
    for (size_t q = 0; q < EBM_ENERGY_QUANTILES; q++)
        out->quantile[q] = ebm_quantile_of_sorted(sorted, n, ebm_energy_quantile_at[q]);
    free(sorted);
    return ebm_ok();
}

// ---- bins

static double bins_of_width(double low, double high, double width)
{
    return floor(high / width) - floor(low / width) + 1;
}

static double choose_width(double low, double high)
{
    static const double steps[] = {1, 2, 5};
    // Energies that are all equal, or nearly, for their size.
    const double least = fmax(1e-3, 1e-12 * fmax(fabs(low), fabs(high)));
    double power = pow(10, floor(log10(fmax((high - low) / BINS_AIMED_AT, least))));
    for (;; power *= 10)
        for (size_t i = 0; i < 3; i++)
            if (bins_of_width(low, high, steps[i] * power) <= BINS_AIMED_AT) return steps[i] * power;
}

ebm_status ebm_energy_bins_choose(const ebm_energy_set *sets, size_t count, double width, ebm_energy_bins *out)
{
    double low = INFINITY, high = -INFINITY;
    if (!count) return ebm_fail(EBM_ERROR_INPUT, "bins of energies: at least one set expected, found none");
    if (!(width >= 0 && isfinite(width)))
        return ebm_fail(EBM_ERROR_INPUT, "width of bins: a number of at least 0 expected, found %g", width);
    for (size_t s = 0; s < count; s++) {
        EBM_TRY(check_set(&sets[s]));
        for (size_t i = 0; i < sets[s].count; i++) {
            low = fmin(low, sets[s].energy[i]);
            high = fmax(high, sets[s].energy[i]);
        }
    }
    if (width == 0) width = choose_width(low, high);
    const double bins = bins_of_width(low, high, width);
    if (!(bins <= EBM_ENERGY_BINS_MOST))
        return ebm_fail(EBM_ERROR_INPUT,
                        "width of bins: at most %d bins expected, energies from %g to %g make %.0f of %g",
                        EBM_ENERGY_BINS_MOST, low, high, bins, width);
    *out = (ebm_energy_bins){floor(low / width) * width, width, (size_t)bins};
    return ebm_ok();
}

double ebm_energy_bin_edge(const ebm_energy_bins *bins, size_t index)
{
    // A multiple of the width, not a sum of many.
    return (round(bins->first / bins->width) + (double)index) * bins->width;
}

void ebm_energy_histogram(const ebm_energy_bins *bins, const double *energy, size_t energies, size_t *count)
{
    const double first = round(bins->first / bins->width), last = (double)bins->count - 1;
    memset(count, 0, bins->count * sizeof *count);
    for (size_t i = 0; i < energies; i++) {
        const double place = floor(energy[i] / bins->width) - first;
        if (place >= 0 && place <= last) count[(size_t)place]++;
    }
}

// ---- as text

static double largest_share(const size_t *count, size_t bins, size_t total)
{
    size_t most = 0;
    for (size_t b = 0; b < bins; b++) most = count[b] > most ? count[b] : most;
    return (double)most / (double)total;
}

static void print_set(FILE *stream, const ebm_energy_bins *bins, const ebm_energy_set *set, const size_t *count,
                      double most)
{
    fprintf(stream, "%s (%zu)\n", set->name, set->count);
    for (size_t b = 0; b < bins->count; b++) {
        const double share = (double)count[b] / (double)set->count;
        const int bar = count[b] ? (int)fmax(1, round(BAR * share / most)) : 0;
        fprintf(stream, "%10.4g %9zu ", ebm_energy_bin_edge(bins, b), count[b]);
        for (int i = 0; i < bar; i++) fputc('#', stream);
        fputc('\n', stream);
    }
}

ebm_status ebm_energy_histogram_print(FILE *stream, const ebm_energy_bins *bins, const ebm_energy_set *sets,
                                      size_t count)
{
    size_t *counts = calloc(count * bins->count + 1, sizeof *counts);
    double most = 0;
    if (!counts) return ebm_fail(EBM_ERROR_MEMORY, "no memory for histograms of %zu sets", count);
    for (size_t s = 0; s < count; s++) {
        ebm_energy_histogram(bins, sets[s].energy, sets[s].count, counts + s * bins->count);
        most = fmax(most, largest_share(counts + s * bins->count, bins->count, sets[s].count));
    }
    for (size_t s = 0; s < count; s++) print_set(stream, bins, &sets[s], counts + s * bins->count, most);
    free(counts);
    return ferror(stream) ? ebm_fail(EBM_ERROR_IO, "the histogram could not be written") : ebm_ok();
}
