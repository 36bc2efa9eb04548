#include "separation.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static ebm_status check_energies(const char *what, const float *energy, size_t count)
{
    if (!count) return ebm_fail(EBM_ERROR_INPUT, "%s energies: at least one expected, found none", what);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(energy[i]))
            return ebm_fail(EBM_ERROR_NONFINITE, "%s energies: row %zu is %g", what, i, (double)energy[i]);
    return ebm_ok();
}

static int compare_floats(const void *left, const void *right)
{
    const float a = *(const float *)left, b = *(const float *)right;
    return (a > b) - (a < b);
}

// The share of energies below a threshold, those at it count half.
static double share_below(const float *energy, size_t count, double threshold)
{
    double below = 0;
    for (size_t i = 0; i < count; i++) {
        const double e = (double)energy[i];
        below += e < threshold ? 1 : e > threshold ? 0 : 0.5;
    }
    return below / (double)count;
}

static double mean_of(const float *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += (double)values[i];
    return sum / (double)count;
}

// ln mean e^{-E} with the largest term taken out, and the effective sample size, which no common factor changes.
static double log_mean_exp(const float *energy, size_t count, double *effective)
{
    double lowest = INFINITY, sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) lowest = fmin(lowest, (double)energy[i]);
    for (size_t i = 0; i < count; i++) {
        const double weight = exp(lowest - (double)energy[i]);
        sum += weight;
        squares += weight * weight;
    }
    *effective = sum * sum / squares;
    return log(sum / (double)count) - lowest;
}

// Both sorted; below and upto: how many noise energies are < and <= the data energy at hand.
static double auroc_of_sorted(const float *data, size_t data_count, const float *noise, size_t noise_count)
{
    double wins = 0;
    size_t below = 0, upto = 0;
    for (size_t i = 0; i < data_count; i++) {
        while (below < noise_count && noise[below] < data[i]) below++;
        while (upto < noise_count && noise[upto] <= data[i]) upto++;
        wins += (double)(noise_count - upto) + 0.5 * (double)(upto - below);
    }
    return wins / ((double)data_count * (double)noise_count);
}

static ebm_status auroc_of(const float *data, size_t data_count, const float *noise, size_t noise_count, double *out)
{
    float *sorted = malloc((data_count + noise_count) * sizeof *sorted);
    if (!sorted) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu energies", data_count + noise_count);
    memcpy(sorted, data, data_count * sizeof *sorted);
    memcpy(sorted + data_count, noise, noise_count * sizeof *sorted);
    qsort(sorted, data_count, sizeof *sorted, compare_floats);
    qsort(sorted + data_count, noise_count, sizeof *sorted, compare_floats);
    *out = auroc_of_sorted(sorted, data_count, sorted + data_count, noise_count);
    free(sorted);
    return ebm_ok();
}

ebm_status ebm_separation_measure(const float *data, size_t data_count, const float *noise, size_t noise_count,
                                  double ratio, ebm_separation *out)
{
    EBM_TRY(check_energies("data", data, data_count));
    EBM_TRY(check_energies("noise", noise, noise_count));
    if (!(ratio > 0 && isfinite(ratio)))
        return ebm_fail(EBM_ERROR_INPUT, "noise ratio: a number above 0 expected, found %g", ratio);
    EBM_TRY(auroc_of(data, data_count, noise, noise_count, &out->auroc));
    const double threshold = -log(ratio);
    const double data_right = share_below(data, data_count, threshold);
    const double noise_right = 1 - share_below(noise, noise_count, threshold);
    out->accuracy = (data_right + ratio * noise_right) / (1 + ratio);
    out->told_apart = (share_below(data, data_count, 0) + 1 - share_below(noise, noise_count, 0)) / 2;
    out->log_mean_exp = log_mean_exp(noise, noise_count, &out->effective);
    out->effective_share = out->effective / (double)noise_count;
    out->mean_exp = fmin(exp(out->log_mean_exp), DBL_MAX);
    out->data_energy = mean_of(data, data_count);
    out->noise_energy = mean_of(noise, noise_count);
    return ebm_ok();
}
