// Multi-head self-attention over packed sequences, the form for GPUs. For query i of one sequence and head:
//
//   s_ij = q_i . k_j / sqrt(D)    p_ij = exp(s_ij - lse_i)    out_i = sum_j p_ij v_j    lse_i = log sum_j exp(s_ij)
//
//   qkv, dqkv (tokens, 3C): query, key, value side by side     out, dout (tokens, C)     lse, row_dots (tokens, heads)
//   starts (sequences + 1)     C = heads * D     i - before <= j <= i + after     dropout: p_ij times 0 or 1 / (1 - p)
//   only the first `most` tokens of a sequence ask: i < asking = min(tokens, most)
//
// Macros   D        head size, a multiple of 16
//          SCALE    1 / sqrt(D)
//          DROPOUT  0 or 1
//          KEYS     words of the dropout's stream for a query and head, at least the keys of a sequence
// Launch   one work-group of ITEMS items per (head, sequence * blocks + block): `blocks` blocks of OWN rows cover the
//          longest sequence (forward: those of it that ask), groups past the end of theirs have nothing to do
// Writes   out, lse of tokens that ask; row_dots likewise and the queries' part of dqkv; the keys' and values' parts.
//          Nothing is added to.
#include "attention_gpu.h"

// Where a group works: the first own row within its sequence, the sequence's first token and length.
#define PLACE                                                                                                          \
    const dropout_stream drop = DROPOUT_STREAM;                                                                        \
    const int item = get_local_id(0), i = item / 8, c = item % 8, head = get_group_id(0);                              \
    const int sequence = get_group_id(1) / blocks, own0 = get_group_id(1) % blocks * OWN;                              \
    const int first = starts[sequence], tokens = starts[sequence + 1] - first, owned = min(OWN, tokens - own0);        \
    const int asking = min(tokens, most), asked = min(OWN, asking - own0); /* of the own rows; 0 or less: none */      \
    const size_t channels = heads * D, stride = 3 * channels;                                                          \
    if (owned <= 0) return

// The passing rows, FROM (a multiple of PASSING) .. END - 1, that the own rows see, or that see them: those from `low`
// positions before each own row to `high` behind it, of the first `count`.
#define FROM(low) (max(own0 - (low), 0) / PASSING * PASSING)
#define END(high, count) min(count, own0 + OWN + (high))

static bool sees(int query, int key, int before, int after) { return key >= query - before && key <= query + after; }

// Puts exp(score - maximum so far), under dropout, into `scores` and rescales what was summed so far. `total` is of the
// item's own columns. Takes and leaves the group at a barrier.
static void softmax_tile(__local float *scores, float s[A][B], float4 sums[A][F], float *maximum, float *total)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
    float factor[A][B];
#pragma unroll
    for (int a = 0; a < A; a++)
#pragma unroll
        for (int b = 0; b < B; b++) {
            __local float *own = scores + (i + DOWN * a) * SCORES_PITCH + c + 8 * b;
            factor[a][b] = DROPOUT ? *own : 1;
            *own = s[a][b];
        }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int a = 0; a < A; a++) {
        float most = maximum[a];
#pragma unroll 4
        for (int k = 0; k < PASSING; k++) most = fmax(most, scores[(i + DOWN * a) * SCORES_PITCH + k]);
        const float shrink = exp(maximum[a] - most);
        maximum[a] = most;
        total[a] *= shrink;
#pragma unroll
        for (int f = 0; f < F; f++) sums[a][f] *= shrink;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int a = 0; a < A; a++)
#pragma unroll
        for (int b = 0; b < B; b++) {
            const float e = exp(s[a][b] - maximum[a]);
            total[a] += e;
            scores[(i + DOWN * a) * SCORES_PITCH + c + 8 * b] = e * factor[a][b];
        }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// Adds up the totals of the eight items of each row.
static void sum_totals(__local float *scores, float *total)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int a = 0; a < A; a++) scores[(i + DOWN * a) * SCORES_PITCH + c] = total[a];
    barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
    for (int a = 0; a < A; a++) {
        total[a] = 0;
#pragma unroll 4
        for (int k = 0; k < 8; k++) total[a] += scores[(i + DOWN * a) * SCORES_PITCH + k];
    }
}

__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_forward(
    __global float *restrict out, __global float *restrict lse, __global const float *restrict qkv,
    __global const int *restrict starts, const int heads, const int blocks, const int before, const int after,
    const int most, DROPOUT_PARAMETERS)
{
    __local float4 queries[OWN * PITCH4], keys[PASSING * PITCH4], values[PASSING * PITCH4];
    __local float scores[OWN * SCORES_PITCH];
    PLACE;
    qkv += first * stride + head * D;
    float maximum[A], total[A], weight[A], s[A][B];
    float4 sums[A][F];
    clear(sums);
#pragma unroll
    for (int a = 0; a < A; a++) maximum[a] = NOTHING, total[a] = 0;
    load_tile(queries, qkv + own0 * stride, stride, asked, OWN);

    for (int k0 = FROM(before); k0 < END(after, tokens); k0 += PASSING) {
        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(keys, qkv + channels + k0 * stride, stride, tokens - k0, PASSING);
        load_tile(values, qkv + 2 * channels + k0 * stride, stride, tokens - k0, PASSING);
        if (DROPOUT) draw_keep(scores, SCORES_PITCH, 1, drop, first + own0, OWN, heads, head, k0, PASSING);
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply_tiles(s, queries, keys);
#pragma unroll
        for (int a = 0; a < A; a++)
#pragma unroll
            for (int b = 0; b < B; b++) {
                const int query = own0 + i + DOWN * a, key = k0 + c + 8 * b;
                s[a][b] = key < tokens && sees(query, key, before, after) ? s[a][b] * SCALE : -INFINITY;
            }
        softmax_tile(scores, s, sums, maximum, total);
        add_product(sums, scores, values);
    }
    sum_totals(scores, total);
#pragma unroll
    for (int a = 0; a < A; a++) weight[a] = 1 / total[a];
    store_rows(out + (first + own0) * channels + head * D, channels, asked, sums, weight);
#pragma unroll
    for (int a = 0; a < A; a++)
        if (c == 0 && i + DOWN * a < asked)
            lse[(size_t)(first + own0 + i + DOWN * a) * heads + head] = maximum[a] + log(total[a]);
}

// Gradients of one block of queries, and row_dots_i = dout_i . out_i = sum_j dp_ij p_ij (dropout included).
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_backward_queries(
    __global float *restrict dqkv, __global float *restrict row_dots, __global const float *restrict dout,
    __global const float *restrict out, __global const float *restrict qkv, __global const float *restrict lse,
    __global const int *restrict starts, const int heads, const int blocks, const int before, const int after,
    const int most, DROPOUT_PARAMETERS)
{
    __local float4 queries[OWN * PITCH4], douts[OWN * PITCH4], keys[PASSING * PITCH4], values[PASSING * PITCH4];
    __local float scores[OWN * SCORES_PITCH], log_sums[OWN], dots[OWN];
    PLACE;
    qkv += first * stride + head * D;
    const size_t row0 = first + own0;
    float s[A][B], dp[A][B], weight[A];
    float4 sums[A][F];
    clear(sums);
#pragma unroll
    for (int a = 0; a < A; a++) weight[a] = 1;
    load_tile(queries, qkv + own0 * stride, stride, asked, OWN);
    load_tile(douts, dout + row0 * channels + head * D, channels, asked, OWN);
    load_column(log_sums, lse + row0 * heads + head, heads, asked, OWN);
    barrier(CLK_LOCAL_MEM_FENCE);
    out += row0 * channels + head * D;
#pragma unroll
    for (int a = 0; a < A; a++) { // the eight items of a row take neighbouring channels
        const int row = i + DOWN * a;
        float4 sum = 0;
        for (int f = c; f < CHANNELS4 && row < asked; f += 8)
            sum = mad(douts[row * PITCH4 + f], ROW4_CONST(out + row * channels)[f], sum);
        scores[row * SCORES_PITCH + c] = (sum.x + sum.z) + (sum.y + sum.w);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (item < OWN) {
        float sum = 0;
#pragma unroll
        for (int k = 0; k < 8; k++) sum += scores[item * SCORES_PITCH + k];
        dots[item] = sum;
        if (item < asked) row_dots[(row0 + item) * heads + head] = sum;
    }

    for (int k0 = FROM(before); k0 < (asked > 0 ? END(after, tokens) : 0); k0 += PASSING) {
        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(keys, qkv + channels + k0 * stride, stride, tokens - k0, PASSING);
        load_tile(values, qkv + 2 * channels + k0 * stride, stride, tokens - k0, PASSING);
        if (DROPOUT) draw_keep(scores, SCORES_PITCH, 1, drop, row0, OWN, heads, head, k0, PASSING);
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply_tiles(s, queries, keys);
        multiply_tiles(dp, douts, values);
#pragma unroll
        for (int a = 0; a < A; a++)
#pragma unroll
            for (int b = 0; b < B; b++) {
                const int row = i + DOWN * a, key = k0 + c + 8 * b;
                __local float *own = scores + row * SCORES_PITCH + c + 8 * b;
                const bool seen = row < asked && key < tokens && sees(own0 + row, key, before, after);
                const float p = seen ? exp(s[a][b] * SCALE - log_sums[row]) : 0;
                *own = p * (dp[a][b] * (DROPOUT ? *own : 1) - dots[row]) * SCALE;
            }
        barrier(CLK_LOCAL_MEM_FENCE);
        add_product(sums, scores, keys);
    }
    store_rows(dqkv + row0 * stride + head * D, stride, owned, sums, weight);
}

// Gradients of one block of keys and values. Needs row_dots: to be launched after attention_backward_queries.
__kernel __attribute__((reqd_work_group_size(ITEMS, 1, 1))) void attention_backward_keys(
    __global float *restrict dqkv, __global const float *restrict row_dots, __global const float *restrict dout,
    __global const float *restrict qkv, __global const float *restrict lse, __global const int *restrict starts,
    const int heads, const int blocks, const int before, const int after, const int most, DROPOUT_PARAMETERS)
{
    __local float4 keys[OWN * PITCH4], values[OWN * PITCH4], queries[PASSING * PITCH4], douts[PASSING * PITCH4];
    __local float scores[OWN * SCORES_PITCH], gradients[OWN * SCORES_PITCH], log_sums[PASSING], dots[PASSING];
    PLACE;
    qkv += first * stride + head * D;
    float s[A][B], dp[A][B], weight[A];
    float4 dk[A][F], dv[A][F];
    clear(dk);
    clear(dv);
#pragma unroll
    for (int a = 0; a < A; a++) weight[a] = 1;
    load_tile(keys, qkv + channels + own0 * stride, stride, owned, OWN);
    load_tile(values, qkv + 2 * channels + own0 * stride, stride, owned, OWN);

    for (int q0 = FROM(after); q0 < END(before, asking); q0 += PASSING) {
        const size_t row0 = first + q0;
        barrier(CLK_LOCAL_MEM_FENCE);
        load_tile(queries, qkv + q0 * stride, stride, asking - q0, PASSING);
        load_tile(douts, dout + row0 * channels + head * D, channels, asking - q0, PASSING);
        load_column(log_sums, lse + row0 * heads + head, heads, asking - q0, PASSING);
        load_column(dots, row_dots + row0 * heads + head, heads, asking - q0, PASSING);
        if (DROPOUT) draw_keep(scores, 1, SCORES_PITCH, drop, row0, PASSING, heads, head, own0, OWN);
        barrier(CLK_LOCAL_MEM_FENCE);
        multiply_tiles(s, keys, queries);
        multiply_tiles(dp, values, douts);
#pragma unroll
        for (int a = 0; a < A; a++)
#pragma unroll
            for (int b = 0; b < B; b++) {
                const int row = i + DOWN * a, column = c + 8 * b, own = row * SCORES_PITCH + column;
                const bool seen = row < owned && q0 + column < asking && sees(q0 + column, own0 + row, before, after);
                const float p = seen ? exp(s[a][b] * SCALE - log_sums[column]) : 0;
                const float factor = DROPOUT ? scores[own] : 1;
                scores[own] = p * factor;
                gradients[own] = p * (dp[a][b] * factor - dots[column]) * SCALE;
            }
        barrier(CLK_LOCAL_MEM_FENCE);
        add_product(dk, gradients, queries);
        add_product(dv, scores, douts);
    }
    dqkv += (first + own0) * stride + channels + head * D;
    store_rows(dqkv, stride, owned, dk, weight);
    store_rows(dqkv + channels, stride, owned, dv, weight);
}
