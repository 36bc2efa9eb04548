#include "reliability.h"

#include <string.h>

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

static void print_bin(FILE *stream, const ebm_reliability_bin *bin, bool last)
{
    char bar[BAR + 2];
    fprintf(stream, "[%.3f, %.3f%c %7zu", bin->low, bin->high, last ? ']' : ')', bin->count);
    if (!bin->count) {
        fprintf(stream, "      -      -\n");
        return;
    }
    draw_bar(bin, bar);
    fprintf(stream, "  %.3f  %.3f  %s\n", bin->confidence, bin->accuracy, bar);
}

ebm_status ebm_reliability_print(FILE *stream, const ebm_reliability_bin *bin, int bins)
{
    int first = 0, last = bins - 1;
    while (first < bins && !bin[first].count) first++;
    while (last > first && !bin[last].count) last--;
    fprintf(stream, "%-14s %7s  %-5s  %-5s  0%*s\n", "probability", "count", "mean", "right", BAR, "accuracy        1");
    for (int b = first; b <= last; b++) print_bin(stream, bin + b, b == bins - 1);
    fprintf(stream, "### share of right answers   | mean probability of the answer\n");
    if (ferror(stream)) return ebm_fail(EBM_ERROR_IO, "reliability diagram: writing failed");
    return ebm_ok();
}
