// The row operations in double precision, plainly: what kernels are compared with. Outputs that a test may ignore can
// be NULL. The backward formulas are themselves checked against finite differences of the forward ones in the tests.
#ifndef EBM_REFERENCE_H
#define EBM_REFERENCE_H

#include <stddef.h>

#include "operations.h"

// 0 or 1 / (1 - probability), for element (row, column)
double ebm_reference_mask(const ebm_dropout *dropout, size_t row, size_t column, size_t channels);

void ebm_reference_norm(double *y, double *mean, double *rstd, const double *x, const float *gain, const float *shift,
                        double epsilon, size_t channels); // one row
void ebm_reference_norm_backward(double *dx, const double *dy, const double *x, double mean, double rstd,
                                 const float *gain,
                                 size_t channels); // one row

double ebm_reference_gelu(double x, ebm_gelu kind);
double ebm_reference_gelu_slope(double x, ebm_gelu kind);

#endif
