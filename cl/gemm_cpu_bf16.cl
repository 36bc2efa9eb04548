// Matrix product in bf16 for CPU devices with AVX512-BF16: C = op(A) op(B) + beta C [+ bias], row-major.
//
//   C (m, n)      A (m, k), or (k, m) with A_TRANSPOSED      B (k, n), or (n, k) with B_TRANSPOSED      bias (n)
//
// All of them are fp32 in memory. Elements of A and B are rounded to bf16 while they are packed; products and sums are
// fp32. The way through C is that of gemm_cpu.cl, with two differences: one step takes a pair of k at once, so the
// panels of B hold pairs; and A is packed as well, A_ROWS rows at a time, rounded once for all panels. A packed B is
// (pairs, columns) there, an odd block's last pair filled up with a zero. Pairs are multiplied by dot products
// (tile_dot.h) or, many at once, by AMX (tile_amx.h), for which a block has a multiple of 16 of them.
//
// Macros   A_TRANSPOSED, B_TRANSPOSED   0 or 1
//          ROWS, VECTORS    register tile: ROWS rows of VECTORS vectors; but for AMX ROWS * VECTORS + VECTORS + 1
//                           registers
//          KC               steps of k packed at once, a multiple of 32; an odd rest is filled up with a zero
//          PANELS           panels in local memory: tile_n <= PANELS * PANEL
//          A_ROWS           rows of A packed at once, a multiple of 16 and of ROWS
//          AMX              defined: tiles of AMX; ROWS 32 and VECTORS 2 then
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

#ifdef AMX
#define PAIR_UNIT LANES
#include "pack_bf16.h"
#include "tile_amx.h"
#else
#define PAIR_UNIT 1
#include "pack_bf16.h"
#include "tile_dot.h"
#endif

// A_ROWS rows of op(A), of which `rows` exist; the others are filled up with zeros or hold anything.
INLINE void pack_a(__local uint *to, __global float *sums, __global const float *a, const size_t lda, const int kc,
                   const int rows)
{
#if A_TRANSPOSED
    pack_a_columns(to, sums, a, lda, kc, min(rows, A_ROWS));
#else
    for (int i = 0; i < min(rows, A_ROWS); i++) pack_a_row(to + ROW_OF_A(i), a + i * lda, kc);
#endif
}

// As in gemm_cpu.cl; `next` is what comes behind the last panel: the first one, for more rows of A, or of the next
// block.
#ifdef PACKED
#define AHEAD_OF(i, j)                                                                                                 \
    (((j) + PANEL < nc ? panels + ((j) / PANEL + 1) * PANEL_STRIDE : next) +                                           \
     min((i) / ROWS, VECTORS - 1) * PAIRS_OF(kc) * LANES)
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
    __local uint a_rows[A_ROWS * A_STRIDE] __attribute__((aligned(128)));
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

    tiles_begin();
    for (int k0 = 0; k0 < k; k0 += KC) {
        const int kc = min(KC, k - k0), add = accumulate || k0 > 0;
        if (k0 <= KC) set_start(start, k0 == 0 ? bias : 0, n0, nc);
#ifdef PACKED
        __global const uint *panels = (__global const uint *)b + (size_t)(k0 / 2) * ldb + (size_t)n0 * PAIRS_OF(kc);
#else
        pack_b(panels, b + (B_TRANSPOSED ? k0 : (size_t)k0 * ldb), ldb, kc, nc);
#endif
        for (int i0 = 0; i0 < mc; i0 += A_ROWS) {
#ifdef PACKED
            __global const uint *next = i0 + A_ROWS < mc ? panels
                                                         : (__global const uint *)b + (size_t)((k0 + kc) / 2) * ldb +
                                                               (size_t)n0 * PAIRS_OF(min(KC, max(k - k0 - kc, 0)));
#endif
            pack_a(a_rows, sums && n0 == 0 ? sums + m0 + i0 : 0,
                   a + (A_TRANSPOSED ? (size_t)k0 * lda + i0 : (size_t)i0 * lda + k0), lda, kc, mc - i0);
            for (int j = 0; j < nc; j += PANEL)
                for (int i = i0; i < min(i0 + A_ROWS, mc); i += ROWS)
                    multiply(c + (size_t)i * ldc + j, ldc, a_rows + ROW_OF_A(i - i0), panels + j / PANEL * PANEL_STRIDE,
                             AHEAD_OF(i - i0, j), start + j, PAIRS_OF(kc), mc - i, nc - j, add);
        }
    }
    tiles_end();
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
    pack_b(packed + k0 / 2 * columns + (size_t)n0 * PAIRS_OF(kc), b, ldb, kc, min(PANEL, n - n0));
}
#endif
