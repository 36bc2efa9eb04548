// The register tile of products in bf16 by AMX: 2 x 2 tiles of 16 x 16 sums (ROWS 32, VECTORS 2). From tiles_begin to
// tiles_end tiles 0 to 3 hold the sums, 4 and 5 rows of A, 6 and 7 columns of B.
#include "amx.h"

// Rows of pairs, of a transposed A too.
#define ROW_OF_A(i) ((i) * A_STRIDE)

// Blocks of LANES columns that are fetched ahead of a transposed A.
#define AHEAD_BLOCKS 4


// Pairs k to k + 2 LANES of LANES columns of a transposed A, of which `rows` and the k `left` exist, as rows; the
// columns are added to *sum.
INLINE void round_rest(lanes block[LANES], lanes *sum, __global const float *a, const size_t lda, const int left,
                       const int rows)
{
    for (int i = 0; i < LANES; i++, a += 2 * lda) {
        const lanes even = load_some(a, 2 * i < left ? rows : 0), odd = load_some(a + lda, 2 * i + 1 < left ? rows : 0);
        *sum += even + odd;
        block[i] = as_float16(round_rows(even, odd));
    }
}

INLINE void round_all(lanes block[LANES], lanes *sum, __global const float *a, const size_t lda)
{
    lanes even_sum = 0, odd_sum = 0;
#pragma unroll
    for (int i = 0; i < LANES; i++, a += 2 * lda) {
        const lanes even = load(0, a), odd = load(0, a + lda);
        PREFETCH(a + AHEAD_BLOCKS * LANES);
        PREFETCH(a + lda + AHEAD_BLOCKS * LANES);
        even_sum += even;
        odd_sum += odd;
        block[i] = as_float16(round_rows(even, odd));
    }
    *sum = even_sum + odd_sum;
}

INLINE void store_rows(__local uint *to, lanes block[LANES])
{
    transpose_lanes(block);
#pragma unroll
    for (int i = 0; i < LANES; i++) store(as_uint16(block[i]), 0, to + i * A_STRIDE);
}

// Columns of a transposed A (`rows` of them): (kc, rows) -> rows of pairs, filled up with zeros. Unless sums is NULL
// the columns, before they are rounded, are added to it. Rows of memory are walked along, 2 LANES of them at a time:
// they lie pages apart, and in walking down them one would wait for every cache line.
INLINE void pack_a_columns(__local uint *to, __global float *sums, __global const float *a, const size_t lda,
                           const int kc, const int rows)
{
    for (int k = 0; k < kc; k += 2 * LANES, a += 2 * LANES * lda)
        for (int i = 0; i < rows; i += LANES) {
            lanes sum = 0;
            if (rows - i >= LANES && kc - k >= 2 * LANES) {
                lanes block[LANES];
                round_all(block, &sum, a + i, lda);
                store_rows(to + i * A_STRIDE + k / 2, block);
                if (sums) store(load(0, sums + i) + sum, 0, sums + i);
            } else {
                lanes block[LANES]; // its own: indexed in a loop it lies in memory, the other in registers
                round_rest(block, &sum, a + i, lda, kc - k, rows - i);
                store_rows(to + i * A_STRIDE + k / 2, block);
                if (sums) store_some(load_some(sums + i, rows - i) + sum, sums + i, rows - i);
            }
        }
}

// Sums += A (ROWS, count pairs) panel (count pairs, PANEL).
INLINE void add_all_products(__local const uint *a, PANEL_SPACE const uint *panel, const int count)
{
    for (int k = 0; k < count; k += LANES, a += LANES, panel += LANES * PANEL) {
        LOAD_TILE(6, panel, PANEL);
        LOAD_TILE(4, a, A_STRIDE);
        LOAD_TILE(7, panel + LANES, PANEL);
        ADD_PRODUCTS(0, 4, 6);
        ADD_PRODUCTS(1, 4, 7);
        LOAD_TILE(5, a + LANES * A_STRIDE, A_STRIDE);
        ADD_PRODUCTS(2, 5, 6);
        ADD_PRODUCTS(3, 5, 7);
    }
}

// What the sums of a tile that hangs over C's border start from.
INLINE void set_sums(float *sums, __global const float *c, const size_t ldc, __local const float *start, const int rows,
                     const int columns, const int add)
{
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < PANEL; j++)
            sums[i * PANEL + j] = !add ? start[j] : i < rows && j < columns ? c[i * ldc + j] : 0;
}

// C (ROWS, PANEL) = (C or start) + A (ROWS, pairs) panel (pairs, PANEL), cut to the rows and columns left in C. Rows of
// A that do not exist hold anything, and are not stored. `count` is a multiple of LANES. `ahead` is not needed here: a
// packed panel fetched ahead comes no sooner.
INLINE void multiply(__global float *c, const size_t ldc, __local const uint *a, PANEL_SPACE const uint *panel,
                     PANEL_SPACE const uint *ahead, __local const float *start, const int count, const int rows,
                     const int columns, const int add)
{
    fetch_tile(c, ldc, rows);
    if (rows >= ROWS && columns >= PANEL) {
        if (add)
            FOR_SUMS(LOAD_TILE, c, ldc);
        else
            FOR_SUMS(LOAD_TILE, start, 0);
        add_all_products(a, panel, count);
        FOR_SUMS(STORE_TILE, c, ldc);
        return;
    }
    float sums[ROWS * PANEL] __attribute__((aligned(64)));
    set_sums(sums, c, ldc, start, rows, columns, add);
    FOR_SUMS(LOAD_TILE, sums, PANEL);
    add_all_products(a, panel, count);
    FOR_SUMS(STORE_TILE, sums, PANEL);
    for (int i = 0; i < min(rows, ROWS); i++)
        for (int j = 0; j < min(columns, PANEL); j++) c[i * ldc + j] = sums[i * PANEL + j];
}
