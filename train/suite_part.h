// Internal. One part of a suite, prepared so that its values for a set of weights or of labels cost no sorting.
#ifndef EBM_SUITE_PART_H
#define EBM_SUITE_PART_H

#include "annotators_internal.h"
#include "miscalibration_internal.h"
#include "ranking.h"
#include "scores.h"
#include "suite.h"

// What is measured, the same for every part.
typedef struct {
    int sections, bins;
    unsigned certainties;
    bool others;
} ebm_suite_plan;

typedef struct {
    ebm_scores scores;
    ebm_tally tally;
    ebm_miscalibration_plan errors;
    ebm_agreement_plan agreement;
    ebm_ranking ranking[EBM_CERTAINTIES], with_others[EBM_CERTAINTIES];
    bool *right, *in;    // count; count + others
    size_t others_count; // 0: none
    int32_t *label;      // the true ones, which scores.label leaves while labels are redrawn
} ebm_suite_measurer;

ebm_status ebm_suite_measurer_create(const ebm_suite_part *part, const ebm_suite_plan *plan, ebm_suite_measurer *out);
void ebm_suite_measurer_free(ebm_suite_measurer *measurer); // zeroed is accepted

// Rows in their order, values NaN: how many there are. rows may be NULL.
size_t ebm_suite_rows(const ebm_suite_plan *plan, ebm_suite_row *rows);

// One value a row. weight: count + others_count whole numbers, NULL: each once.
void ebm_suite_measurer_values(ebm_suite_measurer *measurer, const ebm_suite_plan *plan, const double *weight,
                               double *value);

// The values of the rows with a floor under redrawn labels; others are left as they are.
void ebm_suite_measurer_redraw(ebm_suite_measurer *measurer, const ebm_suite_plan *plan, uint64_t seed, uint32_t number,
                               double *value);

#endif
