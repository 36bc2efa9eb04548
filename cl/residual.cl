// The end of a sublayer: bias, dropout, residual, and the LayerNorm that follows; dropout alone.
//
//   s = residual + dropout(a + bias)        y = gain * (s - mean) * rstd + shift
//
//   a, residual, s, y, ds, da, dy   (tokens, C)     bias, gain, shift   (C)     mean, rstd   (tokens)
//
// Macros   C      channels, a multiple of LANES; NORM_SHIFT of norm.h
//          BIAS   0: there is no bias, and the pointer is not read; 1 when not given
// Launch   one work-group of GROUP items per token; _slabs, on CPUs: per slab of tokens
// Writes   every output; s may be a, ds may be dy; dropout_apply: y may be x

#include "norm.h"
#include "rng.h"

#ifndef BIAS
#define BIAS 1
#endif
#if BIAS
#define biased(b, a) (load_block(b, a) + load_block(b, bias))
#else
#define biased(b, a) load_block(b, a)
#endif

ROW_KERNEL void residual_layernorm_forward(__global float *restrict y, __global float *s, __global float *restrict mean,
                                           __global float *restrict rstd, __global const float *a,
                                           __global const float *restrict bias, __global const float *restrict residual,
                                           __global const float *restrict gain, __global const float *restrict shift,
                                           const float epsilon, DROPOUT_PARAMETERS)
{
    __local float scratch[GROUP];
    const dropout_stream dropout = DROPOUT_STREAM;
    const size_t token = get_group_id(0), row = token * C;
    y += row;
    s += row;

    lanes sum = 0;
    FOR_BLOCKS(b, C) {
        const lanes dropped = drop_lanes(biased(b, a + row), dropout, row + b * LANES);
        const lanes v = load_block(b, residual + row) + dropped;
        sum += v;
        store_block(v, b, s);
    }
    const float2 moments = row_moments(s, sum, epsilon, scratch);
    normalise_row(y, s, gain, shift, moments);
    if (get_local_id(0) == 0) {
        mean[token] = moments.x;
        rstd[token] = moments.y;
    }
}

// ds: through LayerNorm; da = ds under the mask of forward. Unless sums is NULL, dy * (s - mean) * rstd is added to its
// first C floats and dy to the next.
static inline void backward_row(__global float *ds, __global float *da, __global float *sums, __global const float *dy,
                                __global const float *s, const float mean, const float rstd,
                                __global const float *gain, const dropout_stream dropout, const size_t row,
                                __local float *scratch)
{
    const float2 averages = gradient_averages(dy, s, gain, mean, rstd, scratch);
    FOR_BLOCKS(b, C) {
        const lanes slope = load_block(b, dy), x = load_block(b, s);
        const lanes d = norm_gradient(slope, x, load_block(b, gain), mean, rstd, averages);
        if (sums) {
            store_block(load_block(b, sums) + slope * ((x - mean) * rstd), b, sums);
            store_block(load_block(b, sums + C) + slope, b, sums + C);
        }
        store_block(d, b, ds);
        store_block(drop_lanes(d, dropout, row + b * LANES), b, da);
    }
}

ROW_KERNEL void residual_layernorm_backward(__global float *ds, __global float *restrict da, __global const float *dy,
                                            __global const float *restrict s, __global const float *restrict mean,
                                            __global const float *restrict rstd, __global const float *restrict gain,
                                            DROPOUT_PARAMETERS)
{
    __local float scratch[GROUP];
    const dropout_stream dropout = DROPOUT_STREAM;
    const size_t token = get_group_id(0), row = token * C;
    backward_row(ds + row, da + row, 0, dy + row, s + row, mean[token], rstd[token], gain, dropout, row, scratch);
}

#if GROUP == 1
// The same for a slab of tokens, with its part of the gradients of gain and shift: slabs as layernorm_weight_slabs
// makes them, (number of slabs, 2C).
ROW_KERNEL void residual_layernorm_backward_slabs(__global float *ds, __global float *restrict da,
                                                  __global float *restrict slabs, __global const float *dy,
                                                  __global const float *restrict s, __global const float *restrict mean,
                                                  __global const float *restrict rstd,
                                                  __global const float *restrict gain, const int tokens,
                                                  DROPOUT_PARAMETERS)
{
    __local float scratch[GROUP];
    const dropout_stream dropout = DROPOUT_STREAM;
    const long slab = get_group_id(0), count = get_num_groups(0);
    const int first = tokens * slab / count, end = tokens * (slab + 1) / count;
    __global float *sums = slabs + slab * 2 * C;
    FOR_BLOCKS(b, 2 * C) store_block((lanes)(0.0f), b, sums);
    for (int token = first; token < end; token++) {
        const size_t row = (size_t)token * C;
        backward_row(ds + row, da + row, sums, dy + row, s + row, mean[token], rstd[token], gain, dropout, row,
                     scratch);
    }
}
#endif

ROW_KERNEL void dropout_apply(__global float *y, __global const float *x, DROPOUT_PARAMETERS)
{
    const dropout_stream dropout = DROPOUT_STREAM;
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) store_block(drop_lanes(load_block(b, x + row), dropout, row + b * LANES), b, y + row);
}
