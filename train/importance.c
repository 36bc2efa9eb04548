#include "importance.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "bootstrap_internal.h"
#include "random.h"

static ebm_status check_energies(const double *energy, size_t count)
{
    if (!count) return ebm_fail(EBM_ERROR_INPUT, "energies of noise: at least one expected, found none");
    for (size_t i = 0; i < count; i++)
        if (!isfinite(energy[i]))
            return ebm_fail(EBM_ERROR_NONFINITE, "energies of noise: row %zu is %g", i, energy[i]);
    return ebm_ok();
}

static double lowest_of(const double *energy, size_t count)
{
    double lowest = INFINITY;
    for (size_t i = 0; i < count; i++) lowest = fmin(lowest, energy[i]);
    return lowest;
}

// Weights relative to the largest.
static double relative(double energy, double lowest) { return exp(lowest - energy); }

static ebm_status bootstrap(const double *energy, size_t count, double lowest, int resamples, uint64_t seed,
                            ebm_interval *out)
{
    double *value = NULL;
    EBM_TRY(ebm_draws_allocate("resamples", resamples, count, 1, &value));
    for (int r = 0; r < resamples; r++) {
        ebm_random random = ebm_random_stream(seed, (uint32_t)r, EBM_SITE_BOOTSTRAP);
        double nearest = INFINITY, sum = 0; // of this resample, which may lack the lowest of all
        ebm_random again = random;
        for (size_t i = 0; i < count; i++) nearest = fmin(nearest, energy[ebm_random_below(&random, (uint32_t)count)]);
        for (size_t i = 0; i < count; i++) sum += relative(energy[ebm_random_below(&again, (uint32_t)count)], nearest);
        value[r] = log(sum / (double)count) + (lowest - nearest);
    }
    *out = ebm_interval_of(value, (size_t)resamples);
    *out = (ebm_interval){out->low - lowest, out->high - lowest};
    free(value);
    return ebm_ok();
}

ebm_status ebm_importance_measure(const double *energy, size_t count, int resamples, uint64_t seed, ebm_importance *out)
{
    EBM_TRY(check_energies(energy, count));
    const double lowest = lowest_of(energy, count);
    double sum = 0, squares = 0;
    for (size_t i = 0; i < count; i++) {
        const double weight = relative(energy[i], lowest);
        sum += weight;
        squares += weight * weight;
    }
    *out = (ebm_importance){.log_z = log(sum / (double)count) - lowest,
                            .log_z_interval = {(double)NAN, (double)NAN},
                            .effective = sum * sum / squares,
                            .largest_share = 1 / sum};
    out->z = fmin(exp(out->log_z), DBL_MAX);
    out->effective_share = out->effective / (double)count;
    return resamples ? bootstrap(energy, count, lowest, resamples, seed, &out->log_z_interval) : ebm_ok();
}

// ln a(x)
static double log_acceptance(double energy, double log_beta) { return fmin(0, -energy - log_beta); }

// Of a sample: ln w and ln a, each less its largest over all samples, so that sums neither overflow nor vanish.
typedef struct {
    double lowest, log_beta, log_a; // log_a: the largest ln a
} scale;

static double scaled_w(const scale *s, double energy) { return s->lowest - energy; }
static double scaled_a(const scale *s, double energy) { return log_acceptance(energy, s->log_beta) - s->log_a; }

ebm_status ebm_rejection_measure(const double *energy, size_t count, double beta, ebm_rejection *out)
{
    EBM_TRY(check_energies(energy, count));
    if (!(beta > 0 && isfinite(beta)))
        return ebm_fail(EBM_ERROR_INPUT, "beta: a number above 0 expected, found %g", beta);
    scale s = {.lowest = lowest_of(energy, count), .log_beta = log(beta)};
    s.log_a = log_acceptance(s.lowest, s.log_beta);
    double sum_w = 0, sum_a = 0, sum_ratio = 0; // of w, a, w^2 / a
    for (size_t i = 0; i < count; i++) {
        const double w = scaled_w(&s, energy[i]), a = scaled_a(&s, energy[i]);
        sum_w += exp(w);
        sum_a += exp(a);
        sum_ratio += exp(2 * w - a);
    }
    *out = (ebm_rejection){.beta = beta,
                           .acceptance = exp(s.log_a + log(sum_a / (double)count)),
                           .effective_share = fmin(1, sum_w * sum_w / (sum_a * sum_ratio))};
    for (size_t i = 0; i < count; i++) {
        const double log_p = scaled_w(&s, energy[i]) - log(sum_w), log_r = scaled_a(&s, energy[i]) - log(sum_a);
        const double p = exp(log_p), r = exp(log_r);
        if (-energy[i] > s.log_beta) out->above += p;
        out->total_variation += fabs(p - r) / 2;
        out->kl += p * (log_p - log_r);
        out->reverse_kl += r * (log_r - log_p);
    }
    // Rounding may leave a sum of zero slightly below it.
    out->kl = fmax(out->kl, 0);
    out->reverse_kl = fmax(out->reverse_kl, 0);
    return ebm_ok();
}

bool ebm_rejection_accepts(double energy, double beta, uint64_t seed, size_t index)
{
    uint32_t words[4];
    ebm_random_block(words, seed, 0, EBM_SITE_REJECTION, index);
    const double u = (double)((uint64_t)words[0] << 21 | words[1] >> 11) * 0x1p-53;
    return u < exp(log_acceptance(energy, log(beta)));
}
