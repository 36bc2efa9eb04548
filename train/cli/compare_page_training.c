// Training of a comparison's first seed, and the texts that the methods are most wrong about.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_page_internal.h"
#include "file.h"
#include "training_log.h"
#include "wrong_answers.h"

enum { WRONG = 10 };

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

// "<folder of the first seed's cell>/model", for the caller to free(); NULL when memory ran out.
static char *first_model(const compare_page *p, size_t t, size_t v)
{
    const compare_plan *plan = p->results->plan;
    const json_t *seeds = compare_plan_seeds(plan, plan->tasks + t, plan->variants + v);
    char *folder = compare_cell_folder(p->place, plan->tasks + t, plan->variants + v,
                                       (int64_t)json_integer_value(json_array_get(seeds, 0)));
    char *model = folder ? ebm_path_join(folder, "model") : NULL;
    free(folder);
    return model;
}

static ebm_status read_line(const compare_page *p, size_t t, size_t v, const char *key, line *l)
{
    char *model = first_model(p, t, v);
    json_t *log = NULL;
    ebm_status status = model ? ebm_training_log_read(model, &log) : no_memory();
    size_t i;
    const json_t *row;
    json_array_foreach(log, i, row)
    {
        const json_t *value = json_object_get(row, key);
        if (status.code == EBM_OK && json_is_number(value))
            status = append(l, json_number_value(json_object_get(row, "epoch")), json_number_value(value));
    }
    json_decref(log);
    free(model);
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

static ebm_status put_answer(compare_page *p, const ebm_examples *e, const ebm_wrong_answer *wrong)
{
    char probability[24], number[2][16], *text = ebm_wrong_answer_text(e, wrong->row);
    if (!text) return no_memory();
    snprintf(probability, sizeof probability, "%.3f", wrong->probability);
    ebm_html_row(p->page, probability);
    ebm_html_text_cell(p->page, ebm_wrong_answer_label(e, wrong->predicted, number[0]));
    ebm_html_text_cell(p->page, ebm_wrong_answer_label(e, e->read.label[wrong->row], number[1]));
    ebm_html_text_cell(p->page, text);
    free(text);
    return ebm_ok();
}

static ebm_status put_wrong(compare_page *p, const char *method, const ebm_examples *e)
{
    ebm_wrong_answer *wrong = NULL;
    size_t count;
    char caption[300];
    EBM_TRY(ebm_wrong_answers_find(&e->read.rows, &wrong, &count));
    ebm_status status = ebm_ok();
    if (count) {
        snprintf(caption, sizeof caption, "%.160s: wrong with the most confidence (first seed, as the model says it)",
                 method);
        ebm_html_table_begin(p->page, caption, (const char *const[]){"probability", "predicted", "label", "text"}, 4);
        for (size_t i = 0; status.code == EBM_OK && i < WRONG && i < count; i++) status = put_answer(p, e, wrong + i);
        ebm_html_table_end(p->page);
    }
    free(wrong);
    return status;
}

static ebm_status wrong_of(compare_page *p, size_t t, size_t v)
{
    char *model = first_model(p, t, v), *path = model ? ebm_path_join(model, EBM_EVAL_PREDICTIONS) : NULL;
    ebm_examples examples = {0};
    ebm_status status = path ? ebm_ok() : no_memory();
    if (path && ebm_file_exists(path)) {
        status = ebm_examples_read(path, true, &examples);
        if (status.code == EBM_OK) status = put_wrong(p, p->results->plan->variants[v].name, &examples);
    }
    ebm_examples_free(&examples);
    free(path);
    free(model);
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
