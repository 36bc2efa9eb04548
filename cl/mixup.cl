// Mixup of the vectors that the classification head reads (train/mixup.h has sources and formula):
//
//   mix_forward    y[r]   = own x[r] + other x[partner[r]]
//   mix_backward   dx[r] += own dy[r] + other sum over u in users[starts[r]] .. users[starts[r + 1] - 1] of dy[u]
//   mixed_loss     loss   = own (-ln p_a) + other (-ln p_b)     a = labels[r], b = labels[partner[r]]
//                  df     = scale (softmax f - own onehot_a - other onehot_b)
//                  total  = keep before + weight loss
//
//   x, dx, y, dy   (rows, C)   f, df   (rows, Y)   partner, labels, users, total, before   (rows)   starts   (rows + 1)
//   own = lambda, other = 1 - lambda; the users of r are the rows whose partner r is, ascending
//
// Macros   C   channels, a multiple of LANES (mix_forward, mix_backward)
// Launch   mix_forward, mix_backward: one work-group of GROUP items a row
//          mixed_loss: one work-item a row, in groups of GROUP; items past `rows` do nothing
// Writes   y; adds to dx; total (may be before) and df. Each element is added up by one item in a fixed order.

#include "lanes.h"

#ifdef C
ROW_KERNEL void mix_forward(__global float *restrict y, __global const float *restrict x,
                            __global const int *restrict partner, const float own)
{
    const size_t row = get_group_id(0);
    __global const float *first = x + row * C, *second = x + (size_t)partner[row] * C;
    y += row * C;
    FOR_BLOCKS(b, C) store_block(own * load_block(b, first) + (1.0f - own) * load_block(b, second), b, y);
}

ROW_KERNEL void mix_backward(__global float *restrict dx, __global const float *restrict dy,
                             __global const int *restrict starts, __global const int *restrict users, const float own)
{
    const size_t row = get_group_id(0);
    const int first = starts[row], end = starts[row + 1];
    dx += row * C;
    FOR_BLOCKS(b, C) {
        lanes sum = 0;
        for (int u = first; u < end; u++) sum += load_block(b, dy + (size_t)users[u] * C);
        store_block(load_block(b, dx) + own * load_block(b, dy + row * C) + (1.0f - own) * sum, b, dx);
    }
}
#else
ROW_KERNEL void mixed_loss(__global float *total, __global float *restrict dlogits, __global const float *before,
                           __global const float *restrict logits, __global const int *restrict labels,
                           __global const int *restrict partner, const int rows, const int label_count,
                           const float own, const float keep, const float weight, const float scale)
{
    const int row = get_global_id(0);
    if (row >= rows) return;
    __global const float *f = logits + (size_t)row * label_count;
    __global float *df = dlogits + (size_t)row * label_count;
    const int a = labels[row], b = labels[partner[row]];
    const bool known = a >= 0 && a < label_count && b >= 0 && b < label_count;

    float most = f[0], sum = 0;
    for (int y = 1; y < label_count; y++) most = fmax(most, f[y]);
    for (int y = 0; y < label_count; y++) sum += exp(f[y] - most);
    for (int y = 0; y < label_count; y++) {
        const float target = (y == a ? own : 0.0f) + (y == b ? 1.0f - own : 0.0f);
        df[y] = known ? scale * (exp(f[y] - most) / sum - target) : 0.0f;
    }
    const float loss = known ? log(sum) + own * (most - f[a]) + (1.0f - own) * (most - f[b]) : NAN;
    total[row] = keep * before[row] + weight * loss;
}
#endif
