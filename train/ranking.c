#include "ranking.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    double score;
    uint32_t example;
} ranked;

static int compare_ranked(const void *left, const void *right)
{
    const ranked *a = left, *b = right;
    if (a->score != b->score) return a->score > b->score ? -1 : 1;
    return (a->example > b->example) - (a->example < b->example);
}

static ebm_status check_scores(const char *what, const double *score, size_t count)
{
    if (!count) return ebm_fail(EBM_ERROR_INPUT, "%s: at least one expected, found none", what);
    if (count > UINT32_MAX)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: at most %u expected, found %zu", what, UINT32_MAX, count);
    for (size_t i = 0; i < count; i++)
        if (!isfinite(score[i])) return ebm_fail(EBM_ERROR_NONFINITE, "%s: row %zu is %g", what, i, score[i]);
    return ebm_ok();
}

ebm_status ebm_ranking_create(const char *what, const double *score, size_t count, ebm_ranking *out)
{
    *out = (ebm_ranking){.count = count};
    EBM_TRY(check_scores(what, score, count));
    ranked *by = malloc(count * sizeof *by);
    out->order = malloc(count * sizeof *out->order);
    out->last = malloc(count * sizeof *out->last);
    if (!by || !out->order || !out->last) {
        free(by);
        ebm_ranking_free(out);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the order of %zu %s", count, what);
    }
    for (size_t i = 0; i < count; i++) by[i] = (ranked){score[i], (uint32_t)i};
    qsort(by, count, sizeof *by, compare_ranked);
    for (size_t i = 0; i < count; i++) {
        out->order[i] = by[i].example;
        out->last[i] = i + 1 == count || by[i + 1].score != by[i].score;
    }
    free(by);
    return ebm_ok();
}

void ebm_ranking_free(ebm_ranking *ranking)
{
    free(ranking->order);
    free(ranking->last);
    *ranking = (ebm_ranking){0};
}

void ebm_ranking_ranks(const ebm_ranking *r, const double *weight, double *rank)
{
    double before = 0, run = 0;
    size_t first = 0;
    for (size_t i = 0; i < r->count; i++) {
        run += weight ? weight[r->order[i]] : 1;
        if (!r->last[i]) continue;
        for (size_t j = first; j <= i; j++) rank[r->order[j]] = before + (run + 1) / 2;
        before += run;
        run = 0;
        first = i + 1;
    }
}

typedef struct {
    double in, out;
} tally;

static void count_example(tally *t, const ebm_ranking *r, const bool *in, const double *weight, size_t place)
{
    const uint32_t i = r->order[place];
    *(in[i] ? &t->in : &t->out) += weight ? weight[i] : 1;
}

static tally count_all(const ebm_ranking *r, const bool *in, const double *weight)
{
    tally all = {0};
    for (size_t i = 0; i < r->count; i++) count_example(&all, r, in, weight, i);
    return all;
}

// From the lowest score up, with "out" as what is looked for.
static double average_precision_of_out(const ebm_ranking *r, const bool *in, const double *weight, tally all)
{
    tally seen = {0};
    double sum = 0, before = 0;
    for (size_t i = r->count; i-- > 0;) {
        count_example(&seen, r, in, weight, i);
        if ((i > 0 && !r->last[i - 1]) || !(seen.out > before)) continue;
        sum += (seen.out - before) / all.out * (seen.out / (seen.in + seen.out));
        before = seen.out;
    }
    return sum;
}

ebm_detection ebm_ranking_detection(const ebm_ranking *r, const bool *in, const double *weight)
{
    const double nan = (double)NAN;
    const tally all = count_all(r, in, weight);
    if (!(all.in > 0 && all.out > 0)) return (ebm_detection){nan, nan, nan, nan};
    ebm_detection d = {.aupr_out = average_precision_of_out(r, in, weight, all), .fpr_at_95_tpr = -1};
    tally seen = {0}, before = {0};
    for (size_t i = 0; i < r->count; i++) {
        count_example(&seen, r, in, weight, i);
        if (!r->last[i]) continue;
        const double ins = seen.in - before.in, outs = seen.out - before.out;
        d.auroc += ins * (all.out - seen.out + outs / 2);
        if (ins > 0) d.aupr_in += ins / all.in * (seen.in / (seen.in + seen.out));
        if (d.fpr_at_95_tpr < 0 && seen.in / all.in >= 0.95) d.fpr_at_95_tpr = seen.out / all.out;
        before = seen;
    }
    d.auroc /= all.in * all.out;
    return d;
}

// ---- risk and coverage

typedef struct {
    double wrong, answered; // of the runs of equal certainty before the one at hand
    double places[EBM_COVERAGES];
    double sum; // of risks
    ebm_selective result;
} walk;

// A run's wrong answers are spread evenly over its places: the mean over its orders.
static void walk_run(walk *w, double wrong, double run, double *risk)
{
    for (double j = 1; j <= run; j++) {
        const double k = w->answered + j, r = (w->wrong + j * wrong / run) / k;
        w->sum += r;
        if (risk) risk[(size_t)k - 1] = r;
        if (r <= 0.05) w->result.coverage_at_risk_5 = k;
        for (int c = 0; c < EBM_COVERAGES; c++)
            if (k == w->places[c]) w->result.accuracy_at[c] = 1 - r;
    }
    w->wrong += wrong;
    w->answered += run;
}

static double sum_of_best_risks(double right, double wrong)
{
    double sum = 0;
    for (double j = 1; j <= wrong; j++) sum += j / (right + j);
    return sum;
}

ebm_selective ebm_ranking_selective(const ebm_ranking *r, const bool *right, const double *weight, double *risk)
{
    const tally all = count_all(r, right, weight);
    const double n = all.in + all.out;
    walk w = {0};
    tally run = {0};
    for (int c = 0; c < EBM_COVERAGES; c++) w.places[c] = ceil(ebm_coverages[c] * n / 100);
    for (size_t i = 0; i < r->count; i++) {
        count_example(&run, r, right, weight, i);
        if (!r->last[i]) continue;
        walk_run(&w, run.out, run.in + run.out, risk);
        run = (tally){0};
    }
    w.result.aurc = w.sum / n;
    w.result.excess_aurc = (w.sum - sum_of_best_risks(all.in, all.out)) / n;
    w.result.coverage_at_risk_5 /= n;
    w.result.errors = ebm_ranking_detection(r, right, weight);
    return w.result;
}
