// The joint objective (METHOD section 2): mean cross-entropy over labelled rows, noise contrastive estimation between
// data and noise rows. Losses and their gradients come from one pass; sums stay on the device until they are read.
//
//     EBM_TRY(ebm_slice_zero(device, statistics, 0, EBM_STATISTICS_COUNT));     // once a step
//     EBM_TRY(ebm_cross_entropy(device, ce, dlogits, logits, labels, Y, rows_ce, total, 1.0f));
//     EBM_TRY(ebm_nce(device, nce, denergy, energy, &contrast));
//     EBM_TRY(ebm_objective_add_statistics(device, statistics, ...));           // adds: a split step accumulates
//     EBM_TRY(ebm_objective_read(device, statistics, &sums));                   // the only wait
//
// All arrays are indexed by the row of the packed batch: row i has logits[i * Y ...], labels[i], energy[i], loss[i].
// `total` counts rows of the whole step; it exceeds the rows given when the token budget splits the step.
#ifndef EBM_OBJECTIVE_H
#define EBM_OBJECTIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "arena.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    size_t first, count;
} ebm_rows; // rows [first, first + count) of a batch; count 0 is allowed everywhere

// loss[i] = logsumexp f_i - f_i[label]; dlogits_i = weight / total * (softmax f_i - onehot). Writes loss and dlogits of
// its rows, leaves others. labels: int32, checked on the host; one outside [0, Y) gives a NaN loss and a zero gradient.
ebm_status ebm_cross_entropy(ebm_device *device, ebm_slice loss, ebm_slice dlogits, ebm_slice logits, ebm_slice labels,
                             size_t label_count, ebm_rows rows, size_t total, float weight);

typedef struct {
    ebm_rows data, noise;           // may not overlap
    size_t total_data, total_noise; // of the whole step
    int noise_ratio;                // K >= 1
    float weight;                   // lambda; scales the gradient only
} ebm_nce_rows;

// Data rows:  loss[i] = softplus(E + ln K)          denergy[i] =  weight     sigmoid( E + ln K) / total_data
// Noise rows: loss[i] = K softplus(-E - ln K)       denergy[i] = -weight * K sigmoid(-E - ln K) / total_noise
// L_NCE = sum of data losses / total_data + sum of noise losses / total_noise. Finite for |E| up to 1e30, gradients
// too.
ebm_status ebm_nce(ebm_device *device, ebm_slice loss, ebm_slice denergy, ebm_slice energy,
                   const ebm_nce_rows *contrast);

// The margin loss on energies instead of NCE, noise samples as the outliers (Liu et al. 2020, section 3.2, equations 7
// to 9): squared hinges push data below -margin and noise above +margin.
//     Data rows:  loss[i] = max(0, E + margin)^2      denergy[i] =  weight * 2 max(0, E + margin) / total_data
//     Noise rows: loss[i] = max(0, margin - E)^2      denergy[i] = -weight * 2 max(0, margin - E) / total_noise
// The paper has two margins; only their distance counts: adding a constant to all logits (or to the scalar energy)
// moves every energy and no probability. So they lie about 0, the threshold of all statistics. noise_ratio is not read.
ebm_status ebm_energy_margin(ebm_device *device, ebm_slice loss, ebm_slice denergy, ebm_slice energy,
                             const ebm_nce_rows *contrast, float margin);

// What the published code adds to L_NCE: its noise term is log(K + e^{-E}), so its loss is larger by K ln K. With E = 0
// everywhere L_NCE plus this is (K + 1) ln(K + 1): 1.386 for K = 1, 19.775 for K = 8.
double ebm_nce_published_constant(int noise_ratio);

// Sums over the rows of a step (or of several), all in a fixed order.
typedef struct {
    double cross_entropy, correct;    // sums over labelled rows; arg max ties: lowest index
    double nce_data, nce_noise;       // sums of the losses above
    double data_apart, noise_apart;   // rows on their side of E = 0, where data and noise are equally likely (E = 0
                                      // itself counts half): told apart = their shares' mean, 0.5 by chance at every K
    double noise_z;                   // sum of exp(-E) over noise, exponent clamped at 60 so that no sum overflows
    double data_energy, noise_energy; // sums of E
    double labelled, data, noise;     // rows counted
    double nonfinite;                 // rows whose loss or energy is NaN or infinite; 0 in a sound step
    double label_loss;                // of label_loss.h over labelled rows; cross_entropy where that is the loss
} ebm_objective_sums;
enum { EBM_STATISTICS_COUNT = 14 }; // floats in the statistics slice, in the order above; counts exact up to 2^24

// Adds to statistics. labels_count 0 or rows.count 0: no cross-entropy; contrast NULL: no NCE (its slices are not
// read).
typedef struct {
    ebm_slice ce_loss, logits, labels; // as given to ebm_cross_entropy
    size_t label_count;
    ebm_rows rows;
    ebm_slice nce_loss, energy; // as given to ebm_nce
    const ebm_nce_rows *contrast;
    ebm_slice label_loss; // of another loss than cross-entropy; else 0 elements
} ebm_objective_rows;
ebm_status ebm_objective_add_statistics(ebm_device *device, ebm_slice statistics, const ebm_objective_rows *rows);

ebm_status ebm_objective_read(ebm_device *device, ebm_slice statistics, ebm_objective_sums *sums);
// EBM_ERROR_NONFINITE with the number of rows and what the sums were, when any loss or energy was not finite.
ebm_status ebm_objective_check(const ebm_objective_sums *sums);

#ifdef __cplusplus
}
#endif
#endif
