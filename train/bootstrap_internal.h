// Internal. What all resamplings share: memory for the drawn values, and what is read from it.
#ifndef EBM_BOOTSTRAP_INTERNAL_H
#define EBM_BOOTSTRAP_INTERNAL_H

#include "bootstrap.h"

// draws x metrics doubles; `what` is the option's name for the sentence when draws is not 1 to a million or examples do
// not fit into 32 bits.
ebm_status ebm_draws_allocate(const char *what, int draws, size_t examples, int metrics, double **out);

// Both sort `values` in place. The interval is NaN when any value is.
ebm_interval ebm_interval_of(double *values, size_t count);
ebm_floor ebm_floor_of(double *values, size_t count, double observed);

// The label at u in [0, 1) of the cumulated probabilities.
int ebm_label_at(const double *probability, int labels, double u);

#endif
