// Selective prediction, and energies of data, noise and other texts.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "html_report_internal.h"
#include "selective.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for the report"); }

// ---- selective prediction

typedef struct {
    double *coverage, *risk; // count
    size_t count;
    ebm_selective measured;
} risk_curve;

static ebm_status make_curve(const ebm_predictions *rows, ebm_certainty kind, risk_curve *curve)
{
    double *certainty = NULL;
    bool *right = NULL;
    ebm_status status = ebm_right_answers(rows, &right);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_certainty_create(rows, 1, kind, &certainty), end);
    EBM_CHECK(ebm_selective_measure(certainty, right, rows->count, &curve->measured), end);
    curve->coverage = calloc(rows->count, sizeof *curve->coverage);
    curve->risk = calloc(rows->count, sizeof *curve->risk);
    if (!curve->coverage || !curve->risk) status = no_memory();
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_risk_coverage(certainty, right, rows->count, curve->risk), end);
    for (size_t i = 0; i < rows->count; i++) curve->coverage[i] = (double)(i + 1) / (double)rows->count;
    curve->count = rows->count;
end:
    free(certainty);
    free(right);
    return status;
}

static void put_selective_row(ebm_report_page *p, const char *name, const ebm_selective *s)
{
    ebm_html_row(p->page, name);
    ebm_html_cell(p->page, false, NULL, "%.4f", s->aurc);
    ebm_html_cell(p->page, false, NULL, "%.4f", s->excess_aurc);
    ebm_html_cell(p->page, false, NULL, "%.4f", s->accuracy_at[1]);
    ebm_html_cell(p->page, false, NULL, "%.4f", s->coverage_at_risk_5);
    ebm_html_cell(p->page, false, NULL, isfinite(s->errors.auroc) ? "%.4f" : "\xE2\x80\x93", s->errors.auroc);
}

// curves[i] of each folder; count 0 where it has none.
static void put_curves(ebm_report_page *p, const char *certainty, const risk_curve *curves, ebm_figure_series *series)
{
    char title[80];
    size_t count = 0;
    for (size_t i = 0; i < p->count; i++)
        if (curves[i].count)
            series[count++] = (ebm_figure_series){.name = p->folders[i].name,
                                                  .x = curves[i].coverage,
                                                  .y = curves[i].risk,
                                                  .count = curves[i].count,
                                                  .style = (int)i};
    if (!count) return;
    snprintf(title, sizeof title, "Risk against coverage, by %s", certainty);
    const ebm_figure figure = {.title = title,
                               .x_label = "coverage (share of texts answered)",
                               .y_label = "risk (share of them wrong)",
                               .x = {0, 1, false}};
    ebm_figure_lines(p->page, &figure, series, count);
}

static ebm_status put_rows(ebm_report_page *p, const char *certainty, const risk_curve *curves)
{
    for (size_t i = 0; i < p->count; i++) {
        if (!curves[i].count) continue;
        char *name = ebm_report_name(p, i, certainty);
        if (!name) return no_memory();
        put_selective_row(p, name, &curves[i].measured);
        free(name);
    }
    return ebm_ok();
}

static bool has_certainty(const ebm_report_folder *f, ebm_certainty kind)
{
    return f->has_examples && (kind != EBM_CERTAINTY_ENERGY || f->examples.read.energy);
}

enum { KINDS = 2 };
static const ebm_certainty kinds[KINDS] = {EBM_CERTAINTY_MAX_PROBABILITY, EBM_CERTAINTY_ENERGY};
static const char *const kind_names[KINDS] = {"largest probability", "energy"};

// curves: KINDS x folders.
static ebm_status make_curves(ebm_report_page *p, risk_curve *curves)
{
    for (size_t k = 0; k < KINDS; k++)
        for (size_t i = 0; i < p->count; i++)
            if (has_certainty(&p->folders[i], kinds[k]))
                EBM_TRY(make_curve(&p->folders[i].examples.read.rows, kinds[k], &curves[k * p->count + i]));
    return ebm_ok();
}

static ebm_status put_selective(ebm_report_page *p, const risk_curve *curves, ebm_figure_series *series)
{
    static const char *const head[] = {"run, surest by",       "AURC",
                                       "excess AURC",          "accuracy of the 80 % surest",
                                       "coverage at 5 % risk", "AUROC of errors"};
    ebm_status status = ebm_ok();
    ebm_html_grid_begin(p->page);
    for (size_t k = 0; k < KINDS; k++) put_curves(p, kind_names[k], curves + k * p->count, series);
    ebm_html_grid_end(p->page);
    ebm_html_table_begin(p->page, "Answering the surest only", head, sizeof head / sizeof *head);
    for (size_t k = 0; k < KINDS && status.code == EBM_OK; k++)
        status = put_rows(p, kind_names[k], curves + k * p->count);
    ebm_html_table_end(p->page);
    return status;
}

static bool any_examples(const ebm_report_page *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->folders[i].has_examples) return true;
    return false;
}

ebm_status ebm_report_selective(ebm_report_page *p)
{
    if (!any_examples(p)) return ebm_ok();
    ebm_html_heading(p->page, 2, "Selective prediction");
    ebm_html_paragraph(p->page,
                       "If only the texts a model is surest of are answered, how many of the answers are wrong? AURC "
                       "is the area under the curve, excess AURC what is above that of the best order; less is "
                       "better. AUROC of errors: how often a right answer is surer than a wrong one.");
    risk_curve *curves = calloc(KINDS * p->count, sizeof *curves);
    ebm_figure_series *series = calloc(p->count, sizeof *series);
    ebm_status status = curves && series ? make_curves(p, curves) : no_memory();
    if (status.code == EBM_OK) status = put_selective(p, curves, series);
    for (size_t i = 0; curves && i < KINDS * p->count; i++) {
        free(curves[i].coverage);
        free(curves[i].risk);
    }
    free(curves);
    free(series);
    return status;
}

// ---- energies

enum { HISTOGRAM_BINS = 30 };

typedef struct {
    double *energy; // of the evaluated texts
    double *entropy;
    size_t count, others; // others: noise first, where there is some, then other distributions
    double **other;
    size_t *other_count;
    char **name;
} energies;

static void energies_free(energies *e)
{
    for (size_t i = 0; e->other && i < e->others; i++) free(e->other[i]);
    for (size_t i = 0; e->name && i < e->others; i++) free(e->name[i]);
    free(e->other);
    free(e->other_count);
    free(e->name);
    free(e->energy);
    free(e->entropy);
    *e = (energies){0};
}

static ebm_status add_other(energies *e, const char *name, const ebm_examples *examples)
{
    ebm_status status;
    if (!ebm_report_energies(examples, &e->other[e->others], &status)) return status;
    e->other_count[e->others] = examples->read.rows.count;
    e->name[e->others] = strdup(name);
    return e->name[e->others++] ? ebm_ok() : no_memory();
}

static ebm_status collect(const ebm_report_folder *f, energies *e)
{
    const size_t most = f->other_count + 1;
    ebm_status status;
    if (!f->has_examples || !ebm_report_energies(&f->examples, &e->energy, &status))
        return f->has_examples ? status : ebm_ok();
    e->count = f->examples.read.rows.count;
    EBM_TRY(ebm_certainty_create(&f->examples.read.rows, 1, EBM_CERTAINTY_ENTROPY, &e->entropy));
    for (size_t i = 0; i < e->count; i++) e->entropy[i] = -e->entropy[i];
    e->other = calloc(most, sizeof *e->other);
    e->other_count = calloc(most, sizeof *e->other_count);
    e->name = calloc(most, sizeof *e->name);
    if (!e->other || !e->other_count || !e->name) return no_memory();
    if (f->has_noise) EBM_TRY(add_other(e, "noise", &f->noise));
    for (size_t i = 0; i < f->other_count; i++) EBM_TRY(add_other(e, f->others[i].name, &f->others[i].examples));
    return ebm_ok();
}

static double mean_of(const double *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += x[i];
    return sum / (double)count;
}

// Pearson's; NaN where one of them does not vary.
static double correlation_of(const double *x, const double *y, size_t count)
{
    const double mx = mean_of(x, count), my = mean_of(y, count);
    double xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : (double)NAN;
}

static ebm_status put_histogram(ebm_report_page *p, const ebm_report_folder *f, const energies *e)
{
    char *title = NULL;
    ebm_figure_sample *samples = calloc(e->others + 1, sizeof *samples);
    if (!samples || asprintf(&title, "%s: %s", f->name, f->examples.read.energy ? "energies" : "free energies") < 0) {
        free(samples);
        return no_memory();
    }
    samples[0] = (ebm_figure_sample){"data", e->energy, e->count, 0};
    for (size_t i = 0; i < e->others; i++)
        samples[i + 1] = (ebm_figure_sample){e->name[i], e->other[i], e->other_count[i], (int)i + 1};
    ebm_figure_histogram(p->page,
                         &(ebm_figure){.title = title, .x_label = "energy (nats)", .y_label = "share of texts"},
                         samples, e->others + 1, HISTOGRAM_BINS);
    free(title);
    free(samples);
    return ebm_ok();
}

// Wrong answers apart: y of the one kind is NaN in the other series.
static ebm_status put_scatter(ebm_report_page *p, const ebm_report_folder *f, const energies *e)
{
    char *title = NULL;
    bool *right = NULL;
    double *parts = calloc(2 * e->count, sizeof *parts);
    const double correlation = correlation_of(e->energy, e->entropy, e->count);
    ebm_status status = parts ? ebm_right_answers(&f->examples.read.rows, &right) : no_memory();
    if (status.code == EBM_OK &&
        asprintf(&title, isfinite(correlation) ? "%s: energy and entropy, correlation %.3f" : "%s: energy and entropy",
                 f->name, correlation) < 0)
        status = no_memory();
    if (status.code == EBM_OK) {
        for (size_t i = 0; i < e->count; i++) {
            parts[i] = right[i] ? e->entropy[i] : (double)NAN;
            parts[e->count + i] = right[i] ? (double)NAN : e->entropy[i];
        }
        const ebm_figure_series series[] = {
            {.name = "right answers", .x = e->energy, .y = parts, .count = e->count, .style = 0},
            {.name = "wrong answers", .x = e->energy, .y = parts + e->count, .count = e->count, .style = 1}};
        ebm_figure_scatter(
            p->page,
            &(ebm_figure){.title = title, .x_label = "energy (nats)", .y_label = "entropy of the labels (nats)"},
            series, 2);
    }
    free(title);
    free(parts);
    free(right);
    return status;
}

// In: data, which should have the lower energies.
static ebm_status put_detection(ebm_report_page *p, const energies *e, size_t folder, size_t other)
{
    ebm_detection d;
    char *name = ebm_report_name(p, folder, e->name[other]);
    const size_t count = e->other_count[other];
    double *in = calloc(e->count + count, sizeof *in);
    ebm_status status = name && in ? ebm_ok() : no_memory();
    for (size_t i = 0; status.code == EBM_OK && i < e->count; i++) in[i] = -e->energy[i];
    for (size_t i = 0; status.code == EBM_OK && i < count; i++) in[e->count + i] = -e->other[other][i];
    if (status.code == EBM_OK) status = ebm_detection_measure(in, e->count, in + e->count, count, &d);
    if (status.code == EBM_OK) {
        ebm_html_row(p->page, name);
        ebm_html_cell(p->page, false, NULL, "%zu", count);
        ebm_html_cell(p->page, false, NULL, "%.3f", mean_of(e->energy, e->count));
        ebm_html_cell(p->page, false, NULL, "%.3f", mean_of(e->other[other], count));
        ebm_html_cell(p->page, false, NULL, "%.4f", d.auroc);
        ebm_html_cell(p->page, false, NULL, "%.4f", d.fpr_at_95_tpr);
    }
    free(name);
    free(in);
    return status;
}

static ebm_status put_detections(ebm_report_page *p, const energies *all)
{
    static const char *const head[] = {"texts",    "how many", "mean energy of data",
                                       "of these", "AUROC",    "FPR at 95 % TPR"};
    bool begun = false;
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < all[i].others; k++) {
            if (!begun)
                ebm_html_table_begin(p->page, "Data told from other texts by the energy", head,
                                     sizeof head / sizeof *head);
            begun = true;
            EBM_TRY(put_detection(p, &all[i], i, k));
        }
    if (begun) ebm_html_table_end(p->page);
    return ebm_ok();
}

static ebm_status put_energies(ebm_report_page *p, const energies *all)
{
    bool any = false, free_energy = false;
    for (size_t i = 0; i < p->count; i++) {
        any |= all[i].count > 0;
        free_energy |= all[i].count > 0 && !p->folders[i].examples.read.energy;
    }
    if (!any) return ebm_ok();
    ebm_html_heading(p->page, 2, "Energies");
    ebm_html_paragraph(p->page, "The lower the energy of a text, the more the model takes it for data.%s",
                       free_energy
                           ? " A model that was not trained with an energy is shown with the free energy of its "
                             "logits, minus ln of the sum of their exponentials."
                           : "");
    ebm_html_grid_begin(p->page);
    for (size_t i = 0; i < p->count; i++) {
        if (!all[i].count) continue;
        EBM_TRY(put_histogram(p, &p->folders[i], &all[i]));
        EBM_TRY(put_scatter(p, &p->folders[i], &all[i]));
    }
    ebm_html_grid_end(p->page);
    return put_detections(p, all);
}

ebm_status ebm_report_energy(ebm_report_page *p)
{
    energies *all = calloc(p->count, sizeof *all);
    ebm_status status = all ? ebm_ok() : no_memory();
    for (size_t i = 0; i < p->count && status.code == EBM_OK; i++) status = collect(&p->folders[i], &all[i]);
    if (status.code == EBM_OK) status = put_energies(p, all);
    for (size_t i = 0; all && i < p->count; i++) energies_free(&all[i]);
    free(all);
    return status;
}
