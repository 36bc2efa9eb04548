// Curves of trainer_log.jsonl.
#include <math.h>
#include <stdlib.h>

#include "html_report_internal.h"
#include "model_card_internal.h"

typedef struct {
    const char *key, *title, *label;
    bool markers, logarithmic;
    double reference; // NaN: none
    const char *reference_name;
} curve;

// Log of steps, then of evaluations. A key no run has leaves its figure out.
#define NONE ((double)NAN), NULL

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for the curves of training"); }

// Told apart: the mean of the shares of data and of noise on their sides, 0.5 by chance.
static double value_of(const json_t *line, const char *key)
{
    const double value = ebm_card_number(line, key);
    if (isfinite(value) || key[0] != 't') return value;
    return (ebm_card_number(line, "data_told_apart") + ebm_card_number(line, "noise_told_apart")) / 2;
}

// x and y of a run's log; count 0 where the key is not there.
static ebm_status make_series(const json_t *log, const char *key, ebm_figure_series *series)
{
    const size_t lines = json_array_size(log);
    double *x = calloc(2 * lines + 1, sizeof *x);
    if (!x) return no_memory();
    size_t count = 0;
    for (size_t i = 0; i < lines; i++) {
        const json_t *line = json_array_get(log, i);
        const double step = ebm_card_number(line, "step"), value = value_of(line, key);
        if (!isfinite(step) || !isfinite(value)) continue;
        x[count] = step;
        x[lines + count++] = value;
    }
    series->x = x; // owned here, y lies behind it
    series->y = x + lines;
    series->count = count;
    return ebm_ok();
}

static void free_series(ebm_figure_series *series, size_t count)
{
    for (size_t i = 0; series && i < count; i++) free((void *)(uintptr_t)series[i].x);
    free(series);
}

static void put_figure(ebm_report_page *p, const curve *c, ebm_figure_series *series)
{
    double from = INFINITY, to = -INFINITY;
    size_t drawn = 0;
    for (size_t i = 0; i < p->count; i++)
        for (size_t k = 0; k < series[i].count; k++) {
            from = fmin(from, series[i].x[k]);
            to = fmax(to, series[i].x[k]);
            drawn++;
        }
    if (!drawn) return;
    const double x[] = {from, to}, y[] = {c->reference, c->reference};
    ebm_figure_series *reference = &series[p->count];
    const bool has_reference = isfinite(c->reference);
    *reference = (ebm_figure_series){.name = c->reference_name, .x = x, .y = y, .count = 2, .reference = true};
    const ebm_figure figure = {.title = c->title, .x_label = "step", .y_label = c->label, .y = {0, 0, c->logarithmic}};
    ebm_figure_lines(p->page, &figure, series, p->count + has_reference);
}

static ebm_status put_curve(ebm_report_page *p, const curve *c)
{
    ebm_figure_series *series = calloc(p->count + 1, sizeof *series);
    ebm_status status = series ? ebm_ok() : no_memory();
    for (size_t i = 0; i < p->count && status.code == EBM_OK; i++) {
        status = make_series(p->folders[i].log, c->key, &series[i]);
        series[i].name = p->folders[i].name;
        series[i].style = (int)i;
        series[i].markers = c->markers;
    }
    if (status.code == EBM_OK) put_figure(p, c, series);
    free_series(series, p->count);
    return status;
}

// Data and noise of one run.
static ebm_status put_mean_energies(ebm_report_page *p, const ebm_report_folder *f)
{
    ebm_figure_series *series = calloc(2, sizeof *series);
    char *title = NULL;
    ebm_status status = series ? make_series(f->log, "mean_energy_data", &series[0]) : no_memory();
    if (status.code == EBM_OK) status = make_series(f->log, "mean_energy_noise", &series[1]);
    if (status.code == EBM_OK && asprintf(&title, "%s: mean energies while training", f->name) < 0)
        status = no_memory();
    if (status.code == EBM_OK && series[0].count + series[1].count > 0) {
        series[0].name = "data";
        series[1].name = "noise";
        series[1].style = 1;
        ebm_figure_lines(p->page, &(ebm_figure){.title = title, .x_label = "step", .y_label = "mean energy (nats)"},
                         series, 2);
    }
    free(title);
    free_series(series, 2);
    return status;
}

ebm_status ebm_report_training(ebm_report_page *p)
{
    static const char apart[] = "by chance", normal[] = "of a normalised model";
    const curve curves[] = {
        {"loss", "Training loss", "loss (nats)", false, false, NONE},
        {"cross_entropy", "Cross-entropy of the labels", "cross-entropy (nats)", false, false, NONE},
        {"nce", "NCE loss", "NCE loss (nats)", false, false, NONE},
        {"eval_accuracy", "Validation accuracy", "accuracy", true, false, NONE},
        {"eval_matthews", "Validation Matthews correlation", "Matthews correlation", true, false, NONE},
        {"eval_nll", "Validation NLL", "NLL (nats)", true, false, NONE},
        {"eval_brier", "Validation Brier score", "Brier score", true, false, NONE},
        {"eval_ece_class_wise", "Validation calibration error", "class-wise ECE", true, false, NONE},
        {"told_apart", "Data and noise told apart, training", "share told apart", false, false, 0.5, apart},
        {"eval_told_apart", "Data and noise told apart, held out", "share told apart", true, false, 0.5, apart},
        {"mean_exp_minus_energy_noise", "Mean of exp(-E) over noise, training", "mean exp(-E)", false, true, 1, normal},
        {"eval_mean_exp_minus_energy_noise", "Mean of exp(-E) over noise, held out", "mean exp(-E)", true, true, 1,
         normal},
        {"eval_effective_sample_share", "Effective sample size of noise weighted by exp(-E), held out",
         "share of the noise", true, false, NONE},
        {"learning_rate", "Learning rate", "learning rate", false, false, NONE},
        {"grad_norm", "Norm of the gradient", "gradient norm", false, false, NONE},
    };
    bool any = false;
    for (size_t i = 0; i < p->count; i++) any |= json_array_size(p->folders[i].log) > 0;
    if (!any) return ebm_ok();
    ebm_html_heading(p->page, 2, "Training");
    ebm_html_grid_begin(p->page);
    for (size_t i = 0; i < sizeof curves / sizeof *curves; i++) EBM_TRY(put_curve(p, &curves[i]));
    for (size_t i = 0; i < p->count; i++) EBM_TRY(put_mean_energies(p, &p->folders[i]));
    ebm_html_grid_end(p->page);
    return ebm_ok();
}
