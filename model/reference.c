#include "reference.h"

#include <math.h>

#include "random.h"

double ebm_reference_mask(const ebm_dropout *dropout, size_t row, size_t column, size_t channels)
{
    if (dropout->probability == 0.0f) return 1;
    const double probability = (double)dropout->probability;
    const uint64_t word = (dropout->first_row + row) * channels + column;
    uint32_t words[4];
    ebm_random_block(words, dropout->seed, dropout->step, dropout->site, word >> 2);
    return words[word & 3] < (uint32_t)(probability * 4294967296.0) ? 0 : 1 / (1 - probability);
}

void ebm_reference_norm(double *y, double *mean, double *rstd, const double *x, const float *gain, const float *shift,
                        double epsilon, size_t channels)
{
    double m = 0, variance = 0;
    for (size_t c = 0; c < channels; c++) m += x[c] / (double)channels;
    for (size_t c = 0; c < channels; c++) variance += (x[c] - m) * (x[c] - m) / (double)channels;
    const double r = 1 / sqrt(variance + epsilon);
    for (size_t c = 0; c < channels; c++) y[c] = (double)gain[c] * (x[c] - m) * r + (double)shift[c];
    if (mean) *mean = m;
    if (rstd) *rstd = r;
}

void ebm_reference_norm_backward(double *dx, const double *dy, const double *x, double mean, double rstd,
                                 const float *gain, size_t channels)
{
    double average = 0, average_h = 0;
    for (size_t c = 0; c < channels; c++) {
        const double g = dy[c] * (double)gain[c];
        average += g / (double)channels;
        average_h += g * (x[c] - mean) * rstd / (double)channels;
    }
    for (size_t c = 0; c < channels; c++)
        dx[c] = rstd * (dy[c] * (double)gain[c] - average - (x[c] - mean) * rstd * average_h);
}

static const double root_half = 0.70710678118654752440, root_2_over_pi = 0.79788456080286535588;

double ebm_reference_gelu(double x, ebm_gelu kind)
{
    if (kind == EBM_GELU_ERF) return 0.5 * x * erfc(-x * root_half);
    const double u = root_2_over_pi * (x + 0.044715 * x * x * x);
    return x / (1 + exp(-2 * u)); // 1 + tanh(u) without cancellation
}

double ebm_reference_gelu_slope(double x, ebm_gelu kind)
{
    if (kind == EBM_GELU_ERF) return 0.5 * erfc(-x * root_half) + 0.5 * root_2_over_pi * x * exp(-0.5 * x * x);
    const double u = root_2_over_pi * (x + 0.044715 * x * x * x), t = tanh(u);
    return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root_2_over_pi * (1 + 3 * 0.044715 * x * x);
}
