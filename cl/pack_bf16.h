// Packing for the products in bf16 (gemm_cpu_bf16.cl): elements of op(A) and B are rounded and two neighbours along k
// go side by side, in the order the register tile takes them. `lanes` (lanes.h) must be defined.
//
// Macros   B_TRANSPOSED, KC, VECTORS, PACKED   as in gemm_cpu_bf16.cl
//          PANEL       columns of a panel of B
//          PAIR_UNIT   a block's pairs are filled up with zeros to a multiple of it, a divisor of LANES
#define PAIRS (KC / 2)
#define PAIRS_OF(kc) (((kc) + 2 * PAIR_UNIT - 1) / (2 * PAIR_UNIT) * PAIR_UNIT)
// In local memory a cache line more than a multiple of 4 KiB, as in gemm_cpu.cl.
#ifdef PACKED
#define PANEL_SPACE __global
#define PANEL_STRIDE (PANEL * PAIRS_OF(kc))
#else
#define PANEL_SPACE __local
#define PANEL_STRIDE (PANEL * PAIRS + 16)
#endif

// Rows of pairs of A are a cache line longer than they need be, for the reason panels are.
#define A_STRIDE (PAIRS + 16)

// Rows that are fetched ahead while they are packed: each is on a page of its own, where no hardware prefetcher looks.
#define AHEAD 8

// ---- operands whose rows run along m or n: a pair is taken from two rows

// The pairs of rows k and k + 1 of `count` columns, of which `rows` exist: the others are zeros.
INLINE pairs round_some(__global const float *row, const size_t stride, const int rows, const int count)
{
    const lanes even = load_some(row, rows > 0 ? count : 0), odd = load_some(row + stride, rows > 1 ? count : 0);
    return round_rows(even, odd);
}

// Rows of B: (kc, nc) -> panels of (pairs, PANEL), the last one filled up with zeros.
INLINE void pack_b_rows(PANEL_SPACE uint *panels, __global const float *b, const size_t ldb, const int kc, const int nc)
{
    for (int k = 0; k < 2 * PAIRS_OF(kc); k += 2, b += 2 * ldb) {
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
        for (int i = 0; i < min(LANES, PAIRS_OF(kc) - k / 2); i++)
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

INLINE void pack_b(PANEL_SPACE uint *panels, __global const float *b, const size_t ldb, const int kc, const int nc)
{
#if B_TRANSPOSED
    for (int n = 0; n < (nc + PANEL - 1) / PANEL * PANEL; n += LANES)
        pack_b_columns(panels + n / PANEL * PANEL_STRIDE + n % PANEL, b + n * ldb, ldb, kc, nc - n);
#else
    pack_b_rows(panels, b, ldb, kc, nc);
#endif
}
