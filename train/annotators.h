// Agreement with several annotators, where each example has counts of the labels they gave: q(y) = counts / their sum.
//
//   human_cross_entropy    mean of -sum of q ln p, in nats; infinite where the model gives a chosen label nothing
//   human_kl               mean of KL(q || p): the cross-entropy less the annotators' own entropy
//   human_total_variation  mean of 1/2 sum of |q - p| (the DistCE of Baan et al. 2022)
//   entropy_difference     mean of H(p) - H(q): above 0 the model is less sure than the annotators are at one
//   entropy_pearson        correlation of H(p) and H(q) over examples: is the model unsure where people disagree?
//   entropy_spearman       the same of their ranks (equal ones: mean rank); both NaN where an entropy does not vary
//
//     double value[EBM_AGREEMENTS];
//     EBM_TRY(ebm_agreement_measure(&predictions, 1.0, counts, value));
#ifndef EBM_ANNOTATORS_H
#define EBM_ANNOTATORS_H

#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_HUMAN_CROSS_ENTROPY,
    EBM_HUMAN_KL,
    EBM_HUMAN_TOTAL_VARIATION,
    EBM_ENTROPY_DIFFERENCE,
    EBM_ENTROPY_PEARSON,
    EBM_ENTROPY_SPEARMAN,
    EBM_AGREEMENTS, // how many there are
} ebm_agreement;

const char *ebm_agreement_name(ebm_agreement agreement);

// counts: count x labels, finite and not negative, a row's sum above 0 (shares will do as well); the predictions' own
// labels are not read. EBM_ERROR_INPUT with the row otherwise.
ebm_status ebm_agreement_measure(const ebm_predictions *predictions, double temperature, const double *counts,
                                 double value[EBM_AGREEMENTS]);

#ifdef __cplusplus
}
#endif
#endif
