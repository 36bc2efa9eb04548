// Internal. What one example adds to the metrics, computed once; every metric is then a function of sums over examples,
// so a bootstrap resample costs a few additions an example.
//
//     ebm_scores scores = {0};
//     EBM_TRY(ebm_scores_create(&predictions, temperature, bins, &scores));
//     ebm_tally tally = {0};                          // sums; reset, add examples in any number, read the metrics
//     EBM_CHECK(ebm_tally_create(&scores, &tally), end);
//     for (size_t i = 0; i < scores.count; i++) ebm_tally_add(&tally, i);
//     ebm_tally_metrics(&tally, value);
#ifndef EBM_SCORES_H
#define EBM_SCORES_H

#include "metrics.h"

typedef struct {
    size_t count;
    int labels, bins;
    double *probability;        // count x labels
    uint8_t *bin;               // count x labels, the bin of each probability
    double *nll, *brier;        // count
    int32_t *label, *predicted; // count
} ebm_scores;

ebm_status ebm_scores_create(const ebm_predictions *predictions, double temperature, int bins, ebm_scores *out);
void ebm_scores_free(ebm_scores *scores);

// gap: sum of [y is the label] - p(y) over the examples whose p(y) is in a bin. The pooled histogram needs no sums of
// its own: its gaps are the class-wise ones added over the labels.
typedef struct {
    const ebm_scores *scores; // borrowed
    double examples, nll, brier;
    double *truth, *predicted, *hit; // labels: how often the label is there, is predicted, both
    double *gap;                     // labels x bins
    double *top_gap;                 // bins, of the predicted label
} ebm_tally;

ebm_status ebm_tally_create(const ebm_scores *scores, ebm_tally *out);
void ebm_tally_free(ebm_tally *tally);
void ebm_tally_reset(ebm_tally *tally);
void ebm_tally_add(ebm_tally *tally, size_t example);
void ebm_tally_metrics(const ebm_tally *tally, double value[EBM_METRICS]); // at least one example was added
void ebm_tally_eces(const ebm_tally *tally, double ece[EBM_ECES]);

// The bin of a probability in [0, 1]: [b/bins, (b+1)/bins), the last one closed.
int ebm_bin_of(double probability, int bins);

// ln softmax(logits / temperature) of one row.
void ebm_log_softmax(const float *logits, int labels, double temperature, double *out);

// What ebm_probabilities_create refuses, for those who go through the rows themselves. Labels are not looked at.
ebm_status ebm_logits_check(const ebm_predictions *predictions, double temperature);

// From 1e-6 to 1e6: beyond that a float logit divided by it could overflow or vanish.
ebm_status ebm_temperature_check(double temperature);
#endif
