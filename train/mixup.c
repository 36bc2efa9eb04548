#include "mixup.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

bool ebm_mixup_is_on(const ebm_mixup *m) { return m->alpha > 0; }

ebm_status ebm_mixup_check(const ebm_mixup *m)
{
    if (!(m->alpha >= 0 && isfinite(m->alpha)))
        return ebm_fail(EBM_ERROR_INPUT, "mixup: alpha must be a finite number from 0 on, found %g", (double)m->alpha);
    if (m->kind == EBM_MIXUP_AUM && m->alpha == 0)
        return ebm_fail(EBM_ERROR_INPUT, "mixup by area under the margin needs an alpha above 0 (published with 0.4)");
    return ebm_ok();
}

void ebm_mixup_text(const ebm_mixup *m, char *text, size_t size)
{
    if (size > 0) *text = 0;
    if (ebm_mixup_is_on(m))
        snprintf(text, size, "mixup%s with alpha %g",
                 m->kind == EBM_MIXUP_AUM ? " by area under the margin and saliency" : "", (double)m->alpha);
}

// ln of a gamma variate with this shape and scale 1. Below 1: that of shape + 1 times U^(1 / shape).
static double log_gamma_variate(ebm_random *stream, double shape)
{
    const double boost = shape < 1 ? log(1 - ebm_random_uniform(stream)) / shape : 0; // 1 - u is never 0
    const double d = (shape < 1 ? shape + 1 : shape) - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = ebm_random_normal(stream), root = 1 + c * x, v = root * root * root;
        const double u = 1 - ebm_random_uniform(stream);
        if (root > 0 && log(u) < 0.5 * x * x + d - d * v + d * log(v)) return log(d) + log(v) + boost;
    }
}

double ebm_mixup_lambda(ebm_random *stream, double alpha)
{
    const double a = log_gamma_variate(stream, alpha), b = log_gamma_variate(stream, alpha);
    return 1 / (1 + exp(b - a));
}

void ebm_mixup_random_partners(ebm_random *stream, size_t count, int32_t *partner)
{
    for (size_t i = 0; i < count; i++) partner[i] = (int32_t)i;
    ebm_random_shuffle(stream, (uint32_t *)partner, count);
}

static double cosine(const float *a, const float *b, double norms, size_t channels)
{
    double dot = 0;
    for (size_t c = 0; c < channels; c++) dot += fabs((double)a[c] * (double)b[c]);
    return norms > 0 ? dot / norms : 0;
}

static double norm_of(const float *a, size_t channels)
{
    double sum = 0;
    for (size_t c = 0; c < channels; c++) sum += (double)a[c] * (double)a[c];
    return sqrt(sum);
}

ebm_status ebm_mixup_salient_partners(const float *saliency, const uint8_t *hard, size_t count, size_t channels,
                                      int32_t *similar, int32_t *dissimilar)
{
    double *norms = malloc((count + 1) * sizeof *norms);
    if (!norms) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for saliencies");
    for (size_t i = 0; i < count; i++) norms[i] = norm_of(saliency + i * channels, channels);
    for (size_t i = 0; i < count; i++) {
        double most = -1, least = 2; // a cosine of sizes lies in [0, 1]
        similar[i] = dissimilar[i] = (int32_t)i;
        for (size_t j = 0; j < count; j++) {
            if (!hard[i] == !hard[j]) continue;
            const double likeness =
                cosine(saliency + i * channels, saliency + j * channels, norms[i] * norms[j], channels);
            if (likeness > most) most = likeness, similar[i] = (int32_t)j;
            if (likeness < least) least = likeness, dissimilar[i] = (int32_t)j;
        }
    }
    free(norms);
    return ebm_ok();
}

void ebm_mixup_users(const int32_t *partner, size_t count, int32_t *starts, int32_t *users)
{
    for (size_t i = 0; i <= count; i++) starts[i] = 0;
    for (size_t i = 0; i < count; i++) starts[partner[i] + 1]++;
    for (size_t i = 0; i < count; i++) starts[i + 1] += starts[i];
    for (size_t i = 0; i < count; i++) users[starts[partner[i]]++] = (int32_t)i;
    for (size_t i = count; i > 0; i--) starts[i] = starts[i - 1]; // each has moved on to the next one's start
    starts[0] = 0;
}

void ebm_mixup_margins(const float *logits, const int32_t *label, size_t count, size_t labels, float *margin)
{
    for (size_t i = 0; i < count; i++) {
        const float *z = logits + i * labels;
        const float own = z[label[i]];
        float other = -INFINITY;
        for (size_t y = 0; y < labels; y++)
            if (y != (size_t)label[i]) other = fmaxf(other, z[y]);
        margin[i] = labels > 1 ? own - other : 0;
    }
}
