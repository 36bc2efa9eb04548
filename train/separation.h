// How well energies tell data from noise. The energy model's density is p_noise(x) e^{-E(x)}, so with K noise samples
// for each text P(data | x) = e^{-E} / (e^{-E} + K) = sigmoid(-E - ln K): the Bayes decision is "data" when E < -ln K,
// and when both are equally frequent (K = 1) when E < 0.
//
//     ebm_separation c;
//     EBM_TRY(ebm_separation_measure(data_energy, 1000, noise_energy, 8000, 8, &c));
//     printf("told apart %.3f, Z %.2f\n", c.told_apart, c.mean_exp);
#ifndef EBM_SEPARATION_H
#define EBM_SEPARATION_H

#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double accuracy;     // right decisions by E < -ln K among 1 text : K samples; always saying "noise" has K / (K + 1)
    double told_apart;   // right decisions by E < 0 among equally many of both: 0.5 by chance at every K
    double auroc;        // P(E of a text < E of a sample), equal energies count half
    double mean_exp;     // mean of e^{-E} over noise, an estimate of Z that training drives to 1; DBL_MAX at most
    double log_mean_exp; // its logarithm, finite for every finite energy
    double effective;    // (sum w)^2 / sum w^2 of w = e^{-E} over noise: 1 (one sample outweighs all) to their number
    double effective_share;           // of the noise samples; 1 where all energies are equal
    double data_energy, noise_energy; // means
} ebm_separation;

// data, noise: finite energies, at least one of each; ratio: K > 0. An energy at a threshold counts half. Any numbers
// of both may be given: each side is weighted by the ratio, not by its count.
ebm_status ebm_separation_measure(const float *data, size_t data_count, const float *noise, size_t noise_count,
                                  double ratio, ebm_separation *out);

#ifdef __cplusplus
}
#endif
#endif
