// Matrix product for CPU devices: C = op(A) op(B) + beta C [+ bias], row-major.
//
//   C (m, n)      A (m, k), or (k, m) with A_TRANSPOSED      B (k, n), or (n, k) with B_TRANSPOSED      bias (n)
//
// A work-group is one item and makes a tile of C of at most tile_m x tile_n. It goes through k in blocks of KC: B's
// block is packed into panels of PANEL columns in local memory, k by k, so that the inner loop reads it in order; a
// register tile of ROWS x PANEL of C then takes one row of the panel and one column of A per step. Rows of A are read
// where they lie; a transposed A is packed for one register tile at a time. Both packings pay for themselves because a
// panel is used tile_m / ROWS times and a packed A tile tile_n / PANEL times.
//
// A B that stays as it is can be packed whole, once, by gemm_pack: (k, columns) with columns = n rounded up to PANEL,
// block of KC by block, in each the panels one after the other. `gemm` then takes that as b, with ldb = columns, and
// makes the same sums in the same order.
//
// Macros   A_TRANSPOSED, B_TRANSPOSED   0 or 1
//          LANES            floats of a vector register
//          ROWS, VECTORS    register tile: ROWS rows of VECTORS vectors; ROWS * VECTORS + VECTORS + 1 registers
//          KC               steps of k packed at once, a multiple of LANES
//          PANELS           panels in local memory: tile_n <= PANELS * PANEL
//          PACKED           defined: gemm takes a packed B, and gemm_pack makes one
// Launch   (ceil(n / tile_n), ceil(m / tile_m)) work-groups of 1 item; tile_n a multiple of PANEL, tile_m of ROWS
//          gemm_pack: (columns / PANEL, ceil(k / KC)) work-groups of 1 item
// Writes   C (beta 0: whatever it held) or adds to it (beta 1); with A_TRANSPOSED and unless sums (m) is NULL, adds the
//          columns of A, in fp32, to it. bias may be NULL. Sums run over k in order.
//          gemm_pack: all of the packed B

#include "lanes.h"

#include "gemm_tile.h"
#include "transpose.h"

// In local memory a cache line more than a multiple of 4 KiB: panels are filled side by side, and must not share the
// sets of the first-level cache.
#ifdef PACKED
#define PANEL_SPACE __global
#define PANEL_STRIDE (PANEL * kc)
#else
#define PANEL_SPACE __local
#define PANEL_STRIDE (PANEL * KC + 16)
#endif

// Rows that are fetched ahead while B is packed: each is on a page of its own, where no hardware prefetcher looks.
#define AHEAD 8

// B's rows k0... of columns n0... as they are: (kc, nc) -> panels, the last one filled up with zeros.
INLINE void pack_rows(PANEL_SPACE float *panels, __global const float *b, const size_t ldb, const int kc, const int nc)
{
    for (int k = 0; k < kc; k++, b += ldb) {
        PANEL_SPACE float *to = panels + k * PANEL;
        int n = 0;
        for (; n + PANEL <= nc; n += PANEL, to += PANEL_STRIDE) {
#pragma unroll
            for (int v = 0; v < VECTORS; v++) {
                PREFETCH(b + AHEAD * ldb + n + v * LANES);
                store(load(v, b + n), v, to);
            }
        }
        if (n < nc)
            for (int j = 0; j < PANEL; j++) to[j] = n + j < nc ? b[n + j] : 0;
    }
}

// LANES columns of B given as rows (nc of them exist): (nc, kc) -> (kc, LANES) at the stride of a panel.
INLINE void pack_columns(PANEL_SPACE float *panel, __global const float *b, const size_t ldb, const int kc,
                         const int nc)
{
    int k = 0;
    if (nc >= LANES) {
        for (; k + LANES <= kc; k += LANES) {
            lanes block[LANES];
#pragma unroll
            for (int i = 0; i < LANES; i++) {
                PREFETCH(b + (LANES + i) * ldb + k); // the same place of the next call
                block[i] = load(0, b + i * ldb + k);
            }
            transpose_lanes(block);
#pragma unroll
            for (int i = 0; i < LANES; i++) store(block[i], 0, panel + (k + i) * PANEL);
        }
    }
    for (; k < kc; k++)
        for (int i = 0; i < LANES; i++) panel[k * PANEL + i] = i < nc ? b[i * ldb + k] : 0;
}

INLINE void pack_b(PANEL_SPACE float *panels, __global const float *b, const size_t ldb, const int kc, const int nc)
{
#if B_TRANSPOSED
    for (int n = 0; n < (nc + PANEL - 1) / PANEL * PANEL; n += LANES)
        pack_columns(panels + n / PANEL * PANEL_STRIDE + n % PANEL, b + n * ldb, ldb, kc, nc - n);
#else
    pack_rows(panels, b, ldb, kc, nc);
#endif
}

// Where the register tile finds A: element (row, k) is at[row * row stride + k * A_STEP].
#if A_TRANSPOSED
#define A_SPACE __local
#define A_STEP ROWS
#else
#define A_SPACE __global
#define A_STEP 1
#endif

// ROWS columns of a transposed A (rows of them exist): (kc, rows) -> (kc, ROWS), filled up with zeros.
INLINE void pack_a(__local float *tile, __global const float *a, const size_t lda, const int kc, const int rows)
{
    if (rows >= ROWS) {
        for (int k = 0; k < kc; k++, a += lda, tile += ROWS) {
            float column[ROWS];
#pragma unroll
            for (int i = 0; i < ROWS; i++) column[i] = a[i];
#pragma unroll
            for (int i = 0; i < ROWS; i++) tile[i] = column[i];
        }
    } else {
        for (int k = 0; k < kc; k++, a += lda)
            for (int i = 0; i < ROWS; i++) tile[k * ROWS + i] = i < rows ? a[i] : 0;
    }
}

// sums += the columns of a packed tile (kc, ROWS), of which `columns` exist. Four sums of each need not wait for each
// other.
INLINE void add_column_sums(__global float *sums, __local const float *tile, const int kc, const int columns)
{
    float parts[4 * ROWS];
    int k = 0;
#pragma unroll
    for (int i = 0; i < 4 * ROWS; i++) parts[i] = 0;
    for (; k + 4 <= kc; k += 4, tile += 4 * ROWS) {
#pragma unroll
        for (int i = 0; i < 4 * ROWS; i++) parts[i] += tile[i];
    }
    for (int i = 0; i < (kc - k) * ROWS; i++) parts[i] += tile[i];
    for (int i = 0; i < min(columns, ROWS); i++)
        sums[i] += (parts[i] + parts[ROWS + i]) + (parts[2 * ROWS + i] + parts[3 * ROWS + i]);
}

// The register tile: C (ROWS, PANEL) = [C +] start + A (ROWS, kc) panel (kc, PANEL), cut to the rows and columns left
// in C. Rows of A that do not exist are read from the last one that does, and not stored. `ahead`: of a packed B or a
// transposed A, what is fetched meanwhile, a cache line a step, each ahead_step behind the one before.
INLINE void multiply(__global float *c, const size_t ldc, A_SPACE const float *a, const size_t lda,
                     PANEL_SPACE const float *panel, __global const float *ahead, const size_t ahead_step,
                     __local const float *start, const int kc, const int rows, const int columns, const int add)
{
    lanes sum[ROWS][VECTORS];
    size_t row[ROWS];
#pragma unroll
    for (int i = 0; i < ROWS; i++) row[i] = A_TRANSPOSED ? i : min(i, rows - 1) * lda;
    start_sums(sum, start);
    if (add) fetch_tile(c, ldc, rows);
    for (int k = 0; k < kc; k++, a += A_STEP, panel += PANEL) {
        lanes b[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; v++) b[v] = load(v, panel);
#if defined(PACKED) || A_TRANSPOSED
        PREFETCH_LEVEL2(ahead + k * ahead_step);
#endif
#pragma unroll
        for (int i = 0; i < ROWS; i++) {
#pragma unroll
            for (int v = 0; v < VECTORS; v++) sum[i][v] = fma((lanes)(a[row[i]]), b[v], sum[i][v]);
        }
    }
    store_sums(c, ldc, sum, rows, columns, add);
}

// While the register tiles of one packed panel are made, the first VECTORS of them fetch the next panel: it lies in
// memory or, at best, in the last-level cache, and would be waited for. Behind the last panel of a tile of C comes the
// first one of the next block of k.
#ifdef PACKED
#define AHEAD_OF(i, j)                                                                                                 \
    (((j) + PANEL < nc ? panels + ((j) / PANEL + 1) * PANEL_STRIDE : next) + min((i) / ROWS, VECTORS - 1) * kc * LANES)
#else
#define AHEAD_OF(i, j) 0
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm(__global float *restrict c, __global const float *restrict a, __global const float *restrict b,
     __global const float *restrict bias, const ulong c_first, const ulong a_first, const ulong b_first, const uint ldc,
     const uint lda, const uint ldb, const int m, const int n, const int k, const int accumulate,
     __global float *restrict sums, const int tile_m, const int tile_n)
{
#ifndef PACKED
    __local float panels[PANELS * PANEL_STRIDE] __attribute__((aligned(128)));
#endif
    __local float start[PANELS * PANEL] __attribute__((aligned(128)));
#if A_TRANSPOSED
    __local float a_tile[KC * ROWS] __attribute__((aligned(128)));
#endif
    const int n0 = get_group_id(0) * tile_n, m0 = get_group_id(1) * tile_m;
    const int nc = min(tile_n, n - n0), mc = min(tile_m, m - m0);
    c += c_first + (size_t)m0 * ldc + n0;
    a += a_first + (A_TRANSPOSED ? m0 : (size_t)m0 * lda);
#ifdef PACKED
    b += b_first;
#else
    b += b_first + (B_TRANSPOSED ? (size_t)n0 * ldb : n0);
#endif

    for (int k0 = 0; k0 < k; k0 += KC) {
        const int kc = min(KC, k - k0);
        if (k0 <= KC) set_start(start, k0 == 0 ? bias : 0, n0, nc);
#ifdef PACKED
        __global const float *panels = b + (size_t)k0 * ldb + (size_t)n0 * kc;
        __global const float *next = b + (size_t)(k0 + kc) * ldb + (size_t)n0 * min(KC, max(k - k0 - kc, 0));
#else
        pack_b(panels, b + (B_TRANSPOSED ? k0 : (size_t)k0 * ldb), ldb, kc, nc);
#endif
#if A_TRANSPOSED
        for (int i = 0; i < mc; i += ROWS) {
            __global const float *columns = a + (size_t)k0 * lda + i;
            pack_a(a_tile, columns, lda, kc, mc - i);
            if (sums && n0 == 0) add_column_sums(sums + m0 + i, a_tile, kc, mc - i);
            // With the first panel the columns of the tile after the next are fetched: their pieces lie on pages of
            // their own, where no hardware prefetcher looks.
            for (int j = 0; j < nc; j += PANEL)
                multiply(c + (size_t)i * ldc + j, ldc, a_tile, 0, panels + j / PANEL * PANEL_STRIDE, columns + 2 * ROWS,
                         j == 0 ? lda : 0, start + j, kc, mc - i, nc - j, accumulate || k0 > 0);
        }
#else
        for (int j = 0; j < nc; j += PANEL)
            for (int i = 0; i < mc; i += ROWS)
                multiply(c + (size_t)i * ldc + j, ldc, a + (size_t)i * lda + k0, lda,
                         panels + j / PANEL * PANEL_STRIDE, AHEAD_OF(i, j), LANES, start + j, kc, mc - i, nc - j,
                         accumulate || k0 > 0);
#endif
    }
}

#ifdef PACKED
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_pack(__global float *restrict packed,
                                                                       __global const float *restrict b,
                                                                       const ulong b_first, const uint ldb, const int n,
                                                                       const int k)
{
    const int n0 = get_group_id(0) * PANEL, k0 = get_group_id(1) * KC, kc = min(KC, k - k0);
    const size_t columns = get_num_groups(0) * PANEL;
    b += b_first + (B_TRANSPOSED ? (size_t)n0 * ldb + k0 : (size_t)k0 * ldb + n0);
    pack_b(packed + k0 * columns + (size_t)n0 * kc, b, ldb, kc, min(PANEL, n - n0));
}
#endif
