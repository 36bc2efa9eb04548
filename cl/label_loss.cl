// Losses of labelled texts beside plain cross-entropy, each off at 0 (train/label_loss.h has sources and formula):
//
//   loss = (1 - smoothing) (1 - p_t)^gamma (-ln p_t)  +  smoothing / Y sum_y -ln p_y  -  penalty H(p)
//          + weight sum_y p_y ln(p_y / q_y)
//
//   f, df   (n, Y)     labels, loss, plain   (n)     q   (Y, bins), below 0 where there is none
//
// Launch   one work-item a row, in groups of GROUP; items past `rows` do nothing
// Writes   loss, plain (cross-entropy) and df of rows [first, first + rows), and nothing of other rows

#include "lanes.h"

// ln q of a label with probability p, or ln p itself where nothing is known: its term is 0 then.
static inline float log_posterior(__global const float *restrict q, const int y, const int bins, const float p,
                                  const float log_p)
{
    if (bins == 0) return log_p;
    const float known = q[y * bins + clamp((int)(p * bins), 0, bins - 1)]; // p may be NaN
    return known < 0 ? log_p : log(known);
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
    float entropy = 0, surprise = 0, divergence = 0, others = 0;
    for (int y = 0; y < label_count; y++) {
        const float log_p = f[y] - most - log_sum, p = exp(log_p);
        entropy -= p * log_p;
        surprise -= log_p;
        divergence += p * (log_p - log_posterior(q, y, bins, p, log_p));
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
                               weight * p * (log_p - log_posterior(q, y, bins, p, log_p) - divergence);
        df[y] = known ? scale * gradient : 0.0f;
    }
    plain[row] = -log_t;
    loss[row] = (1 - smoothing) * damping * -log_t + smoothing / label_count * surprise - penalty * entropy +
                weight * divergence;
}
