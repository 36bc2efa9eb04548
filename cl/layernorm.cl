// LayerNorm over the channels of each token, forward and backward.
//
//   y = gain * (x - mean) * rstd + shift        rstd = 1 / sqrt(variance + epsilon)
//
//   x, y, dx, dy   (tokens, C)     gain, shift   (C)     mean, rstd   (tokens)     slabs   (number of slabs, 2C)
//
// Macros   C   channels, a multiple of LANES; NORM_SHIFT of norm.h
// Launch   one work-group of GROUP items per token; layernorm_weight_slabs: (strips, slabs) work-groups
// Writes   y (may be x), mean, rstd; slabs: dgain and dshift of one slab of tokens (column_sum.cl adds them up)
//          dx, or adds to it when accumulate != 0; dx may be dy when not

#include "norm.h"

ROW_KERNEL void layernorm_forward(__global float *y, __global float *restrict mean, __global float *restrict rstd,
                                  __global const float *x, __global const float *restrict gain,
                                  __global const float *restrict shift, const float epsilon)
{
    __local float scratch[GROUP];
    const size_t token = get_group_id(0);
    x += token * C;
    y += token * C;

    lanes sum = 0;
    FOR_BLOCKS(b, C) sum += load_block(b, x);
    const float2 moments = row_moments(x, sum, epsilon, scratch);
    normalise_row(y, x, gain, shift, moments);
    if (get_local_id(0) == 0) {
        mean[token] = moments.x;
        rstd[token] = moments.y;
    }
}

ROW_KERNEL void layernorm_backward(__global float *dx, __global const float *dy, __global const float *restrict x,
                                   __global const float *restrict mean, __global const float *restrict rstd,
                                   __global const float *restrict gain, const int accumulate)
{
    __local float scratch[GROUP];
    const size_t token = get_group_id(0);
    const float m = mean[token], r = rstd[token];
    x += token * C;
    dx += token * C;
    dy += token * C;

    const float2 averages = gradient_averages(dy, x, gain, m, r, scratch);
    FOR_BLOCKS(b, C) {
        const lanes d = norm_gradient(load_block(b, dy), load_block(b, x), load_block(b, gain), m, r, averages);
        store_block(accumulate ? load_block(b, dx) + d : d, b, dx);
    }
}

// dgain = sum over tokens of dy * (x - mean) * rstd, dshift = sum of dy; here over one slab of tokens.
ROW_KERNEL void layernorm_weight_slabs(__global float *restrict slabs, __global const float *restrict dy,
                                       __global const float *restrict x, __global const float *restrict mean,
                                       __global const float *restrict rstd, const int tokens)
{
    const long slab = get_group_id(1), count = get_num_groups(1);
    const int first = tokens * slab / count, end = tokens * (slab + 1) / count;
    const int block = FIRST_BLOCK_OF_STRIP, last = C / LANES - 1;
    if (block > last) return;

    lanes gain_sums[STRIP], shift_sums[STRIP];
    for (int i = 0; i < STRIP; i++) gain_sums[i] = shift_sums[i] = 0;
    for (int t = first; t < end; t++) {
        const float m = mean[t], r = rstd[t];
#pragma unroll
        for (int i = 0; i < STRIP; i++) { // a strip past the end does the last block again
            const int b = min(block + i, last);
            const lanes d = load_block(b, dy + (size_t)t * C);
            gain_sums[i] += d * ((load_block(b, x + (size_t)t * C) - m) * r);
            shift_sums[i] += d;
        }
    }
    for (int i = 0; i < STRIP; i++) {
        const int b = min(block + i, last);
        store_block(gain_sums[i], b, slabs + slab * 2 * C);
        store_block(shift_sums[i], b, slabs + slab * 2 * C + C);
    }
}
