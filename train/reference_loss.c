#include "reference_loss.h"

#include <math.h>

double ebm_reference_log_sum_exp(const float *f, size_t labels)
{
    double max = (double)f[0], sum = 0;
    for (size_t y = 1; y < labels; y++) max = fmax(max, (double)f[y]);
    for (size_t y = 0; y < labels; y++) sum += exp((double)f[y] - max);
    return max + log(sum);
}

double ebm_reference_energy(const float *f, size_t labels, ebm_energy_kind kind)
{
    double max = (double)f[0];
    for (size_t y = 1; y < labels; y++) max = fmax(max, (double)f[y]);
    return kind == EBM_ENERGY_HIDDEN ? -ebm_reference_log_sum_exp(f, labels) : -max;
}

// q of the bin that the probability lies in.
static double posterior(const float *q, size_t bins, size_t y, double p)
{
    if (!q) return 0;
    const size_t bin = (size_t)(p * (double)bins);
    return (double)q[y * bins + (bin < bins ? bin : bins - 1)];
}

ebm_reference_loss ebm_reference_label_loss(const ebm_label_loss *l, const float *f, size_t Y, size_t label,
                                            const float *q, size_t bins, double *slope)
{
    double log_p[EBM_REFERENCE_LABELS], entropy = 0, surprise = 0, divergence = 0, whole = 0, others = 0;
    const double s = (double)l->smoothing, g = (double)l->focal_gamma, b = (double)l->confidence_penalty,
                 w = (double)l->posterior_weight, log_sum = ebm_reference_log_sum_exp(f, Y);
    ebm_reference_loss r;
    for (size_t y = 0; y < Y; y++) {
        log_p[y] = (double)f[y] - log_sum;
        const double p = exp(log_p[y]), share = posterior(q, bins, y, p);
        entropy -= p * log_p[y];
        surprise -= log_p[y];
        divergence += share > 0 ? share * (log(share) - log_p[y]) : 0;
        whole += share;
        others += y == label ? 0 : p;
    }
    const double t = exp(log_p[label]), u = pow(others, g);
    r.plain = -log_p[label];
    r.loss = (1 - s) * u * r.plain + s / (double)Y * surprise - b * entropy + w / (double)Y * divergence;
    for (size_t y = 0; y < Y; y++) {
        const double p = exp(log_p[y]), hot = y == label;
        const double focal = (hot - p) * ((others > 0 ? g * t * log_p[label] * u / others : 0) - u);
        slope[y] = (1 - s) * focal + s * (p - 1 / (double)Y) + b * p * (log_p[y] + entropy) +
                   w / (double)Y * (p * whole - posterior(q, bins, y, p));
    }
    return r;
}

double ebm_reference_nce(double energy, int noise_ratio, bool is_data, double *slope)
{
    const double k = noise_ratio, x = energy + log(k), side = is_data ? x : -x;
    const double softplus = fmax(side, 0) + log1p(exp(-fabs(side))), sigmoid = 1 / (1 + exp(-side));
    *slope = is_data ? sigmoid : -k * sigmoid;
    return is_data ? softplus : k * softplus;
}
