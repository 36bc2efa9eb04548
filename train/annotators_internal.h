// Internal. Agreement of examples that count several times: what an example adds, computed once.
#ifndef EBM_ANNOTATORS_INTERNAL_H
#define EBM_ANNOTATORS_INTERNAL_H

#include "annotators.h"
#include "ranking.h"

typedef struct {
    size_t count;
    double *cross_entropy, *variation;     // count
    double *model_entropy, *human_entropy; // count
    double *model_rank, *human_rank;       // count, filled anew for every set of weights
    ebm_ranking by_model, by_human;        // by entropy
} ebm_agreement_plan;

ebm_status ebm_agreement_plan_create(const ebm_predictions *predictions, double temperature, const double *counts,
                                     ebm_agreement_plan *out);
void ebm_agreement_plan_free(ebm_agreement_plan *plan); // zeroed is accepted

// weight: how often each example counts (whole numbers), NULL: once; at least one counts.
void ebm_agreement_weighted(ebm_agreement_plan *plan, const double *weight, double value[EBM_AGREEMENTS]);

#endif
