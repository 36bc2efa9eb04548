// Metrics and reliability, as they are and with a calibrator.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html_report_internal.h"

typedef const ebm_report_view *(*view_of)(const ebm_report_folder *folder);
static const ebm_report_view *raw_of(const ebm_report_folder *f) { return &f->raw; }
static const ebm_report_view *before_of(const ebm_report_folder *f) { return &f->before; }
static const ebm_report_view *after_of(const ebm_report_folder *f) { return &f->after; }

static size_t count_views(const ebm_report_page *p, view_of of)
{
    size_t views = 0;
    for (size_t i = 0; i < p->count; i++) views += of(&p->folders[i])->there;
    return views;
}

// ---- which value is best

// Only what was measured on the same texts can be compared.
static bool are_same_texts(const ebm_report_page *p, view_of of)
{
    const ebm_report_view *first = NULL;
    for (size_t i = 0; i < p->count; i++) {
        const ebm_report_view *v = of(&p->folders[i]);
        if (!v->there) continue;
        if (!v->rows.label) return false;
        if (!first) first = v;
        if (v->rows.count != first->rows.count || v->rows.labels != first->rows.labels ||
            memcmp(v->rows.label, first->rows.label, v->rows.count * sizeof *v->rows.label) != 0)
            return false;
    }
    return true;
}

#define PRINTED 5e-5 // values that are printed alike are alike

// NaN where all are equal: then none is best.
static double best_of(const ebm_report_page *p, view_of of, ebm_metric metric)
{
    double best = (double)NAN, worst = (double)NAN;
    for (size_t i = 0; i < p->count; i++) {
        const ebm_report_view *v = of(&p->folders[i]);
        const double here = v->there ? v->evaluation.value[metric] : (double)NAN;
        best = ebm_metric_more_is_better(metric) ? fmax(best, here) : fmin(best, here);
        worst = ebm_metric_more_is_better(metric) ? fmin(worst, here) : fmax(worst, here);
    }
    return fabs(best - worst) < PRINTED ? (double)NAN : best;
}

// ---- tables

static const char *const NAMES[EBM_METRICS] = {"accuracy",   "F1 of label 1", "macro F1",       "Matthews correlation",
                                               "NLL (nats)", "Brier score",   "class-wise ECE", "top-label ECE",
                                               "pooled ECE"};

static void put_value(ebm_report_page *p, const ebm_report_view *v, ebm_metric m, double best)
{
    const ebm_evaluation *e = &v->evaluation;
    char note[160] = "";
    size_t at = 0;
    if (!isfinite(e->value[m])) {
        ebm_html_cell(p->page, false, NULL, "\xE2\x80\x93");
        return;
    }
    if (isfinite(e->interval[m].low))
        at = (size_t)snprintf(note, sizeof note, "%.4f to %.4f", e->interval[m].low, e->interval[m].high);
    if (m >= EBM_ECE_CLASS_WISE && isfinite(e->floor[m - EBM_ECE_CLASS_WISE].mean)) {
        const ebm_floor floor = e->floor[m - EBM_ECE_CLASS_WISE];
        at += (size_t)snprintf(note + at, sizeof note - at, "%sfloor %.4f, 95 %%: %.4f", at ? "\n" : "", floor.mean,
                               floor.high);
        if (isfinite(floor.p)) snprintf(note + at, sizeof note - at, "\np = %.3f", floor.p);
    }
    ebm_html_cell(p->page, fabs(e->value[m] - best) < PRINTED, note, "%.4f", e->value[m]);
}

static bool any_value(const ebm_report_page *p, view_of of, ebm_metric m)
{
    for (size_t i = 0; i < p->count; i++)
        if (of(&p->folders[i])->there && isfinite(of(&p->folders[i])->evaluation.value[m])) return true;
    return false;
}

// Folders without such a view have no columns.
static ebm_status begin_table(ebm_report_page *p, const char *caption, view_of view, bool both)
{
    char **names = calloc(1 + 2 * p->count, sizeof *names);
    size_t columns = 1;
    bool made = names != NULL;
    for (size_t i = 0; made && i < p->count; i++) {
        if (!view(&p->folders[i])->there) continue;
        if (both) names[columns++] = ebm_report_name(p, i, "raw");
        names[columns++] = both ? ebm_report_name(p, i, "calibrated") : strdup(p->folders[i].name);
    }
    if (made) names[0] = strdup("metric");
    for (size_t i = 0; made && i < columns; i++) made = names[i] != NULL;
    if (made) ebm_html_table_begin(p->page, caption, (const char *const *)names, columns);
    for (size_t i = 0; names && i < columns; i++) free(names[i]);
    free(names);
    return made ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for a table");
}

static void put_metric(ebm_report_page *p, view_of before, view_of view, ebm_metric m, double best)
{
    ebm_html_row(p->page, NAMES[m]);
    for (size_t i = 0; i < p->count; i++) {
        if (!view(&p->folders[i])->there) continue;
        if (before) put_value(p, before(&p->folders[i]), m, (double)NAN);
        put_value(p, view(&p->folders[i]), m, best);
    }
}

// `before` (or NULL) stands beside each view; the best of the views is marked.
static ebm_status put_table(ebm_report_page *p, const char *caption, view_of before, view_of view)
{
    const bool mark = count_views(p, view) > 1 && are_same_texts(p, view);
    EBM_TRY(begin_table(p, caption, view, before != NULL));
    ebm_html_row(p->page, "texts");
    for (size_t i = 0; i < p->count; i++) {
        const ebm_report_view *v = view(&p->folders[i]);
        for (int k = before ? 0 : 1; v->there && k < 2; k++)
            ebm_html_cell(p->page, false, NULL, "%zu", v->evaluation.examples);
    }
    for (ebm_metric m = 0; m < EBM_METRICS; m++)
        if (any_value(p, view, m)) put_metric(p, before, view, m, mark ? best_of(p, view, m) : (double)NAN);
    ebm_html_table_end(p->page);
    return ebm_ok();
}

static void explain(ebm_report_page *p)
{
    ebm_html_note(
        p->page, "%s",
        "More is better down to the Matthews correlation, less from NLL on. Small print: 95 % intervals of a "
        "bootstrap over the texts; those of calibration errors (ECE) lie high, as resampling adds noise. Floor: "
        "what a perfectly calibrated model would show on so few texts, its mean and its 95 % quantile, and the "
        "p-value of being calibrated; differences near it mean nothing.");
    if (count_views(p, raw_of) < 2) return;
    if (are_same_texts(p, raw_of))
        ebm_html_note(p->page,
                      "The best value of a row is in bold; whether it is better by more than chance, the intervals "
                      "of single runs do not say.");
    else
        ebm_html_note(p->page,
                      "Nothing is marked as best: it is not certain that all were measured on the same texts.");
}

ebm_status ebm_report_metrics(ebm_report_page *p)
{
    if (count_views(p, raw_of) == 0) return ebm_ok();
    ebm_html_heading(p->page, 2, "Metrics");
    EBM_TRY(put_table(p, "As the models say it", NULL, raw_of));
    explain(p);
    for (size_t i = 0; i < p->count; i++)
        if (p->folders[i].calibration[0])
            ebm_html_paragraph(p->page, "%s%s%s", p->count > 1 ? p->folders[i].name : "", p->count > 1 ? ": " : "",
                               p->folders[i].calibration);
    if (count_views(p, after_of) == 0) return ebm_ok();
    return put_table(p, "With a calibrator, and the same texts without it", before_of, after_of);
}

// ---- reliability

static size_t add_method(ebm_figure_reliability_method *methods, size_t count, const ebm_report_view *v,
                         const char *name, int style, bool chance)
{
    if (!v->there) return count;
    const ebm_figure_reliability_method method = {name, v->bin, chance && v->has_chance ? v->chance : NULL,
                                                  EBM_REPORT_BINS, style};
    methods[count] = method;
    return count + 1;
}

static void put_all(ebm_report_page *p, ebm_figure_reliability_method *methods, view_of of, const char *title)
{
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        count = add_method(methods, count, of(&p->folders[i]), p->folders[i].name, (int)i, p->count <= 3);
    if (count) ebm_figure_reliability(p->page, &(ebm_figure){.title = title}, methods, count);
}

static void put_before_and_after(ebm_report_page *p, ebm_figure_reliability_method *methods, size_t folder)
{
    const ebm_report_folder *f = &p->folders[folder];
    char *title = NULL;
    size_t count = add_method(methods, 0, &f->before, "raw", 1, true);
    count = add_method(methods, count, &f->after, "calibrated", 0, true);
    if (asprintf(&title, "%s, before and after calibration (%zu texts)", f->name, f->after.evaluation.examples) < 0)
        title = NULL;
    if (count && title) ebm_figure_reliability(p->page, &(ebm_figure){.title = title}, methods, count);
    free(title);
}

ebm_status ebm_report_reliability(ebm_report_page *p)
{
    if (count_views(p, raw_of) == 0) return ebm_ok();
    ebm_figure_reliability_method *methods = calloc(p->count + 2, sizeof *methods);
    if (!methods) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a figure");
    ebm_html_heading(p->page, 2, "Reliability");
    ebm_html_paragraph(
        p->page, "%s",
        "Texts are put into ten bins by the probability of the predicted label. Below the diagonal a model "
        "is over-confident, above it under-confident. The broad bars around the diagonal show where 95 % of "
        "the points of a calibrated model would lie on so few texts.");
    ebm_html_grid_begin(p->page);
    put_all(p, methods, raw_of, "As the models say it");
    if (p->count > 1) put_all(p, methods, after_of, "Calibrated");
    for (size_t i = 0; i < p->count; i++)
        if (p->folders[i].after.there) put_before_and_after(p, methods, i);
    ebm_html_grid_end(p->page);
    free(methods);
    return ebm_ok();
}
