// Softmax cross-entropy over rows as wide as a vocabulary, with its gradient written in place.
//
//   loss = logsumexp f - f[target]          f <- scale * (softmax f - onehot(target))
//   target -1: loss 0, row zeroed           any other outside [0, V): loss NaN, row zeroed
//
//   f   rows of V elements, `stride` apart     loss, target   (rows)
//
// V may be any number >= 1: what is left after the last whole block of LANES goes one by one (FOR_REST).
// Launch   one work-group of GROUP items a row
// Writes   loss; lm_loss_and_gradient also f. -INFINITY is a logit like others; a NaN makes loss and row NaN.

#include "exp.h"
#include "lanes.h"
#include "reduce.h"

#define FOR_REST(i) for (int i = V / LANES * LANES + (int)get_local_id(0); i < V; i += GROUP)

static inline float most_lanes(const lanes v)
{
    float values[LANES];
    store(v, 0, values);
    float most = values[0];
    for (int i = 1; i < LANES; i++) most = fmax(most, values[i]);
    return most;
}

static inline float row_most(__global const float *f, const int V, __local float *scratch)
{
    lanes best = -INFINITY;
    FOR_BLOCKS(b, V) {
        const lanes x = load(b, f);
        best = x > best ? x : best;
    }
    float most = most_lanes(best);
    FOR_REST(i) most = fmax(most, f[i]);
    return most_over_group(most, scratch);
}

static inline float row_sum(__global const float *f, const int V, const float most, __local float *scratch)
{
    lanes sums = 0;
    FOR_BLOCKS(b, V) sums += exp_lanes(load(b, f) - most);
    float sum = sum_lanes(sums);
    FOR_REST(i) sum += exp_one(f[i] - most);
    return sum_over_group(sum, scratch);
}

// The same, and f becomes e^(f - most).
static inline float row_sum_in_place(__global float *f, const int V, const float most, __local float *scratch)
{
    lanes sums = 0;
    FOR_BLOCKS(b, V) {
        const lanes e = exp_lanes(load(b, f) - most);
        sums += e;
        store(e, b, f);
    }
    float sum = sum_lanes(sums);
    FOR_REST(i) sum += f[i] = exp_one(f[i] - most);
    return sum_over_group(sum, scratch);
}

ROW_KERNEL void lm_loss(__global float *restrict loss, __global const float *restrict logits,
                      __global const int *restrict targets, const int stride, const int V)
{
    __local float scratch[GROUP];
    const size_t row = get_group_id(0);
    const int target = targets[row];
    __global const float *f = logits + row * stride;
    float value = target == -1 ? 0.0f : NAN;
    if (target >= 0 && target < V) { // the same for the whole group
        const float most = row_most(f, V, scratch), sum = row_sum(f, V, most, scratch);
        value = log(sum) - (f[target] - most);
    }
    if (get_local_id(0) == 0) loss[row] = value;
}

ROW_KERNEL void lm_loss_and_gradient(__global float *restrict loss, __global float *restrict logits,
                                   __global const int *restrict targets, const int stride, const int V,
                                   const float scale)
{
    __local float scratch[GROUP];
    const size_t row = get_group_id(0);
    const int target = targets[row];
    __global float *f = logits + row * stride;
    // Read in front of the branch, from an address that is right for any target: Intel's CPU runtime moves a read that
    // stands between the branch and the barrier there itself, and with a target of -1 it would be one out of range.
    const float at_target = f[clamp(target, 0, V - 1)];
    barrier(CLK_GLOBAL_MEM_FENCE); // before its owner overwrites it
    if (target < 0 || target >= V) { // the same for the whole group
        FOR_BLOCKS(b, V) store((lanes)0, b, f);
        FOR_REST(i) f[i] = 0;
        if (get_local_id(0) == 0) loss[row] = target == -1 ? 0.0f : NAN;
        return;
    }
    const float most = row_most(f, V, scratch), sum = row_sum_in_place(f, V, most, scratch);
    const float factor = scale / sum;
    FOR_BLOCKS(b, V) store(factor * load(b, f), b, f);
    FOR_REST(i) f[i] *= factor;
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
    if (get_local_id(0) == 0) {
        loss[row] = log(sum) - (at_target - most);
        f[target] -= scale;
    }
}
