// Matrix product in bf16 for CPU devices with AVX512-BF16: C = op(A) op(B) + beta C [+ bias], row-major.
//
//   C (m, n)      A (m, k), or (k, m) with A_TRANSPOSED      B (k, n), or (n, k) with B_TRANSPOSED      bias (n)
//
// All of them are fp32 in memory. Elements of A and B are rounded to bf16 while they are packed; products and sums are
// fp32. The way through C is that of gemm_cpu.cl, with two differences: one step takes a pair of k at once, so the
// panels of B hold pairs; and A is packed as well, A_ROWS rows at a time, rounded once for all panels. A packed B is
// (pairs, columns) there, an odd block's last pair filled up with a zero.
//
// Macros   A_TRANSPOSED, B_TRANSPOSED   0 or 1
//          ROWS, VECTORS    register tile: ROWS rows of VECTORS vectors; ROWS * VECTORS + VECTORS + 1 registers
//          KC               steps of k packed at once, a multiple of 32; an odd rest is filled up with a zero
//          PANELS           panels in local memory: tile_n <= PANELS * PANEL
//          A_ROWS           rows of A packed at once, a multiple of 16 and of ROWS
//          PACKED           defined: gemm takes a packed B, and gemm_pack makes one
// Launch   (ceil(n / tile_n), ceil(m / tile_m)) work-groups of 1 item; tile_n a multiple of PANEL, tile_m of A_ROWS
//          gemm_pack: (columns / PANEL, ceil(k / KC)) work-groups of 1 item
// Writes   C (beta 0: whatever it held) or adds to it (beta 1); with A_TRANSPOSED and unless sums (m) is NULL, adds the
//          columns of A, in fp32, to it. bias may be NULL. Sums run in a fixed order.
//          gemm_pack: all of the packed B

#include "lanes.h"

#include "bf16.h"
#include "gemm_tile.h"
#include "load_some.h"
#include "transpose.h"

#define PAIRS (KC / 2)
// In local memory a cache line more than a multiple of 4 KiB, as in gemm_cpu.cl.
#ifdef PACKED
#define PANEL_SPACE __global
#define PANEL_STRIDE (PANEL * ((kc + 1) / 2))
#else
#define PANEL_SPACE __local
#define PANEL_STRIDE (PANEL * PAIRS + 16)
#endif

// Rows that are fetched ahead while they are packed: each is on a page of its own, where no hardware prefetcher looks.
#define AHEAD 8

// ---- operands whose rows run along m or n: a pair is taken from two rows

// The pairs of rows k and k + 1 of `count` columns, of which the second may not exist.
INLINE pairs round_some(__global const float *row, const size_t stride, const int rows, const int count)
{
    const lanes odd = rows > 1 ? load_some(row + stride, count) : (lanes)(0);
    return round_rows(load_some(row, count), odd);
}

// Rows of B: (kc, nc) -> panels of (pairs, PANEL), the last one filled up with zeros.
INLINE void pack_b_rows(PANEL_SPACE uint *panels, __global const float *b, const size_t ldb, const int kc, const int nc)
{
    for (int k = 0; k < kc; k += 2, b += 2 * ldb) {
        PANEL_SPACE uint *to = panels + k / 2 * PANEL;
        int n = 0;
        for (; n + PANEL <= nc && k + 1 < kc; n += PANEL, to += PANEL_STRIDE) {
#pragma unroll
            for (int v = 0; v < VECTORS; v++) {
                PREFETCH(b + AHEAD * ldb + n + v * LANES);
                PREFETCH(b + (AHEAD + 1) * ldb + n + v * LANES);
                store(round_rows(load(v, b + n), load(v, b + ldb + n)), v, to);
            }
        }
        for (; n < nc; n += PANEL, to += PANEL_STRIDE)
            for (int v = 0; v < VECTORS; v++) {
                const int first = n + v * LANES;
                store(round_some(b + first, ldb, kc - k, nc - first), v, to);
            }
    }
}

// LANES columns of a transposed A (`rows` of them exist): (kc, rows) -> (pairs, LANES), filled up with zeros. Unless
// sums is NULL the columns, before they are rounded, are added to it.
INLINE void pack_a_columns(__local uint *to, __global float *sums, __global const float *a, const size_t lda,
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

// ---- operands whose rows run along k: pairs are neighbours

// LANES columns of B given as rows (nc of them exist): (nc, kc) -> (pairs, LANES) at the stride of a panel.
INLINE void pack_b_columns(PANEL_SPACE uint *panel, __global const float *b, const size_t ldb, const int kc,
                           const int nc)
{
    lanes block[LANES];
    int k = 0;
    if (nc >= LANES)
        for (; k + 2 * LANES <= kc; k += 2 * LANES) {
#pragma unroll
            for (int i = 0; i < LANES; i++) {
                __global const float *row = b + i * ldb + k;
                PREFETCH(row + LANES * ldb); // the same place of the next call
                PREFETCH(row + LANES * ldb + LANES);
                block[i] = as_float16(round_row(load(0, row), load(1, row)));
            }
            transpose_lanes(block);
#pragma unroll
            for (int i = 0; i < LANES; i++) store(as_uint16(block[i]), 0, panel + (k / 2 + i) * PANEL);
        }
    for (; k < kc; k += 2 * LANES) {
        for (int i = 0; i < LANES; i++) {
            __global const float *row = b + (i < nc ? i : 0) * ldb + k;
            const int count = i < nc ? kc - k : 0;
            block[i] = as_float16(round_row(load_some(row, count), load_some(row + LANES, count - LANES)));
        }
        transpose_lanes(block);
        for (int i = 0; i < min(LANES, (kc - k + 1) / 2); i++)
            store(as_uint16(block[i]), 0, panel + (k / 2 + i) * PANEL);
    }
}

// A row of A: kc floats -> pairs.
INLINE void pack_a_row(__local uint *to, __global const float *a, const int kc)
{
    int k = 0;
    for (; k + 2 * LANES <= kc; k += 2 * LANES) store(round_row(load(0, a + k), load(1, a + k)), 0, to + k / 2);
    if (k < kc) store(round_row(load_some(a + k, kc - k), load_some(a + k + LANES, kc - k - LANES)), 0, to + k / 2);
}

// ---- the product

INLINE void pack_b(PANEL_SPACE uint *panels, __global const float *b, const size_t ldb, const int kc, const int nc)
{
#if B_TRANSPOSED
    for (int n = 0; n < (nc + PANEL - 1) / PANEL * PANEL; n += LANES)
        pack_b_columns(panels + n / PANEL * PANEL_STRIDE + n % PANEL, b + n * ldb, ldb, kc, nc - n);
#else
    pack_b_rows(panels, b, ldb, kc, nc);
#endif
}

// Where the register tile finds A: pair k of row i is at ROW_OF_A(i)[k * A_STEP]. Rows of pairs are a cache line longer
// than they need be, for the reason panels are.
#if A_TRANSPOSED
#define A_STEP LANES
#define ROW_OF_A(i) ((i) / LANES * (LANES * PAIRS) + (i) % LANES)
#else
#define A_STEP 1
#define ROW_OF_A(i) ((i) * (PAIRS + 16))
#endif

// A_ROWS rows of op(A), of which `rows` exist; the others are filled up with zeros or repeat the last.
INLINE void pack_a(__local uint *to, __global float *sums, __global const float *a, const size_t lda, const int kc,
                   const int rows)
{
#if A_TRANSPOSED
    for (int i = 0; i < min(rows, A_ROWS); i += LANES)
        pack_a_columns(to + ROW_OF_A(i), sums ? sums + i : 0, a + i, lda, kc, rows - i);
#else
    for (int i = 0; i < min(rows, A_ROWS); i++) pack_a_row(to + ROW_OF_A(i), a + i * lda, kc);
#endif
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

// As in gemm_cpu.cl; `next` is what comes behind the last panel: the first one, for more rows of A, or of the next
// block.
#ifdef PACKED
#define AHEAD_OF(i, j)                                                                                                 \
    (((j) + PANEL < nc ? panels + ((j) / PANEL + 1) * PANEL_STRIDE : next) +                                           \
     min((i) / ROWS, VECTORS - 1) * ((kc + 1) / 2) * LANES)
#else
#define AHEAD_OF(i, j) panels
#endif

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm(__global float *restrict c, __global const float *restrict a, __global const float *restrict b,
     __global const float *restrict bias, const ulong c_first, const ulong a_first, const ulong b_first, const uint ldc,
     const uint lda, const uint ldb, const int m, const int n, const int k, const int accumulate,
     __global float *restrict sums, const int tile_m, const int tile_n)
{
#ifndef PACKED
    __local uint panels[PANELS * PANEL_STRIDE] __attribute__((aligned(128)));
#endif
    __local uint a_rows[A_ROWS * (PAIRS + 16)] __attribute__((aligned(128)));
    __local float start[PANELS * PANEL] __attribute__((aligned(128)));
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
        const int kc = min(KC, k - k0), add = accumulate || k0 > 0;
        if (k0 <= KC) set_start(start, k0 == 0 ? bias : 0, n0, nc);
#ifdef PACKED
        __global const uint *panels = (__global const uint *)b + (size_t)(k0 / 2) * ldb + (size_t)n0 * ((kc + 1) / 2);
#else
        pack_b(panels, b + (B_TRANSPOSED ? k0 : (size_t)k0 * ldb), ldb, kc, nc);
#endif
        for (int i0 = 0; i0 < mc; i0 += A_ROWS) {
#ifdef PACKED
            __global const uint *next = i0 + A_ROWS < mc ? panels
                                                         : (__global const uint *)b + (size_t)((k0 + kc) / 2) * ldb +
                                                               (size_t)n0 * ((min(KC, max(k - k0 - kc, 0)) + 1) / 2);
#endif
            pack_a(a_rows, sums && n0 == 0 ? sums + m0 + i0 : 0,
                   a + (A_TRANSPOSED ? (size_t)k0 * lda + i0 : (size_t)i0 * lda + k0), lda, kc, mc - i0);
            for (int j = 0; j < nc; j += PANEL)
                for (int i = i0; i < min(i0 + A_ROWS, mc); i += ROWS)
                    multiply(c + (size_t)i * ldc + j, ldc, a_rows + ROW_OF_A(i - i0), panels + j / PANEL * PANEL_STRIDE,
                             AHEAD_OF(i - i0, j), start + j, (kc + 1) / 2, mc - i, nc - j, add);
        }
    }
}

#ifdef PACKED
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void gemm_pack(__global uint *restrict packed,
                                                                       __global const float *restrict b,
                                                                       const ulong b_first, const uint ldb, const int n,
                                                                       const int k)
{
    const int n0 = get_group_id(0) * PANEL, k0 = get_group_id(1) * KC, kc = min(KC, k - k0);
    const size_t columns = get_num_groups(0) * PANEL;
    b += b_first + (B_TRANSPOSED ? (size_t)n0 * ldb + k0 : (size_t)k0 * ldb + n0);
    pack_b(packed + k0 / 2 * columns + (size_t)n0 * ((kc + 1) / 2), b, ldb, kc, min(PANEL, n - n0));
}
#endif
