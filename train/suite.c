#include "suite.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap_internal.h"
#include "random.h"
#include "suite_part.h"

#define DRAWS_MOST 1000000 // redraw r of half h has number r + h times this
enum { HALVES_MOST = 2, SEEDS_MOST = 1000 };

ebm_suite_options ebm_suite_defaults(void)
{
    return (ebm_suite_options){EBM_SUITE_ALL, EBM_BINS_DEFAULT, EBM_RESAMPLES_DEFAULT, EBM_REDRAWS_DEFAULT, 0};
}

// A method: its parts prepared, and how often each seed counts in the resample at hand.
typedef struct {
    const ebm_suite_runs *runs;
    ebm_suite_measurer *measurer; // seeds x halves
    double *times;                // seeds
    double *sum, *one;            // a value a row
} method;

typedef struct {
    ebm_suite_plan plan;
    ebm_suite_options options;
    size_t rows;
    int methods;
    method method[2];
    double *weight[HALVES_MOST]; // of each half's examples, the others behind them
    size_t examples[HALVES_MOST], others[HALVES_MOST];
    double *drawn; // rows x draws
} engine;

// ---- what the parts must have in common

static ebm_status check_part(const ebm_suite_part *part, const ebm_suite_part *first, int seed)
{
    const ebm_predictions *p = &part->predictions, *q = &first->predictions;
    EBM_TRY(ebm_in(ebm_predictions_check(p), "run %d", seed + 1));
    if (p->count != q->count || p->labels != q->labels)
        return ebm_fail(EBM_ERROR_INPUT,
                        "run %d: %zu examples with %d labels expected as in the first, found %zu with %d", seed + 1,
                        q->count, q->labels, p->count, p->labels);
    for (size_t i = 0; i < p->count; i++)
        if (p->label[i] != q->label[i])
            return ebm_fail(EBM_ERROR_INPUT, "run %d: row %zu: label %d expected as in the first, found %d", seed + 1,
                            i, q->label[i], p->label[i]);
    const size_t others = part->others ? part->others->count : 0, expected = first->others ? first->others->count : 0;
    if (others == expected) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "run %d: %zu out-of-distribution examples expected as in the first, found %zu",
                    seed + 1, expected, others);
}

static ebm_status check_runs(const ebm_suite_runs *runs, const ebm_suite_runs *first)
{
    if (runs->seeds < 1 || runs->seeds > SEEDS_MOST || runs->halves < 1 || runs->halves > HALVES_MOST)
        return ebm_fail(EBM_ERROR_INPUT, "runs: 1 to %d seeds of 1 or 2 halves expected, found %d of %d", SEEDS_MOST,
                        runs->seeds, runs->halves);
    if (runs->halves != first->halves)
        return ebm_fail(EBM_ERROR_INPUT, "runs: %d halves expected as in the other method, found %d", first->halves,
                        runs->halves);
    for (int s = 0; s < runs->seeds; s++)
        for (int h = 0; h < runs->halves; h++)
            EBM_TRY(check_part(runs->part + s * runs->halves + h, first->part + h, s));
    return ebm_ok();
}

static void narrow_plan(const ebm_suite_runs *runs, ebm_suite_plan *plan)
{
    for (int i = 0; i < runs->seeds * runs->halves; i++) {
        const ebm_suite_part *part = runs->part + i;
        if (part->probabilities)
            plan->certainties &= ~(1U << EBM_CERTAINTY_MAX_LOGIT | 1U << EBM_CERTAINTY_FREE_ENERGY);
        if (!part->predictions.energy || (part->others && !part->others->energy))
            plan->certainties &= ~(1U << EBM_CERTAINTY_ENERGY);
        if (!part->counts) plan->sections &= ~EBM_SUITE_AGREEMENT;
        plan->others &= part->others != NULL;
    }
}

// ---- making and freeing

static ebm_status method_create(const engine *e, const ebm_suite_runs *runs, method *m)
{
    const size_t parts = (size_t)runs->seeds * (size_t)runs->halves;
    m->runs = runs;
    m->measurer = calloc(parts, sizeof *m->measurer);
    m->times = calloc((size_t)runs->seeds, sizeof *m->times);
    m->sum = calloc(e->rows, sizeof *m->sum);
    m->one = calloc(e->rows, sizeof *m->one);
    if (!m->measurer || !m->times || !m->sum || !m->one)
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu runs", parts);
    for (size_t i = 0; i < parts; i++) EBM_TRY(ebm_suite_measurer_create(runs->part + i, &e->plan, m->measurer + i));
    return ebm_ok();
}

static void engine_free(engine *e)
{
    for (int k = 0; k < 2; k++) {
        method *m = e->method + k;
        for (int i = 0; m->measurer && i < m->runs->seeds * m->runs->halves; i++)
            ebm_suite_measurer_free(m->measurer + i);
        free(m->measurer);
        free(m->times);
        free(m->sum);
        free(m->one);
    }
    for (int h = 0; h < HALVES_MOST; h++) free(e->weight[h]);
    free(e->drawn);
}

static ebm_status make_weights(engine *e, const ebm_suite_runs *runs)
{
    for (int h = 0; h < runs->halves; h++) {
        e->examples[h] = runs->part[h].predictions.count;
        e->others[h] = e->plan.others ? runs->part[h].others->count : 0;
        e->weight[h] = malloc((e->examples[h] + e->others[h]) * sizeof **e->weight);
        if (!e->weight[h])
            return ebm_fail(EBM_ERROR_MEMORY, "no memory for the weights of %zu examples", e->examples[h]);
    }
    return ebm_ok();
}

// A count of draws that must be possible even when it is 0.
static ebm_status make_draws(engine *e, const char *what, int draws)
{
    if (draws == 0) return ebm_ok();
    free(e->drawn);
    e->drawn = NULL;
    const size_t most = e->others[0] > e->examples[0] ? e->others[0] : e->examples[0];
    return ebm_draws_allocate(what, draws, most, (int)e->rows, &e->drawn);
}

static ebm_status engine_create(const ebm_suite_runs *runs, const ebm_suite_runs *baseline,
                                const ebm_suite_options *options, engine *e)
{
    *e = (engine){.options = *options, .methods = baseline ? 2 : 1};
    e->plan = (ebm_suite_plan){options->sections, options->bins, (1U << EBM_CERTAINTIES) - 1, true};
    EBM_TRY(check_runs(runs, runs));
    if (baseline) EBM_TRY(ebm_in(check_runs(baseline, runs), "baseline"));
    narrow_plan(runs, &e->plan);
    if (baseline) narrow_plan(baseline, &e->plan);
    e->rows = ebm_suite_rows(&e->plan, NULL);
    if (!e->rows) return ebm_fail(EBM_ERROR_INPUT, "suite: a section expected that these predictions can have");
    EBM_TRY(make_weights(e, runs));
    EBM_TRY(method_create(e, runs, e->method));
    return baseline ? method_create(e, baseline, e->method + 1) : ebm_ok();
}

// ---- values

// The mean over drawn seeds and halves, into m->sum.
static void method_values(engine *e, method *m, bool weighted)
{
    double total = 0;
    memset(m->sum, 0, e->rows * sizeof *m->sum);
    for (int s = 0; s < m->runs->seeds; s++) {
        if (!(m->times[s] > 0)) continue;
        for (int h = 0; h < m->runs->halves; h++) {
            ebm_suite_measurer_values(m->measurer + s * m->runs->halves + h, &e->plan, weighted ? e->weight[h] : NULL,
                                      m->one);
            for (size_t i = 0; i < e->rows; i++) m->sum[i] += m->times[s] * m->one[i];
            total += m->times[s];
        }
    }
    for (size_t i = 0; i < e->rows; i++) m->sum[i] /= total;
}

static double value_of(const engine *e, size_t row)
{
    return e->method[0].sum[row] - (e->methods > 1 ? e->method[1].sum[row] : 0);
}

static void all_values(engine *e, bool weighted)
{
    for (int k = 0; k < e->methods; k++) method_values(e, e->method + k, weighted);
}

static void every_seed_once(engine *e)
{
    for (int k = 0; k < e->methods; k++)
        for (int s = 0; s < e->method[k].runs->seeds; s++) e->method[k].times[s] = 1;
}

// ---- resamples

static void draw_seeds(engine *e, uint32_t number)
{
    ebm_random random = ebm_random_stream(e->options.seed, number, EBM_SITE_RUNS);
    for (int k = 0; k < e->methods; k++) {
        const int seeds = e->method[k].runs->seeds;
        double *times = e->method[k].times;
        if (k > 0 && seeds == e->method[0].runs->seeds) {
            memcpy(times, e->method[0].times, (size_t)seeds * sizeof *times);
            continue;
        }
        memset(times, 0, (size_t)seeds * sizeof *times);
        for (int s = 0; s < seeds; s++) times[ebm_random_below(&random, (uint32_t)seeds)]++;
    }
}

static void draw_rows(ebm_random *random, double *weight, size_t count)
{
    memset(weight, 0, count * sizeof *weight);
    for (size_t i = 0; i < count; i++) weight[ebm_random_below(random, (uint32_t)count)]++;
}

static void draw_examples(engine *e, uint32_t number)
{
    ebm_random random = ebm_random_stream(e->options.seed, number, EBM_SITE_BOOTSTRAP);
    for (int h = 0; h < e->method[0].runs->halves; h++) {
        draw_rows(&random, e->weight[h], e->examples[h]);
        if (e->others[h]) draw_rows(&random, e->weight[h] + e->examples[h], e->others[h]);
    }
}

// Twice the smaller share of resamples at or beyond 0, with the value itself counted as one of them.
static double p_of(const double *differences, size_t count)
{
    double below = 1, above = 1;
    for (size_t i = 0; i < count; i++) {
        if (isnan(differences[i])) return (double)NAN;
        below += differences[i] <= 0;
        above += differences[i] >= 0;
    }
    return fmin(1, 2 * fmin(below, above) / (1 + (double)count));
}

static ebm_status measure_intervals(engine *e, ebm_suite_row *rows)
{
    const size_t draws = (size_t)e->options.resamples;
    if (e->options.resamples == 0) return ebm_ok();
    EBM_TRY(make_draws(e, "resamples", e->options.resamples));
    for (size_t r = 0; r < draws; r++) {
        draw_seeds(e, (uint32_t)r);
        draw_examples(e, (uint32_t)r);
        all_values(e, true);
        for (size_t i = 0; i < e->rows; i++) e->drawn[i * draws + r] = value_of(e, i);
    }
    for (size_t i = 0; i < e->rows; i++) {
        if (e->methods > 1) rows[i].p = p_of(e->drawn + i * draws, draws);
        rows[i].interval = ebm_interval_of(e->drawn + i * draws, draws);
    }
    return ebm_ok();
}

// ---- floors

static void redraw_values(engine *e, uint32_t number)
{
    method *m = e->method;
    const int halves = m->runs->halves;
    memset(m->sum, 0, e->rows * sizeof *m->sum);
    for (int i = 0; i < m->runs->seeds * halves; i++) {
        const uint32_t half = (uint32_t)(i % halves);
        ebm_suite_measurer_redraw(m->measurer + i, &e->plan, e->options.seed, number + half * DRAWS_MOST, m->one);
        for (size_t k = 0; k < e->rows; k++) m->sum[k] += m->one[k] / (m->runs->seeds * halves);
    }
}

static ebm_status measure_floors(engine *e, ebm_suite_row *rows)
{
    const size_t draws = (size_t)e->options.redraws;
    if (e->options.redraws == 0 || e->methods > 1) return ebm_ok();
    EBM_TRY(make_draws(e, "redraws", e->options.redraws));
    for (size_t r = 0; r < draws; r++) {
        redraw_values(e, (uint32_t)r);
        for (size_t i = 0; i < e->rows; i++) e->drawn[i * draws + r] = e->method[0].sum[i];
    }
    for (size_t i = 0; i < e->rows; i++)
        if (rows[i].has_floor) rows[i].floor = ebm_floor_of(e->drawn + i * draws, draws, rows[i].value);
    return ebm_ok();
}

// ---- all of it

static void describe(const engine *e, ebm_suite *out)
{
    const ebm_suite_runs *runs = e->method[0].runs;
    out->count = e->rows;
    out->options = e->options;
    out->options.sections = e->plan.sections;
    out->difference = e->methods > 1;
    out->seeds = runs->seeds;
    out->halves = runs->halves;
    out->labels = runs->part->predictions.labels;
    for (int h = 0; h < runs->halves; h++) out->examples += e->examples[h];
    out->certainties = e->plan.certainties;
    out->has_others = e->plan.others;
}

static ebm_status measure(engine *e, ebm_suite *out)
{
    out->rows = malloc(e->rows * sizeof *out->rows);
    if (!out->rows) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu values", e->rows);
    describe(e, out);
    ebm_suite_rows(&e->plan, out->rows);
    every_seed_once(e);
    all_values(e, false);
    for (size_t i = 0; i < e->rows; i++) {
        out->rows[i].value = value_of(e, i);
        out->rows[i].has_floor &= e->options.redraws > 0 && e->methods == 1;
    }
    EBM_TRY(measure_intervals(e, out->rows));
    return measure_floors(e, out->rows);
}

static ebm_status measure_methods(const ebm_suite_runs *runs, const ebm_suite_runs *baseline,
                                  const ebm_suite_options *options, ebm_suite *out)
{
    engine e;
    *out = (ebm_suite){0};
    ebm_status status = engine_create(runs, baseline, options, &e);
    if (status.code == EBM_OK) status = measure(&e, out);
    if (status.code != EBM_OK) ebm_suite_free(out);
    engine_free(&e);
    return status;
}

ebm_status ebm_suite_measure(const ebm_suite_runs *runs, const ebm_suite_options *options, ebm_suite *out)
{
    return measure_methods(runs, NULL, options, out);
}

ebm_status ebm_suite_compare(const ebm_suite_runs *runs, const ebm_suite_runs *baseline,
                             const ebm_suite_options *options, ebm_suite *out)
{
    return measure_methods(runs, baseline, options, out);
}

void ebm_suite_free(ebm_suite *suite)
{
    free(suite->rows);
    *suite = (ebm_suite){0};
}

const ebm_suite_row *ebm_suite_find(const ebm_suite *suite, const char *name)
{
    for (size_t i = 0; i < suite->count; i++)
        if (strcmp(suite->rows[i].name, name) == 0) return suite->rows + i;
    return NULL;
}
