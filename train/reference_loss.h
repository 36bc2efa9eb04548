// Losses and energies in double precision, plainly: what their kernels are compared with, by kernel_check.h and by the
// tests, which check the slopes against finite differences.
#ifndef EBM_REFERENCE_LOSS_H
#define EBM_REFERENCE_LOSS_H

#include "energy.h"
#include "label_loss.h"

double ebm_reference_log_sum_exp(const float *f, size_t labels);
// E of one row of logits; not for EBM_ENERGY_SCALAR.
double ebm_reference_energy(const float *f, size_t labels, ebm_energy_kind kind);

enum { EBM_REFERENCE_LABELS = 32 }; // at most
typedef struct {
    double loss, plain; // the formula of label_loss.h; its cross-entropy
} ebm_reference_loss;
// One row; slope: dL/df (labels). q: (labels, bins) posterior, NULL without PosCal.
ebm_reference_loss ebm_reference_label_loss(const ebm_label_loss *settings, const float *f, size_t labels, size_t label,
                                            const float *q, size_t bins, double *slope);

// Loss of one row of energy E as in ebm_nce, its slope before it is divided by the rows of the step.
double ebm_reference_nce(double energy, int noise_ratio, bool is_data, double *slope);

#endif
