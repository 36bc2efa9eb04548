// Numbers of 64 bits (file sizes, JSON's numbers, a device's memory) as sizes of this system, which may have 32.
#ifndef EBM_SIZES_H
#define EBM_SIZES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool ebm_fits_size(uint64_t value) { return (uint64_t)(size_t)value == value; }

// Whether so many rows of so many elements of 4 bytes have a size.
static inline bool ebm_fits_matrix(size_t rows, size_t columns)
{
    size_t count = 0;
    return !__builtin_mul_overflow(rows, columns, &count) && !__builtin_mul_overflow(count, (size_t)4, &count);
}

#endif
