#include "bootstrap_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "random.h"
#include "scores.h"

#define DRAWS_MOST 1000000

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

double ebm_quantile_of_sorted(const double *sorted, size_t count, double quantile)
{
    const double place = quantile * (double)(count - 1);
    const size_t below = (size_t)place;
    if (below + 1 >= count) return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

ebm_status ebm_draws_allocate(const char *what, int draws, size_t examples, int metrics, double **out)
{
    if (draws < 1 || draws > DRAWS_MOST)
        return ebm_fail(EBM_ERROR_INPUT, "%s: 1 to %d expected, found %d", what, DRAWS_MOST, draws);
    if (examples > UINT32_MAX)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: at most %u examples expected, found %zu", what, UINT32_MAX,
                        examples);
    *out = malloc((size_t)draws * (size_t)metrics * sizeof **out);
    if (!*out) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %d %s", draws, what);
    return ebm_ok();
}

static void resample(ebm_tally *tally, uint64_t seed, uint32_t number)
{
    const uint32_t count = (uint32_t)tally->scores->count;
    ebm_random random = ebm_random_stream(seed, number, EBM_SITE_BOOTSTRAP);
    ebm_tally_reset(tally);
    for (uint32_t i = 0; i < count; i++) ebm_tally_add(tally, ebm_random_below(&random, count));
}

ebm_interval ebm_interval_of(double *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (isnan(values[i])) return (ebm_interval){(double)NAN, (double)NAN};
    qsort(values, count, sizeof *values, compare_doubles);
    return (ebm_interval){ebm_quantile_of_sorted(values, count, 0.025), ebm_quantile_of_sorted(values, count, 0.975)};
}

ebm_status ebm_bootstrap(const ebm_predictions *predictions, double temperature, int bins, int resamples, uint64_t seed,
                         ebm_interval interval[EBM_METRICS])
{
    ebm_status status = ebm_ok();
    ebm_scores scores = {0};
    ebm_tally tally = {0};
    double *values = NULL; // EBM_METRICS x resamples
    EBM_CHECK(ebm_scores_create(predictions, temperature, bins, &scores), end);
    EBM_CHECK(ebm_tally_create(&scores, &tally), end);
    EBM_CHECK(ebm_draws_allocate("resamples", resamples, scores.count, EBM_METRICS, &values), end);
    for (int r = 0; r < resamples; r++) {
        double value[EBM_METRICS];
        resample(&tally, seed, (uint32_t)r);
        ebm_tally_metrics(&tally, value);
        for (int m = 0; m < EBM_METRICS; m++) values[(size_t)m * (size_t)resamples + (size_t)r] = value[m];
    }
    for (int m = 0; m < EBM_METRICS; m++)
        interval[m] = ebm_interval_of(values + (size_t)m * (size_t)resamples, (size_t)resamples);
end:
    free(values);
    ebm_tally_free(&tally);
    ebm_scores_free(&scores);
    return status;
}

// Before any label is drawn: every gap is minus the sum of probabilities, which no redraw changes.
static void fill_expected(ebm_tally *tally)
{
    const ebm_scores *s = tally->scores;
    for (size_t i = 0; i < s->count; i++) {
        const size_t row = i * (size_t)s->labels;
        const int top = s->predicted[i];
        for (int y = 0; y < s->labels; y++)
            tally->gap[y * s->bins + s->bin[row + (size_t)y]] -= s->probability[row + (size_t)y];
        tally->top_gap[s->bin[row + (size_t)top]] -= s->probability[row + (size_t)top];
    }
    tally->examples = (double)s->count;
}

// The rounding error of a row's sum may leave u above the last sum: the last label that has any probability is taken.
int ebm_label_at(const double *probability, int labels, double u)
{
    double sum = 0;
    int drawn = 0;
    for (int y = 0; y < labels; y++) {
        if (probability[y] > 0) drawn = y;
        sum += probability[y];
        if (u < sum) return y;
    }
    return drawn;
}

static void redraw(ebm_tally *tally, const ebm_tally *expected, uint64_t seed, uint32_t number)
{
    const ebm_scores *s = tally->scores;
    const size_t labels = (size_t)s->labels, bins = (size_t)s->bins;
    ebm_random random = ebm_random_stream(seed, number, EBM_SITE_FLOOR);
    memcpy(tally->gap, expected->gap, labels * bins * sizeof *tally->gap);
    memcpy(tally->top_gap, expected->top_gap, bins * sizeof *tally->top_gap);
    tally->examples = expected->examples;
    for (size_t i = 0; i < s->count; i++) {
        const int y = ebm_label_at(s->probability + i * labels, s->labels, ebm_random_uniform(&random));
        const uint8_t bin = s->bin[i * labels + (size_t)y];
        tally->gap[(size_t)y * bins + bin] += 1;
        if (y == s->predicted[i]) tally->top_gap[bin] += 1;
    }
}

ebm_floor ebm_floor_of(double *values, size_t count, double observed)
{
    double sum = 0, above = 0;
    for (size_t i = 0; i < count; i++) {
        sum += values[i];
        above += values[i] >= observed;
    }
    qsort(values, count, sizeof *values, compare_doubles);
    return (ebm_floor){sum / (double)count, ebm_quantile_of_sorted(values, count, 0.95),
                       (1 + above) / (1 + (double)count)};
}

ebm_status ebm_ece_floor(const ebm_predictions *predictions, double temperature, int bins, int redraws, uint64_t seed,
                         ebm_floor floor[EBM_ECES])
{
    ebm_status status = ebm_ok();
    ebm_scores scores = {0};
    ebm_tally tally = {0}, expected = {0};
    double *values = NULL, observed[EBM_ECES]; // values: EBM_ECES x redraws
    EBM_CHECK(ebm_scores_create(predictions, temperature, bins, &scores), end);
    EBM_CHECK(ebm_tally_create(&scores, &tally), end);
    EBM_CHECK(ebm_tally_create(&scores, &expected), end);
    EBM_CHECK(ebm_draws_allocate("redraws", redraws, scores.count, EBM_ECES, &values), end);
    fill_expected(&expected);
    for (int r = 0; r < redraws; r++) {
        double ece[EBM_ECES];
        redraw(&tally, &expected, seed, (uint32_t)r);
        ebm_tally_eces(&tally, ece);
        for (int e = 0; e < EBM_ECES; e++) values[(size_t)e * (size_t)redraws + (size_t)r] = ece[e];
    }
    ebm_tally_reset(&tally);
    for (size_t i = 0; i < scores.count; i++) ebm_tally_add(&tally, i);
    ebm_tally_eces(&tally, observed);
    for (int e = 0; e < EBM_ECES; e++)
        floor[e] = ebm_floor_of(values + (size_t)e * (size_t)redraws, (size_t)redraws, observed[e]);
end:
    free(values);
    ebm_tally_free(&expected);
    ebm_tally_free(&tally);
    ebm_scores_free(&scores);
    return status;
}
