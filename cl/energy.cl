// Energies of texts from the classifier's logits f, forward and backward.
//
//   hidden         E = -log sum_y exp f[y]     df[y] += -dE * softmax(f)[y]
//   sharp-hidden   E = -max_y f[y]             df[y] += -dE for the arg max y (ties: lowest index), else 0
//
//   f, df   (n, labels)     E, dE   (n)
//
// Macros   SHARP    1: sharp-hidden, 0: hidden
// Launch   one work-item a row, in groups of GROUP; items past `rows` do nothing
// Writes   E. Adds to df (cross-entropy has written there before). Rows outside [first, first + rows) are not touched.
// A row has a handful of labels, so one item walks it; the exponents are <= 0, so nothing overflows.

#include "lanes.h"

static inline int arg_max(__global const float *f, const int labels)
{
    int best = 0;
    for (int y = 1; y < labels; y++)
        if (f[y] > f[best]) best = y;
    return best;
}

static inline float exp_sum(__global const float *f, const float most, const int labels)
{
    float sum = 0;
    for (int y = 0; y < labels; y++) sum += exp(f[y] - most);
    return sum;
}

ROW_KERNEL void energy_forward(__global float *restrict energy, __global const float *restrict logits, const int first,
                             const int rows, const int labels)
{
    const int i = get_global_id(0);
    if (i >= rows) return;
    __global const float *f = logits + (size_t)(first + i) * labels;
    const float most = f[arg_max(f, labels)];
#if SHARP
    float nan = 0; // comparisons skip a NaN, so it is carried beside the maximum
    for (int y = 0; y < labels; y++) nan += isnan(f[y]) ? f[y] : 0.0f;
    energy[first + i] = -most + nan;
#else
    energy[first + i] = -(most + log(exp_sum(f, most, labels)));
#endif
}

ROW_KERNEL void energy_backward(__global float *restrict dlogits, __global const float *restrict denergy,
                              __global const float *restrict logits, const int first, const int rows, const int labels)
{
    const int i = get_global_id(0);
    if (i >= rows) return;
    __global const float *f = logits + (size_t)(first + i) * labels;
    __global float *df = dlogits + (size_t)(first + i) * labels;
    const float de = denergy[first + i];
    const int best = arg_max(f, labels);
#if SHARP
    df[best] -= de;
#else
    const float most = f[best];
    const float scale = de / exp_sum(f, most, labels);
    for (int y = 0; y < labels; y++) df[y] -= scale * exp(f[y] - most);
#endif
}
