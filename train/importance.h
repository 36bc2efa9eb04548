// How well noise, weighted or picked by the energy, stands in for the energy model p(x) = p_noise(x) w(x) / Z with
// w(x) = e^{-E(x)}: importance weights, and quasi-rejection sampling (Eikema, Kruszewski, Dance, Elsahar and Dymetman
// 2022, "An approximate sampler for energy-based models with divergence diagnostics"), which accepts a sample of the
// noise with probability
//
//     a(x) = min(1, w(x) / beta)
//
// and so samples from p_beta(x) = p_noise(x) a(x) / E[a]. A small beta gives the noise itself, one that no weight
// passes the energy model exactly; in between a larger beta buys nearness with acceptances.
//
//     ebm_importance weights;
//     EBM_TRY(ebm_importance_measure(noise_energy, 10000, EBM_RESAMPLES_DEFAULT, seed, &weights));
//     ebm_rejection r;
//     EBM_TRY(ebm_rejection_measure(noise_energy, 10000, 2 * weights.z, &r));
//     for (size_t i = 0; i < 10000; i++)
//         if (ebm_rejection_accepts(noise_energy[i], r.beta, seed, i)) use(text[i]);
//
// All are means over the n samples at hand, of weights normalised by their own sum: a region that no sample reached
// counts as if it were not there, so divergences are too small and effective sample sizes too large where the weights
// have a long tail (a large largest_share says so). Computed from logarithms: any finite energies will do.
#ifndef EBM_IMPORTANCE_H
#define EBM_IMPORTANCE_H

#include "bootstrap.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double z, log_z;             // Z = mean w; z is DBL_MAX at most, its logarithm is finite
    ebm_interval log_z_interval; // bootstrap; NaN without resamples
    double effective;            // (sum w)^2 / sum w^2, 1 to n
    double effective_share;      // of n
    double largest_share;        // the largest weight's share of their sum
} ebm_importance;

// energy: count finite values of samples of the noise. resamples: 0 to a million, drawn as ebm_bootstrap's.
ebm_status ebm_importance_measure(const double *energy, size_t count, int resamples, uint64_t seed,
                                  ebm_importance *out);

// Sums over the samples, p = w / sum w and r = a / sum a; section 3 of the paper.
typedef struct {
    double beta;
    double acceptance;      // mean a
    double above;           // sum of p where w > beta; bounds the total variation, since r > p elsewhere
    double total_variation; // sum |p - r| / 2
    double kl;              // KL(p || r) = sum p ln(p / r), nats: what the picked samples lack
    double reverse_kl;      // KL(r || p)
    double effective_share; // of accepted samples, weighted by w / a, as samples of p: (sum w)^2 / (sum a sum w^2 / a)
} ebm_rejection;

// beta: above 0, finite.
ebm_status ebm_rejection_measure(const double *energy, size_t count, double beta, ebm_rejection *out);

// Whether sample `index` is accepted: u < a(x) for the uniform number u of Philox at (seed, 0, EBM_SITE_REJECTION,
// index). u does not depend on beta: what is accepted at a larger beta is accepted at every smaller one.
bool ebm_rejection_accepts(double energy, double beta, uint64_t seed, size_t index);

#ifdef __cplusplus
}
#endif
#endif
