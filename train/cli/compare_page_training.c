// Training of a comparison's first seed, and the texts that the methods are most wrong about.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_page_internal.h"
#include "compare_steps.h"
#include "file.h"

enum { MOST_LOG = 1 << 30, WRONG = 10 };

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for the page of a comparison"); }

// ---- curves

typedef struct {
    double *x, *y; // 2 arrays of `most`
    size_t count, most;
} line;

static ebm_status append(line *l, double x, double y)
{
    if (l->count == l->most) {
        const size_t most = l->most ? 2 * l->most : 64;
        double *xs = realloc(l->x, most * sizeof *xs);
        if (xs) l->x = xs;
        double *ys = xs ? realloc(l->y, most * sizeof *ys) : NULL;
        if (ys) l->y = ys;
        if (!ys) return no_memory();
        l->most = most;
    }
    l->x[l->count] = x;
    l->y[l->count++] = y;
    return ebm_ok();
}

static ebm_status read_line(const compare_page *p, size_t t, size_t v, const char *key, line *l)
{
    const compare_plan *plan = p->results->plan;
    const json_t *seeds = compare_plan_seeds(plan, plan->tasks + t, plan->variants + v);
    char *folder = compare_cell_folder(p->place, plan->tasks + t, plan->variants + v,
                                       (int64_t)json_integer_value(json_array_get(seeds, 0)));
    char *path = NULL, *text = NULL;
    ebm_status status = ebm_ok();
    if (!folder || asprintf(&path, "%s/model/trainer_log.jsonl", folder) < 0) {
        path = NULL;
        status = no_memory();
    }
    if (status.code == EBM_OK && ebm_file_exists(path)) status = ebm_file_read(path, MOST_LOG, &text, NULL);
    for (char *rest = text, *row; status.code == EBM_OK && text && (row = strsep(&rest, "\n"));) {
        json_t *json = json_loads(row, 0, NULL);
        const json_t *value = json_object_get(json, key);
        if (json_is_number(value))
            status = append(l, json_number_value(json_object_get(json, "epoch")), json_number_value(value));
        json_decref(json);
    }
    free(text);
    free(path);
    free(folder);
    return status;
}

static ebm_status put_curve(compare_page *p, size_t t, const char *key, const char *title, const char *label)
{
    const compare_plan *plan = p->results->plan;
    line lines[COMPARE_FIGURE_METHODS] = {{0}};
    ebm_figure_series series[COMPARE_FIGURE_METHODS];
    size_t count = 0, points = 0;
    ebm_status status = ebm_ok();
    for (size_t v = 0; status.code == EBM_OK && v < plan->variant_count && count < COMPARE_FIGURE_METHODS; v++) {
        if (plan->variants[v].kind != COMPARE_TRAINED || compare_results_at(p->results, t, v)->seeds == 0) continue;
        status = read_line(p, t, v, key, lines + count);
        series[count] = (ebm_figure_series){.name = plan->variants[v].name,
                                            .x = lines[count].x,
                                            .y = lines[count].y,
                                            .count = lines[count].count,
                                            .style = (int)count,
                                            .markers = strncmp(key, "eval_", 5) == 0};
        points += lines[count++].count;
    }
    if (status.code == EBM_OK && points > 0)
        ebm_figure_lines(p->page, &(ebm_figure){.title = title, .x_label = "epoch", .y_label = label}, series, count);
    for (size_t i = 0; i < count; i++) {
        free(lines[i].x);
        free(lines[i].y);
    }
    return status;
}

ebm_status compare_page_training(compare_page *p, size_t t)
{
    ebm_html_heading(p->page, 3, "Training, first seed");
    ebm_html_grid_begin(p->page);
    EBM_TRY(put_curve(p, t, "cross_entropy", "Cross-entropy in training", "cross-entropy (nats)"));
    EBM_TRY(put_curve(p, t, "eval_nll", "NLL on the evaluation texts", "NLL (nats)"));
    EBM_TRY(put_curve(p, t, "eval_ece_class_wise", "Calibration error on the evaluation texts", "class-wise ECE"));
    EBM_TRY(put_curve(p, t, "eval_told_apart", "Held-out data and noise told apart", "share told apart"));
    ebm_html_grid_end(p->page);
    return ebm_ok();
}

// ---- most wrong

// eval_predictions.jsonl of the first seed's cell, as ebmcl train leaves it: texts and labels by name.
typedef struct {
    json_t *row; // NULL: none
    double probability;
} wrong;

static void keep(wrong most[WRONG], json_t *row, double probability)
{
    size_t at = WRONG;
    while (at > 0 && (!most[at - 1].row || probability > most[at - 1].probability)) at--;
    if (at == WRONG) return;
    json_decref(most[WRONG - 1].row);
    memmove(most + at + 1, most + at, (WRONG - 1 - at) * sizeof *most);
    most[at] = (wrong){json_incref(row), probability};
}

static void add_row(wrong most[WRONG], json_t *row)
{
    const char *label = json_string_value(json_object_get(row, "label"));
    const char *prediction = json_string_value(json_object_get(row, "prediction"));
    const json_t *probabilities = json_object_get(row, "probabilities");
    double largest = 0;
    if (!label || !prediction || strcmp(label, prediction) == 0) return;
    for (size_t y = 0; y < json_array_size(probabilities); y++)
        largest = fmax(largest, json_number_value(json_array_get(probabilities, y)));
    keep(most, row, largest);
}

static void put_wrong(compare_page *p, const char *method, const wrong most[WRONG])
{
    char caption[300], text[1200];
    snprintf(caption, sizeof caption, "%.160s: wrong with the most confidence (first seed, as the model says it)",
             method);
    ebm_html_table_begin(p->page, caption, (const char *const[]){"probability", "predicted", "label", "text"}, 4);
    for (size_t i = 0; i < WRONG && most[i].row; i++) {
        const char *pair = json_string_value(json_object_get(most[i].row, "text_pair"));
        char number[16];
        snprintf(number, sizeof number, "%.3f", most[i].probability);
        ebm_html_row(p->page, number);
        ebm_html_text_cell(p->page, json_string_value(json_object_get(most[i].row, "prediction")));
        ebm_html_text_cell(p->page, json_string_value(json_object_get(most[i].row, "label")));
        const char *first = json_string_value(json_object_get(most[i].row, "text"));
        snprintf(text, sizeof text, "%.500s%s%.500s", first ? first : "", pair ? " / " : "", pair ? pair : "");
        ebm_html_text_cell(p->page, text);
    }
    ebm_html_table_end(p->page);
}

static ebm_status wrong_of(compare_page *p, size_t t, size_t v)
{
    const compare_plan *plan = p->results->plan;
    const json_t *seeds = compare_plan_seeds(plan, plan->tasks + t, plan->variants + v);
    char *folder = compare_cell_folder(p->place, plan->tasks + t, plan->variants + v,
                                       (int64_t)json_integer_value(json_array_get(seeds, 0)));
    char *path = NULL, *text = NULL;
    wrong most[WRONG] = {{0}};
    if (!folder || asprintf(&path, "%s/model/eval_predictions.jsonl", folder) < 0) {
        free(folder);
        return no_memory();
    }
    ebm_status status = ebm_file_exists(path) ? ebm_file_read(path, MOST_LOG, &text, NULL) : ebm_ok();
    for (char *rest = text, *row; status.code == EBM_OK && text && (row = strsep(&rest, "\n"));) {
        json_t *json = json_loads(row, 0, NULL);
        add_row(most, json);
        json_decref(json);
    }
    if (status.code == EBM_OK && most[0].row) put_wrong(p, plan->variants[v].name, most);
    for (size_t i = 0; i < WRONG; i++) json_decref(most[i].row);
    free(text);
    free(path);
    free(folder);
    return status;
}

// Of the first method, and of the one with the lowest NLL.
ebm_status compare_page_wrong(compare_page *p, size_t t)
{
    const compare_plan *plan = p->results->plan;
    const compare_column nll = {"nll", "", false, true};
    if (compare_results_at(p->results, t, 0)->seeds > 0) EBM_TRY(wrong_of(p, t, 0));
    for (size_t v = 1; v < plan->variant_count; v++)
        if (plan->variants[v].kind == COMPARE_TRAINED && compare_is_best(p->results, t, v, &nll))
            return wrong_of(p, t, v);
    return ebm_ok();
}
