#include "reference_gemm.h"

#include <math.h>

double ebm_reference_product(ebm_gemm_form form, size_t row, size_t column, size_t k, ebm_reference_matrix a,
                             ebm_reference_matrix b, double start, double *bound)
{
    double sum = start, magnitude = fabs(start);
    for (size_t i = 0; i < k; i++) {
        const double x = (double)a.values[form == EBM_GEMM_TN ? i * a.stride + row : row * a.stride + i];
        const double y = (double)b.values[form == EBM_GEMM_NT ? column * b.stride + i : i * b.stride + column];
        sum += x * y;
        magnitude += fabs(x * y);
    }
    *bound = ((double)k + 2) * 0x1p-24 * magnitude;
    return sum;
}

float ebm_reference_bf16(float value)
{
    int exponent = 0;
    const double scaled = ldexp(frexp((double)value, &exponent), 8);
    if (!isfinite(value) || fabs((double)value) < 0x1p-126) return isfinite(value) ? copysignf(0, value) : value;
    return (float)ldexp(nearbyint(scaled), exponent - 8); // rounds to nearest even, as is the default
}

double ebm_reference_bf16_bound(double bound, size_t k)
{
    const double more = 2 * 0x1p-8 + 0x1p-16, magnitude = bound / (((double)k + 2) * 0x1p-24);
    return (1 + more) * bound + more * magnitude;
}
