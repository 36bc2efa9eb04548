// GELU, forward and backward, alone and as the gate of a GLU (GeGLU: Shazeer 2020).
//
//   erf form    y = x Phi(x)                        dx = dy (Phi(x) + x phi(x))
//   tanh form   y = x s(2u)                         dx = dy (s + x s (1 - s) 2u')
//               u = sqrt(2 / pi) (x + 0.044715 x^3)      s(v) = 1 / (1 + exp(-v)), and (1 + tanh(u)) / 2 = s(2u)
//
//   x, y, dx, dy   (rows, C)
//
//   GeGLU       z = dropout(gelu(a) b)      da = dz b gelu'(a)      db = dz gelu(a), dz under the mask
//
//   ab, dab   (rows, 2C): a and b side by side     z, dz   (rows, C)
//
// Macros   C           channels, a multiple of LANES
//          GELU_TANH   1: tanh form, 0: erf form
// Launch   one work-group of GROUP items per row
// Writes   y (may be x), dx (may be dy); z, dab (may be ab). Backward makes y or z as well, for the gradient of the
//          weights behind, unless it is NULL

#include "exp.h"
#include "lanes.h"
#include "rng.h"

// Of negative numbers. GPUs have instructions for exp, and AMD's compiler runs out of registers with a polynomial more.
#if LANES == 4
#define exp_negative exp
#else
#define exp_negative exp_lanes
#endif

// Phi(-|x|) / exp(-x^2 / 2) = t P(t) with t = 1 / (1 + 0.35 |x|): a minimax fit of relative error 3.2e-8 on 0 .. 13.2.
// In floats Phi is within 2e-7, and within 8e-7 of its own size in the lower tail, where 1 + erf(x) would cancel.
static inline lanes gaussian_tail(lanes x, lanes bell)
{
    const lanes t = 1.0f / (1.0f + 0.35f * fabs(x));
    lanes p = -0.029108882f;
    p = p * t + 0.143787995f;
    p = p * t - 0.255326807f;
    p = p * t + 0.158721492f;
    p = p * t - 0.022790391f;
    p = p * t + 0.105369046f;
    p = p * t + 0.119869128f;
    p = p * t + 0.139856696f;
    p = p * t + 0.139621705f;
    return p * t * bell;
}

static inline lanes erf_value(lanes x, lanes *slope)
{
    const lanes bell = exp_negative(-0.5f * x * x);
    const lanes tail = gaussian_tail(x, bell);
    const lanes phi = select(tail, 1.0f - tail, x > 0.0f);
    *slope = phi + x * 0.398942280f * bell;
    return x * phi;
}

static inline lanes tanh_value(lanes x, lanes *slope)
{
    const lanes square = x * x;
    const lanes v = x * (-1.595769122f - 0.0713548163f * square);
    const lanes e = exp(fmin(v, (lanes)(80.0f))); // past 80 nothing changes but inf * 0
    const lanes s = 1.0f / (1.0f + e);
    *slope = s + x * s * (e * s) * (1.595769122f + 0.214064449f * square); // 1 - s = e s, without cancellation
    return x * s;
}

#if GELU_TANH
#define gelu_value tanh_value
#else
#define gelu_value erf_value
#endif

ROW_KERNEL void gelu_forward(__global float *y, __global const float *x)
{
    const size_t row = get_group_id(0) * (size_t)C;
    lanes slope;
    FOR_BLOCKS(b, C) store_block(gelu_value(load_block(b, x + row), &slope), b, y + row);
}

ROW_KERNEL void gelu_backward(__global float *dx, __global float *y, __global const float *dy, __global const float *x)
{
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) {
        lanes slope;
        const lanes value = gelu_value(load_block(b, x + row), &slope);
        store_block(load_block(b, dy + row) * slope, b, dx + row);
        if (y) store_block(value, b, y + row);
    }
}

ROW_KERNEL void geglu_forward(__global float *restrict z, __global const float *restrict ab, DROPOUT_PARAMETERS)
{
    const dropout_stream dropout = DROPOUT_STREAM;
    const size_t row = get_group_id(0) * (size_t)C;
    __global const float *a = ab + 2 * row, *gate = a + C;
    lanes slope;
    FOR_BLOCKS(b, C) {
        const lanes product = gelu_value(load_block(b, a), &slope) * load_block(b, gate);
        store_block(drop_lanes(product, dropout, row + b * LANES), b, z + row);
    }
}

ROW_KERNEL void geglu_backward(__global float *dab, __global float *z, __global const float *restrict dz,
                               __global const float *ab, DROPOUT_PARAMETERS)
{
    const dropout_stream dropout = DROPOUT_STREAM;
    const size_t row = get_group_id(0) * (size_t)C;
    ab += 2 * row;
    dab += 2 * row;
    FOR_BLOCKS(b, C) {
        const lanes kept = drop_lanes((lanes)(1.0f), dropout, row + b * LANES), gate = load_block(b, ab + C);
        const lanes d = load_block(b, dz + row) * kept;
        lanes slope;
        const lanes value = gelu_value(load_block(b, ab), &slope);
        if (z) store_block(value * gate * kept, b, z + row);
        store_block(d * gate * slope, b, dab);
        store_block(d * value, b, dab + C);
    }
}
