// Reliability diagram: is the model right as often as it says? One row for each bin of the predicted label's
// probability, for a terminal.
//
//     ebm_reliability_bin bin[10];
//     EBM_TRY(ebm_reliability_measure(&predictions, 1.0, 10, bin));
//     EBM_TRY(ebm_reliability_print(stdout, bin, 10));
#ifndef EBM_RELIABILITY_H
#define EBM_RELIABILITY_H

#include <stdio.h>

#include "bootstrap.h"
#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EBM_RELIABILITY_COLUMNS 69

typedef struct {
    double low, high;            // edges: [low, high), the last one closed
    size_t count;                // examples whose predicted label has a probability in here
    double confidence, accuracy; // means over them; 0 when there are none
} ebm_reliability_bin;

ebm_status ebm_reliability_measure(const ebm_predictions *predictions, double temperature, int bins,
                                   ebm_reliability_bin *bin /* bins */);

// Consistency bars (Broecker and Smith 2007, with the bins kept): the 2.5 % and 97.5 % quantiles of the accuracy that
// each bin would have if the model were calibrated, from redrawn labels (the same as ebm_ece_floor's). An accuracy
// outside its bar is a deviation that chance would not make. NaN for bins without examples.
ebm_status ebm_reliability_consistency(const ebm_predictions *predictions, double temperature, int bins, int redraws,
                                       uint64_t seed, ebm_interval *bar /* bins */);

// ASCII, at most EBM_RELIABILITY_COLUMNS columns, from the first bin with examples to the last. A bar of # is as long
// as the accuracy; | stands at the mean confidence: | to the right of the bar is over-confident, | inside it is
// under-confident.
ebm_status ebm_reliability_print(FILE *stream, const ebm_reliability_bin *bin, int bins);

// The same with the consistency bars as a column, 11 columns wider.
ebm_status ebm_reliability_print_consistency(FILE *stream, const ebm_reliability_bin *bin, const ebm_interval *bar,
                                             int bins);

#ifdef __cplusplus
}
#endif
#endif
