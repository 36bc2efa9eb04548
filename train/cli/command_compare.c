// ebmcl compare: tasks x methods x seeds from one file, each cell trained once, and the tables of what came out.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare_annotations.h"
#include "compare_cell.h"
#include "compare_page.h"
#include "compare_results.h"
#include "file.h"
#include "json_output.h"
#include "program.h"
#include "program_ranks.h"

typedef struct {
    const char *comparison, *output_dir, *device, *shard;
    bool keep_models, only_table, full, json;
} compare_options;

#define AT(member) offsetof(compare_options, member)
static const ebm_option OPTIONS[] = {
    {"comparison", EBM_OPTION_STRING, AT(comparison), NULL,
     .help = "JSON file: model, tasks, methods, seeds; its keys are told in train/cli/compare_plan.h",
     .required = true},
    {"output_dir", EBM_OPTION_STRING, AT(output_dir), NULL,
     .help = "Folder of cells, noise and results; what is done in it is kept", .required = true},
    {"shard", EBM_OPTION_STRING, AT(shard), NULL,
     .help = "i/n: only every n-th cell from the i-th (from 0); default: the rank of mpirun or srun, else all"},
    {"only_table", EBM_OPTION_FLAG, AT(only_table), NULL, .help = "Train nothing, measure what is done"},
    {"keep_models", EBM_OPTION_FLAG, AT(keep_models), NULL,
     .help = "Keep the weights of every cell, so that MC dropout or other texts can be asked for later without "
             "training anew"},
    {"full", EBM_OPTION_FLAG, AT(full), NULL,
     .help = "More errors of calibration, selective prediction and detection of errors in the files"},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The results as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl compare",
                                       "Trains tasks x methods x seeds and compares accuracy and calibration.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

// ---- which cells are ours

typedef struct {
    int64_t index, count;
} shard;

static bool read_pair(const char *index, const char *count, shard *s)
{
    char *end = NULL, *last = NULL;
    if (!index || !count) return false;
    s->index = strtoll(index, &end, 10);
    s->count = strtoll(count, &last, 10);
    return end != index && !*end && last != count && !*last;
}

// Several processes of one mpirun or srun share the cells, unless --shard says otherwise.
static ebm_status find_shard(const char *given, shard *s)
{
    *s = (shard){0, 1};
    if (!given) (void)ebm_program_ranks_expected(&s->index, &s->count);
    if (given) {
        char index[32];
        const char *slash = strchr(given, '/');
        snprintf(index, sizeof index, "%.*s", slash ? (int)(slash - given) : 0, given);
        if (!slash || !read_pair(index, slash + 1, s)) s->count = 0;
    }
    if (s->count < 1 || s->index < 0 || s->index >= s->count)
        return ebm_fail(EBM_ERROR_INPUT, "--shard: i/n with 0 <= i < n expected, found '%.60s'", given ? given : "?");
    return ebm_ok();
}

// ---- the cells

typedef struct {
    const compare_task *task;
    const compare_variant *variant;
    int64_t seed;
    bool ours, settled; // done, or failed in this run
} cell;

typedef struct {
    compare_place place;
    cell *cells;
    size_t count, done, failed, busy, waits;
} work;

static size_t most_seeds(const compare_plan *plan)
{
    size_t most = 0;
    for (size_t t = 0; t < plan->task_count; t++)
        for (size_t v = 0; v < plan->variant_count; v++) {
            const size_t n = json_array_size(compare_plan_seeds(plan, plan->tasks + t, plan->variants + v));
            if (n > most) most = n;
        }
    return most;
}

// Task by task, in each a seed of all methods before the next seed: a table has all its rows early.
static ebm_status list_cells(const compare_plan *plan, const shard *s, work *w)
{
    const size_t seeds = most_seeds(plan);
    w->cells = calloc(plan->task_count * plan->variant_count * seeds + 1, sizeof *w->cells);
    if (!w->cells) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the cells of a comparison");
    for (size_t t = 0; t < plan->task_count; t++)
        for (size_t i = 0; i < seeds; i++)
            for (size_t v = 0; v < plan->variant_count; v++) {
                const compare_variant *variant = plan->variants + v;
                json_t *list = compare_plan_seeds(plan, plan->tasks + t, variant);
                if (variant->kind != COMPARE_TRAINED || i >= json_array_size(list)) continue;
                cell *c = w->cells + w->count;
                *c =
                    (cell){plan->tasks + t, variant, (int64_t)json_integer_value(json_array_get(list, i)), true, false};
                c->ours = (int64_t)w->count % s->count == s->index;
                w->count++;
            }
    return ebm_ok();
}

// Everything that can be known to be wrong is, before the first hour is spent.
static ebm_status check_cells(work *w)
{
    for (size_t i = 0; i < w->count; i++) {
        const cell *c = w->cells + i;
        json_t *noise;
        bool done = false;
        EBM_TRY(compare_plan_noise(w->place.plan, c->task, c->variant, &noise));
        EBM_TRY(compare_cell_is_done(&w->place, c->task, c->variant, c->seed, &done));
        w->cells[i].settled = done;
        w->done += done;
    }
    return ebm_ok();
}

static void say_cell(const work *w, const cell *c, compare_outcome outcome)
{
    char why[500] = "";
    char *folder = compare_cell_folder(&w->place, c->task, c->variant, c->seed);
    const double seconds = folder ? compare_cell_seconds(folder) : 0;
    if (folder) compare_cell_failure(folder, why, sizeof why);
    free(folder);
    if (outcome == COMPARE_FAILED)
        ebm_program_say("%s, %s, seed %" PRId64 ": failed: %s", c->task->name, c->variant->name, c->seed, why);
    if (outcome == COMPARE_MADE)
        ebm_program_say("%zu of %zu: %s, %s, seed %" PRId64 ": %.0f s", w->done, w->count, c->task->name,
                        c->variant->name, c->seed, seconds);
}

static ebm_status try_cell(work *w, cell *c, bool *progress)
{
    compare_outcome outcome = COMPARE_BUSY;
    EBM_TRY(compare_cell_make(&w->place, c->task, c->variant, c->seed, &outcome));
    w->busy += outcome == COMPARE_BUSY;
    w->waits += outcome == COMPARE_WAITS;
    if (outcome == COMPARE_BUSY || outcome == COMPARE_WAITS) return ebm_ok();
    *progress = c->settled = true;
    w->failed += outcome == COMPARE_FAILED;
    w->done += outcome != COMPARE_FAILED;
    say_cell(w, c, outcome);
    return ebm_ok();
}

// Cells that others work on are looked at again as long as there is something else to do; noise that others make is
// waited for.
static ebm_status make_cells(work *w)
{
    const volatile sig_atomic_t *stop = ebm_program_stop_flag();
    for (bool progress = true; progress;) {
        progress = false;
        w->busy = w->waits = 0;
        for (size_t i = 0; i < w->count; i++)
            if (w->cells[i].ours && !w->cells[i].settled) EBM_TRY(try_cell(w, w->cells + i, &progress));
        if (*stop) return ebm_fail(EBM_ERROR_INTERRUPTED, "stopped");
        if (!progress && w->waits > 0) {
            sleep(2);
            progress = true;
        }
    }
    return ebm_ok();
}

// ---- the command

static ebm_status keep_comparison(const compare_options *o, const compare_plan *plan)
{
    char *path = ebm_path_join(o->output_dir, "comparison.json");
    char *text = json_dumps(plan->spec, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    ebm_status status =
        path && text ? ebm_directory_make(o->output_dir) : ebm_fail(EBM_ERROR_MEMORY, "no memory for a comparison");
    if (status.code == EBM_OK) status = ebm_file_write(path, text, strlen(text));
    free(path);
    free(text);
    return status;
}

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for a comparison"); }

static ebm_status report(const compare_options *o, const compare_place *place)
{
    compare_results results = {0};
    char *page = ebm_path_join(o->output_dir, "report.html");
    ebm_status status = compare_results_measure(place, o->full, &results);
    EBM_CHECK(status, end);
    EBM_CHECK(compare_write(&results, o->output_dir), end);
    EBM_CHECK(page ? compare_page_write(place, &results, page) : no_memory(), end);
    EBM_CHECK(o->json ? ebm_program_print_json(compare_results_json(&results)) : compare_print(stdout, &results), end);
    ebm_program_say("results written to %s: report.html, results.json, results.csv, results.tex", o->output_dir);
end:
    compare_results_free(&results);
    free(page);
    return status;
}

static ebm_status run(const compare_options *o, compare_plan *plan)
{
    shard s;
    work w = {.place = {plan, o->output_dir, o->device, o->keep_models, NULL}};
    EBM_TRY(find_shard(o->shard, &s));
    EBM_TRY(compare_plan_read(o->comparison, plan));
    w.place.failed_noise = json_array();
    ebm_status status = list_cells(plan, &s, &w);
    EBM_CHECK(status, end);
    EBM_CHECK(compare_annotations_check(plan), end);
    EBM_CHECK(check_cells(&w), end);
    EBM_CHECK(keep_comparison(o, plan), end);
    ebm_program_say("%zu tasks, %zu methods, %zu cells, %zu of them done", plan->task_count, plan->variant_count,
                    w.count, w.done);
    if (!o->only_table) status = make_cells(&w);
    if (status.code == EBM_ERROR_INTERRUPTED)
        status = ebm_fail(EBM_ERROR_INTERRUPTED, "stopped with %zu of %zu cells done; the same command goes on", w.done,
                          w.count);
    EBM_CHECK(status, end);
    if (w.busy > 0) ebm_program_say("%zu cells are being made by other processes", w.busy);
    EBM_CHECK(report(o, &w.place), end);
    if (w.failed > 0)
        status = ebm_fail(EBM_ERROR_INPUT, "%zu of %zu cells failed; failed.txt in their folders says why", w.failed,
                          w.count);
end:
    json_decref(w.place.failed_noise);
    free(w.cells);
    return status;
}

ebm_status ebm_command_compare(int argc, char **argv)
{
    compare_options o = {0};
    ebm_options *parsed = NULL;
    compare_plan plan = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&o, &plan);
    compare_plan_free(&plan);
    ebm_options_free(parsed);
    return status;
}
