// The tables of a comparison for a terminal.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "compare_results.h"

static int name_width(const compare_plan *plan)
{
    size_t most = 6;
    for (size_t v = 0; v < plan->variant_count; v++)
        if (strlen(plan->variants[v].name) > most) most = strlen(plan->variants[v].name);
    return (int)(most < 44 ? most : 44);
}

// "with temperature" stands over the columns it belongs to.
static void print_headings(FILE *stream, const compare_plan *plan, const compare_column *columns, size_t count)
{
    const int width = name_width(plan);
    size_t first = 0;
    while (first < count && !columns[first].calibrated) first++;
    fprintf(stream, "%-*s%*s%s\n", width, "", (int)(10 * first + 4), "", "with temperature");
    fprintf(stream, "%-*s", width, "method");
    for (size_t c = 0; c < count; c++) fprintf(stream, "%8s  ", columns[c].heading);
    fprintf(stream, "   seeds\n");
}

static void print_value(FILE *stream, double value, bool best, int verdict)
{
    const char mark = verdict > 0 ? '+' : verdict < 0 ? '-' : ' ';
    if (isfinite(value))
        fprintf(stream, "%8.4f%c%c", value, mark, best ? '*' : ' ');
    else
        fprintf(stream, "%8s  ", "");
}

static void print_method(FILE *stream, const compare_results *results, size_t t, size_t v,
                         const compare_column *columns, size_t count)
{
    const compare_result *r = compare_results_at(results, t, v);
    fprintf(stream, "%-*.44s", name_width(results->plan), results->plan->variants[v].name);
    for (size_t c = 0; c < count; c++) {
        const ebm_suite_row *row = compare_cell_row(r, columns + c, false);
        print_value(stream, row ? row->value : (double)NAN, compare_is_best(results, t, v, columns + c),
                    compare_verdict(r, columns + c));
    }
    if (r->missing)
        fprintf(stream, "%5zu of %zu\n", r->seeds, r->seeds + r->missing);
    else
        fprintf(stream, "%8zu\n", r->seeds);
}

// The floor of the calibration error, which is nearly the same for all methods: the least and the most.
static void print_floor(FILE *stream, const compare_results *results, size_t t)
{
    double least, most;
    if (compare_floor(results, t, &least, &most))
        fprintf(stream, "ECE (class-wise) of perfectly calibrated models on so few texts: %.4f to %.4f\n", least, most);
}

static size_t examples_of(const compare_results *results, size_t t)
{
    for (size_t v = 0; v < results->plan->variant_count; v++)
        if (compare_results_at(results, t, v)->seeds) return compare_results_at(results, t, v)->raw.examples;
    return 0;
}

static void print_columns(FILE *stream, const compare_results *results, size_t t, const compare_column *columns,
                          size_t count)
{
    const compare_plan *plan = results->plan;
    print_headings(stream, plan, columns, count);
    for (size_t v = 0; v < plan->variant_count; v++) {
        const compare_result *r = compare_results_at(results, t, v);
        if (r->seeds + r->missing) print_method(stream, results, t, v, columns, count);
    }
}

static void print_agreement(FILE *stream, const compare_results *results, size_t t)
{
    compare_column columns[COMPARE_COLUMNS_MOST];
    const size_t count = compare_agreement_columns(results->plan->tasks + t, columns);
    if (count == 0 || examples_of(results, t) == 0) return;
    fprintf(stream, "%s: agreement with annotators\n", results->plan->tasks[t].name);
    print_columns(stream, results, t, columns, count);
    fprintf(stream, "%s\n\n", COMPARE_AGREEMENT_HELP);
}

static void print_task(FILE *stream, const compare_results *results, size_t t)
{
    const compare_plan *plan = results->plan;
    compare_column columns[COMPARE_COLUMNS_MOST];
    const size_t count = compare_columns(plan->tasks + t, columns), examples = examples_of(results, t);
    if (examples == 0) {
        fprintf(stream, "%s: nothing is done yet\n\n", plan->tasks[t].name);
        return;
    }
    fprintf(stream, "%s: %zu texts in two halves (%s), each tested with what the other gave\n", plan->tasks[t].name,
            examples, plan->random_halves ? "drawn" : "in the file's order");
    print_columns(stream, results, t, columns, count);
    print_floor(stream, results, t);
    fputc('\n', stream);
}

static void print_mean(FILE *stream, const compare_results *results)
{
    const compare_plan *plan = results->plan;
    compare_column columns[COMPARE_COLUMNS_MOST];
    const size_t count = compare_columns(NULL, columns);
    fprintf(stream, "mean over %zu tasks\n", plan->task_count);
    print_headings(stream, plan, columns, count);
    for (size_t v = 0; v < plan->variant_count; v++) {
        if (!isfinite(compare_mean_over_tasks(results, v, columns))) continue;
        fprintf(stream, "%-*.44s", name_width(plan), plan->variants[v].name);
        for (size_t c = 0; c < count; c++)
            print_value(stream, compare_mean_over_tasks(results, v, columns + c),
                        compare_is_best(results, plan->task_count, v, columns + c), 0);
        fputc('\n', stream);
    }
    fputc('\n', stream);
}

static void print_shifts(FILE *stream, const compare_results *results, size_t t)
{
    const compare_plan *plan = results->plan;
    const json_t *ood = json_object_get(plan->tasks[t].spec, "ood");
    for (size_t s = 0; s < json_array_size(ood); s++) {
        const char *name = json_string_value(json_object_get(json_array_get(ood, s), "name"));
        fprintf(stream, "%s: %s told apart (AUROC)\n%-*s%12s%12s%12s\n", plan->tasks[t].name, name, name_width(plan),
                "method", "energy", "probability", "entropy");
        for (size_t v = 0; v < plan->variant_count; v++) {
            const compare_result *r = compare_results_at(results, t, v);
            if (s >= r->shift_count) continue;
            const ebm_suite *suite = &r->shifts[s].suite;
            const ebm_suite_row *energy = ebm_suite_find(suite, "ood_auroc_energy");
            if (!energy) energy = ebm_suite_find(suite, "ood_auroc_free_energy"); // of a classifier's logits
            const ebm_suite_row *p = ebm_suite_find(suite, "ood_auroc_max_probability");
            const ebm_suite_row *h = ebm_suite_find(suite, "ood_auroc_entropy");
            fprintf(stream, "%-*.44s%12.4f%12.4f%12.4f\n", name_width(plan), plan->variants[v].name,
                    energy ? energy->value : (double)NAN, p ? p->value : (double)NAN, h ? h->value : (double)NAN);
        }
        fputc('\n', stream);
    }
}

ebm_status compare_print(FILE *stream, const compare_results *results)
{
    for (size_t t = 0; t < results->plan->task_count; t++) {
        print_task(stream, results, t);
        print_agreement(stream, results, t);
        print_shifts(stream, results, t);
    }
    if (results->plan->task_count > 1) print_mean(stream, results);
    fprintf(
        stream,
        "* best of its column; + better, - worse than %s: the 95 %% interval of the paired difference leaves 0 out\n",
        results->plan->variants[0].name);
    return ferror(stream) ? ebm_fail(EBM_ERROR_IO, "the table could not be written") : ebm_ok();
}
