// Multi-head self-attention over packed sequences, the form for CPU devices. For query i of one sequence and head:
//
//   s_ij = q_i . k_j / sqrt(D)    p_ij = exp(s_ij - lse_i)    out_i = sum_j p_ij v_j    lse_i = log sum_j exp(s_ij)
//
//   qkv, dqkv (tokens, 3C): query, key, value side by side     out, dout (tokens, C)     lse, row_dots (tokens, heads)
//   starts (sequences + 1)     C = heads * D     i - before <= j <= i + after     dropout: p_ij times 0 or 1 / (1 - p)
//   only the first `most` tokens of a sequence ask: i < asking = min(tokens, most)
//
// Every tile of ROWS queries skips the keys none of them sees, LANES at a time; in a panel that holds some, a query may
// see none.
//
// Macros   D        head size, a multiple of 16
//          SCALE    1 / sqrt(D)
//          BLOCK    keys (and queries, in backward) of a panel in local memory, a multiple of 16
//          DROPOUT  0 or 1
//          KEYS     words of the dropout's stream for a query and head, at least the keys of a sequence
//          LANES    16 or 8
// Launch   one work-group of one item per (head, sequence)
// Writes   out, lse, row_dots of tokens that ask; dqkv. Nothing is added to, nothing needs zeroing.
#include "attention_cpu.h"

// p (ROWS, columns * LANES): scores of queries q0 .. q0 + ROWS - 1 with keys from k0 on become exp(score - maximum), 0
// for keys the query does not see. A query that sees none has total 0.5, so that it weighs nothing against others.
INLINE void softmax_rows(__local float *p, float *maximum, float *total, int q0, int k0, view seen, int columns)
{
    for (int r = 0; r < ROWS; r++) {
        __local float *row = p + r * BLOCK;
        const int query = min(q0 + r, seen.last);
        const int low = query - seen.before - k0, high = min(query + seen.after, seen.last) - k0;
        lanes most = NOTHING;
        for (int c = 0; c < columns; c++) {
            const lanes s = select((lanes)(-INFINITY), load(c, row) * SCALE_LOG2_E, between(key_lanes(c), low, high));
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
        total[r] = fmax(sum_lanes(sum), 0.5f); // with a key it is at least 1
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
                                const int heads, const int before, const int after, const int most,
                                DROPOUT_PARAMETERS)
{
    __local float keys[D * BLOCK], values[BLOCK * D], queries[ROWS * D], p[ROWS * BLOCK], keep[ROWS * BLOCK];
    const dropout_stream drop = DROPOUT_STREAM;
    const int head = get_group_id(0), first = starts[get_group_id(1)];
    const int tokens = starts[get_group_id(1) + 1] - first, asking = min(tokens, most);
    const view seen = {before, after, tokens - 1};
    const size_t channels = heads * D, stride = 3 * channels;
    qkv += first * stride + head * D;
    out += first * channels + head * D;
    lse += (size_t)first * heads + head;
    fetch_next_qkv(qkv, channels, tokens);
    fetch_next_head(out, channels, asking);

    for (int k0 = 0; k0 < tokens; k0 += BLOCK) {
        const int count = min(BLOCK, tokens - k0);
        transpose_rows(keys, qkv + channels + k0 * stride, stride, count);
        copy_rows(values, qkv + 2 * channels + k0 * stride, stride, count, count);
        for (int q0 = max(k0 - after, 0) / ROWS * ROWS; q0 < min(asking, k0 + count + before); q0 += ROWS) {
            const int queried = min(ROWS, asking - q0);
            const span keyed = keys_of_tile(q0, k0, count, seen);
            const bool fresh = is_first_panel(q0, k0, before);
            float maximum[ROWS], total[ROWS], old_weight[ROWS], new_weight[ROWS];
            copy_rows(queries, qkv + q0 * stride, stride, queried, ROWS);
            multiply_transposed(p, queries, keys + keyed.from, keyed.columns);
            softmax_rows(p, maximum, total, q0, k0 + keyed.from, seen, keyed.columns);
            if (DROPOUT) {
                draw_keep(keep, drop, first + q0, heads, head, k0 + keyed.from, keyed.columns);
                for (int i = 0; i < ROWS; i++)
                    for (int c = 0; c < keyed.columns; c++)
                        store(load(c, p + i * BLOCK) * load(c, keep + i * BLOCK), c, p + i * BLOCK);
            }
            merge_rows(lse + q0 * heads, heads, queried, fresh, maximum, total, old_weight, new_weight);
            multiply_out(out + q0 * channels, channels, queried, fresh, old_weight, new_weight, p, BLOCK, 1,
                         values + keyed.from * D, keyed.end - keyed.from);
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

// In place, for ROWS queries and keys from k0 on: scores p become probabilities under dropout, products ds = dout_i .
// v_j become p_ij * (ds_ij under dropout - row_dots_i) / sqrt(D), the gradient of q_i . k_j.
INLINE void softmax_backward_rows(__local float *p, __local float *ds, __local const float *keep,
                                  __global const float *lse, __global const float *row_dots, int heads, int q0, int k0,
                                  view seen, int columns)
{
    for (int r = 0; r < ROWS; r++) {
        const int query = min(q0 + r, seen.last);
        const int low = query - seen.before - k0, high = min(query + seen.after, seen.last) - k0;
        const float log_sum = lse[query * heads] * LOG2_E, dot = row_dots[query * heads];
        for (int c = 0; c < columns; c++) {
            const lanes s = load(c, p + r * BLOCK) * SCALE_LOG2_E - log_sum;
            const lanes e = power_of_two(select((lanes)(-INFINITY), s, between(key_lanes(c), low, high)));
            const lanes kept = DROPOUT ? load(c, keep + r * BLOCK) : (lanes)(1.0f);
            store(e * (load(c, ds + r * BLOCK) * kept - dot) * SCALE, c, ds + r * BLOCK);
            store(e * kept, c, p + r * BLOCK);
        }
    }
}

// dk = ds^T queries and dv = p^T douts of `count` keys from k0 on, over the `queried` queries from q0 on; written when
// `fresh`, else added. ROWS keys at a time leave out the queries that see none of them, for whom p and ds may never
// have been written; for the others they were, all ROWS columns of them, because LANES is a multiple of ROWS. Inlined
// like all that are given whole local arrays: a function that always has the same ones reads others with PoCL 3.1
// (tests/drivers/local_argument.cl).
INLINE void key_gradients(__global float *dk, __global float *dv, size_t stride, int k0, int count, int q0, int queried,
                          view seen, bool fresh, __local const float *p, __local const float *ds,
                          __local const float *queries, __local const float *douts)
{
    float one[ROWS];
    for (int r = 0; r < ROWS; r++) one[r] = 1;
    for (int j = 0; j < count; j += ROWS) {
        const int from = max(k0 + j - seen.after - q0, 0);
        const int steps = max(min(k0 + j + ROWS + seen.before - q0, queried) - from, 0);
        multiply_out(dk + j * stride, stride, min(ROWS, count - j), fresh, one, one, ds + from * BLOCK + j, 1, BLOCK,
                     queries + from * D, steps);
        multiply_out(dv + j * stride, stride, min(ROWS, count - j), fresh, one, one, p + from * BLOCK + j, 1, BLOCK,
                     douts + from * D, steps);
    }
}

__kernel void attention_backward(__global float *restrict dqkv, __global float *restrict row_dots,
                                 __global const float *restrict dout, __global const float *restrict out,
                                 __global const float *restrict qkv, __global const float *restrict lse,
                                 __global const int *restrict starts, const int heads, const int before,
                                 const int after, const int most, DROPOUT_PARAMETERS)
{
    __local float keys_transposed[D * BLOCK], values_transposed[D * BLOCK], keys[BLOCK * D];
    __local float queries[BLOCK * D], douts[BLOCK * D], p[BLOCK * BLOCK], ds[BLOCK * BLOCK], keep[ROWS * BLOCK];
    const dropout_stream drop = DROPOUT_STREAM;
    const int head = get_group_id(0), first = starts[get_group_id(1)];
    const int tokens = starts[get_group_id(1) + 1] - first, asking = min(tokens, most);
    const view seen = {before, after, tokens - 1};
    const size_t channels = heads * D, stride = 3 * channels;
    qkv += first * stride + head * D;
    dqkv += first * stride + head * D;
    out += first * channels + head * D;
    dout += first * channels + head * D;
    lse += (size_t)first * heads + head;
    row_dots += (size_t)first * heads + head;
    float one[ROWS];
    for (int r = 0; r < ROWS; r++) one[r] = 1;

    fetch_next_qkv(qkv, channels, tokens);
    fetch_next_head(dout, channels, asking);
    fetch_next_head(out, channels, asking);
    dot_rows(row_dots, dout, out, heads, asking);
    for (int i = asking; i < tokens; i++)
        for (int b = 0; b < D / LANES; b++) store((lanes)(0.0f), b, dqkv + i * stride);
    for (int k0 = 0; k0 < tokens; k0 += BLOCK) {
        const int count = min(BLOCK, tokens - k0), first_query = max(k0 - after, 0) / BLOCK * BLOCK;
        transpose_rows(keys_transposed, qkv + channels + k0 * stride, stride, count);
        transpose_rows(values_transposed, qkv + 2 * channels + k0 * stride, stride, count);
        copy_rows(keys, qkv + channels + k0 * stride, stride, count, count);
        // Once at least: where no one who asks sees these keys their gradients become 0.
        for (int q0 = first_query; q0 == first_query || q0 < min(asking, k0 + count + before); q0 += BLOCK) {
            const int queried = clamp(asking - q0, 0, BLOCK), padded = (queried + ROWS - 1) / ROWS * ROWS;
            copy_rows(queries, qkv + q0 * stride, stride, queried, padded);
            copy_rows(douts, dout + q0 * channels, channels, queried, padded);
            for (int i = 0; i < queried; i += ROWS) {
                const span keyed = keys_of_tile(q0 + i, k0, count, seen);
                if (keyed.columns <= 0) continue;
                __local float *pi = p + i * BLOCK + keyed.from, *dsi = ds + i * BLOCK + keyed.from;
                multiply_transposed(pi, queries + i * D, keys_transposed + keyed.from, keyed.columns);
                multiply_transposed(dsi, douts + i * D, values_transposed + keyed.from, keyed.columns);
                if (DROPOUT) draw_keep(keep, drop, first + q0 + i, heads, head, k0 + keyed.from, keyed.columns);
                softmax_backward_rows(pi, dsi, keep, lse, row_dots, heads, q0 + i, k0 + keyed.from, seen,
                                      keyed.columns);
                multiply_out(dqkv + (q0 + i) * stride, stride, min(ROWS, queried - i),
                             is_first_panel(q0 + i, k0, before), one, one, dsi, BLOCK, 1, keys + keyed.from * D,
                             keyed.end - keyed.from);
            }
            key_gradients(dqkv + channels + k0 * stride, dqkv + 2 * channels + k0 * stride, stride, k0, count, q0,
                          queried, seen, q0 == first_query, p, ds, queries, douts);
        }
    }
}
