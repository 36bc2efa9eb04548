#include "miscalibration_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap_internal.h"
#include "random.h"

static const char *const error_names[EBM_MISCALIBRATIONS] = {
    [EBM_ACE_CLASS_WISE] = "ace_class_wise",
    [EBM_ACE_TOP_LABEL] = "ace_top_label",
    [EBM_DEBIASED_CLASS_WISE] = "debiased_class_wise",
    [EBM_DEBIASED_TOP_LABEL] = "debiased_top_label",
    [EBM_SMOOTH_ECE] = "smooth_ece",
    [EBM_MCE] = "mce",
    [EBM_BRIER_CALIBRATION] = "brier_calibration",
    [EBM_BRIER_REFINEMENT] = "brier_refinement",
    [EBM_BRIER_WITHIN] = "brier_within",
};

const char *ebm_miscalibration_name(ebm_miscalibration error) { return error_names[error]; }

typedef struct {
    double weight, probability, hits; // of the examples in a bin
} cell;

// ---- what is sorted once

typedef struct {
    double probability;
    uint32_t example;
} ranked;

static int compare_ranked(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->probability != b->probability) return a->probability < b->probability ? -1 : 1;
    return (a->example > b->example) - (a->example < b->example);
}

// The probability of label y, or of the predicted label when y is the number of labels.
static double probability_of(const ebm_scores *s, size_t example, int y)
{
    return s->probability[example * (size_t)s->labels + (size_t)(y < s->labels ? y : s->predicted[example])];
}

static void sort_examples(const ebm_scores *s, int y, ranked *by, uint32_t *order)
{
    for (size_t i = 0; i < s->count; i++) by[i] = (ranked){probability_of(s, i, y), (uint32_t)i};
    qsort(by, s->count, sizeof *by, compare_ranked);
    for (size_t i = 0; i < s->count; i++) order[i] = by[i].example;
}

ebm_status ebm_miscalibration_plan_create(const ebm_scores *scores, ebm_miscalibration_plan *out)
{
    ebm_status status = ebm_ok();
    const size_t n = scores->count, problems = (size_t)scores->labels + 1;
    ranked *by = NULL;
    *out = (ebm_miscalibration_plan){.scores = scores};
    if (n > UINT32_MAX)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "calibration errors: at most %u examples expected, found %zu",
                        UINT32_MAX, n);
    by = malloc(n * sizeof *by);
    out->order = malloc(problems * n * sizeof *out->order);
    out->top = malloc(n * sizeof *out->top);
    out->right = malloc(n * sizeof *out->right);
    out->cells = malloc(problems * (size_t)scores->bins * sizeof(cell));
    if (!by || !out->order || !out->top || !out->right || !out->cells)
        status = ebm_fail(EBM_ERROR_MEMORY, "no memory for the calibration errors of %zu examples", n);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_smooth_workspace_create(&out->smooth), end);
    for (size_t y = 0; y < problems; y++) sort_examples(scores, (int)y, by, out->order + y * n);
    for (size_t i = 0; i < n; i++) out->top[i] = probability_of(scores, i, scores->labels);
end:
    free(by);
    if (status.code != EBM_OK) ebm_miscalibration_plan_free(out);
    return status;
}

void ebm_miscalibration_plan_free(ebm_miscalibration_plan *plan)
{
    free(plan->order);
    free(plan->top);
    free(plan->right);
    free(plan->cells);
    ebm_smooth_workspace_free(&plan->smooth);
    *plan = (ebm_miscalibration_plan){0};
}

// ---- bins of equal mass

typedef struct {
    double absolute, squared; // sums over bins of the share times |gap| and times gap^2 without its bias
} mass_errors;

static void close_bin(cell *bin, double total, mass_errors *errors)
{
    if (bin->weight > 0) {
        const double gap = (bin->probability - bin->hits) / bin->weight, f = bin->hits / bin->weight;
        errors->absolute += bin->weight / total * fabs(gap);
        if (bin->weight > 1) errors->squared += bin->weight / total * (gap * gap - f * (1 - f) / (bin->weight - 1));
    }
    *bin = (cell){0};
}

static bool hits(const ebm_miscalibration_plan *plan, const int32_t *label, size_t example, int y)
{
    return label[example] == (y < plan->scores->labels ? y : plan->scores->predicted[example]);
}

// Runs of equal probability go whole into the bin in which their first example lies.
static mass_errors equal_mass(const ebm_miscalibration_plan *plan, const int32_t *label, const double *weight,
                              double total, int y)
{
    const ebm_scores *s = plan->scores;
    const uint32_t *order = plan->order + (size_t)y * s->count;
    const double least = floor(total / s->bins), longer = total - least * s->bins;
    mass_errors errors = {0};
    cell bin = {0};
    double place = 0, bin_end = least + (longer > 0), number = 1, last = -1;
    for (size_t i = 0; i < s->count; i++) {
        const double times = weight ? weight[order[i]] : 1, p = probability_of(s, order[i], y);
        if (!(times > 0)) continue;
        if (p != last && place >= bin_end) {
            close_bin(&bin, total, &errors);
            for (; place >= bin_end; number++) bin_end += least + (number < longer);
        }
        bin.weight += times;
        bin.probability += times * p;
        if (hits(plan, label, order[i], y)) bin.hits += times;
        place += times;
        last = p;
    }
    close_bin(&bin, total, &errors);
    return errors;
}

static void adaptive_errors(const ebm_miscalibration_plan *plan, const int32_t *label, const double *weight,
                            double total, double value[EBM_MISCALIBRATIONS])
{
    const int labels = plan->scores->labels;
    const mass_errors top = equal_mass(plan, label, weight, total, labels);
    double absolute = 0, squared = 0;
    for (int y = 0; y < labels; y++) {
        const mass_errors one = equal_mass(plan, label, weight, total, y);
        absolute += one.absolute;
        squared += fmax(one.squared, 0);
    }
    value[EBM_ACE_CLASS_WISE] = absolute / labels;
    value[EBM_ACE_TOP_LABEL] = top.absolute;
    value[EBM_DEBIASED_CLASS_WISE] = sqrt(squared / labels);
    value[EBM_DEBIASED_TOP_LABEL] = sqrt(fmax(top.squared, 0));
}

// ---- bins of equal width

// Fills the cells; returns the sum of squared errors over labels and examples.
static double fill_cells(const ebm_miscalibration_plan *plan, const int32_t *label, const double *weight, cell *cells)
{
    const ebm_scores *s = plan->scores;
    const size_t labels = (size_t)s->labels, bins = (size_t)s->bins;
    double brier = 0;
    memset(cells, 0, (labels + 1) * bins * sizeof *cells);
    for (size_t i = 0; i < s->count; i++) {
        const double times = weight ? weight[i] : 1;
        if (!(times > 0)) continue;
        for (size_t y = 0; y <= labels; y++) {
            const size_t column = y < labels ? y : (size_t)s->predicted[i];
            const double p = s->probability[i * labels + column], hit = label[i] == (int32_t)column;
            cell *c = cells + y * bins + s->bin[i * labels + column];
            c->weight += times;
            c->probability += times * p;
            c->hits += times * hit;
            if (y < labels) brier += times * (p - hit) * (p - hit);
        }
    }
    return brier;
}

static void binned_errors(const ebm_miscalibration_plan *plan, const int32_t *label, const double *weight, double total,
                          double value[EBM_MISCALIBRATIONS])
{
    const size_t labels = (size_t)plan->scores->labels, bins = (size_t)plan->scores->bins;
    cell *cells = (cell *)(void *)plan->cells;
    const double brier = fill_cells(plan, label, weight, cells) / total;
    double calibration = 0, refinement = 0, largest = 0;
    for (size_t i = 0; i < (labels + 1) * bins; i++) {
        if (!(cells[i].weight > 0)) continue;
        const double f = cells[i].hits / cells[i].weight, gap = cells[i].probability / cells[i].weight - f;
        if (i >= labels * bins) {
            largest = fmax(largest, fabs(gap));
        } else {
            calibration += cells[i].weight / total * gap * gap;
            refinement += cells[i].weight / total * f * (1 - f);
        }
    }
    value[EBM_MCE] = largest;
    value[EBM_BRIER_CALIBRATION] = calibration;
    value[EBM_BRIER_REFINEMENT] = refinement;
    value[EBM_BRIER_WITHIN] = brier - calibration - refinement;
}

// ---- all of them

void ebm_miscalibration_weighted(ebm_miscalibration_plan *plan, const int32_t *label, const double *weight,
                                 double value[EBM_MISCALIBRATIONS])
{
    const ebm_scores *s = plan->scores;
    double total = 0;
    for (size_t i = 0; i < s->count; i++) {
        total += weight ? weight[i] : 1;
        plan->right[i] = label[i] == s->predicted[i];
    }
    adaptive_errors(plan, label, weight, total, value);
    binned_errors(plan, label, weight, total, value);
    value[EBM_SMOOTH_ECE] = ebm_smooth_ece_weighted(&plan->smooth, plan->top, plan->right, weight, s->count, NULL);
}

ebm_status ebm_miscalibration_measure(const ebm_predictions *predictions, double temperature, int bins,
                                      double value[EBM_MISCALIBRATIONS])
{
    ebm_status status = ebm_ok();
    ebm_scores scores = {0};
    ebm_miscalibration_plan plan = {0};
    EBM_CHECK(ebm_scores_create(predictions, temperature, bins, &scores), end);
    EBM_CHECK(ebm_miscalibration_plan_create(&scores, &plan), end);
    ebm_miscalibration_weighted(&plan, scores.label, NULL, value);
end:
    ebm_miscalibration_plan_free(&plan);
    ebm_scores_free(&scores);
    return status;
}

void ebm_labels_redraw(const ebm_scores *scores, uint64_t seed, uint32_t number, int32_t *label)
{
    ebm_random random = ebm_random_stream(seed, number, EBM_SITE_FLOOR);
    for (size_t i = 0; i < scores->count; i++)
        label[i] = (int32_t)ebm_label_at(scores->probability + i * (size_t)scores->labels, scores->labels,
                                         ebm_random_uniform(&random));
}

ebm_status ebm_miscalibration_floor(const ebm_predictions *predictions, double temperature, int bins, int redraws,
                                    uint64_t seed, ebm_floor floor[EBM_MISCALIBRATION_FLOORS])
{
    ebm_status status = ebm_ok();
    ebm_scores scores = {0};
    ebm_miscalibration_plan plan = {0};
    double *values = NULL, value[EBM_MISCALIBRATIONS]; // EBM_MISCALIBRATION_FLOORS x redraws
    int32_t *label = NULL;
    EBM_CHECK(ebm_scores_create(predictions, temperature, bins, &scores), end);
    EBM_CHECK(ebm_miscalibration_plan_create(&scores, &plan), end);
    EBM_CHECK(ebm_draws_allocate("redraws", redraws, scores.count, EBM_MISCALIBRATION_FLOORS, &values), end);
    label = malloc(scores.count * sizeof *label);
    if (!label) status = ebm_fail(EBM_ERROR_MEMORY, "no memory for the labels of %zu examples", scores.count);
    EBM_CHECK(status, end);
    const size_t draws = (size_t)redraws;
    for (size_t r = 0; r < draws; r++) {
        ebm_labels_redraw(&scores, seed, (uint32_t)r, label);
        ebm_miscalibration_weighted(&plan, label, NULL, value);
        for (size_t e = 0; e < EBM_MISCALIBRATION_FLOORS; e++) values[e * draws + r] = value[e];
    }
    ebm_miscalibration_weighted(&plan, scores.label, NULL, value);
    for (size_t e = 0; e < EBM_MISCALIBRATION_FLOORS; e++) floor[e] = ebm_floor_of(values + e * draws, draws, value[e]);
end:
    free(label);
    free(values);
    ebm_miscalibration_plan_free(&plan);
    ebm_scores_free(&scores);
    return status;
}
