// Matrix product for any device: C = op(A) op(B) + beta C [+ bias], row-major. The one the others are checked against.
//
//   C (m, n)      A (m, k), or (k, m) with A_TRANSPOSED      B (k, n), or (n, k) with B_TRANSPOSED      bias (n)
//
// A work-group makes a TILE x TILE tile of C from tiles of A (TILE, STEP) and B (STEP, TILE) in local memory, each item
// EACH x EACH elements SIDE apart, so that it reads 2 EACH floats for EACH * EACH products. Elements outside the
// matrices count as zeros.
//
// Macros   A_TRANSPOSED, B_TRANSPOSED   0 or 1
// Launch   gemm: (ceil(n / TILE), ceil(m / TILE)) work-groups of SIDE x SIDE items
//          gemm_fill, gemm_add_bias: (ceil(n / SIDE), ceil(m / SIDE))
// Writes   C (beta 0: whatever it held) or adds to it (beta 1). bias may be NULL. Sums run over k in order.

// runtime/gemm.c knows the same numbers.
#define SIDE 16
#define EACH 4
#define TILE (SIDE * EACH)
#define STEP 16
#define ITEMS (SIDE * SIDE)

// Rows from row0 on and k from k0 on of op(X), rows x k as `tile` has them, from X as it is stored. Neighbouring items
// read neighbouring elements: along k where rows are stored one after another, else along the rows.
#define LOAD_TILE(tile_at, x, first, ld, along_k, row0, rows)                                                          \
    for (int i = 0; i < EACH; i++) {                                                                                   \
        const int e = item + i * ITEMS;                                                                                \
        const int row = (along_k) ? e / STEP : e % TILE, step = (along_k) ? e % STEP : e / TILE;                       \
        const int r = (row0) + row, s = k0 + step;                                                                     \
        const size_t at = (along_k) ? (size_t)r * ld + s : (size_t)s * ld + r;                                         \
        tile_at(row, step) = r < (rows) && s < k ? x[first + at] : 0;                                                  \
    }
#define A_AT(row, step) a_tile[row][step]
#define B_AT(column, step) b_tile[step][column]

__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
gemm(__global float *restrict c, __global const float *restrict a, __global const float *restrict b,
     __global const float *restrict bias, const ulong c_first, const ulong a_first, const ulong b_first, const uint ldc,
     const uint lda, const uint ldb, const int m, const int n, const int k, const int accumulate)
{
    __local float a_tile[TILE][STEP + 1], b_tile[STEP][TILE + 1]; // + 1: a column does not fall into one bank
    const int x = get_local_id(0), y = get_local_id(1), item = y * SIDE + x;
    const int column0 = get_group_id(0) * TILE, row0 = get_group_id(1) * TILE;

    float sum[EACH][EACH];
#pragma unroll
    for (int j = 0; j < EACH; j++) {
        const int column = column0 + x + j * SIDE;
        const float start = bias && column < n ? bias[column] : 0;
#pragma unroll
        for (int i = 0; i < EACH; i++) sum[i][j] = start;
    }
    for (int k0 = 0; k0 < k; k0 += STEP) {
        LOAD_TILE(A_AT, a, a_first, lda, !A_TRANSPOSED, row0, m)
        LOAD_TILE(B_AT, b, b_first, ldb, B_TRANSPOSED, column0, n)
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll 2
        for (int s = 0; s < STEP; s++) {
            float own[EACH];
#pragma unroll
            for (int i = 0; i < EACH; i++) own[i] = a_tile[y + i * SIDE][s];
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                const float other = b_tile[s][x + j * SIDE];
#pragma unroll
                for (int i = 0; i < EACH; i++) sum[i][j] = fma(own[i], other, sum[i][j]);
            }
        }
        barrier(CLK_LOCAL_MEM_FENCE); // all have read before the next tile is written
    }
    c += c_first;
    for (int i = 0; i < EACH; i++)
        for (int j = 0; j < EACH; j++) {
            const int row = row0 + y + i * SIDE, column = column0 + x + j * SIDE;
            if (row >= m || column >= n) continue;
            __global float *to = c + (size_t)row * ldc + column;
            *to = accumulate ? *to + sum[i][j] : sum[i][j];
        }
}

// Every row of C becomes the bias, or zeros: a product over no k.
__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
gemm_fill(__global float *restrict c, __global const float *restrict bias, const ulong c_first, const uint ldc,
          const int m, const int n)
{
    const int column = get_global_id(0), row = get_global_id(1);
    if (row < m && column < n) c[c_first + (size_t)row * ldc + column] = bias ? bias[column] : 0;
}

// To every row of C the bias is added: after a product by a library that adds none.
__kernel __attribute__((reqd_work_group_size(SIDE, SIDE, 1))) void
gemm_add_bias(__global float *restrict c, __global const float *restrict bias, const ulong c_first, const uint ldc,
              const int m, const int n)
{
    const int column = get_global_id(0), row = get_global_id(1);
    if (row < m && column < n) c[c_first + (size_t)row * ldc + column] += bias[column];
}
