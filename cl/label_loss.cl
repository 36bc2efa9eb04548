// Losses of labelled texts beside plain cross-entropy, each off at 0 (train/label_loss.h has sources and formula):
//
//   loss = (1 - smoothing) (1 - p_t)^gamma (-ln p_t)  +  smoothing / Y sum_y -ln p_y  -  penalty H(p)
//          + weight / Y sum_y q_y ln(q_y / p_y)
//
//   f, df   (n, Y)     labels, loss, plain   (n)     q   (Y, bins)
//
// Launch   one work-item a row, in groups of GROUP; items past `rows` do nothing
// Writes   loss, plain (cross-entropy) and df of rows [first, first + rows), and nothing of other rows

#include "lanes.h"

// How often label y was right where its probability was like p, which may be NaN.
static inline float posterior(__global const float *restrict q, const int y, const int bins, const float p)
{
    return bins > 0 ? q[y * bins + clamp((int)(p * bins), 0, bins - 1)] : 0.0f;
}

ROW_KERNEL void label_loss(__global float *restrict loss, __global float *restrict plain,
                           __global float *restrict dlogits, __global const float *restrict logits,
                           __global const int *restrict labels, __global const float *restrict q, const int first,
                           const int rows, const int label_count, const int bins, const float scale,
                           const float smoothing, const float gamma, const float penalty, const float weight)
{
    const int i = get_global_id(0);
    if (i >= rows) return;
    const size_t row = first + i;
    __global const float *f = logits + row * label_count;
    __global float *df = dlogits + row * label_count;
    const int label = labels[row];
    const bool known = label >= 0 && label < label_count;

    float most = f[0], sum = 0;
    for (int y = 1; y < label_count; y++) most = fmax(most, f[y]);
    for (int y = 0; y < label_count; y++) sum += exp(f[y] - most);
    const float log_sum = log(sum);

    // others = 1 - p_t without cancellation
    float entropy = 0, surprise = 0, divergence = 0, whole = 0, others = 0;
    for (int y = 0; y < label_count; y++) {
        const float log_p = f[y] - most - log_sum, p = exp(log_p);
        entropy -= p * log_p;
        surprise -= log_p;
        const float share = posterior(q, y, bins, p);
        divergence += share > 0 ? share * (log(share) - log_p) : 0.0f;
        whole += share;
        others += y == label ? 0.0f : p;
    }
    const float log_t = known ? f[label] - most - log_sum : NAN;
    const float damping = pow(others, gamma);
    // -(d focal / d f_t) / (1 - p_t); ln p_t / (1 - p_t) is finite, 0 only where the text is certain
    const float slope = damping - (others > 0 ? gamma * exp(log_t) * (log_t / others) * damping : 0.0f);

    for (int y = 0; y < label_count; y++) {
        const float log_p = f[y] - most - log_sum, p = exp(log_p);
        const float focal = slope * (p - (y == label ? 1.0f : 0.0f));
        const float gradient = (1 - smoothing) * focal + smoothing * (p - 1.0f / label_count) +
                               penalty * p * (log_p + entropy) +
                               weight / label_count * (p * whole - posterior(q, y, bins, p));
        df[y] = known ? scale * gradient : 0.0f;
    }
    plain[row] = -log_t;
    loss[row] = (1 - smoothing) * damping * -log_t + smoothing / label_count * surprise - penalty * entropy +
                weight / label_count * divergence;
}
