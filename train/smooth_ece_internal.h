// Internal. The smooth ECE of examples that count several times, without memory of its own: for resamples.
#ifndef EBM_SMOOTH_ECE_INTERNAL_H
#define EBM_SMOOTH_ECE_INTERNAL_H

#include <stdint.h>

#include "smooth_ece.h"

typedef struct {
    double *residual, *density;         // what the examples spread over the grid
    double *extended, *kernel;          // a grid with its reflections; the kernel's weights
    double *smooth_residual, *smoothed; // after smoothing
} ebm_smooth_workspace;

ebm_status ebm_smooth_workspace_create(ebm_smooth_workspace *out);
void ebm_smooth_workspace_free(ebm_smooth_workspace *workspace); // zeroed is accepted

// weight: how often each example counts, NULL: once; at least one counts. width may be NULL.
double ebm_smooth_ece_weighted(ebm_smooth_workspace *workspace, const double *probability, const double *outcome,
                               const double *weight, size_t count, double *width);

#endif
