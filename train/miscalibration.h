// Further errors of calibration, beside the three ECEs of metrics.h: one number each. n examples, Y labels, `bins`
// bins.
//
//   ace_class_wise        adaptive calibration error (Nguyen and O'Connor 2015): as ece_class_wise with bins of equal
//                         mass: each label's probabilities sorted and cut into `bins` runs, the first n mod bins of
//                         them one longer; equal probabilities stay together, in the run of the first of them
//   ace_top_label         the same of the predicted label's probability
//   debiased_class_wise   Kumar, Liang and Ma 2019 (section 4.2): root of the mean over labels of the squared l2 error,
//                         sum over bins of equal mass of n_b/n ((mean p - f)^2 - f (1 - f)/(n_b - 1)), f the frequency;
//                         bins of one example add nothing, and a label's negative sum counts as 0
//   debiased_top_label    the same of the predicted label's probability
//   smooth_ece            smooth_ece.h, of the predicted label's probability
//   mce                   largest |frequency - mean probability| over bins of equal width of the predicted label's
//                         probability that have examples (Naeini, Cooper and Hauskrecht 2015)
//   brier_calibration     the Brier score's parts over bins of equal width of each label's probability (Murphy 1973;
//   brier_refinement      DeGroot and Fienberg 1983), added over labels: sum of n_b/n (mean p - f)^2, sum of
//   brier_within          n_b/n f (1 - f), and what bins of some width leave over (Stephenson, Coelho and Jolliffe
//                         2008): sum of n_b/n (variance of p - 2 covariance of p and y). The three add up to brier.
//
//     double value[EBM_MISCALIBRATIONS];
//     EBM_TRY(ebm_miscalibration_measure(&predictions, 1.0, 20, value));
//     printf("%s %.4f\n", ebm_miscalibration_name(EBM_SMOOTH_ECE), value[EBM_SMOOTH_ECE]);
#ifndef EBM_MISCALIBRATION_H
#define EBM_MISCALIBRATION_H

#include "bootstrap.h"
#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_ACE_CLASS_WISE,
    EBM_ACE_TOP_LABEL,
    EBM_DEBIASED_CLASS_WISE,
    EBM_DEBIASED_TOP_LABEL,
    EBM_SMOOTH_ECE,
    EBM_MCE,
    EBM_BRIER_CALIBRATION,
    EBM_BRIER_REFINEMENT,
    EBM_BRIER_WITHIN,
    EBM_MISCALIBRATIONS, // how many there are
} ebm_miscalibration;

#define EBM_MISCALIBRATION_FLOORS 7 // the first ones, which a calibrated model would have at 0 but for sampling

const char *ebm_miscalibration_name(ebm_miscalibration error);

// Bins from 1 to EBM_BINS_MOST, temperature and predictions as in metrics.h. At most 2^32 - 1 examples.
ebm_status ebm_miscalibration_measure(const ebm_predictions *predictions, double temperature, int bins,
                                      double value[EBM_MISCALIBRATIONS]);

// As ebm_ece_floor, with the same redrawn labels.
ebm_status ebm_miscalibration_floor(const ebm_predictions *predictions, double temperature, int bins, int redraws,
                                    uint64_t seed, ebm_floor floor[EBM_MISCALIBRATION_FLOORS]);

#ifdef __cplusplus
}
#endif
#endif
