// Matrix product of few rows with transposed weights on CPU devices: C = A B^T + beta C [+ bias], row-major.
//
//   C (m, n)      A (m, k)      B (n, k)      bias (n)
//
// For a handful of rows, packing B (gemm_cpu.cl) costs more than multiplying with it. Here rows of A and B meet as dot
// products: A_ROWS x B_ROWS of them at a time, LANES in all, so that one vector holds their sums. B is read once, in
// order, as fast as memory gives it.
//
// Macros   LANES    floats of a vector register
//          B_ROWS   rows of B taken at a time, a divisor of LANES
//          BF16     defined: elements of A and B are rounded to bf16 (bf16.h), 2 LANES of them a step
// Launch   ceil(n / tile_n) work-groups of 1 item; tile_n a multiple of B_ROWS
// Writes   C (beta 0: whatever it held) or adds to it (beta 1). bias may be NULL. Sums run in a fixed order.

#include "lanes.h"

#include "load_some.h"
#include "prefetch.h"

#define A_ROWS (LANES / B_ROWS)

// STEP elements of a row, all or the first `count` of them with zeros behind, and the products of two such.
#ifdef BF16
#include "bf16.h"
#define STEP (2 * LANES)
typedef pairs elements;
static inline elements load_step(__global const float *from) { return round_row(load(0, from), load(1, from)); }
static inline elements load_rest(__global const float *from, const int count)
{
    return round_row(load_some(from, count), load_some(from + LANES, count - LANES));
}
#define multiply_add(x, y, sum) add_products(sum, x, y)
#else
#define STEP LANES
typedef lanes elements;
static inline elements load_step(__global const float *from) { return load(0, from); }
static inline elements load_rest(__global const float *from, const int count) { return load_some(from, count); }
#define multiply_add fma
#endif

// Halves the partial sums: those of x in the lower half of the result, those of y in the upper half.
static inline lanes fold(const lanes x, const lanes y)
{
    lanes sums;
    sums.lo = x.even + x.odd;
    sums.hi = y.even + y.odd;
    return sums;
}

// Element i of the result is the sum over the elements of partial[i].
static inline __attribute__((always_inline)) lanes fold_all(lanes *partial)
{
#pragma unroll
    for (int count = LANES; count > 1; count /= 2) {
#pragma unroll
        for (int i = 0; i < count / 2; i++) partial[i] = fold(partial[2 * i], partial[2 * i + 1]);
    }
    return partial[0];
}

// All dot products of A_ROWS rows of A with B_ROWS rows of B. Rows that do not exist repeat the last one that does.
static inline __attribute__((always_inline)) lanes dot_products(__global const float *a, const size_t lda,
                                                                const int a_rows, __global const float *b,
                                                                const size_t ldb, const int b_rows, const int k)
{
    lanes partial[LANES];
    elements x[A_ROWS], y[B_ROWS];
    __global const float *a_row[A_ROWS], *b_row[B_ROWS];
#pragma unroll
    for (int i = 0; i < A_ROWS; i++) a_row[i] = a + min(i, a_rows - 1) * lda;
#pragma unroll
    for (int j = 0; j < B_ROWS; j++) b_row[j] = b + min(j, b_rows - 1) * ldb;
#pragma unroll
    for (int i = 0; i < LANES; i++) partial[i] = 0;

    int step = 0;
    for (; step + STEP <= k; step += STEP) {
#pragma unroll
        for (int i = 0; i < A_ROWS; i++) x[i] = load_step(a_row[i] + step);
#pragma unroll
        for (int j = 0; j < B_ROWS; j++) {
            y[j] = load_step(b_row[j] + step);
#pragma unroll
            for (int i = 0; i < STEP; i += LANES) PREFETCH(b_row[j] + step + i + 2 * B_ROWS * ldb);
#pragma unroll
            for (int i = 0; i < A_ROWS; i++) {
                const int sum = i * B_ROWS + j;
                partial[sum] = multiply_add(x[i], y[j], partial[sum]);
            }
        }
    }
    if (step < k) {
#pragma unroll
        for (int i = 0; i < A_ROWS; i++) x[i] = load_rest(a_row[i] + step, k - step);
#pragma unroll
        for (int j = 0; j < B_ROWS; j++) {
            y[j] = load_rest(b_row[j] + step, k - step);
#pragma unroll
            for (int i = 0; i < A_ROWS; i++) {
                const int sum = i * B_ROWS + j;
                partial[sum] = multiply_add(x[i], y[j], partial[sum]);
            }
        }
    }
    return fold_all(partial);
}

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_dot(__global float *restrict c, __global const float *restrict a, __global const float *restrict b,
         __global const float *restrict bias, const ulong c_first, const ulong a_first, const ulong b_first,
         const uint ldc, const uint lda, const uint ldb, const int m, const int n, const int k, const int accumulate,
         const int tile_n)
{
    const int n0 = get_group_id(0) * tile_n, end = min(n0 + tile_n, n);
    c += c_first;
    a += a_first;
    b += b_first;
    for (int j0 = n0; j0 < end; j0 += B_ROWS)
        for (int i0 = 0; i0 < m; i0 += A_ROWS) {
            float sums[LANES];
            store(dot_products(a + (size_t)i0 * lda, lda, m - i0, b + (size_t)j0 * ldb, ldb, end - j0, k), 0, sums);
            for (int i = i0; i < min(i0 + A_ROWS, m); i++)
                for (int j = j0; j < min(j0 + B_ROWS, end); j++) {
                    const size_t at = (size_t)i * ldc + j;
                    const float start = accumulate ? c[at] : bias ? bias[j] : 0;
                    c[at] = start + sums[(i - i0) * B_ROWS + j - j0];
                }
        }
}
