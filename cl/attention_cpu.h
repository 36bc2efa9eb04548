// Attention on CPU devices: the parts forward and backward share. One work-item a group, wide vectors, no barriers.
// All products run on panels in local memory that hold one block of keys or queries:
//
//   copied     (rows, D)       row-major, as in global memory
//   transposed (D, BLOCK)      so that LANES keys lie side by side
//
// Macros: D head size, SCALE 1 / sqrt(D), BLOCK keys a panel (a multiple of 16), DROPOUT 0 or 1, KEYS words of the
// dropout's stream for a query and head, LANES 16 or 8.
#include "lanes.h"
#include "prefetch.h"
#include "rng.h"
#include "transpose.h"

#define INLINE static inline __attribute__((always_inline))

// Rows of a register tile: with two vectors a row it fills half of the registers.
#if LANES == 16
#define ROWS 8
#else
#define ROWS 4
#endif
#define LOG2_E 1.44269504088896341f
#define LN_2 0.69314718055994531f
#define SCALE_LOG2_E (SCALE * LOG2_E) // scores are kept in powers of two
#define NOTHING -1e30f                // the largest of no scores: finite, as the difference of two is taken

typedef JOIN(float, ROWS) rows;
#define load_rows JOIN(vload, ROWS)
#define store_rows JOIN(vstore, ROWS)
#define as_lanes JOIN(as_float, LANES)
#define as_int_lanes JOIN(as_int, LANES)

// 2^x for x <= 0, below 2^-125 taken as 0. Cephes exp2f: relative error 2e-7.
static lanes power_of_two(lanes x)
{
    const lanes y = fmax(x, (lanes)(-125.0f));
    const lanes t = y + 12582912.0f; // 1.5 * 2^23: the low bits of t are y rounded
    const lanes r = y - (t - 12582912.0f);
    lanes e = 1.535336188319500e-4f;
    e = fma(e, r, (lanes)(1.339887440266574e-3f));
    e = fma(e, r, (lanes)(9.618437357674640e-3f));
    e = fma(e, r, (lanes)(5.550332471162809e-2f));
    e = fma(e, r, (lanes)(2.402264791363012e-1f));
    e = fma(e, r, (lanes)(6.931472028550421e-1f));
    e = fma(e, r, (lanes)(1.0f));
    e = as_lanes(as_int_lanes(e) + (as_int_lanes(t) << 23));
    return select(e, (lanes)(0.0f), x < -125.0f);
}

// Numbers of the keys in vector c of a row of scores.
__constant int lane_numbers[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static int_lanes key_lanes(int c) { return JOIN(vload, LANES)(0, lane_numbers) + c * LANES; }

static int_lanes between(int_lanes key, int low, int high)
{
    return JOIN(as_uint, LANES)(key - low) <= (uint_lanes)((uint)(high - low)); // one comparison; low <= high
}

// Which keys a query sees: from `before` positions before it to `after` behind it, up to the last of its sequence.
typedef struct {
    int before, after, last;
} view;

// Keys of the panel of `count` from k0 on that any of ROWS queries from q0 on sees: from .. end - 1 within the panel,
// `from` rounded down to whole vectors, `columns` vectors; none: columns <= 0.
typedef struct {
    int from, end, columns;
} span;

static span keys_of_tile(int q0, int k0, int count, view seen)
{
    const int from = max(q0 - seen.before - k0, 0) / LANES * LANES, end = min(count, q0 + ROWS + seen.after - k0);
    const span keys = {from, end, (end - from + LANES - 1) / LANES};
    return keys;
}

// Whether a tile of queries from q0 on meets its first keys in the panel at k0.
static bool is_first_panel(int q0, int k0, int before) { return k0 == max(q0 - before, 0) / BLOCK * BLOCK; }

static float most4(float4 v) { return fmax(fmax(v.x, v.z), fmax(v.y, v.w)); }
static float most8(float8 v) { return most4(fmax(v.lo, v.hi)); }
static float most16(float16 v) { return most8(fmax(v.lo, v.hi)); }
#define most_lanes JOIN(most, LANES) // not "max": drivers may define that as a macro

// Rows 0 .. padded - 1 of a panel; those from `count` on repeat the last one, so that nothing is read past a sequence.
static void copy_rows(__local float *panel, __global const float *from, size_t stride, int count, int padded)
{
    for (int r = 0; r < padded; r++)
        for (int b = 0; b < D / LANES; b++) store(load(b, from + min(r, count - 1) * stride), b, panel + r * D);
}

// Asks for the next head's part of the rows, at most FETCHED of them, which this compute unit works on next: rows are
// pages apart, where no hardware prefetcher looks. Behind the last head it is what lies there. Times of texts of 16, 25,
// 64 and 128 tokens (12 heads of 32): forward 0.62, 0.75, 0.85 and 0.92, backward 0.72, 0.83, 0.96 and 1.
#define FETCHED 128
static void fetch_next_head(__global const float *from, size_t stride, int tokens)
{
    for (int r = 0; r < min(tokens, FETCHED); r++)
        for (int i = D; i < 2 * D; i += CACHE_LINE) PREFETCH_LEVEL2(from + r * stride + i);
}

static void fetch_next_qkv(__global const float *qkv, size_t channels, int tokens)
{
    for (int part = 0; part < 3; part++) fetch_next_head(qkv + part * channels, 3 * channels, tokens);
}

// A transposed panel of `count` rows, its columns padded to a multiple of LANES in the same way.
static void transpose_rows(__local float *panel, __global const float *from, size_t stride, int count)
{
    for (int k = 0; k < count; k += LANES)
        for (int b = 0; b < D / LANES; b++) {
            lanes x[LANES];
#pragma unroll
            for (int i = 0; i < LANES; i++) x[i] = load(b, from + min(k + i, count - 1) * stride);
            transpose_lanes(x);
#pragma unroll
            for (int i = 0; i < LANES; i++) store(x[i], 0, panel + (b * LANES + i) * BLOCK + k);
        }
}

// tile[r][c] = sum over s < steps of a[r * a_row + s * a_step] * (vector c of row s of b), for c < columns <= 2
INLINE void multiply(lanes tile[ROWS][2], __local const float *a, int a_row, int a_step, __local const float *b,
                     int b_row, int steps, int columns)
{
#pragma unroll
    for (int r = 0; r < ROWS; r++) tile[r][0] = tile[r][1] = 0;
    for (int s = 0; s < steps; s++) {
        const lanes b0 = load(0, b + s * b_row);
        lanes b1 = 0;
        if (columns > 1) b1 = load(1, b + s * b_row);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const lanes x = a[r * a_row + s * a_step];
            tile[r][0] = fma(x, b0, tile[r][0]);
            if (columns > 1) tile[r][1] = fma(x, b1, tile[r][1]);
        }
    }
}

// p (ROWS, BLOCK) = a (ROWS, D) times a transposed panel, its first `columns` vectors
static void multiply_transposed(__local float *p, __local const float *a, __local const float *panel, int columns)
{
    lanes tile[ROWS][2];
    int c = 0;
    for (; c + 2 <= columns; c += 2) {
        multiply(tile, a, D, 1, panel + c * LANES, BLOCK, D, 2);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            store(tile[r][0], c, p + r * BLOCK);
            store(tile[r][1], c + 1, p + r * BLOCK);
        }
    }
    if (c < columns) {
        multiply(tile, a, D, 1, panel + c * LANES, BLOCK, D, 1);
#pragma unroll
        for (int r = 0; r < ROWS; r++) store(tile[r][0], c, p + r * BLOCK);
    }
}

// row r of `to` (stride C) = old[r] * itself + new[r] * (row r of a times b (steps, D)), for r < count; with `fresh`
// the old content is not read
static void multiply_out(__global float *to, size_t stride, int count, bool fresh, const float *old_weight,
                         const float *new_weight, __local const float *a, int a_row, int a_step, __local const float *b,
                         int steps)
{
    lanes tile[ROWS][2];
#pragma unroll
    for (int c = 0; c < D / LANES; c += 2) {
        const int columns = min(2, D / LANES - c);
        multiply(tile, a, a_row, a_step, b + c * LANES, D, steps, columns);
#pragma unroll
        for (int r = 0; r < ROWS; r++)
            if (r < count)
                for (int i = 0; i < columns; i++) {
                    const lanes sum = tile[r][i] * new_weight[r];
                    store(fresh ? sum : fma(load(c + i, to + r * stride), (lanes)(old_weight[r]), sum), c + i,
                          to + r * stride);
                }
    }
}

// keep (ROWS, columns * LANES): 0 where a probability is dropped, else 1 / (1 - p), for queries token, token + 1, ...
// and keys from k0 on, a multiple of 16.
INLINE void draw_keep(__local float *keep, dropout_stream drop, ulong token, int heads, int head, int k0, int columns)
{
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < columns; c++) {
            const ulong word = drop.first + ((token + r) * heads + head) * KEYS + k0 + c * LANES;
            const uint_lanes words = random_lanes(drop.seed, drop.step, drop.site, word);
            store(select((lanes)(drop.scale), (lanes)(0.0f), words < drop.threshold), c, keep + r * BLOCK);
        }
}
