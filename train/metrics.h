// How good and how well calibrated a classifier's predictions are: one number a metric. The definitions:
//
//   accuracy     share of examples whose largest logit is at the label; equal logits: the lowest index counts
//   f1           of label 1, for two labels only, otherwise NaN; 0 when label 1 is neither there nor predicted
//   macro_f1     mean of every label's F1 over the labels that are there or are predicted (as scikit-learn)
//   matthews     correlation of truth and prediction (R_K for more than two labels); 0 where a variance is 0
//   nll          mean of -ln p(label)
//   brier        mean over examples of the sum over labels of (p(y) - [y = label])^2: 0 to 2
//   ece_*        expected calibration error: sum over bins of (examples in bin / n) |frequency - mean probability|
//     class_wise   a histogram for each label, averaged over labels (1/Y sum over y): the paper's
//     top_label    one histogram of the predicted label's probability (Guo et al. 2017)
//     pooled       one histogram of all n Y probabilities together
//   Bins are of equal width, [a, b), the last one closed. Two labels, an even number of bins and no ties give
//   pooled = top_label <= class_wise; an odd number pooled <= top_label, as its middle bin cancels.
//
//     ebm_predictions p = {.count = n, .labels = 2, .logits = logits, .label = truth};
//     double value[EBM_METRICS];
//     EBM_TRY(ebm_metrics(&p, 1.0, 20, value));
//     printf("%s %.4f\n", ebm_metric_name(EBM_ACCURACY), value[EBM_ACCURACY]);
//
// Probabilities are softmax(logits / temperature), computed in double. Intervals and floors: bootstrap.h; all of it in
// one call: report.h.
#ifndef EBM_METRICS_H
#define EBM_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EBM_BINS_DEFAULT 20
#define EBM_BINS_MOST 200

// Borrowed rows of a model's output.
typedef struct {
    size_t count;         // examples
    int labels;           // Y, at least 2
    const float *logits;  // count x labels
    const int32_t *label; // count, the truth, each in [0, labels)
    const float *energy;  // count, lower is more like data; NULL when the model has none
} ebm_predictions;

typedef enum {
    EBM_ACCURACY,
    EBM_F1,
    EBM_MACRO_F1,
    EBM_MATTHEWS,
    EBM_NLL,
    EBM_BRIER,
    EBM_ECE_CLASS_WISE, // the three ECEs stay together and in this order
    EBM_ECE_TOP_LABEL,
    EBM_ECE_POOLED,
    EBM_METRICS, // how many there are
} ebm_metric;

#define EBM_ECES 3 // metrics from EBM_ECE_CLASS_WISE on

// The name used in tables, JSON and options: "ece_class_wise".
const char *ebm_metric_name(ebm_metric metric);
ebm_status ebm_metric_by_name(const char *name, ebm_metric *out);
bool ebm_metric_more_is_better(ebm_metric metric);

// Fails with the row when a logit or an energy is not finite or a label is out of range, and when there are no rows.
ebm_status ebm_predictions_check(const ebm_predictions *predictions);

// count x labels probabilities in a new array for the caller to free; the label member may be NULL here.
ebm_status ebm_probabilities_create(const ebm_predictions *predictions, double temperature, double **out);

// Every metric; bins from 1 to EBM_BINS_MOST.
ebm_status ebm_metrics(const ebm_predictions *predictions, double temperature, int bins, double value[EBM_METRICS]);

// Mean over examples of KL(truth || model) = sum over y of q(y) ln(q(y) / p(y)), in nats, where the true posterior is
// known: truth is count x labels, rows not negative with sum 1 (within 1e-6). The label member may be NULL here.
ebm_status ebm_kl_from_truth(const ebm_predictions *predictions, double temperature, const double *truth, double *out);

#ifdef __cplusplus
}
#endif
#endif
