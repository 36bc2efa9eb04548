// The register tile of products in bf16 by dot products of pairs (AVX512-BF16): ROWS x VECTORS vectors of sums.
//
// Where it finds A: pair k of row i is at ROW_OF_A(i)[k * A_STEP]; of a transposed A, LANES columns stand
// side by side.
#if A_TRANSPOSED
#define A_STEP LANES
#define ROW_OF_A(i) ((i) / LANES * (LANES * PAIRS) + (i) % LANES)
#else
#define A_STEP 1
#define ROW_OF_A(i) ((i) * A_STRIDE)
#endif

INLINE void tiles_begin(void) {}
INLINE void tiles_end(void) {}

// LANES columns of a transposed A (`rows` of them exist): (kc, rows) -> (pairs, LANES), filled up with zeros. Unless
// sums is NULL the columns, before they are rounded, are added to it.
INLINE void pack_a_block(__local uint *to, __global float *sums, __global const float *a, const size_t lda,
                         const int kc, const int rows)
{
    lanes even_sum = 0, odd_sum = 0;
    int k = 0;
    if (rows >= LANES)
        for (; k + 1 < kc; k += 2, a += 2 * lda) {
            const lanes even = load(0, a), odd = load(0, a + lda);
            PREFETCH(a + AHEAD * lda);
            PREFETCH(a + (AHEAD + 1) * lda);
            even_sum += even;
            odd_sum += odd;
            store(round_rows(even, odd), k / 2, to);
        }
    for (; k < kc; k += 2, a += 2 * lda) {
        const lanes even = load_some(a, rows), odd = k + 1 < kc ? load_some(a + lda, rows) : (lanes)(0);
        even_sum += even;
        odd_sum += odd;
        store(round_rows(even, odd), k / 2, to);
    }
    if (sums) store_some(load_some(sums, rows) + (even_sum + odd_sum), sums, rows);
}

// The same of all `rows` columns.
INLINE void pack_a_columns(__local uint *to, __global float *sums, __global const float *a, const size_t lda,
                           const int kc, const int rows)
{
    for (int i = 0; i < rows; i += LANES)
        pack_a_block(to + ROW_OF_A(i), sums ? sums + i : 0, a + i, lda, kc, rows - i);
}

// The register tile: C (ROWS, PANEL) = [C +] start + A (ROWS, pairs) panel (pairs, PANEL), cut to the rows and columns
// left in C. Rows of A that do not exist hold anything, and are not stored. `ahead` as in gemm_cpu.cl.
INLINE void multiply(__global float *c, const size_t ldc, __local const uint *a, PANEL_SPACE const uint *panel,
                     PANEL_SPACE const uint *ahead, __local const float *start, const int count, const int rows,
                     const int columns, const int add)
{
    lanes sum[ROWS][VECTORS];
    start_sums(sum, start);
    fetch_tile(c, ldc, rows);
    for (int k = 0; k < count; k++, a += A_STEP, panel += PANEL) {
        pairs b[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; v++) b[v] = load(v, panel);
#ifdef PACKED
        PREFETCH_LEVEL2(ahead + k * LANES);
#endif
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int v = 0; v < VECTORS; v++) sum[i][v] = add_products(sum[i][v], (pairs)(a[ROW_OF_A(i)]), b[v]);
        }
    }
    store_sums(c, ldc, sum, rows, columns, add);
}
