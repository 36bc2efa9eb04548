// Telling two kinds of examples apart by a score: in-distribution from out-of-distribution texts (Hendrycks and Gimpel
// 2017; Liu, Wang, Owens and Li 2020), right answers from wrong ones. "In" are those whose score should be larger.
//
//   auroc          P(score of an in > score of an out), equal scores count half; 0.5 by chance
//   aupr_in        average precision with "in" as the positive class: sum over thresholds of the step in recall times
//                  precision (as scikit-learn; no interpolation); by chance the share of in
//   aupr_out       the same with "out" as the positive class and the score negated
//   fpr_at_95_tpr  share of out at or above the highest threshold that keeps at least 95 % of in; 0.95 by chance
//
// Thresholds lie between different scores only: equal scores are accepted or refused together.
//
//     ebm_detection d;
//     EBM_TRY(ebm_detection_measure(score_of_texts, 1000, score_of_others, 500, &d));
#ifndef EBM_DETECTION_H
#define EBM_DETECTION_H

#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double auroc, aupr_in, aupr_out, fpr_at_95_tpr;
} ebm_detection;

// Finite scores, at least one of each; at most 2^32 - 1 together.
ebm_status ebm_detection_measure(const double *in, size_t in_count, const double *out, size_t out_count,
                                 ebm_detection *detection);

#ifdef __cplusplus
}
#endif
#endif
