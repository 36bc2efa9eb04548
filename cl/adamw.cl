// AdamW over one tensor, and the norm of all gradients it is clipped by.
//
//   g = clip * gradient            clip = min(1, max_norm / (norm + 1e-6))
//   w -= decay * w                 decay = rate * weight decay, 0 for biases and LayerNorm
//   m += (1 - beta1) * (g - m)     v = beta2 * v + (1 - beta2) * g * g
//   w -= step_size * m / (sqrt(v) * inverse_root + epsilon)
//                                  step_size = rate / (1 - beta1^t)     inverse_root = 1 / sqrt(1 - beta2^t)
//
//   w, m, v, gradient   (count)     partials   (chunks of all tensors)     norm   {norm, clip}
//
// Macros   CHUNK   elements a work-group handles, a multiple of LANES * GROUP; tensors and so chunks start at blocks
// Launch   sum_squares, adamw: one work-group of GROUP items per CHUNK elements; norm_and_clip: one work-group
// Writes   partials, norm, w, m, v, and the gradient (zero) when asked. A norm that is not finite: adamw writes nothing.
// Sums are taken lane by lane in order of elements, then over lanes, items and chunks in a fixed order.

#include "lanes.h"
#include "reduce.h"

ROW_KERNEL void sum_squares(__global float *restrict partials, __global const float *restrict gradient,
                          const int first_chunk, const int count)
{
    __local float scratch[GROUP];
    const int chunk = get_group_id(0), start = chunk * CHUNK, size = min(CHUNK, count - start);
    gradient += start;
    lanes squares = 0;
    FOR_BLOCKS(b, size) {
        const lanes g = load_block(b, gradient);
        squares += g * g;
    }
    float sum = sum_lanes(squares);
    for (int i = size / LANES * LANES + (int)get_local_id(0); i < size; i += GROUP) sum += gradient[i] * gradient[i];
    sum = sum_over_group(sum, scratch);
    if (get_local_id(0) == 0) partials[first_chunk + chunk] = sum;
}

ROW_KERNEL void norm_and_clip(__global float *restrict norm, __global const float *restrict partials, const int chunks,
                            const float max_norm)
{
    __local float scratch[GROUP];
    lanes sums = 0;
    FOR_BLOCKS(b, chunks) sums += load_block(b, partials);
    float sum = sum_lanes(sums);
    for (int i = chunks / LANES * LANES + (int)get_local_id(0); i < chunks; i += GROUP) sum += partials[i];
    sum = sum_over_group(sum, scratch);
    if (get_local_id(0) == 0) {
        norm[0] = sqrt(sum);
        norm[1] = max_norm > 0 ? fmin(1.0f, max_norm / (norm[0] + 1e-6f)) : 1.0f;
    }
}

ROW_KERNEL void adamw(__global float *restrict weight, __global float *restrict moment1, __global float *restrict moment2,
                    __global float *restrict gradient, __global const float *restrict norm, const int count,
                    const float decay, const float one_less_beta1, const float beta2, const float one_less_beta2,
                    const float step_size, const float inverse_root, const float epsilon, const int zero_gradient)
{
    if (!isfinite(norm[0])) return;
    const float clip = norm[1];
    const int start = get_group_id(0) * CHUNK, size = min(CHUNK, count - start);
    weight += start;
    moment1 += start;
    moment2 += start;
    gradient += start;
    FOR_BLOCKS(b, size) {
        const lanes g = clip * load_block(b, gradient), w = load_block(b, weight), m0 = load_block(b, moment1);
        const lanes m = m0 + one_less_beta1 * (g - m0);
        const lanes v = beta2 * load_block(b, moment2) + one_less_beta2 * (g * g);
        store_block(w - decay * w - step_size * m / (sqrt(v) * inverse_root + epsilon), b, weight);
        store_block(m, b, moment1);
        store_block(v, b, moment2);
        if (zero_gradient) store_block((lanes)(0.0f), b, gradient);
    }
    for (int i = size / LANES * LANES + (int)get_local_id(0); i < size; i += GROUP) {
        const float g = clip * gradient[i], w = weight[i];
        const float m = moment1[i] + one_less_beta1 * (g - moment1[i]);
        const float v = beta2 * moment2[i] + one_less_beta2 * (g * g);
        weight[i] = w - decay * w - step_size * m / (sqrt(v) * inverse_root + epsilon);
        moment1[i] = m;
        moment2[i] = v;
        if (zero_gradient) gradient[i] = 0;
    }
}
