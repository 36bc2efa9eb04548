#include "reliability.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap_internal.h"
#include "random.h"
#include "scores.h"

#define BAR 30

static void add_example(const ebm_scores *scores, size_t i, ebm_reliability_bin *bin)
{
    const size_t top = i * (size_t)scores->labels + (size_t)scores->predicted[i];
    ebm_reliability_bin *b = bin + scores->bin[top];
    b->count++;
    b->confidence += scores->probability[top];
    b->accuracy += scores->predicted[i] == scores->label[i];
}

ebm_status ebm_reliability_measure(const ebm_predictions *predictions, double temperature, int bins,
                                   ebm_reliability_bin *bin)
{
    ebm_scores scores = {0};
    EBM_TRY(ebm_scores_create(predictions, temperature, bins, &scores));
    for (int b = 0; b < bins; b++) bin[b] = (ebm_reliability_bin){.low = (double)b / bins, .high = (b + 1.0) / bins};
    for (size_t i = 0; i < scores.count; i++) add_example(&scores, i, bin);
    for (int b = 0; b < bins; b++) {
        if (!bin[b].count) continue;
        bin[b].confidence /= (double)bin[b].count;
        bin[b].accuracy /= (double)bin[b].count;
    }
    ebm_scores_free(&scores);
    return ebm_ok();
}

// The share of right answers in each bin when every label is drawn from the model's probabilities.
static void redraw_bins(const ebm_scores *s, uint64_t seed, uint32_t number, const double *count, double *share)
{
    ebm_random random = ebm_random_stream(seed, number, EBM_SITE_FLOOR);
    memset(share, 0, (size_t)s->bins * sizeof *share);
    for (size_t i = 0; i < s->count; i++) {
        const double *p = s->probability + i * (size_t)s->labels;
        if (ebm_label_at(p, s->labels, ebm_random_uniform(&random)) != s->predicted[i]) continue;
        const uint8_t bin = s->bin[i * (size_t)s->labels + (size_t)s->predicted[i]];
        share[bin] += 1 / count[bin];
    }
}

ebm_status ebm_reliability_consistency(const ebm_predictions *predictions, double temperature, int bins, int redraws,
                                       uint64_t seed, ebm_interval *bar)
{
    ebm_status status = ebm_ok();
    ebm_scores s = {0};
    double *values = NULL, count[EBM_BINS_MOST] = {0}, share[EBM_BINS_MOST]; // values: bins x redraws
    EBM_CHECK(ebm_scores_create(predictions, temperature, bins, &s), end);
    EBM_CHECK(ebm_draws_allocate("redraws", redraws, s.count, bins, &values), end);
    for (size_t i = 0; i < s.count; i++) count[s.bin[i * (size_t)s.labels + (size_t)s.predicted[i]]]++;
    for (int r = 0; r < redraws; r++) {
        redraw_bins(&s, seed, (uint32_t)r, count, share);
        for (int b = 0; b < bins; b++)
            values[(size_t)b * (size_t)redraws + (size_t)r] = count[b] > 0 ? share[b] : (double)NAN;
    }
    for (int b = 0; b < bins; b++) bar[b] = ebm_interval_of(values + (size_t)b * (size_t)redraws, (size_t)redraws);
end:
    free(values);
    ebm_scores_free(&s);
    return status;
}

// BAR + 1 places for 0 to 1: the bar fills places up to the accuracy's, the mark replaces one.
static void draw_bar(const ebm_reliability_bin *bin, char bar[BAR + 2])
{
    const int filled = (int)(bin->accuracy * BAR + 0.5), mark = (int)(bin->confidence * BAR + 0.5);
    memset(bar, ' ', BAR + 1);
    memset(bar, '#', (size_t)filled);
    bar[mark] = '|';
    bar[BAR + 1] = 0;
    for (int end = BAR; end >= 0 && bar[end] == ' '; end--) bar[end] = 0;
}

static void print_bin(FILE *stream, const ebm_reliability_bin *bin, const ebm_interval *range, bool last)
{
    char bar[BAR + 2];
    fprintf(stream, "[%.3f, %.3f%c %7zu", bin->low, bin->high, last ? ']' : ')', bin->count);
    if (!bin->count) {
        fprintf(stream, "      -      -\n");
        return;
    }
    draw_bar(bin, bar);
    fprintf(stream, "  %.3f  %.3f  ", bin->confidence, bin->accuracy);
    if (range) fprintf(stream, "%.2f-%.2f  ", range->low, range->high);
    fprintf(stream, "%s\n", bar);
}

static ebm_status print_bins(FILE *stream, const ebm_reliability_bin *bin, const ebm_interval *range, int bins)
{
    int first = 0, last = bins - 1;
    while (first < bins && !bin[first].count) first++;
    while (last > first && !bin[last].count) last--;
    fprintf(stream, "%-14s %7s  %-5s  %-5s  %s0%*s\n", "probability", "count", "mean", "right",
            range ? "chance     " : "", BAR, "accuracy        1");
    for (int b = first; b <= last; b++) print_bin(stream, bin + b, range ? range + b : NULL, b == bins - 1);
    fprintf(stream, "### share of right answers   | mean probability of the answer\n");
    if (range) fprintf(stream, "chance: 95 %% of the shares that a calibrated model would have\n");
    if (ferror(stream)) return ebm_fail(EBM_ERROR_IO, "reliability diagram: writing failed");
    return ebm_ok();
}

ebm_status ebm_reliability_print(FILE *stream, const ebm_reliability_bin *bin, int bins)
{
    return print_bins(stream, bin, NULL, bins);
}

ebm_status ebm_reliability_print_consistency(FILE *stream, const ebm_reliability_bin *bin, const ebm_interval *bar,
                                             int bins)
{
    return print_bins(stream, bin, bar, bins);
}
