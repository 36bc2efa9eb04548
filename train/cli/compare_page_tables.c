// Tables of a comparison's page: values with intervals and differences, best marked.
#include <math.h>
#include <stdio.h>

#include "compare_page_internal.h"

static void put_value(compare_page *p, size_t t, size_t v, const compare_column *column)
{
    const ebm_suite_row *row = compare_cell_row(compare_results_at(p->results, t, v), column, false);
    char note[64] = "";
    if (!row) {
        ebm_html_text_cell(p->page, "\xE2\x80\x93");
        return;
    }
    if (isfinite(row->interval.low)) snprintf(note, sizeof note, "%.3f to %.3f", row->interval.low, row->interval.high);
    ebm_html_cell(p->page, compare_is_best(p->results, t, v, column), *note ? note : NULL, "%.3f", row->value);
}

static void put_difference(compare_page *p, size_t t, size_t v, const compare_column *column)
{
    const compare_result *r = compare_results_at(p->results, t, v);
    const ebm_suite_row *row = compare_cell_row(r, column, true);
    const int verdict = compare_verdict(r, column);
    char note[80] = "";
    if (!row) {
        ebm_html_text_cell(p->page, "\xE2\x80\x93");
        return;
    }
    if (isfinite(row->interval.low))
        snprintf(note, sizeof note, "%+.3f to %+.3f", row->interval.low, row->interval.high);
    ebm_html_cell(p->page, verdict > 0, *note ? note : NULL, "%+.3f%s", row->value,
                  verdict > 0   ? " better"
                  : verdict < 0 ? " worse"
                                : "");
}

static void begin(compare_page *p, const char *caption, const compare_column *columns, size_t count)
{
    const char *head[COMPARE_COLUMNS_MOST + 1] = {"method"};
    char names[COMPARE_COLUMNS_MOST][48];
    size_t n = 1;
    for (size_t c = 0; c < count; c++) {
        snprintf(names[c], sizeof names[c], "%s%s", columns[c].heading,
                 columns[c].calibrated ? ", with temperature" : "");
        head[n++] = names[c];
    }
    ebm_html_table_begin(p->page, caption, head, n);
}

static void put_floor(compare_page *p, size_t t)
{
    double least, most;
    if (compare_floor(p->results, t, &least, &most))
        ebm_html_note(p->page,
                      "ECE is class-wise with %d bins. Models whose probabilities are exactly right would show %.3f to "
                      "%.3f on so few texts: differences near that mean nothing.",
                      p->results->options.bins, least, most);
}

static void put_times(compare_page *p, size_t t)
{
    const compare_plan *plan = p->results->plan;
    ebm_html_table_begin(p->page, "Temperatures, and seconds of training",
                         (const char *const[]){"method", "temperature", "seconds", "seeds", "missing"}, 5);
    for (size_t v = 0; v < plan->variant_count; v++) {
        const compare_result *r = compare_results_at(p->results, t, v);
        if (r->seeds + r->missing == 0) continue;
        ebm_html_row(p->page, plan->variants[v].name);
        if (r->seeds) {
            ebm_html_cell(p->page, false, NULL, "%.2f", r->temperature);
            ebm_html_cell(p->page, false, NULL, "%.0f", r->seconds);
        } else {
            ebm_html_text_cell(p->page, "\xE2\x80\x93");
            ebm_html_text_cell(p->page, "\xE2\x80\x93");
        }
        ebm_html_cell(p->page, false, NULL, "%zu", r->seeds);
        ebm_html_cell(p->page, false, NULL, "%zu", r->missing);
    }
    ebm_html_table_end(p->page);
}

static void put_auroc(compare_page *p, const ebm_suite *suite, const char *name)
{
    char note[64] = "";
    const ebm_suite_row *row = suite ? ebm_suite_find(suite, name) : NULL;
    if (!row || !isfinite(row->value)) {
        ebm_html_text_cell(p->page, "\xE2\x80\x93");
        return;
    }
    if (isfinite(row->interval.low)) snprintf(note, sizeof note, "%.3f to %.3f", row->interval.low, row->interval.high);
    ebm_html_cell(p->page, false, *note ? note : NULL, "%.3f", row->value);
}

static void put_shifts(compare_page *p, size_t t)
{
    static const char *const NAMES[] = {"ood_auroc_energy", "ood_auroc_free_energy", "ood_auroc_max_probability",
                                        "ood_auroc_entropy", "ood_auroc_max_logit"};
    const compare_plan *plan = p->results->plan;
    const json_t *ood = json_object_get(plan->tasks[t].spec, "ood");
    for (size_t s = 0; s < json_array_size(ood); s++) {
        char caption[160];
        snprintf(caption, sizeof caption, "Texts of %s told apart from the task's (AUROC, 0.5 by chance), by",
                 json_string_value(json_object_get(json_array_get(ood, s), "name")));
        ebm_html_table_begin(
            p->page, caption,
            (const char *const[]){"method", "energy", "free energy", "probability", "entropy", "largest logit"}, 6);
        for (size_t v = 0; v < plan->variant_count; v++) {
            const compare_result *r = compare_results_at(p->results, t, v);
            if (s >= r->shift_count) continue;
            ebm_html_row(p->page, plan->variants[v].name);
            for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) put_auroc(p, &r->shifts[s].suite, NAMES[i]);
        }
        ebm_html_table_end(p->page);
    }
}

static void put_table(compare_page *p, size_t t, const char *caption, size_t first, const compare_column *columns,
                      size_t count, void (*put)(compare_page *p, size_t t, size_t v, const compare_column *column))
{
    const compare_plan *plan = p->results->plan;
    begin(p, caption, columns, count);
    for (size_t v = first; v < plan->variant_count; v++) {
        if (compare_results_at(p->results, t, v)->seeds == 0) continue;
        ebm_html_row(p->page, plan->variants[v].name);
        for (size_t c = 0; c < count; c++) put(p, t, v, columns + c);
    }
    ebm_html_table_end(p->page);
}

static void put_agreement(compare_page *p, size_t t)
{
    compare_column columns[COMPARE_COLUMNS_MOST];
    const size_t count = compare_agreement_columns(p->results->plan->tasks + t, columns);
    if (count == 0) return;
    put_table(p, t, "Agreement with annotators", 0, columns, count, put_value);
    ebm_html_note(p->page, "%s.", COMPARE_AGREEMENT_HELP);
}

ebm_status compare_page_tables(compare_page *p, size_t t)
{
    char caption[320];
    compare_column columns[COMPARE_COLUMNS_MOST];
    const size_t count = compare_columns(p->results->plan->tasks + t, columns);
    put_table(p, t, "Means over seeds and both halves, with 95 % intervals; the best is marked", 0, columns, count,
              put_value);
    put_floor(p, t);
    snprintf(caption, sizeof caption,
             "Differences from %.160s, with paired 95 %% intervals; better and worse where they leave 0 out",
             p->results->plan->variants[0].name);
    if (compare_results_at(p->results, t, 0)->seeds) put_table(p, t, caption, 1, columns, count, put_difference);
    put_agreement(p, t);
    put_shifts(p, t);
    put_times(p, t);
    return ebm_ok();
}

void compare_page_mean(compare_page *p)
{
    const compare_plan *plan = p->results->plan;
    compare_column columns[COMPARE_COLUMNS_MOST];
    const size_t count = compare_columns(NULL, columns);
    char caption[80];
    snprintf(caption, sizeof caption, "Means over all %zu tasks", plan->task_count);
    begin(p, caption, columns, count);
    for (size_t v = 0; v < plan->variant_count; v++) {
        if (!isfinite(compare_mean_over_tasks(p->results, v, columns))) continue;
        ebm_html_row(p->page, plan->variants[v].name);
        for (size_t c = 0; c < count; c++)
            ebm_html_cell(p->page, compare_is_best(p->results, plan->task_count, v, columns + c), NULL, "%.3f",
                          compare_mean_over_tasks(p->results, v, columns + c));
    }
    ebm_html_table_end(p->page);
}
