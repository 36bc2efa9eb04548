// Multi-head self-attention over packed sequences, the form for CPU devices. For query i of one sequence and head:
//
//   s_ij = q_i . k_j / sqrt(D)    p_ij = exp(s_ij - lse_i)    out_i = sum_j p_ij v_j    lse_i = log sum_j exp(s_ij)
//
//   qkv, dqkv (tokens, 3C): query, key, value side by side     out, dout (tokens, C)     lse, row_dots (tokens, heads)
//   starts (sequences + 1)     C = heads * D     causal: j <= i only     dropout multiplies p_ij by 0 or 1 / (1 - p)
//
// Macros   D        head size, a multiple of 16
//          SCALE    1 / sqrt(D)
//          BLOCK    keys (and queries, in backward) of a panel in local memory, a multiple of 16
//          DROPOUT  0 or 1
//          LANES    16 or 8
// Launch   one work-group of one item per (head, sequence)
// Writes   out, lse; dqkv, row_dots. Nothing is added to, nothing needs zeroing.
#include "attention_cpu.h"

// p (ROWS, columns * LANES): scores of queries q0 .. q0 + ROWS - 1 become exp(score - maximum), 0 for keys past the
// last one or, when causal, past the query.
static void softmax_rows(__local float *p, float *maximum, float *total, int q0, int last, int k0, bool causal,
                         int columns)
{
    for (int r = 0; r < ROWS; r++) {
        __local float *row = p + r * BLOCK;
        const int visible = (causal ? min(q0 + r, last) : last) - k0;
        lanes most = -INFINITY;
        for (int c = 0; c < columns; c++) {
            const lanes s = select((lanes)(-INFINITY), load(c, row) * SCALE_LOG2_E, key_lanes(c) <= visible);
            most = fmax(most, s);
            store(s, c, row);
        }
        maximum[r] = most_lanes(most);
        lanes sum = 0;
        for (int c = 0; c < columns; c++) {
            const lanes e = power_of_two(load(c, row) - maximum[r]);
            sum += e;
            store(e, c, row);
        }
        total[r] = sum_lanes(sum);
    }
}

// Brings the block's softmax and that of the blocks before it (lse, not read when `fresh`) under one sum:
// out = old_weight * out + new_weight * (the block's exponentials times values). In powers of two.
static void merge_rows(__global float *lse, int stride, int count, bool fresh, const float *maximum, const float *total,
                       float *old_weight, float *new_weight)
{
    const rows sum = load_rows(0, total);
    const rows block = load_rows(0, maximum) + log2(sum);
    rows all = block, old = 0, new = 1;
    float column[ROWS];
    if (!fresh) {
        for (int r = 0; r < ROWS; r++) column[r] = lse[min(r, count - 1) * stride] * LOG2_E;
        const rows before = load_rows(0, column);
        const rows most = fmax(before, block);
        all = most + log2(exp2(before - most) + exp2(block - most));
        old = exp2(before - all);
        new = exp2(block - all);
    }
    store_rows(old, 0, old_weight);
    store_rows(new / sum, 0, new_weight);
    store_rows(all * LN_2, 0, column);
    for (int r = 0; r < count; r++) lse[r * stride] = column[r];
}

__kernel void attention_forward(__global float *restrict out, __global float *restrict lse,
                                __global const float *restrict qkv, __global const int *restrict starts,
                                const int heads, const int causal, DROPOUT_PARAMETERS)
{
    __local float keys[D * BLOCK], values[BLOCK * D], queries[ROWS * D], p[ROWS * BLOCK], keep[ROWS * BLOCK];
    const dropout_stream drop = DROPOUT_STREAM;
    const int head = get_group_id(0), first = starts[get_group_id(1)];
    const int tokens = starts[get_group_id(1) + 1] - first;
    const size_t channels = heads * D, stride = 3 * channels;
    qkv += first * stride + head * D;
    out += first * channels + head * D;
    lse += (size_t)first * heads + head;

    for (int k0 = 0; k0 < tokens; k0 += BLOCK) {
        const int count = min(BLOCK, tokens - k0);
        transpose_rows(keys, qkv + channels + k0 * stride, stride, count);
        copy_rows(values, qkv + 2 * channels + k0 * stride, stride, count, count);
        for (int q0 = causal ? k0 : 0; q0 < tokens; q0 += ROWS) {
            const int queried = min(ROWS, tokens - q0), visible = causal ? min(count, q0 + ROWS - k0) : count;
            const int columns = (visible + LANES - 1) / LANES;
            float maximum[ROWS], total[ROWS], old_weight[ROWS], new_weight[ROWS];
            copy_rows(queries, qkv + q0 * stride, stride, queried, ROWS);
            multiply_transposed(p, queries, keys, columns);
            softmax_rows(p, maximum, total, q0, tokens - 1, k0, causal, columns);
            if (DROPOUT) {
                draw_keep(keep, drop, first + q0, heads, head, k0, columns);
                for (int i = 0; i < ROWS; i++)
                    for (int c = 0; c < columns; c++)
                        store(load(c, p + i * BLOCK) * load(c, keep + i * BLOCK), c, p + i * BLOCK);
            }
            merge_rows(lse + q0 * heads, heads, queried, k0 == 0, maximum, total, old_weight, new_weight);
            multiply_out(out + q0 * channels, channels, queried, k0 == 0, old_weight, new_weight, p, BLOCK, 1, values,
                         visible);
        }
    }
}

// row_dots_i = dout_i . out_i, which is sum_j dp_ij p_ij (dropout included)
static void dot_rows(__global float *row_dots, __global const float *dout, __global const float *out, int heads,
                     int tokens)
{
    const size_t channels = heads * D;
    for (int i = 0; i < tokens; i++) {
        lanes sum = 0;
        for (int b = 0; b < D / LANES; b++) sum = fma(load(b, dout + i * channels), load(b, out + i * channels), sum);
        row_dots[i * heads] = sum_lanes(sum);
    }
}

// In place, for ROWS queries: scores p become probabilities under dropout, products ds = dout_i . v_j become
// p_ij * (ds_ij under dropout - row_dots_i) / sqrt(D), the gradient of q_i . k_j.
static void softmax_backward_rows(__local float *p, __local float *ds, __local const float *keep,
                                  __global const float *lse, __global const float *row_dots, int heads, int q0,
                                  int last, int k0, bool causal, int columns)
{
    for (int r = 0; r < ROWS; r++) {
        const int query = min(q0 + r, last), visible = (causal ? query : last) - k0;
        const float log_sum = lse[query * heads] * LOG2_E, dot = row_dots[query * heads];
        for (int c = 0; c < columns; c++) {
            const lanes s = load(c, p + r * BLOCK) * SCALE_LOG2_E - log_sum;
            const lanes e = power_of_two(select((lanes)(-INFINITY), s, key_lanes(c) <= visible));
            const lanes kept = DROPOUT ? load(c, keep + r * BLOCK) : (lanes)(1.0f);
            store(e * (load(c, ds + r * BLOCK) * kept - dot) * SCALE, c, ds + r * BLOCK);
            store(e * kept, c, p + r * BLOCK);
        }
    }
}

// dk = ds^T queries and dv = p^T douts over one block of queries, written when `fresh`, else added. When the block is
// on the diagonal, queries before the key have no part in it.
static void key_gradients(__global float *dk, __global float *dv, size_t stride, int count, bool fresh, bool diagonal,
                          __local const float *p, __local const float *ds, __local const float *queries,
                          __local const float *douts, int queried)
{
    float one[ROWS];
    for (int r = 0; r < ROWS; r++) one[r] = 1;
    for (int j = 0; j < count; j += ROWS) {
        const int from = diagonal ? j : 0;
        multiply_out(dk + j * stride, stride, min(ROWS, count - j), fresh, one, one, ds + from * BLOCK + j, 1, BLOCK,
                     queries + from * D, queried - from);
        multiply_out(dv + j * stride, stride, min(ROWS, count - j), fresh, one, one, p + from * BLOCK + j, 1, BLOCK,
                     douts + from * D, queried - from);
    }
}

__kernel void attention_backward(__global float *restrict dqkv, __global float *restrict row_dots,
                                 __global const float *restrict dout, __global const float *restrict out,
                                 __global const float *restrict qkv, __global const float *restrict lse,
                                 __global const int *restrict starts, const int heads, const int causal,
                                 DROPOUT_PARAMETERS)
{
    __local float keys_transposed[D * BLOCK], values_transposed[D * BLOCK], keys[BLOCK * D];
    __local float queries[BLOCK * D], douts[BLOCK * D], p[BLOCK * BLOCK], ds[BLOCK * BLOCK], keep[ROWS * BLOCK];
    const dropout_stream drop = DROPOUT_STREAM;
    const int head = get_group_id(0), first = starts[get_group_id(1)];
    const int tokens = starts[get_group_id(1) + 1] - first;
    const size_t channels = heads * D, stride = 3 * channels;
    qkv += first * stride + head * D;
    dqkv += first * stride + head * D;
    out += first * channels + head * D;
    dout += first * channels + head * D;
    lse += (size_t)first * heads + head;
    row_dots += (size_t)first * heads + head;
    float one[ROWS];
    for (int r = 0; r < ROWS; r++) one[r] = 1;

    dot_rows(row_dots, dout, out, heads, tokens);
    for (int k0 = 0; k0 < tokens; k0 += BLOCK) {
        const int count = min(BLOCK, tokens - k0), first_query = causal ? k0 : 0;
        transpose_rows(keys_transposed, qkv + channels + k0 * stride, stride, count);
        transpose_rows(values_transposed, qkv + 2 * channels + k0 * stride, stride, count);
        copy_rows(keys, qkv + channels + k0 * stride, stride, count, count);
        for (int q0 = first_query; q0 < tokens; q0 += BLOCK) {
            const int queried = min(BLOCK, tokens - q0), padded = (queried + ROWS - 1) / ROWS * ROWS;
            copy_rows(queries, qkv + q0 * stride, stride, queried, padded);
            copy_rows(douts, dout + q0 * channels, channels, queried, padded);
            for (int i = 0; i < queried; i += ROWS) {
                const int visible = causal ? min(count, q0 + i + ROWS - k0) : count;
                const int columns = (visible + LANES - 1) / LANES;
                multiply_transposed(p + i * BLOCK, queries + i * D, keys_transposed, columns);
                multiply_transposed(ds + i * BLOCK, douts + i * D, values_transposed, columns);
                if (DROPOUT) draw_keep(keep, drop, first + q0 + i, heads, head, k0, columns);
                softmax_backward_rows(p + i * BLOCK, ds + i * BLOCK, keep, lse, row_dots, heads, q0 + i, tokens - 1, k0,
                                      causal, columns);
                multiply_out(dqkv + (q0 + i) * stride, stride, min(ROWS, queried - i), k0 == 0, one, one,
                             ds + i * BLOCK, BLOCK, 1, keys, visible);
            }
            key_gradients(dqkv + channels + k0 * stride, dqkv + 2 * channels + k0 * stride, stride, count,
                          q0 == first_query, causal && q0 == k0, p, ds, queries, douts, queried);
        }
    }
}
