// Losses of labelled texts other than plain cross-entropy, as baselines beside joint training. All are one loss with
// parts that are off by default; f logits, p = softmax f, t the label, Y labels:
//
//   L = (1 - s) (1 - p_t)^g (-ln p_t)  +  s / Y sum_y -ln p_y  -  b H(p)  +  w / Y sum_y q_y ln(q_y / p_y)
//
//   s  label smoothing: Szegedy et al. 2016, section 7; as transformers' LabelSmoother; for calibration Mueller et al.
//      2019
//   g  focal loss: Lin et al. 2017, section 3; for calibration Mukhoti et al. 2020
//   b  confidence penalty: Pereyra et al. 2017, section 3, H the entropy
//   w  PosCal: Jung et al. 2020, section 3, in the form of its published code: q_y is how often label y was right where
//      its probability lay in the same bin (posterior.h), constant; 0 for bins nobody fell into
//
// Gradient: dL/df_j = (1 - s) (d_tj - p_j) (g p_t (1 - p_t)^{g-1} ln p_t - (1 - p_t)^g) + s (p_j - 1/Y)
//                     + b p_j (ln p_j + H) + w / Y (p_j sum_y q_y - q_j)
#ifndef EBM_LABEL_LOSS_H
#define EBM_LABEL_LOSS_H

#include "objective.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    float smoothing;          // s, in [0, 1)
    float focal_gamma;        // g, 0 or more
    float confidence_penalty; // b, 0 or more
    float posterior_weight;   // w, 0 or more
} ebm_label_loss;

// The gamma with which a training of so many passes over its texts says its probabilities as they are, measured:
// passes - 1, from 0 to 5 (bench/EXPERIMENTS.md). In the first pass all texts are new, and cross-entropy is proper on
// new texts; what later passes learn by heart makes models too sure, and gamma takes it off.
float ebm_focal_gamma_of_passes(double passes);

bool ebm_label_loss_is_plain(const ebm_label_loss *loss); // cross-entropy and nothing else
// EBM_ERROR_INPUT for a number out of its range or not finite.
ebm_status ebm_label_loss_check(const ebm_label_loss *loss);
// "label smoothing 0.1, focal loss with gamma 2", "cross-entropy"; at most `size` bytes.
void ebm_label_loss_text(const ebm_label_loss *loss, char *text, size_t size);

// As ebm_cross_entropy, which it takes the place of: writes loss (the above), plain (cross-entropy) and dlogits of its
// rows. posterior: (Y, bins) q; 0 elements and bins 0 without PosCal.
typedef struct {
    ebm_slice loss, plain, dlogits; // written
    ebm_slice logits, labels, posterior;
    size_t label_count, bins;
    ebm_rows rows;
    size_t total;
} ebm_label_loss_rows;
ebm_status ebm_label_loss_run(ebm_device *device, const ebm_label_loss *loss, const ebm_label_loss_rows *rows);

#ifdef __cplusplus
}
#endif
#endif
