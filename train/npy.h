// Arrays of numbers in NumPy's .npy files (format 1.0 to 3.0; numpy.lib.format), as doubles.
//
//     ebm_npy array = {0};
//     EBM_TRY(ebm_npy_read("logits.npy", &array));
//     for (size_t i = 0; i < array.rows; i++) use(array.values + i * array.columns);
//     ebm_npy_free(&array);
#ifndef EBM_NPY_H
#define EBM_NPY_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int dimensions;       // 1 or 2
    size_t rows, columns; // columns: 1 for one dimension
    bool integers;        // the file's type is i4 or i8
    double *values;       // rows x columns, in C order whatever the file's; owned
} ebm_npy;

// Little-endian f4, f8, i4 or i8 of one or two dimensions, none of them 0; integers beyond 2^53 are refused, as a
// double does not hold them. Other types, a shape that does not fit the file's size and a broken header are
// EBM_ERROR_INPUT or EBM_ERROR_UNSUPPORTED with the path.
ebm_status ebm_npy_read(const char *path, ebm_npy *out);
void ebm_npy_free(ebm_npy *array); // zeroed is accepted, and what is left

#ifdef __cplusplus
}
#endif
#endif
