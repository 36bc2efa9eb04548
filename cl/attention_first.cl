// Attention of a layer of whose output only first tokens go on. Each sequence then has one query a head, and neither
// keys nor values need be made: with q the query, x_j the layer's input at token j, and of the head Wk, Wv (D, C) the
// weights and bv the bias of keys and values
//
//   u = q Wk             p = softmax of u . x_j / sqrt(D)     q . bk, the same for all keys, changes no softmax
//   z = sum_j k_j x_j    out = z Wv^T + bv sum_j k_j          k_j = p_j, or under dropout 0 or p_j / (1 - probability)
//
// and backward, with "kept" 0 or 1 / (1 - probability)
//
//   dz = dout Wv    ds_j = p_j (kept_j (dz . x_j + dout . bv) - sum_i k_i (dz . x_i + dout . bv)) / sqrt(D)
//   du = sum_j ds_j x_j    dq = du Wk^T    dx_j = sum over heads of k_j dz + ds_j u    dWk += q^T du    dWv += dout^T z
//
//   x, dx (tokens, C)    p, ds (tokens, heads), p with a minus where dropped    out, dout (sequences, C)
//   work (sequences, 2 heads + 1, C): u of each head, z of each head, q
//   d_work (sequences, 2 heads, C): dz of each head, du of each head    dqkv (sequences, 3C): dq, 0, dout sum_j k_j
//   weights, dweights (3C, C) and bias (3C): of queries, keys and values
//   starts (sequences + 1)
//
// A head costs 4 C flops a token this way; keys and values and the scores between them 4 C D. Two primitives do nearly
// all: sums of weighted rows, and products of rows with a vector. Their loops are unrolled only a little: compilers for
// GPUs would keep all rows in registers, and spill. No barrier stands in a loop over sequences, of as many rounds as
// another loop: PoCL 3.1 does not leave it (tests/drivers/loop_barrier.cl), and Intel's runtime got it wrong too.
//
// Macros   C, D     channels, a multiple of 16, and head size, likewise; C / D heads
//          SCALE    1 / sqrt(D)
//          DROPOUT  0 or 1
//          KEYS     words of the dropout's stream for a query and head
// Launch   forward and backward: one work-group per (SETS sequences, head), the heads one after another;
//          _input: per (TILE tokens, sequence); _weights: per (ROWS rows of a head's weights, head of keys or values)
// Writes   forward: out, p, u and z of work. backward: ds, d_work, dqkv. _input: dx. _weights adds to dweights
#include "exp.h"
#include "lanes.h"
#include "reduce.h"
#include "rng.h"

#define INLINE static inline __attribute__((always_inline))

#define HEADS (C / D)
#define BLOCKS (C / LANES)
#define WORK ((size_t)(2 * HEADS + 1) * C) // of a sequence
#define D_WORK ((size_t)2 * HEADS * C)
#define ROWS 4 // taken through registers together
// model/attention_first.c knows the same numbers.
#if GROUP == 1
#define SETS 4 // sequences a work-group takes, each row of the weights for all of them
#define TILE 16
#define LOCAL_BARRIER
#define GLOBAL_BARRIER
#else
#define SETS 1
#define TILE ROWS
#define SHARE 8 // items that share a product of two rows
#define LOCAL_BARRIER barrier(CLK_LOCAL_MEM_FENCE)
#define GLOBAL_BARRIER barrier(CLK_GLOBAL_MEM_FENCE)
#endif

#define LAST_SET(sequences) (SETS == 1 ? 0 : min(SETS, sequences) - 1)
#define FOR_STRIPS(b) for (int b = (int)get_local_id(0) * STRIP; b < BLOCKS; b += GROUP * STRIP)
#define BLOCK_OF_STRIP(b, i) (BLOCKS % STRIP == 0 ? (b) + (i) : min((b) + (i), BLOCKS - 1)) // repeats the last one
#define FOR_TOKENS(t, tokens) for (int t = get_local_id(0); t < (tokens); t += GROUP)

// Not fmax, which would make a number of NaN.
static float kept_weight(float p, float scale) { return !DROPOUT ? p : p < 0.0f ? 0.0f : p * scale; }

// v (sets, C): of each set the sum over r < count of weight r * row r. Weights are `stride` apart, those of the next
// set `next` behind; sets behind the last one repeat it. Weights that may be dropped are p.
INLINE void sum_rows(__local float *v, int sets, int last, __global const float *weights, size_t next, int stride,
                     bool dropped, float scale, __global const float *rows, int count)
{
    FOR_STRIPS(b) {
        lanes sums[SETS][STRIP];
#pragma unroll
        for (int s = 0; s < sets; s++)
#pragma unroll
            for (int i = 0; i < STRIP; i++) sums[s][i] = 0;
#if GROUP > 1
#pragma unroll 2
#endif
        for (int r = 0; r < count; r++) {
            lanes row[STRIP];
#pragma unroll
            for (int i = 0; i < STRIP; i++) row[i] = load_block(BLOCK_OF_STRIP(b, i), rows + (size_t)r * C);
#pragma unroll
            for (int s = 0; s < sets; s++) {
                const float own = weights[min(s, last) * next + (size_t)r * stride];
                const lanes weight = dropped ? kept_weight(own, scale) : own;
#pragma unroll
                for (int i = 0; i < STRIP; i++) sums[s][i] = fma(weight, row[i], sums[s][i]);
            }
        }
#pragma unroll
        for (int s = 0; s < sets; s++)
#pragma unroll
            for (int i = 0; i < STRIP; i++)
                if (b + i < BLOCKS) store(sums[s][i], b + i, v + s * C);
    }
    LOCAL_BARRIER;
}

// to[s * next + r * stride] = v of set s . row r, for r < count; scratch: GROUP floats
INLINE void multiply_rows(__global float *to, size_t next, int stride, __local const float *v, int sets, int last,
                          __global const float *rows, int count, __local float *scratch)
{
#if GROUP == 1
    for (int first = 0; first < count; first += ROWS) {
        lanes sums[SETS][ROWS];
#pragma unroll
        for (int s = 0; s < sets; s++)
#pragma unroll
            for (int r = 0; r < ROWS; r++) sums[s][r] = 0;
        for (int b = 0; b < BLOCKS; b++) {
            lanes row[ROWS];
#pragma unroll
            for (int r = 0; r < ROWS; r++) row[r] = load_block(b, rows + (size_t)min(first + r, count - 1) * C);
#pragma unroll
            for (int s = 0; s < sets; s++) {
                const lanes x = load(b, v + s * C);
#pragma unroll
                for (int r = 0; r < ROWS; r++) sums[s][r] = fma(x, row[r], sums[s][r]);
            }
        }
#pragma unroll
        for (int s = 0; s < sets; s++)
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                if (s <= last && first + r < count) to[s * next + (size_t)(first + r) * stride] = sum_lanes(sums[s][r]);
    }
#else
    const int item = get_local_id(0), part = item % SHARE;
#pragma unroll 1
    for (int first = 0; first < count; first += GROUP / SHARE) {
        const int r = first + item / SHARE;
        lanes sum = 0;
#pragma unroll 2
        for (int b = part; b < BLOCKS; b += SHARE)
            sum = fma(load(b, v), load_block(b, rows + (size_t)min(r, count - 1) * C), sum);
        scratch[item] = sum_lanes(sum);
        barrier(CLK_LOCAL_MEM_FENCE);
        if (part == 0 && r < count) {
            float total = 0;
            for (int i = 0; i < SHARE; i++) total += scratch[item + i];
            to[(size_t)r * stride] = total;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    barrier(CLK_GLOBAL_MEM_FENCE); // others of the group read what was written
#endif
}

INLINE void copy_out(__global float *to, __local const float *v)
{
    FOR_BLOCKS(b, C) store_block(load(b, v), b, to);
}

// Scores become p in place; returns the sum of k.
INLINE float softmax(__global float *p, int tokens, ulong word, dropout_stream drop, __local float *scratch)
{
    float most = -INFINITY, sum = 0, kept = 0;
    FOR_TOKENS(t, tokens) most = fmax(most, p[(size_t)t * HEADS]);
    most = most_over_group(most, scratch);
    FOR_TOKENS(t, tokens) {
        const float e = exp_one((p[(size_t)t * HEADS] - most) * SCALE);
        p[(size_t)t * HEADS] = e;
        sum += e;
    }
    sum = sum_over_group(sum, scratch);
    if (DROPOUT) GLOBAL_BARRIER; // items draw for others' tokens, a vector of words at once
    for (int first = (int)get_local_id(0) * LANES; DROPOUT && first < tokens; first += GROUP * LANES) {
        uint words[LANES];
        store(random_lanes(drop.seed, drop.step, drop.site, word + first), 0, words);
#pragma unroll
        for (int i = 0; i < LANES; i++) {
            __global float *own = p + (size_t)(first + i) * HEADS;
            if (first + i < tokens && words[i] < drop.threshold) *own = -*own;
        }
    }
    if (DROPOUT) GLOBAL_BARRIER;
    FOR_TOKENS(t, tokens) {
        const float own = p[(size_t)t * HEADS] / sum;
        p[(size_t)t * HEADS] = own;
        kept += kept_weight(own, drop.scale);
    }
    GLOBAL_BARRIER;
    return sum_over_group(kept, scratch);
}

ROW_KERNEL void attention_first_forward(__global float *restrict out, __global float *p, __global float *work,
                                        __global const float *restrict x, __global const float *restrict weights,
                                        __global const float *restrict bias, __global const int *restrict starts,
                                        const int sequences, DROPOUT_PARAMETERS)
{
    __local float v[SETS * C], scratch[GROUP];
    const dropout_stream drop = DROPOUT_STREAM;
    const int sequence = get_group_id(0) * SETS, head = get_group_id(1), last = LAST_SET(sequences - sequence);
    work += sequence * WORK;
    __global float *u = work + head * C, *z = u + HEADS * C;
    __global const float *q = work + 2 * HEADS * C + head * D;
    __global const float *keys = weights + (size_t)(C + head * D) * C, *values = keys + (size_t)C * C;
    out += (size_t)sequence * C + head * D;
    bias += 2 * C + head * D;
    p += head;

    sum_rows(v, SETS, last, q, WORK, 1, false, 1, keys, D);
    float kept[SETS];
    for (int s = 0; s <= last; s++) {
        const int first = starts[sequence + s], tokens = starts[sequence + s + 1] - first;
        __global const float *own = x + (size_t)first * C;
        __global float *own_p = p + (size_t)first * HEADS;
        __local float *own_v = v + s * C;
        copy_out(u + s * WORK, own_v);
        multiply_rows(own_p, 0, HEADS, own_v, 1, 0, own, tokens, scratch);
        kept[s] = softmax(own_p, tokens, drop.first + ((ulong)first * HEADS + head) * KEYS, drop, scratch);
        sum_rows(own_v, 1, 0, own_p, 0, HEADS, true, drop.scale, own, tokens);
        copy_out(z + s * WORK, own_v);
    }
    multiply_rows(out, C, 1, v, SETS, last, values, D, scratch);
    for (int s = 0; s <= last; s++) FOR_TOKENS(d, D) out[s * C + d] += bias[d] * kept[s];
}

// Returns the sum of k; products of dz and x become ds.
INLINE float softmax_backward(__global float *ds, __global const float *p, int tokens, float every, float scale,
                              __local float *scratch)
{
    float kept = 0, mean = 0;
    FOR_TOKENS(t, tokens) {
        const float weight = kept_weight(p[(size_t)t * HEADS], scale);
        kept += weight;
        mean += weight * (ds[(size_t)t * HEADS] + every);
    }
    kept = sum_over_group(kept, scratch);
    mean = sum_over_group(mean, scratch);
    FOR_TOKENS(t, tokens) {
        const float own = p[(size_t)t * HEADS], slope = ds[(size_t)t * HEADS] + every;
        ds[(size_t)t * HEADS] = (kept_weight(own, scale) * slope - fabs(own) * mean) * SCALE;
    }
    GLOBAL_BARRIER;
    return kept;
}

ROW_KERNEL void attention_first_backward(__global float *restrict dqkv, __global float *d_work, __global float *ds,
                                         __global const float *restrict dout, __global const float *restrict p,
                                         __global const float *restrict x, __global const float *restrict weights,
                                         __global const float *restrict bias, __global const int *restrict starts,
                                         const int sequences, const float scale)
{
    __local float v[SETS * C], scratch[GROUP];
    const int sequence = get_group_id(0) * SETS, head = get_group_id(1), last = LAST_SET(sequences - sequence);
    d_work += sequence * D_WORK;
    __global float *dz = d_work + head * C, *du = dz + HEADS * C;
    __global const float *keys = weights + (size_t)(C + head * D) * C, *values = keys + (size_t)C * C;
    dout += (size_t)sequence * C + head * D;
    dqkv += (size_t)sequence * 3 * C + head * D;
    bias += 2 * C + head * D;
    p += head;
    ds += head;

    sum_rows(v, SETS, last, dout, C, 1, false, 1, values, D);
    for (int s = 0; s <= last; s++) {
        const int first = starts[sequence + s], tokens = starts[sequence + s + 1] - first;
        __global const float *own = x + (size_t)first * C, *own_dout = dout + s * C;
        __global float *own_ds = ds + (size_t)first * HEADS, *values_part = dqkv + s * 3 * C + 2 * C;
        __local float *own_v = v + s * C;
        float every = 0;
#pragma unroll 2
        for (int d = 0; d < D; d++) every += own_dout[d] * bias[d];
        copy_out(dz + s * D_WORK, own_v);
        multiply_rows(own_ds, 0, HEADS, own_v, 1, 0, own, tokens, scratch);
        const float kept = softmax_backward(own_ds, p + (size_t)first * HEADS, tokens, every, scale, scratch);
        sum_rows(own_v, 1, 0, own_ds, 0, HEADS, false, 1, own, tokens);
        copy_out(du + s * D_WORK, own_v);
        FOR_TOKENS(d, D) {
            values_part[d - C] = 0;
            values_part[d] = kept * own_dout[d];
        }
    }
    multiply_rows(dqkv, 3 * C, 1, v, SETS, last, keys, D, scratch);
}

// dx of a sequence's first token begins with d_first (sequences, C).
ROW_KERNEL void attention_first_backward_input(__global float *restrict dx, __global const float *restrict d_first,
                                               __global const float *restrict p, __global const float *restrict ds,
                                               __global const float *restrict work,
                                               __global const float *restrict d_work,
                                               __global const int *restrict starts, const float scale)
{
    const size_t sequence = get_group_id(1);
    const int first = starts[sequence], tokens = starts[sequence + 1] - first, tile = get_group_id(0) * TILE;
    __global const float *u = work + sequence * WORK, *dz = d_work + sequence * D_WORK;
    d_first += sequence * C;
    dx += (size_t)first * C;
    p += (size_t)first * HEADS;
    ds += (size_t)first * HEADS;
    for (int t = tile; t < min(tile + TILE, tokens); t += ROWS)
        FOR_BLOCKS(b, C) {
            lanes sums[ROWS];
#pragma unroll
            for (int r = 0; r < ROWS; r++) sums[r] = t + r == 0 ? load_block(b, d_first) : (lanes)(0.0f);
#pragma unroll 2
            for (int head = 0; head < HEADS; head++) {
                const lanes forward = load_block(b, dz + head * C), backward = load_block(b, u + head * C);
#pragma unroll
                for (int r = 0; r < ROWS; r++) {
                    const size_t at = (size_t)min(t + r, tokens - 1) * HEADS + head;
                    sums[r] = fma((lanes)(kept_weight(p[at], scale)), forward, sums[r]);
                    sums[r] = fma((lanes)(ds[at]), backward, sums[r]);
                }
            }
#pragma unroll
            for (int r = 0; r < ROWS; r++)
                if (t + r < tokens) store_block(sums[r], b, dx + (size_t)(t + r) * C);
        }
}

ROW_KERNEL void attention_first_backward_weights(__global float *restrict dweights, __global const float *restrict work,
                                                 __global const float *restrict d_work,
                                                 __global const float *restrict dout, const int sequences)
{
    const int row = get_group_id(0) * ROWS, head = get_group_id(1) % HEADS;
    const bool of_values = get_group_id(1) >= HEADS;
    const size_t a_stride = of_values ? C : WORK, b_stride = of_values ? WORK : D_WORK;
    __global const float *a = (of_values ? dout : work + 2 * HEADS * C) + head * D + row;
    __global const float *b = (of_values ? work : d_work) + (HEADS + head) * C;
    dweights += ((of_values ? 2 : 1) * C + head * D + row) * (size_t)C;
    FOR_STRIPS(first) {
        lanes sums[ROWS][STRIP];
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int i = 0; i < STRIP; i++) sums[r][i] = 0;
        for (int s = 0; s < sequences; s++) {
            lanes x[STRIP];
#pragma unroll
            for (int i = 0; i < STRIP; i++) x[i] = load_block(BLOCK_OF_STRIP(first, i), b + s * b_stride);
#pragma unroll
            for (int r = 0; r < ROWS; r++) {
                const lanes weight = a[s * a_stride + r];
#pragma unroll
                for (int i = 0; i < STRIP; i++) sums[r][i] = fma(weight, x[i], sums[r][i]);
            }
        }
#pragma unroll
        for (int r = 0; r < ROWS; r++)
#pragma unroll
            for (int i = 0; i < STRIP; i++)
                if (first + i < BLOCKS) {
                    __global float *to = dweights + r * C;
                    store_block(load_block(first + i, to) + sums[r][i], first + i, to);
                }
    }
}
