// The two losses of joint training, their gradients, and the sums that are reported.
//
//   cross-entropy   loss = logsumexp f - f[label]          df = scale * (softmax f - onehot)      scale = weight / total
//   NCE             x = sign * (E + ln K), sign +1 for data, -1 for noise
//                   loss = loss_scale * softplus(x)        dE = sign * gradient_scale * sigmoid(x)
//                   (noise: loss_scale = K, gradient_scale = weight * K / total noise)
//
//   margin          loss = max(0, sign E + margin)^2      dE = sign * gradient_scale * 2 max(0, sign E + margin)
//
//   f, df   (n, Y)     labels, loss, E, dE   (n)     sums   (14)
//
// Launch   cross_entropy, nce, energy_margin: one work-item a row, in groups of GROUP; items past `rows` do nothing
//          statistics: one work-group of GROUP items
// Writes   loss, df, dE of rows [first, first + rows), and nothing of other rows. statistics adds to sums.

#include "lanes.h"
#include "reduce.h"

ROW_KERNEL void cross_entropy(__global float *restrict loss, __global float *restrict dlogits,
                            __global const float *restrict logits, __global const int *restrict labels, const int first,
                            const int rows, const int label_count, const float scale)
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
    for (int y = 0; y < label_count; y++) {
        const float gradient = exp(f[y] - most) / sum - (y == label ? 1.0f : 0.0f);
        df[y] = known ? scale * gradient : 0.0f;
    }
    loss[row] = known ? log(sum) - (f[label] - most) : NAN;
}

// log(1 + e^x) and its derivative without overflow for any finite x.
static inline float softplus(const float x) { return fmax(x, 0.0f) + log1p(exp(-fabs(x))); }
static inline float sigmoid(const float x)
{
    const float e = exp(-fabs(x));
    return (x >= 0 ? 1.0f : e) / (1.0f + e);
}

ROW_KERNEL void nce(__global float *restrict loss, __global float *restrict denergy, __global const float *restrict energy,
                  const int first, const int rows, const float sign, const float log_k, const float loss_scale,
                  const float gradient_scale)
{
    const int i = get_global_id(0);
    if (i >= rows) return;
    const float e = energy[first + i];
    const float x = sign * (e + log_k);
    loss[first + i] = loss_scale * (isnan(e) ? e : softplus(x)); // fmax would swallow a NaN
    denergy[first + i] = sign * gradient_scale * sigmoid(x);
}

ROW_KERNEL void energy_margin(__global float *restrict loss, __global float *restrict denergy,
                              __global const float *restrict energy, const int first, const int rows, const float sign,
                              const float margin, const float gradient_scale)
{
    const int i = get_global_id(0);
    if (i >= rows) return;
    const float e = energy[first + i];
    const float over = fmax(sign * e + margin, 0.0f);
    loss[first + i] = isnan(e) ? e : over * over; // fmax would swallow a NaN
    denergy[first + i] = sign * gradient_scale * 2.0f * over;
}

// The order of ebm_objective_sums.
enum {
    CROSS_ENTROPY,
    CORRECT,
    NCE_DATA,
    NCE_NOISE,
    DATA_APART,
    NOISE_APART,
    NOISE_Z,
    DATA_ENERGY,
    NOISE_ENERGY,
    LABELLED,
    DATA,
    NOISE,
    NONFINITE,
    LABEL_LOSS,
    SUMS
};

static inline void add_labelled(float *sums, const float loss, const float label_loss, __global const float *f, const int label, const int label_count)
{
    int best = 0;
    for (int y = 1; y < label_count; y++)
        if (f[y] > f[best]) best = y;
    sums[CROSS_ENTROPY] += loss;
    sums[CORRECT] += best == label ? 1.0f : 0.0f;
    sums[LABELLED] += 1.0f;
    sums[NONFINITE] += isfinite(loss) && isfinite(label_loss) ? 0.0f : 1.0f;
    sums[LABEL_LOSS] += label_loss;
}

// 1 when x < 0, a half at the threshold itself, as ebm_contrast_measure counts.
static inline float share_below(const float x) { return x < 0 ? 1.0f : x == 0 ? 0.5f : 0.0f; }

static inline void add_data(float *sums, const float loss, const float e)
{
    sums[NCE_DATA] += loss;
    sums[DATA_APART] += share_below(e);
    sums[DATA_ENERGY] += e;
    sums[DATA] += 1.0f;
    sums[NONFINITE] += isfinite(loss) && isfinite(e) ? 0.0f : 1.0f;
}

static inline void add_noise(float *sums, const float loss, const float e)
{
    sums[NCE_NOISE] += loss;
    sums[NOISE_APART] += share_below(-e);
    sums[NOISE_Z] += exp(fmin(-e, 60.0f)); // e^60 = 1e26: ten billion such rows still fit a float
    sums[NOISE_ENERGY] += e;
    sums[NOISE] += 1.0f;
    sums[NONFINITE] += isfinite(loss) && isfinite(e) ? 0.0f : 1.0f;
}

ROW_KERNEL void statistics(__global float *restrict out, __global const float *restrict ce_loss,
                         __global const float *restrict label_loss,
                         __global const float *restrict logits, __global const int *restrict labels,
                         __global const float *restrict nce_loss, __global const float *restrict energy,
                         const int first_labelled, const int labelled, const int label_count, const int first_data,
                         const int data, const int first_noise, const int noise)
{
    __local float scratch[GROUP];
    float sums[SUMS];
    for (int s = 0; s < SUMS; s++) sums[s] = 0;
    for (int i = get_local_id(0); i < labelled; i += GROUP) {
        const size_t row = first_labelled + i;
        add_labelled(sums, ce_loss[row], label_loss[row], logits + row * label_count, labels[row], label_count);
    }
    for (int i = get_local_id(0); i < data; i += GROUP)
        add_data(sums, nce_loss[first_data + i], energy[first_data + i]);
    for (int i = get_local_id(0); i < noise; i += GROUP)
        add_noise(sums, nce_loss[first_noise + i], energy[first_noise + i]);
    for (int s = 0; s < SUMS; s++) {
        const float total = sum_over_group(sums[s], scratch);
        if (get_local_id(0) == 0) out[s] += total;
    }
}
