#include "reference_gemm.h"

#include <math.h>

double reference_product(ebm_gemm_form form, size_t row, size_t column, size_t k, reference_matrix a,
                         reference_matrix b, double start, double *bound)
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
