#include "scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int ebm_bin_of(double probability, int bins)
{
    const int bin = (int)(probability * bins);
    return bin < bins ? bin : bins - 1;
}

void ebm_log_softmax(const float *logits, int labels, double temperature, double *out)
{
    double largest = -INFINITY, sum = 0;
    for (int y = 0; y < labels; y++) {
        out[y] = (double)logits[y] / temperature;
        largest = fmax(largest, out[y]);
    }
    for (int y = 0; y < labels; y++) sum += exp(out[y] - largest);
    for (int y = 0; y < labels; y++) out[y] -= largest + log(sum);
}

ebm_status ebm_temperature_check(double temperature)
{
    if (!(temperature >= 1e-6 && temperature <= 1e6)) // also for NaN
        return ebm_fail(EBM_ERROR_INPUT, "temperature: a number from 1e-6 to 1e6 expected, found %g", temperature);
    return ebm_ok();
}

static ebm_status scores_allocate(ebm_scores *scores)
{
    const size_t cells = scores->count * (size_t)scores->labels;
    scores->probability = malloc(cells * sizeof *scores->probability);
    scores->bin = malloc(cells * sizeof *scores->bin);
    scores->nll = malloc(scores->count * sizeof *scores->nll);
    scores->brier = malloc(scores->count * sizeof *scores->brier);
    scores->label = malloc(scores->count * sizeof *scores->label);
    scores->predicted = malloc(scores->count * sizeof *scores->predicted);
    if (!scores->probability || !scores->bin || !scores->nll || !scores->brier || !scores->label || !scores->predicted)
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the scores of %zu examples with %d labels", scores->count,
                        scores->labels);
    return ebm_ok();
}

static void score_example(const ebm_predictions *predictions, double temperature, size_t i, ebm_scores *scores)
{
    const int labels = scores->labels, label = predictions->label[i];
    const float *logits = predictions->logits + i * (size_t)labels;
    double *p = scores->probability + i * (size_t)labels;
    int predicted = 0;
    ebm_log_softmax(logits, labels, temperature, p);
    scores->nll[i] = -p[label];
    scores->brier[i] = 0;
    for (int y = 0; y < labels; y++) {
        p[y] = exp(p[y]);
        const double gap = p[y] - (y == label);
        scores->brier[i] += gap * gap;
        scores->bin[i * (size_t)labels + (size_t)y] = (uint8_t)ebm_bin_of(p[y], scores->bins);
        if (logits[y] > logits[predicted]) predicted = y;
    }
    scores->label[i] = label;
    scores->predicted[i] = predicted;
}

ebm_status ebm_scores_create(const ebm_predictions *predictions, double temperature, int bins, ebm_scores *out)
{
    *out = (ebm_scores){0};
    EBM_TRY(ebm_predictions_check(predictions));
    EBM_TRY(ebm_temperature_check(temperature));
    if (bins < 1 || bins > EBM_BINS_MOST)
        return ebm_fail(EBM_ERROR_INPUT, "bins: 1 to %d expected, found %d", EBM_BINS_MOST, bins);
    out->count = predictions->count;
    out->labels = predictions->labels;
    out->bins = bins;
    const ebm_status status = scores_allocate(out);
    if (status.code != EBM_OK) {
        ebm_scores_free(out);
        return status;
    }
    for (size_t i = 0; i < out->count; i++) score_example(predictions, temperature, i, out);
    return ebm_ok();
}

void ebm_scores_free(ebm_scores *scores)
{
    free(scores->probability);
    free(scores->bin);
    free(scores->nll);
    free(scores->brier);
    free(scores->label);
    free(scores->predicted);
    *scores = (ebm_scores){0};
}

// One block of memory: truth | predicted | hit | gap | top_gap
static size_t tally_size(const ebm_scores *scores)
{
    return (size_t)scores->labels * 3 + (size_t)scores->labels * (size_t)scores->bins + (size_t)scores->bins;
}

ebm_status ebm_tally_create(const ebm_scores *scores, ebm_tally *out)
{
    *out = (ebm_tally){.scores = scores};
    double *block = calloc(tally_size(scores), sizeof *block);
    if (!block) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the histograms of %d labels", scores->labels);
    const size_t labels = (size_t)scores->labels;
    out->truth = block;
    out->predicted = block + labels;
    out->hit = block + 2 * labels;
    out->gap = block + 3 * labels;
    out->top_gap = out->gap + labels * (size_t)scores->bins;
    return ebm_ok();
}

void ebm_tally_free(ebm_tally *tally)
{
    free(tally->truth);
    *tally = (ebm_tally){0};
}

void ebm_tally_reset(ebm_tally *tally)
{
    memset(tally->truth, 0, tally_size(tally->scores) * sizeof *tally->truth);
    tally->examples = tally->nll = tally->brier = 0;
}

void ebm_tally_add(ebm_tally *tally, size_t example)
{
    const ebm_scores *s = tally->scores;
    const int label = s->label[example], predicted = s->predicted[example];
    const double *p = s->probability + example * (size_t)s->labels;
    const uint8_t *bin = s->bin + example * (size_t)s->labels;
    tally->examples += 1;
    tally->nll += s->nll[example];
    tally->brier += s->brier[example];
    tally->truth[label] += 1;
    tally->predicted[predicted] += 1;
    tally->hit[label] += label == predicted;
    for (int y = 0; y < s->labels; y++) tally->gap[y * s->bins + bin[y]] += (y == label) - p[y];
    tally->top_gap[bin[predicted]] += (predicted == label) - p[predicted];
}

static double f1_of(const ebm_tally *tally, int y)
{
    const double both = tally->truth[y] + tally->predicted[y];
    return both > 0 ? 2 * tally->hit[y] / both : 0;
}

static double macro_f1(const ebm_tally *tally)
{
    double sum = 0, seen = 0;
    for (int y = 0; y < tally->scores->labels; y++) {
        sum += f1_of(tally, y);
        seen += tally->truth[y] + tally->predicted[y] > 0;
    }
    return sum / seen;
}

// Gorodkin 2004: R_K = cov(truth, predicted) / sqrt(cov(truth, truth) cov(predicted, predicted)); for two labels this
// is the correlation of Matthews.
static double matthews(const ebm_tally *tally, double hits)
{
    const double n = tally->examples;
    double both = 0, truths = 0, predictions = 0;
    for (int y = 0; y < tally->scores->labels; y++) {
        both += tally->truth[y] * tally->predicted[y];
        truths += tally->truth[y] * tally->truth[y];
        predictions += tally->predicted[y] * tally->predicted[y];
    }
    const double variances = (n * n - truths) * (n * n - predictions);
    return variances > 0 ? (hits * n - both) / sqrt(variances) : 0;
}

void ebm_tally_eces(const ebm_tally *tally, double ece[EBM_ECES])
{
    const int labels = tally->scores->labels, bins = tally->scores->bins;
    double class_wise = 0, top_label = 0, pooled = 0;
    for (int b = 0; b < bins; b++) {
        double gap = 0;
        for (int y = 0; y < labels; y++) {
            gap += tally->gap[y * bins + b];
            class_wise += fabs(tally->gap[y * bins + b]);
        }
        pooled += fabs(gap);
        top_label += fabs(tally->top_gap[b]);
    }
    ece[EBM_ECE_CLASS_WISE - EBM_ECE_CLASS_WISE] = class_wise / (tally->examples * labels);
    ece[EBM_ECE_TOP_LABEL - EBM_ECE_CLASS_WISE] = top_label / tally->examples;
    ece[EBM_ECE_POOLED - EBM_ECE_CLASS_WISE] = pooled / (tally->examples * labels);
}

void ebm_tally_metrics(const ebm_tally *tally, double value[EBM_METRICS])
{
    double hits = 0;
    for (int y = 0; y < tally->scores->labels; y++) hits += tally->hit[y];
    value[EBM_ACCURACY] = hits / tally->examples;
    value[EBM_F1] = tally->scores->labels == 2 ? f1_of(tally, 1) : (double)NAN;
    value[EBM_MACRO_F1] = macro_f1(tally);
    value[EBM_MATTHEWS] = matthews(tally, hits);
    value[EBM_NLL] = tally->nll / tally->examples;
    value[EBM_BRIER] = tally->brier / tally->examples;
    ebm_tally_eces(tally, value + EBM_ECE_CLASS_WISE);
}
