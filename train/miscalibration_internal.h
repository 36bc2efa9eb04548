// Internal. The errors of miscalibration.h of examples that count several times and of labels other than their own:
// what is sorted once serves every resample and redraw.
//
//     ebm_miscalibration_plan plan = {0};
//     EBM_CHECK(ebm_miscalibration_plan_create(&scores, &plan), end);
//     ebm_miscalibration_weighted(&plan, scores.label, weight, value);
#ifndef EBM_MISCALIBRATION_INTERNAL_H
#define EBM_MISCALIBRATION_INTERNAL_H

#include "miscalibration.h"
#include "scores.h"
#include "smooth_ece_internal.h"

typedef struct {
    const ebm_scores *scores; // borrowed
    uint32_t *order;          // (labels + 1) x count: examples by each label's probability, then by the predicted one's
    double *top, *right;      // count: the predicted label's probability; whether it is the label
    double *cells;            // (labels + 1) x bins x {weight, probability, hits}
    ebm_smooth_workspace smooth;
} ebm_miscalibration_plan;

ebm_status ebm_miscalibration_plan_create(const ebm_scores *scores, ebm_miscalibration_plan *out);
void ebm_miscalibration_plan_free(ebm_miscalibration_plan *plan); // zeroed is accepted

// weight: how often each example counts (whole numbers), NULL: once; at least one counts.
void ebm_miscalibration_weighted(ebm_miscalibration_plan *plan, const int32_t *label, const double *weight,
                                 double value[EBM_MISCALIBRATIONS]);

// Row `number` of redrawn labels, as ebm_ece_floor has them.
void ebm_labels_redraw(const ebm_scores *scores, uint64_t seed, uint32_t number, int32_t *label);

#endif
