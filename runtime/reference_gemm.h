// Matrix product in double precision, and the bound on what single precision may differ from it by.
#ifndef EBM_REFERENCE_GEMM_H
#define EBM_REFERENCE_GEMM_H

#include <stddef.h>

#include "gemm.h"

typedef struct {
    const float *values; // at the first element
    size_t stride;
} ebm_reference_matrix;

// Element (row, column) of start + op(A) op(B), where start is what C held or the bias.
// *bound: (k + 2) roundings of at most 2^-24 each, relative to the sum of the magnitudes, whatever the order of the sum
// (Higham, Accuracy and Stability of Numerical Algorithms, 3.1).
double ebm_reference_product(ebm_gemm_form form, size_t row, size_t column, size_t k, ebm_reference_matrix a,
                             ebm_reference_matrix b, double start, double *bound);

// What a bf16 can hold of it: 8 bits of mantissa, to nearest even, 0 below 2^-126, infinity from 2^128 on.
float ebm_reference_bf16(float value);
// From the bound above, that on what a product of rounded operands may differ from the one of the operands as they are:
// two factors that differ by 2^-8 each, relative to the sum of the magnitudes, and sums of terms larger by as much.
double ebm_reference_bf16_bound(double bound, size_t k);

#endif
