#include "compare_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const compare_result *compare_results_at(const compare_results *results, size_t task, size_t variant)
{
    return results->result + task * results->plan->variant_count + variant;
}

static double mean_temperature(const compare_runs *runs)
{
    double sum = 0;
    for (size_t s = 0; s < runs->seeds; s++) sum += runs->seed[s].temperature[0] + runs->seed[s].temperature[1];
    return runs->seeds ? sum / (2.0 * (double)runs->seeds) : (double)NAN;
}

// One suite for each other distribution: a seed has one set of others at a time.
static ebm_status measure_shifts(const compare_runs *runs, const ebm_suite_options *options, compare_result *out)
{
    if (runs->sets == 0 || runs->seeds == 0) return ebm_ok();
    ebm_suite_options own = *options;
    ebm_suite_part *part = calloc(2 * runs->seeds, sizeof *part);
    out->shifts = calloc(runs->sets, sizeof *out->shifts);
    ebm_status status =
        part && out->shifts ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for other distributions");
    own.sections = EBM_SUITE_SELECTIVE;
    for (size_t i = 0; status.code == EBM_OK && i < runs->sets; i++) {
        for (size_t p = 0; p < 2 * runs->seeds; p++) {
            part[p] = runs->raw_part[p];
            part[p].others = &runs->seed[p / 2].others[i].read.rows;
        }
        const ebm_suite_runs one = {part, (int)runs->seeds, 2};
        compare_shift *shift = out->shifts + out->shift_count;
        strcpy(shift->name, runs->seed[0].others[i].name);
        status = ebm_suite_measure(&one, &own, &shift->suite);
        out->shift_count += status.code == EBM_OK;
    }
    free(part);
    return status;
}

static ebm_status measure(const compare_runs *runs, const compare_runs *baseline, const ebm_suite_options *options,
                          compare_result *out)
{
    out->seeds = runs->seeds;
    out->missing = runs->missing;
    out->seconds = runs->seconds;
    out->temperature = mean_temperature(runs);
    if (runs->seeds == 0) return ebm_ok();
    EBM_TRY(ebm_suite_measure(&runs->raw, options, &out->raw));
    EBM_TRY(ebm_suite_measure(&runs->calibrated, options, &out->calibrated));
    EBM_TRY(measure_shifts(runs, options, out));
    if (!baseline || baseline->seeds == 0) return ebm_ok();
    out->has_difference = true;
    EBM_TRY(ebm_suite_compare(&runs->raw, &baseline->raw, options, &out->raw_difference));
    return ebm_suite_compare(&runs->calibrated, &baseline->calibrated, options, &out->calibrated_difference);
}

static ebm_status measure_task(const compare_place *place, size_t t, compare_results *results)
{
    const compare_plan *plan = place->plan;
    compare_runs baseline = {0}, runs = {0};
    ebm_status status = compare_runs_read(place, plan->tasks + t, plan->variants, &baseline);
    for (size_t v = 0; status.code == EBM_OK && v < plan->variant_count; v++) {
        compare_result *out = results->result + t * plan->variant_count + v;
        status = v ? compare_runs_read(place, plan->tasks + t, plan->variants + v, &runs) : ebm_ok();
        if (status.code == EBM_OK)
            status = measure(v ? &runs : &baseline, v ? &baseline : NULL, &results->options, out);
        status = ebm_in(status, "%s, %s", plan->tasks[t].name, plan->variants[v].name);
        compare_runs_free(&runs);
    }
    compare_runs_free(&baseline);
    return status;
}

ebm_status compare_results_measure(const compare_place *place, bool full, compare_results *results)
{
    const compare_plan *plan = place->plan;
    *results = (compare_results){.plan = plan, .options = ebm_suite_defaults()};
    results->options.sections = EBM_SUITE_METRICS | EBM_SUITE_AGREEMENT;
    if (full) results->options.sections |= EBM_SUITE_MISCALIBRATION | EBM_SUITE_SELECTIVE;
    results->result = calloc(plan->task_count * plan->variant_count, sizeof *results->result);
    if (!results->result) return ebm_fail(EBM_ERROR_MEMORY, "no memory for results");
    for (size_t t = 0; t < plan->task_count; t++) EBM_TRY(measure_task(place, t, results));
    return ebm_ok();
}

void compare_results_free(compare_results *results)
{
    const size_t count = results->result ? results->plan->task_count * results->plan->variant_count : 0;
    for (size_t i = 0; i < count; i++) {
        compare_result *r = results->result + i;
        ebm_suite_free(&r->raw);
        ebm_suite_free(&r->calibrated);
        ebm_suite_free(&r->raw_difference);
        ebm_suite_free(&r->calibrated_difference);
        for (size_t s = 0; s < r->shift_count; s++) ebm_suite_free(&r->shifts[s].suite);
        free(r->shifts);
    }
    free(results->result);
    *results = (compare_results){0};
}

// ---- columns of tables

size_t compare_columns(const compare_task *task, compare_column columns[COMPARE_COLUMNS_MOST])
{
    const char *own = task && task->task ? task->task->metric : "accuracy";
    size_t n = 0;
    columns[n++] = (compare_column){"accuracy", "accuracy", false, false};
    if (strcmp(own, "accuracy") != 0) columns[n++] = (compare_column){own, own, false, false};
    columns[n++] = (compare_column){"nll", "NLL", false, true};
    columns[n++] = (compare_column){"brier", "Brier", false, true};
    columns[n++] = (compare_column){"ece_class_wise", "ECE", false, true};
    columns[n++] = (compare_column){"nll", "NLL", true, true};
    columns[n++] = (compare_column){"ece_class_wise", "ECE", true, true};
    return n;
}

size_t compare_agreement_columns(const compare_task *task, compare_column columns[COMPARE_COLUMNS_MOST])
{
    size_t n = 0;
    if (!json_object_get(task->spec, "annotator_columns")) return 0;
    for (int calibrated = 0; calibrated < 2; calibrated++) {
        columns[n++] = (compare_column){"human_cross_entropy", "human CE", calibrated, true};
        columns[n++] = (compare_column){"human_total_variation", "TV", calibrated, true};
        columns[n++] = (compare_column){"entropy_spearman", "entropy", calibrated, false};
    }
    return n;
}

const ebm_suite_row *compare_cell_row(const compare_result *r, const compare_column *column, bool difference)
{
    if (r->seeds == 0 || (difference && !r->has_difference)) return NULL;
    const ebm_suite *of_value = column->calibrated ? &r->calibrated : &r->raw;
    const ebm_suite *of_difference = column->calibrated ? &r->calibrated_difference : &r->raw_difference;
    return ebm_suite_find(difference ? of_difference : of_value, column->metric);
}

double compare_mean_over_tasks(const compare_results *results, size_t variant, const compare_column *column)
{
    double sum = 0;
    for (size_t t = 0; t < results->plan->task_count; t++) {
        const ebm_suite_row *row = compare_cell_row(compare_results_at(results, t, variant), column, false);
        if (!row) return NAN;
        sum += row->value;
    }
    return sum / (double)results->plan->task_count;
}

static double value_of(const compare_results *results, size_t task, size_t variant, const compare_column *column)
{
    if (task == results->plan->task_count) return compare_mean_over_tasks(results, variant, column);
    const ebm_suite_row *row = compare_cell_row(compare_results_at(results, task, variant), column, false);
    return row ? row->value : (double)NAN;
}

bool compare_is_best(const compare_results *results, size_t task, size_t variant, const compare_column *column)
{
    const double value = value_of(results, task, variant, column);
    for (size_t v = 0; v < results->plan->variant_count; v++) {
        const double other = value_of(results, task, v, column);
        if (column->less_is_better ? other < value : other > value) return false;
    }
    return isfinite(value);
}

int compare_verdict(const compare_result *result, const compare_column *column)
{
    const ebm_suite_row *row = compare_cell_row(result, column, true);
    if (!row || !(row->interval.low > 0 || row->interval.high < 0)) return 0;
    return (row->interval.low > 0) != column->less_is_better ? 1 : -1;
}

bool compare_floor(const compare_results *results, size_t task, double *least, double *most)
{
    const compare_column ece = {"ece_class_wise", "", false, true};
    *least = INFINITY;
    *most = 0;
    for (size_t v = 0; v < results->plan->variant_count; v++) {
        const ebm_suite_row *row = compare_cell_row(compare_results_at(results, task, v), &ece, false);
        if (!row || !row->has_floor) continue;
        *least = fmin(*least, row->floor.mean);
        *most = fmax(*most, row->floor.mean);
    }
    return *most > 0;
}
