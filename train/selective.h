// Selective prediction: answering only the examples a model is surest of. Certainties, larger for surer ones, of
// f = logits and p = softmax(f / temperature):
//
//   max_probability  max p
//   entropy          minus the entropy: sum of p ln p
//   max_logit        max f / temperature
//   free_energy      minus the free energy at the temperature: T ln sum of e^{f / T} (Liu et al. 2020); at T = 1 what a
//                    joint model with the hidden energy was trained on. With probabilities instead of logits a constant
//   energy           minus the model's energy, whatever its form
//
// Sorted by certainty, risk(k) is the share of wrong answers among the k surest of n; among equally sure ones it is the
// mean over their orders, so no result depends on the order of rows.
//
//   aurc                mean of risk(k) over k = 1 .. n: area under the risk-coverage curve (Geifman and El-Yaniv 2017)
//   excess_aurc         aurc less that of the best order, all right answers first (Geifman, Uziel and El-Yaniv 2019,
//                       with the sum in place of their approximation r + (1 - r) ln(1 - r))
//   accuracy_at_<c>     1 - risk(k), k = c % of n, rounded up: 50, 80, 90, 95
//   coverage_at_risk_5  the largest k / n with risk(k) <= 5 %; 0 when there is none
//   errors              right answers (in) told from wrong ones (out), detection.h; NaN when there is only one kind
//
//     double *certainty = NULL;
//     EBM_TRY(ebm_certainty_create(&predictions, 1.0, EBM_CERTAINTY_ENTROPY, &certainty));
//     EBM_CHECK(ebm_selective_measure(certainty, right, n, &result), end);
#ifndef EBM_SELECTIVE_H
#define EBM_SELECTIVE_H

#include "detection.h"
#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_CERTAINTY_MAX_PROBABILITY,
    EBM_CERTAINTY_ENTROPY,
    EBM_CERTAINTY_MAX_LOGIT,
    EBM_CERTAINTY_FREE_ENERGY,
    EBM_CERTAINTY_ENERGY,
    EBM_CERTAINTIES, // how many there are
} ebm_certainty;

#define EBM_COVERAGES 4
extern const int ebm_coverages[EBM_COVERAGES]; // 50, 80, 90, 95

typedef struct {
    double aurc, excess_aurc;
    double accuracy_at[EBM_COVERAGES];
    double coverage_at_risk_5;
    ebm_detection errors;
} ebm_selective;

const char *ebm_certainty_name(ebm_certainty certainty); // "max_probability"

// count certainties in a new array for the caller to free; labels are not read. EBM_CERTAINTY_ENERGY without energies
// is EBM_ERROR_INPUT.
ebm_status ebm_certainty_create(const ebm_predictions *predictions, double temperature, ebm_certainty certainty,
                                double **out);

// certainty: count > 0 finite numbers; right: whether each answer is.
ebm_status ebm_selective_measure(const double *certainty, const bool *right, size_t count, ebm_selective *out);

// Whether each answer (the largest logit; equal ones: the lowest label) is the label: a new array for the caller to
// free.
ebm_status ebm_right_answers(const ebm_predictions *predictions, bool **right);

// The curve itself: risk[k - 1] = risk(k), count numbers.
ebm_status ebm_risk_coverage(const double *certainty, const bool *right, size_t count, double *risk);

#ifdef __cplusplus
}
#endif
#endif
