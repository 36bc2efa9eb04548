// The row functions behind LayerNorm, for layernorm.cl and residual.cl. C channels; x, y, dy point to the row's start.
//
// Macros   NORM_SHIFT   0: there is no shift, and the pointer is not read; 1 when not given
#ifndef EBM_NORM_H
#define EBM_NORM_H

#include "lanes.h"
#include "reduce.h"

#ifndef NORM_SHIFT
#define NORM_SHIFT 1
#endif

// Mean and 1 / sqrt(variance + epsilon) of a row, from the sum of this item's channels. The second pass works on
// differences from a first mean and mends that mean: the one-pass formula loses digits when |mean| >> deviation.
static inline float2 row_moments(__global const float *x, lanes sum, float epsilon, __local float *scratch)
{
    const float guess = sum_over_group(sum_lanes(sum), scratch) * (1.0f / C);
    lanes differences = 0, squares = 0;
    FOR_BLOCKS(b, C) {
        const lanes d = load_block(b, x) - guess;
        differences += d;
        squares += d * d;
    }
    const float off = sum_over_group(sum_lanes(differences), scratch) * (1.0f / C);
    const float variance = sum_over_group(sum_lanes(squares), scratch) * (1.0f / C) - off * off;
    return (float2)(guess + off, rsqrt(fmax(variance, 0.0f) + epsilon));
}

static inline void normalise_row(__global float *y, __global const float *x, __global const float *gain,
                                 __global const float *shift, float2 moments)
{
    FOR_BLOCKS(b, C) {
        const lanes h = (load_block(b, x) - moments.x) * moments.y;
#if NORM_SHIFT
        store_block(load_block(b, gain) * h + load_block(b, shift), b, y);
#else
        store_block(load_block(b, gain) * h, b, y);
#endif
    }
}

// With h = (x - mean) * rstd and g = dy * gain: the averages of g and of g * h over the row.
static inline float2 gradient_averages(__global const float *dy, __global const float *x, __global const float *gain,
                                       float mean, float rstd, __local float *scratch)
{
    lanes sum_g = 0, sum_gh = 0;
    FOR_BLOCKS(b, C) {
        const lanes g = load_block(b, dy) * load_block(b, gain);
        sum_g += g;
        sum_gh += g * ((load_block(b, x) - mean) * rstd);
    }
    return (float2)(sum_over_group(sum_lanes(sum_g), scratch) * (1.0f / C),
                    sum_over_group(sum_lanes(sum_gh), scratch) * (1.0f / C));
}

// Block b of dx = rstd * (g - average(g) - h * average(g * h))
static inline lanes norm_gradient(lanes dy, lanes x, lanes gain, float mean, float rstd, float2 averages)
{
    const lanes h = (x - mean) * rstd;
    return rstd * (dy * gain - averages.x - h * averages.y);
}

#endif
