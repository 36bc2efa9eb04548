// Internal. The correlation of examples that count several times.
#ifndef EBM_CORRELATION_INTERNAL_H
#define EBM_CORRELATION_INTERNAL_H

#include <stddef.h>

// Pearson's; weight: how often each example counts, NULL: once. NaN where one of them does not vary.
double ebm_correlation_weighted(const double *a, const double *b, const double *weight, size_t count);

#endif
