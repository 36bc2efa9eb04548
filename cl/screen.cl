// Upper bounds of logits from products of bytes, a quarter of fp32's arithmetic and bytes: which tokens may be among
// the largest? For a hidden state h and a token's embedding w, rounded to steps s_h and s_w of 1/127 of their largest
// element, h = s_h (q_h + e_h) and w = s_w (q_w + e_w) with |e| <= 1/2:
//
//   h . w - s_h s_w (q_h . q_w) = s_w sum h_i e_w,i + s_h sum e_h,i s_w q_w,i
//
// is a sum of terms no wider than s_w |h_i| and s_h |s_w q_w,i|. Taken as independent with mean 0 they exceed t with a
// probability of exp(-2 t^2 / (sum of squared widths)) (Hoeffding 1963, theorem 2), so that
//
//   scores_v = s_h s_w (q_h . q_w) + MARGIN (s_w |h| + s_h |s_w q_w|)      |x| = sqrt(sum x_i^2)
//
// is below h . w for one token in exp(2 MARGIN^2) at most, with MARGIN 3.5 one in 4e10.
//
//   word (V, C)      packed (blocks, C / 4, LANES) uint: 4 neighbouring bytes q_w + 128 of the tokens of a block
//   steps, norms (blocks * LANES): s_w, MARGIN |s_w q_w|       blocks = ceil(V / LANES), filled up with the last token
//   hidden (S, C)    rows (S, C / 4) int: 4 bytes q_h          row_steps, row_norms (S): s_h, MARGIN |h|
//   row_starts (S): -128 sum q_h, takes the tokens' 128 back   scores (S, blocks * LANES)
//
// Macros   TOKEN_BLOCKS   blocks of tokens a work-group of screen_scores
// Launch   screen_pack: one work-group a block; screen_rows: one a row; screen_scores: ceil(blocks / TOKEN_BLOCKS)
//          C a multiple of LANES; LANES 16, GROUP 1
#include "lanes.h"
#include "vnni.h"

#define MARGIN 3.5f
#define ROWS 8    // of a register tile
#define VECTORS 3 // its blocks of tokens

// The step of a row's rounding, and its inverse: 0 for a row of zeros.
static inline float step_of(__global const float *x, const int C, float *inverse)
{
    lanes most = 0;
    for (int b = 0; b < C / LANES; b++) most = fmax(most, fabs(load(b, x)));
    float largest = 0, parts[LANES];
    store(most, 0, parts);
    for (int i = 0; i < LANES; i++) largest = fmax(largest, parts[i]);
    *inverse = largest > 0 ? 127.0f / largest : 0.0f;
    return largest / 127.0f;
}

ROW_KERNEL void screen_pack(__global uint *restrict packed, __global float *restrict steps,
                            __global float *restrict norms, __global const float *restrict word, const int V,
                            const int C)
{
    const int block = get_group_id(0);
    packed += (size_t)block * (C / 4) * LANES;
    for (int i = 0; i < LANES; i++) {
        __global const float *w = word + (size_t)min(block * LANES + i, V - 1) * C;
        float inverse;
        const float step = step_of(w, C, &inverse);
        lanes squares = 0;
        for (int b = 0; b < C / LANES; b++) {
            const lanes q = rint(load(b, w) * inverse);
            const uint4 bytes = as_uint4(convert_uchar16(convert_int16(q) + 128));
            squares = fma(q, q, squares);
            packed[(b * 4 + 0) * LANES + i] = bytes.x;
            packed[(b * 4 + 1) * LANES + i] = bytes.y;
            packed[(b * 4 + 2) * LANES + i] = bytes.z;
            packed[(b * 4 + 3) * LANES + i] = bytes.w;
        }
        steps[block * LANES + i] = step;
        norms[block * LANES + i] = MARGIN * step * sqrt(sum_lanes(squares));
    }
}

ROW_KERNEL void screen_rows(__global int *restrict rows, __global float *restrict row_steps,
                            __global float *restrict row_norms, __global int *restrict row_starts,
                            __global const float *restrict hidden, const int C)
{
    const size_t row = get_group_id(0);
    hidden += row * C;
    rows += row * (C / 4);
    float inverse;
    const float step = step_of(hidden, C, &inverse);
    lanes squares = 0, sum = 0;
    for (int b = 0; b < C / LANES; b++) {
        const lanes x = load(b, hidden), q = rint(x * inverse);
        squares = fma(x, x, squares);
        sum += q;
        vstore4(as_int4(convert_char16(convert_int16(q))), b, rows);
    }
    row_steps[row] = step;
    row_norms[row] = MARGIN * sqrt(sum_lanes(squares));
    row_starts[row] = -128 * (int)sum_lanes(sum); // whole numbers below 2^24: exact
}

// A register tile: sums of rows r0 ... with the blocks from `block` on, begun at the rows' own starts.
static inline __attribute__((always_inline)) void add_tile(int_lanes sum[ROWS][VECTORS], __global const uint *packed,
                                                           __global const int *rows, __global const int *row_starts,
                                                           const int r0, const int S, const int block,
                                                           const int blocks, const int words)
{
    __global const uint *w[VECTORS];
    __global const int *x[ROWS];
#pragma unroll
    for (int v = 0; v < VECTORS; v++) w[v] = packed + (size_t)min(block + v, blocks - 1) * words * LANES;
#pragma unroll
    for (int r = 0; r < ROWS; r++) {
        const int row = min(r0 + r, S - 1);
        x[r] = rows + (size_t)row * words;
#pragma unroll
        for (int v = 0; v < VECTORS; v++) sum[r][v] = row_starts[row];
    }
    for (int c = 0; c < words; c++) {
        uint_lanes b[VECTORS];
#pragma unroll
        for (int v = 0; v < VECTORS; v++) b[v] = load(c, w[v]);
#pragma unroll
        for (int r = 0; r < ROWS; r++) {
            const int_lanes a = x[r][c];
#pragma unroll
            for (int v = 0; v < VECTORS; v++) sum[r][v] = add_byte_products(sum[r][v], b[v], a);
        }
    }
}

// Rows and blocks that do not exist are the last one again, and written to the same place.
ROW_KERNEL void screen_scores(__global float *restrict scores, __global const uint *restrict packed,
                              __global const float *restrict steps, __global const float *restrict norms,
                              __global const int *restrict rows, __global const float *restrict row_steps,
                              __global const float *restrict row_norms, __global const int *restrict row_starts,
                              const int S, const int blocks, const int C)
{
    const int first = get_group_id(0) * TOKEN_BLOCKS, end = min(first + TOKEN_BLOCKS, blocks);
    for (int block = first; block < end; block += VECTORS)
        for (int r0 = 0; r0 < S; r0 += ROWS) {
            int_lanes sum[ROWS][VECTORS];
            add_tile(sum, packed, rows, row_starts, r0, S, block, blocks, C / 4);
#pragma unroll
            for (int v = 0; v < VECTORS; v++) {
                const int to = min(block + v, blocks - 1);
                const lanes s = load(to, steps), n = load(to, norms);
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    const int row = min(r0 + r, S - 1);
                    const lanes step = row_steps[row], norm = row_norms[row];
                    const lanes product = fma(convert_float16(sum[r][v]), step, norm);
                    store(fma(s, product, step * n), to, scores + (size_t)row * blocks * LANES);
                }
            }
        }
}
