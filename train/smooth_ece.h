// Smooth expected calibration error (Blasiok and Nakkiran, "Smooth ECE: Principled Reliability Diagrams via Kernel
// Smoothing", ICLR 2024, section 4): no bins, consistent in the sense of calibration distance. With residuals p - y
// smoothed by a Gaussian of width s that is reflected at 0 and 1,
//
//     smECE_s = integral over t in [0, 1] of |(1/n) sum over i of (p_i - y_i) K_s(t, p_i)|,
//
// and the width is not a parameter: it is where smECE_s = s, found by halving [0, 1] ten times (widths below .001 are
// not tried). The integral is taken as the authors' package relplot takes it (residuals spread over a grid of
// max(2000, 20/s)/2 + 1 points, the kernel cut at +-1/2, the sum at max(200, 10/s) points divided by the smoothed
// density's plus 1e-4 a point), so that both give the same number, to rounding.
//
//     double smooth, width;
//     EBM_TRY(ebm_smooth_ece(confidence, right, n, &smooth, &width));
#ifndef EBM_SMOOTH_ECE_H
#define EBM_SMOOTH_ECE_H

#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

// probability: count > 0 numbers in [0, 1]; outcome: what they predict, each in [0, 1] (0 or 1 for events). A number
// outside is EBM_ERROR_INPUT with its row. width may be NULL.
ebm_status ebm_smooth_ece(const double *probability, const double *outcome, size_t count, double *smooth,
                          double *width);

#ifdef __cplusplus
}
#endif
#endif
