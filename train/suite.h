// Everything that can be measured of a method, over several seeds and both halves of a test set, with intervals and
// floors; and the difference of two methods.
//
//     ebm_suite_part part[3];                        // three seeds on the same examples
//     ebm_suite_runs runs = {part, .seeds = 3, .halves = 1};
//     ebm_suite_options options = ebm_suite_defaults();
//     ebm_suite suite = {0};
//     EBM_TRY(ebm_suite_measure(&runs, &options, &suite));
//     EBM_CHECK(ebm_suite_print(stdout, &suite), end);
//     ebm_suite_free(&suite);
//
// A value is the mean over seeds and halves of what its header says of one part: metrics.h and miscalibration.h (floors
// too), selective.h for each certainty (aurc_<certainty>, ..., errors: error_auroc_<certainty>, ...), detection.h
// against texts of another distribution (ood_auroc_<certainty>, ...), annotators.h.
//
// Intervals are 95 % percentile intervals of a bootstrap with seeds as the outer level: each resample draws as many
// seeds as there are, with replacement, and for each half one sample of its examples, the same for all seeds, as they
// answer the same examples. Drawing examples for each seed anew would divide the test set's noise by the number of
// seeds. With few seeds such an interval is too short: of s seeds only s^s samples exist, and the variance between them
// is low by (s - 1) / s.
// Floors redraw labels with the same uniform numbers for all seeds, and are means over seeds and halves like the value.
#ifndef EBM_SUITE_H
#define EBM_SUITE_H

#include <stdio.h>

#include "annotators.h"
#include "miscalibration.h"
#include "selective.h"

#ifdef __cplusplus
extern "C" {
#endif

// One seed's predictions on one half.
typedef struct {
    ebm_predictions predictions; // with labels
    double temperature;
    bool probabilities;   // the logits are ln p: their level says nothing, max_logit and free_energy are left out
    const double *counts; // count x labels, of annotators; NULL
    const ebm_predictions *others; // of another distribution, labels not read; NULL
} ebm_suite_part;

typedef struct {
    const ebm_suite_part *part; // seeds x halves: part[seed * halves + half]
    int seeds, halves;          // 1 or more; 1 or 2
} ebm_suite_runs;

enum {
    EBM_SUITE_METRICS = 1,        // metrics.h
    EBM_SUITE_MISCALIBRATION = 2, // miscalibration.h
    EBM_SUITE_SELECTIVE = 4,      // selective.h, and detection.h where there are others
    EBM_SUITE_AGREEMENT = 8,      // annotators.h, where every part has counts
    EBM_SUITE_ALL = 15,
};

typedef struct {
    int sections;  // EBM_SUITE_ALL
    int bins;      // 20
    int resamples; // 1000; 0: no intervals
    int redraws;   // 200; 0: no floors
    uint64_t seed; // 0
} ebm_suite_options;

ebm_suite_options ebm_suite_defaults(void);

typedef struct {
    int section;   // one of the above
    char name[56]; // as in JSON: "error_fpr_at_95_tpr_max_probability"
    double value;
    ebm_interval interval; // NaN where a resample has no value (no errors to tell from right answers)
    bool has_floor;
    ebm_floor floor;
    // Of a difference: two-sided, twice the smaller share of resamples on either side of 0, at least 1/(1 + n).
    double p;
} ebm_suite_row;

typedef struct {
    ebm_suite_row *rows; // owned
    size_t count;
    ebm_suite_options options;
    bool difference;
    int seeds, halves, labels;
    size_t examples;      // of all halves
    unsigned certainties; // bit c: ebm_certainty c is measured
    bool has_others;
} ebm_suite;

// EBM_ERROR_INPUT when seeds differ in their examples' number or labels, and for what each part's functions refuse.
ebm_status ebm_suite_measure(const ebm_suite_runs *runs, const ebm_suite_options *options, ebm_suite *out);

// `runs` less `baseline`, each resample taking the same examples of both (a paired bootstrap). With as many seeds the
// runs at one place share a seed and are drawn together; otherwise seeds are drawn for each. Without resamples there
// are neither intervals nor p. What only one of them has is left out; floors are.
ebm_status ebm_suite_compare(const ebm_suite_runs *runs, const ebm_suite_runs *baseline,
                             const ebm_suite_options *options, ebm_suite *out);
void ebm_suite_free(ebm_suite *suite); // zeroed is accepted

// The row of a name; NULL when it is not there.
const ebm_suite_row *ebm_suite_find(const ebm_suite *suite, const char *name);

// Tables of at most 80 columns, one for each section; certainties are rows, without intervals (JSON has them).
ebm_status ebm_suite_print(FILE *stream, const ebm_suite *suite);

// One object, text to be freed by the caller: for each row <name>, <name>_low, <name>_high, <name>_floor,
// <name>_floor_95, <name>_floor_p or, of a difference, <name>_p; what is not finite is null.
ebm_status ebm_suite_json(const ebm_suite *suite, char **text);

#ifdef __cplusplus
}
#endif
#endif
