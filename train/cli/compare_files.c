// results.json, results.csv and results.tex.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_results.h"
#include "file.h"
#include "json_file.h"
#include "suite_report.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for results"); }

// ---- JSON

static json_t *result_json(const compare_results *results, size_t t, size_t v)
{
    const compare_result *r = compare_results_at(results, t, v);
    json_t *o = json_pack("{s:s s:I s:I}", "method", results->plan->variants[v].name, "seeds", (json_int_t)r->seeds,
                          "seeds_missing", (json_int_t)r->missing);
    if (!o || r->seeds == 0) return o;
    json_object_set_new(o, "train_seconds", json_real(r->seconds));
    json_object_set_new(o, "temperature", json_real(r->temperature));
    json_object_set_new(o, "raw", ebm_suite_object(&r->raw));
    json_object_set_new(o, "with_temperature", ebm_suite_object(&r->calibrated));
    if (r->has_difference) {
        json_object_set_new(o, "raw_difference", ebm_suite_object(&r->raw_difference));
        json_object_set_new(o, "with_temperature_difference", ebm_suite_object(&r->calibrated_difference));
    }
    json_t *shifts = r->shift_count ? json_object() : NULL;
    for (size_t s = 0; shifts && s < r->shift_count; s++)
        json_object_set_new(shifts, r->shifts[s].name, ebm_suite_object(&r->shifts[s].suite));
    if (shifts) json_object_set_new(o, "ood", shifts);
    return o;
}

json_t *compare_results_json(const compare_results *results)
{
    const compare_plan *plan = results->plan;
    json_t *tasks = json_array();
    for (size_t t = 0; t < plan->task_count; t++) {
        json_t *methods = json_array();
        for (size_t v = 0; v < plan->variant_count; v++) json_array_append_new(methods, result_json(results, t, v));
        json_array_append_new(tasks, json_pack("{s:s s:o}", "task", plan->tasks[t].name, "methods", methods));
    }
    return json_pack("{s:s s:s s:s s:I s:o}", "version", EBMCL_VERSION, "baseline", plan->variants[0].name, "halves",
                     plan->random_halves ? "random" : "file", "split_seed", (json_int_t)plan->split_seed, "tasks",
                     tasks);
}

// ---- CSV: a line a number

static void csv_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"') fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static void csv_number(FILE *file, double value)
{
    if (isfinite(value))
        fprintf(file, ",%.9g", value);
    else
        fputc(',', file);
}

static void csv_suite(FILE *file, const char *task, const char *method, const char *scores, const ebm_suite *suite,
                      const ebm_suite *difference)
{
    for (size_t i = 0; i < suite->count; i++) {
        const ebm_suite_row *row = suite->rows + i, *d = difference ? ebm_suite_find(difference, row->name) : NULL;
        csv_text(file, task);
        fputc(',', file);
        csv_text(file, method);
        fprintf(file, ",%s,%s,%d", scores, row->name, suite->seeds);
        csv_number(file, row->value);
        csv_number(file, row->interval.low);
        csv_number(file, row->interval.high);
        csv_number(file, row->has_floor ? row->floor.mean : (double)NAN);
        csv_number(file, row->has_floor ? row->floor.high : (double)NAN);
        csv_number(file, d ? d->value : (double)NAN);
        csv_number(file, d ? d->interval.low : (double)NAN);
        csv_number(file, d ? d->interval.high : (double)NAN);
        csv_number(file, d ? d->p : (double)NAN);
        fputc('\n', file);
    }
}

static void write_csv(FILE *file, const compare_results *results)
{
    const compare_plan *plan = results->plan;
    fputs("task,method,scores,metric,seeds,value,low,high,floor,floor_95,difference,difference_low,difference_high,p\n",
          file);
    for (size_t t = 0; t < plan->task_count; t++)
        for (size_t v = 0; v < plan->variant_count; v++) {
            const compare_result *r = compare_results_at(results, t, v);
            const char *task = plan->tasks[t].name, *method = plan->variants[v].name;
            const bool d = r->has_difference;
            if (r->seeds == 0) continue;
            csv_suite(file, task, method, "raw", &r->raw, d ? &r->raw_difference : NULL);
            csv_suite(file, task, method, "temperature", &r->calibrated, d ? &r->calibrated_difference : NULL);
            for (size_t s = 0; s < r->shift_count; s++) {
                char scores[80];
                snprintf(scores, sizeof scores, "ood %s", r->shifts[s].name);
                for (char *c = scores; *c; c++)
                    if (*c == ',' || *c == '"') *c = ' ';
                csv_suite(file, task, method, scores, &r->shifts[s].suite, NULL);
            }
        }
}

// ---- LaTeX

static void tex_text(FILE *file, const char *text)
{
    for (; *text; text++) {
        if (strchr("&%$#_{}", *text)) fputc('\\', file);
        if (*text == '~' || *text == '^' || *text == '\\')
            fprintf(file, "\\text%s{}", *text == '~' ? "asciitilde" : *text == '^' ? "asciicircum" : "backslash");
        else
            fputc(*text, file);
    }
}

static void tex_row(FILE *file, const compare_results *results, size_t t, size_t v, const compare_column *columns,
                    size_t count)
{
    tex_text(file, results->plan->variants[v].name);
    for (size_t c = 0; c < count; c++) {
        const ebm_suite_row *row = compare_cell_row(compare_results_at(results, t, v), columns + c, false);
        if (!row)
            fputs(" & --", file);
        else
            fprintf(file, compare_is_best(results, t, v, columns + c) ? " & \\textbf{%.3f}" : " & %.3f", row->value);
    }
    fputs(" \\\\\n", file);
}

static void tex_task(FILE *file, const compare_results *results, size_t t)
{
    const compare_plan *plan = results->plan;
    compare_column columns[COMPARE_COLUMNS_MOST];
    const size_t count = compare_columns(plan->tasks + t, columns);
    fputs("\\begin{tabular}{l", file);
    for (size_t c = 0; c < count; c++) fputc('r', file);
    fputs("}\n\\toprule\n", file);
    tex_text(file, plan->tasks[t].name);
    for (size_t c = 0; c < count; c++) {
        fputs(" & ", file);
        tex_text(file, columns[c].heading);
        if (columns[c].calibrated) fputs(", temp.", file);
    }
    fputs(" \\\\\n\\midrule\n", file);
    for (size_t v = 0; v < plan->variant_count; v++)
        if (compare_results_at(results, t, v)->seeds) tex_row(file, results, t, v, columns, count);
    fputs("\\bottomrule\n\\end{tabular}\n\n", file);
}

static void write_tex(FILE *file, const compare_results *results)
{
    fputs("% needs \\usepackage{booktabs}\n", file);
    for (size_t t = 0; t < results->plan->task_count; t++) tex_task(file, results, t);
}

// ---- the files

static ebm_status write_by(const char *folder, const char *name, const compare_results *results,
                           void (*write)(FILE *, const compare_results *))
{
    char *text = NULL, *path = ebm_path_join(folder, name);
    size_t size = 0;
    FILE *memory = path ? open_memstream(&text, &size) : NULL;
    bool failed = !memory;
    if (memory) {
        write(memory, results);
        failed = ferror(memory) != 0;
        failed = fclose(memory) != 0 || failed;
    }
    const ebm_status status = failed ? no_memory() : ebm_file_write(path, text, size);
    free(text);
    free(path);
    return status;
}

ebm_status compare_write(const compare_results *results, const char *folder)
{
    EBM_TRY(ebm_json_file_write(folder, "results.json", compare_results_json(results)));
    EBM_TRY(write_by(folder, "results.csv", results, write_csv));
    return write_by(folder, "results.tex", results, write_tex);
}
