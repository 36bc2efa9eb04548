// What the kernels of packed products share (gemm_cpu.cl, gemm_cpu_bf16.cl): a register tile of ROWS x VECTORS vectors
// of sums, where it starts from, and its way into C. `lanes` (lanes.h) must be defined.
//
// Macros   ROWS, VECTORS    register tile
//          PANELS           panels in local memory
#include "prefetch.h"

#define PANEL (LANES * VECTORS)

#define INLINE static inline __attribute__((always_inline))

// What the sums of the first block of k start from: the bias of these columns, or zeros.
INLINE void set_start(__local float *start, __global const float *bias, const int n0, const int nc)
{
    for (int j = 0; j < PANELS * PANEL; j++) start[j] = bias && j < nc ? bias[n0 + j] : 0;
}

INLINE void start_sums(lanes sum[ROWS][VECTORS], __local const float *start)
{
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
#pragma unroll
        for (int v = 0; v < VECTORS; v++) sum[i][v] = load(v, start);
    }
}

// Of C, so that it comes while the sums are made.
INLINE void fetch_tile(__global const float *c, const size_t ldc, const int rows)
{
    for (int i = 0; i < min(rows, ROWS); i++) {
#pragma unroll
        for (int v = 0; v < VECTORS; v++) PREFETCH(c + i * ldc + v * LANES);
    }
}

// Stores what lies inside C of a register tile that hangs over its border.
INLINE void store_border(__global float *c, const size_t ldc, lanes sum[ROWS][VECTORS], const int rows,
                         const int columns, const int add)
{
    float values[ROWS * PANEL];
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
#pragma unroll
        for (int v = 0; v < VECTORS; v++) store(sum[i][v], v, values + i * PANEL);
    }
    for (int i = 0; i < min(rows, ROWS); i++)
        for (int j = 0; j < min(columns, PANEL); j++)
            c[i * ldc + j] = values[i * PANEL + j] + (add ? c[i * ldc + j] : 0);
}

// C = [C +] sums, cut to the rows and columns left in C.
INLINE void store_sums(__global float *c, const size_t ldc, lanes sum[ROWS][VECTORS], const int rows, const int columns,
                       const int add)
{
    if (rows < ROWS || columns < PANEL) {
        store_border(c, ldc, sum, rows, columns, add);
        return;
    }
#pragma unroll
    for (int i = 0; i < ROWS; i++) {
#pragma unroll
        for (int v = 0; v < VECTORS; v++) {
            if (add) sum[i][v] += load(v, c + i * ldc);
            store(sum[i][v], v, c + i * ldc);
        }
    }
}
