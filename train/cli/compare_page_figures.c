// Figures of a comparison's page: bars of a metric, reliability, risk and coverage, energies.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "compare_page_internal.h"

enum { BINS = 10, CURVE_POINTS = 100, HISTOGRAM_BINS = 30 };

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for the page of a comparison"); }

static const char *name_of(const compare_page *p, const compare_pool *pool)
{
    return p->results->plan->variants[pool->variant].name;
}

// ---- bars

static ebm_status put_bars(compare_page *p, size_t t, const compare_column *column, const char *title)
{
    const compare_plan *plan = p->results->plan;
    ebm_figure_bar *bars = calloc(plan->variant_count + 1, sizeof *bars);
    size_t count = 0;
    if (!bars) return no_memory();
    for (size_t v = 0; v < plan->variant_count; v++) {
        const ebm_suite_row *row = compare_cell_row(compare_results_at(p->results, t, v), column, false);
        if (!row) continue;
        bars[count++] = (ebm_figure_bar){plan->variants[v].name, row->value, row->interval.low, row->interval.high,
                                         column->calibrated};
    }
    if (count) ebm_figure_bars(p->page, &(ebm_figure){.title = title, .x_label = column->heading}, bars, count);
    free(bars);
    return ebm_ok();
}

// ---- reliability

typedef struct {
    ebm_reliability_bin bin[COMPARE_FIGURE_METHODS][BINS];
    ebm_interval bar[COMPARE_FIGURE_METHODS][BINS];
    ebm_figure_reliability_method method[COMPARE_FIGURE_METHODS];
} diagrams;

static ebm_status put_reliability(compare_page *p, const compare_pool *pools, size_t count, bool calibrated)
{
    diagrams *d = calloc(1, sizeof *d);
    ebm_status status = d ? ebm_ok() : no_memory();
    for (size_t i = 0; status.code == EBM_OK && i < count; i++) {
        ebm_predictions rows = calibrated ? pools[i].calibrated : pools[i].raw;
        rows.energy = NULL;
        status = ebm_reliability_measure(&rows, 1, BINS, d->bin[i]);
        if (status.code == EBM_OK)
            status = ebm_reliability_consistency(&rows, 1, BINS, EBM_REDRAWS_DEFAULT, 0, d->bar[i]);
        d->method[i] = (ebm_figure_reliability_method){name_of(p, pools + i), d->bin[i], d->bar[i], BINS, (int)i};
    }
    if (status.code == EBM_OK)
        ebm_figure_reliability(
            p->page,
            &(ebm_figure){.title = calibrated ? "Reliability with a temperature" : "Reliability as the models say it"},
            d->method, count);
    free(d);
    return status;
}

// ---- risk and coverage

typedef struct {
    double x[CURVE_POINTS], y[CURVE_POINTS];
} curve;

static ebm_status fill_curve(const ebm_predictions *rows, curve *c)
{
    double *certainty = NULL, *risk = malloc(rows->count * sizeof *risk);
    bool *right = NULL;
    ebm_status status = risk ? ebm_right_answers(rows, &right) : no_memory();
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_certainty_create(rows, 1, EBM_CERTAINTY_MAX_PROBABILITY, &certainty), end);
    EBM_CHECK(ebm_risk_coverage(certainty, right, rows->count, risk), end);
    for (size_t k = 0; k < CURVE_POINTS; k++) {
        const size_t at = (k + 1) * rows->count / CURVE_POINTS;
        c->x[k] = (double)at / (double)rows->count;
        c->y[k] = at ? risk[at - 1] : (double)NAN;
    }
end:
    free(certainty);
    free(risk);
    free(right);
    return status;
}

static ebm_status put_risk(compare_page *p, const compare_pool *pools, size_t count)
{
    curve *curves = calloc(count + 1, sizeof *curves);
    ebm_figure_series series[COMPARE_FIGURE_METHODS] = {{0}};
    ebm_status status = curves ? ebm_ok() : no_memory();
    for (size_t i = 0; status.code == EBM_OK && i < count; i++) {
        ebm_predictions rows = pools[i].calibrated;
        rows.energy = NULL;
        status = fill_curve(&rows, curves + i);
        series[i] = (ebm_figure_series){
            .name = name_of(p, pools + i), .x = curves[i].x, .y = curves[i].y, .count = CURVE_POINTS, .style = (int)i};
    }
    if (status.code == EBM_OK)
        ebm_figure_lines(p->page,
                         &(ebm_figure){.title = "Risk when only the surest are answered",
                                       .x_label = "coverage (share of texts answered)",
                                       .y_label = "risk (share of those wrong)"},
                         series, count);
    free(curves);
    return status;
}

// ---- energies

static ebm_status put_energies(compare_page *p, const compare_pool *pools, size_t count)
{
    ebm_figure_sample samples[COMPARE_FIGURE_METHODS];
    double *values[COMPARE_FIGURE_METHODS] = {0};
    size_t used = 0;
    ebm_status status = ebm_ok();
    for (size_t i = 0; status.code == EBM_OK && i < count; i++) {
        if (!pools[i].raw.energy) continue;
        values[used] = malloc(pools[i].raw.count * sizeof **values);
        if (!values[used]) status = no_memory();
        for (size_t r = 0; status.code == EBM_OK && r < pools[i].raw.count; r++)
            values[used][r] = (double)pools[i].raw.energy[r];
        samples[used] = (ebm_figure_sample){name_of(p, pools + i), values[used], pools[i].raw.count, (int)i};
        used++;
    }
    if (status.code == EBM_OK && used > 0)
        ebm_figure_histogram(p->page,
                             &(ebm_figure){.title = "Energies of the evaluation texts",
                                           .x_label = "energy (nats, lower is more like data)",
                                           .y_label = "share of texts"},
                             samples, used, HISTOGRAM_BINS);
    for (size_t i = 0; i < used; i++) free(values[i]);
    return status;
}

ebm_status compare_page_figures(compare_page *p, size_t t)
{
    const compare_column columns[] = {{"nll", "NLL (nats)", false, true},
                                      {"nll", "NLL (nats)", true, true},
                                      {"ece_class_wise", "class-wise ECE", false, true},
                                      {"ece_class_wise", "class-wise ECE", true, true}};
    static const char *const titles[] = {"NLL as the models say it", "NLL with a temperature",
                                         "Calibration error as the models say it",
                                         "Calibration error with a temperature"};
    compare_pool pools[COMPARE_FIGURE_METHODS];
    size_t count = 0;
    ebm_html_grid_begin(p->page);
    for (size_t c = 0; c < 4; c++) EBM_TRY(put_bars(p, t, columns + c, titles[c]));
    ebm_status status = compare_pools_read(p, t, pools, &count);
    if (status.code == EBM_OK && count > 0) {
        status = put_reliability(p, pools, count, false);
        if (status.code == EBM_OK) status = put_reliability(p, pools, count, true);
        if (status.code == EBM_OK) status = put_risk(p, pools, count);
        if (status.code == EBM_OK) status = put_energies(p, pools, count);
    }
    compare_pools_free(pools, count);
    ebm_html_grid_end(p->page);
    if (count == COMPARE_FIGURE_METHODS && p->results->plan->variant_count > count)
        ebm_html_note(p->page, "Curves show the first %zu methods; the tables have all.", count);
    return status;
}
