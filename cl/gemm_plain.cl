// Matrix product for any device: C = op(A) op(B) + beta C [+ bias], row-major. The one the others are checked against.
//
//   C (m, n)      A (m, k), or (k, m) with A_TRANSPOSED      B (k, n), or (n, k) with B_TRANSPOSED      bias (n)
//
// Each item makes one element of C. A work-group makes a TILE x TILE tile of it from tiles of A and B in local memory;
// elements outside the matrices count as zeros.
//
// Macros   A_TRANSPOSED, B_TRANSPOSED   0 or 1
// Launch   (ceil(n / TILE), ceil(m / TILE)) work-groups of TILE x TILE items
// Writes   C (beta 0: whatever it held) or adds to it (beta 1). bias may be NULL. Sums run over k in order.

#define TILE 16

__kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void
gemm(__global float *restrict c, __global const float *restrict a, __global const float *restrict b,
     __global const float *restrict bias, const ulong c_first, const ulong a_first, const ulong b_first, const uint ldc,
     const uint lda, const uint ldb, const int m, const int n, const int k, const int accumulate)
{
    __local float a_tile[TILE][TILE + 1], b_tile[TILE][TILE + 1]; // + 1: a column does not fall into one bank
    const int x = get_local_id(0), y = get_local_id(1);
    const int column = get_group_id(0) * TILE + x, row = get_group_id(1) * TILE + y;
    // Neighbouring items read neighbouring elements, so a transposed operand is turned on its way into the tile.
    const int a_row = A_TRANSPOSED ? get_group_id(1) * TILE + x : row;
    const int b_column = B_TRANSPOSED ? get_group_id(0) * TILE + y : column;

    float sum = bias && column < n ? bias[column] : 0;
    for (int k0 = 0; k0 < k; k0 += TILE) {
        const int a_k = k0 + (A_TRANSPOSED ? y : x), b_k = k0 + (B_TRANSPOSED ? x : y);
        const size_t a_at = A_TRANSPOSED ? (size_t)a_k * lda + a_row : (size_t)a_row * lda + a_k;
        const size_t b_at = B_TRANSPOSED ? (size_t)b_column * ldb + b_k : (size_t)b_k * ldb + b_column;
        a_tile[A_TRANSPOSED ? x : y][A_TRANSPOSED ? y : x] = a_row < m && a_k < k ? a[a_first + a_at] : 0;
        b_tile[B_TRANSPOSED ? x : y][B_TRANSPOSED ? y : x] = b_column < n && b_k < k ? b[b_first + b_at] : 0;
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int i = 0; i < TILE; i++) sum = fma(a_tile[y][i], b_tile[i][x], sum);
        barrier(CLK_LOCAL_MEM_FENCE); // all have read before the next tile is written
    }
    if (row >= m || column >= n) return;
    c += c_first + (size_t)row * ldc + column;
    *c = accumulate ? *c + sum : sum;
}

// Every row of C becomes the bias, or zeros: a product over no k.
__kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void
gemm_fill(__global float *restrict c, __global const float *restrict bias, const ulong c_first, const uint ldc,
          const int m, const int n)
{
    const int column = get_global_id(0), row = get_global_id(1);
    if (row < m && column < n) c[c_first + (size_t)row * ldc + column] = bias ? bias[column] : 0;
}

// To every row of C the bias is added: after a product by a library that adds none.
__kernel __attribute__((reqd_work_group_size(TILE, TILE, 1))) void
gemm_add_bias(__global float *restrict c, __global const float *restrict bias, const ulong c_first, const uint ldc,
              const int m, const int n)
{
    const int column = get_global_id(0), row = get_global_id(1);
    if (row < m && column < n) c[c_first + (size_t)row * ldc + column] += bias[column];
}
