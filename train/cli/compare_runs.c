#include "compare_runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "average.h"
#include "calibration.h"
#include "compare_annotations.h"
#include "compare_steps.h"
#include "file.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for predictions"); }

static ebm_portion half_of(const compare_plan *plan, int half)
{
    if (plan->random_halves) return half ? EBM_PORTION_RANDOM_SECOND_HALF : EBM_PORTION_RANDOM_FIRST_HALF;
    return half ? EBM_PORTION_SECOND_HALF : EBM_PORTION_FIRST_HALF;
}

static ebm_status take_half(const compare_plan *plan, const ebm_predictions *rows, int half, ebm_prediction_rows *out)
{
    return ebm_predictions_portion(rows, half_of(plan, half), plan->split_seed, out);
}

// ---- which evaluation stands for a method

typedef struct {
    const compare_place *place;
    const compare_task *task;
    const compare_variant *variant;
    char *folder, *model; // of the trained cell
    compare_steps steps;
} source;

static ebm_status read_step(const source *s, int64_t step, ebm_read_predictions *read)
{
    char *path = compare_step_path(s->model, step);
    if (!path) return no_memory();
    const ebm_prediction_source from = {.path = path, .needs_labels = true};
    const ebm_status status = ebm_predictions_read(&from, read);
    free(path);
    return status;
}

static ebm_status nll_of_half(const source *s, int64_t step, int half, double *nll)
{
    ebm_read_predictions read = {0};
    ebm_prediction_rows rows = {0};
    double value[EBM_METRICS];
    ebm_status status = read_step(s, step, &read);
    read.rows.energy = NULL;
    if (status.code == EBM_OK) status = take_half(s->place->plan, &read.rows, half, &rows);
    if (status.code == EBM_OK) status = ebm_metrics(&rows.rows, 1, EBM_BINS_DEFAULT, value);
    if (status.code == EBM_OK) *nll = value[EBM_NLL];
    ebm_prediction_rows_free(&rows);
    ebm_read_predictions_free(&read);
    return status;
}

static ebm_status choose_by_nll(const source *s, int64_t step[2])
{
    for (int half = 0; half < 2; half++) {
        double least = INFINITY, nll = 0;
        for (size_t i = 0; i < s->steps.count; i++) {
            EBM_TRY(nll_of_half(s, s->steps.steps[i].step, 1 - half, &nll));
            if (nll >= least) continue;
            least = nll;
            step[half] = s->steps.steps[i].step;
        }
    }
    return ebm_ok();
}

static ebm_status choose_by_training(const source *s, int64_t seed, int64_t step[2])
{
    const compare_variant *as = s->place->plan->variants + s->variant->as;
    char *folder = compare_cell_folder(s->place, s->task, as, seed);
    char *model = folder ? ebm_path_join(folder, "model") : NULL;
    compare_steps other = {0};
    ebm_status status = model ? compare_steps_read(model, &other) : no_memory();
    if (status.code == EBM_OK) {
        const double mark = other.steps[other.count - 1].cross_entropy;
        size_t at = 0;
        while (at + 1 < s->steps.count && !(s->steps.steps[at].cross_entropy <= mark)) at++;
        step[0] = step[1] = s->steps.steps[at].step;
    }
    compare_steps_free(&other);
    free(model);
    free(folder);
    return status;
}

static ebm_status choose_step(const source *s, int64_t seed, int64_t step[2])
{
    step[0] = step[1] = s->steps.steps[s->steps.count - 1].step;
    if (s->variant->kind == COMPARE_STOPPED_BY_NLL) return choose_by_nll(s, step);
    if (s->variant->kind == COMPARE_STOPPED_AT_CE) return choose_by_training(s, seed, step);
    return ebm_ok();
}

// ---- reading

static ebm_status read_file(const source *s, const char *prefix, const char *name, const char *labels,
                            ebm_read_predictions *read)
{
    char *path = NULL;
    if (asprintf(&path, "%s/%s%s.jsonl", s->folder, prefix, name) < 0) return no_memory();
    // Other ways of predicting may change what the logits alone would say.
    const bool others_way = s->variant->kind == COMPARE_PREDICTED;
    const ebm_prediction_source from = {.path = path,
                                        .labels_path = labels,
                                        .scores = others_way ? EBM_SCORES_PROBABILITIES : EBM_SCORES_LOGITS,
                                        .needs_labels = labels != NULL};
    const ebm_status status = ebm_predictions_read(&from, read);
    free(path);
    return status;
}

static ebm_status read_rows(const source *s, compare_seed *seed)
{
    if (s->variant->kind == COMPARE_PREDICTED) {
        char *labels = compare_step_path(s->model, seed->step[0]);
        if (!labels) return no_memory();
        const ebm_status status = read_file(s, "", s->variant->folder, labels, seed->read);
        free(labels);
        EBM_TRY(status);
    } else {
        EBM_TRY(read_step(s, seed->step[0], seed->read));
    }
    if (seed->step[1] != seed->step[0]) EBM_TRY(read_step(s, seed->step[1], seed->read + 1));
    seed->rows[0] = seed->read[0].rows;
    seed->rows[1] = seed->step[1] != seed->step[0] ? seed->read[1].rows : seed->read[0].rows;
    return ebm_ok();
}

// Other distributions were predicted by the last model: not for a method that stands at another evaluation.
static ebm_status read_others(const source *s, compare_seed *seed, size_t *sets)
{
    const json_t *ood = json_object_get(s->task->spec, "ood");
    const bool last = seed->step[0] == seed->step[1] && seed->step[0] == s->steps.steps[s->steps.count - 1].step;
    char prefix[200] = "ood-", folder[64];
    *sets = s->variant->kind == COMPARE_TRAINED || s->variant->kind == COMPARE_PREDICTED ? json_array_size(ood) : 0;
    if (!last || *sets == 0) return ebm_ok();
    if (s->variant->kind == COMPARE_PREDICTED) snprintf(prefix, sizeof prefix, "%s.ood-", s->variant->folder);
    seed->others = calloc(*sets, sizeof *seed->others);
    if (!seed->others) return no_memory();
    for (size_t i = 0; i < *sets; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(ood, i), "name"));
        compare_folder(name, folder, sizeof folder);
        snprintf(seed->others[i].name, sizeof seed->others[i].name, "%s", name);
        EBM_TRY(read_file(s, prefix, folder, NULL, &seed->others[i].read));
    }
    return ebm_ok();
}

static ebm_status divide(const compare_plan *plan, compare_seed *seed)
{
    for (int half = 0; half < 2; half++) {
        ebm_prediction_rows other = {0};
        ebm_temperature fit;
        EBM_TRY(take_half(plan, seed->rows + half, half, seed->half + half));
        EBM_TRY(take_half(plan, seed->rows + half, 1 - half, &other));
        const ebm_status status = ebm_temperature_fit(&other.rows, &fit);
        ebm_prediction_rows_free(&other);
        EBM_TRY(status);
        seed->temperature[half] = fit.temperature;
    }
    return ebm_ok();
}

static void source_free(source *s)
{
    compare_steps_free(&s->steps);
    free(s->folder);
    free(s->model);
}

static ebm_status read_seed(const compare_place *place, const compare_task *task, const compare_variant *variant,
                            compare_seed *seed, compare_runs *runs)
{
    const compare_variant *trained = variant->kind == COMPARE_TRAINED ? variant : place->plan->variants + variant->of;
    source s = {.place = place, .task = task, .variant = variant};
    s.folder = compare_cell_folder(place, task, trained, seed->seed);
    s.model = s.folder ? ebm_path_join(s.folder, "model") : NULL;
    ebm_status status = s.model ? compare_steps_read(s.model, &s.steps) : no_memory();
    EBM_CHECK(status, end);
    EBM_CHECK(choose_step(&s, seed->seed, seed->step), end);
    EBM_CHECK(read_rows(&s, seed), end);
    EBM_CHECK(read_others(&s, seed, &runs->sets), end);
    EBM_CHECK(divide(place->plan, seed), end);
    runs->seconds += compare_cell_seconds(s.folder);
end:
    source_free(&s);
    return status;
}

// ---- seeds that are done

static ebm_status is_ready(const compare_place *place, const compare_task *task, const compare_variant *variant,
                           int64_t seed, bool *ready)
{
    const compare_plan *plan = place->plan;
    const compare_variant *trained = variant->kind == COMPARE_TRAINED ? variant : plan->variants + variant->of;
    EBM_TRY(compare_cell_is_done(place, task, trained, seed, ready));
    if (*ready && variant->kind == COMPARE_STOPPED_AT_CE)
        EBM_TRY(compare_cell_is_done(place, task, plan->variants + variant->as, seed, ready));
    return ebm_ok();
}

static ebm_status read_seeds(const compare_place *place, const compare_task *task, const compare_variant *variant,
                             compare_runs *runs)
{
    const json_t *seeds = compare_plan_seeds(place->plan, task, variant);
    const size_t count = json_array_size(seeds);
    runs->seed = calloc(count + 1, sizeof *runs->seed);
    if (!runs->seed) return no_memory();
    for (size_t i = 0; i < count; i++) {
        const int64_t number = (int64_t)json_integer_value(json_array_get(seeds, i));
        bool ready = false;
        EBM_TRY(is_ready(place, task, variant, number, &ready));
        if (!ready) {
            runs->missing++;
            continue;
        }
        compare_seed *seed = runs->seed + runs->seeds++;
        seed->seed = number;
        EBM_TRY(read_seed(place, task, variant, seed, runs));
    }
    return ebm_ok();
}

// ---- an ensemble of the seeds

static ebm_status add_seeds(const compare_runs *runs, ebm_average *average)
{
    const ebm_predictions *first = runs->seed[0].rows;
    for (size_t i = 0; i < runs->seeds; i++) {
        const ebm_predictions *rows = runs->seed[i].rows;
        if (rows->count != first->count || rows->labels != first->labels)
            return ebm_fail(EBM_ERROR_INPUT, "seeds of an ensemble differ in their texts or labels");
        EBM_TRY(ebm_average_add(average, rows->logits, NULL, NULL));
    }
    return ebm_ok();
}

static ebm_status average_rows(const compare_runs *runs, ebm_read_predictions *out)
{
    const ebm_predictions *first = runs->seed[0].rows;
    ebm_average *average = NULL;
    EBM_TRY(ebm_average_create(first->count, first->labels, &average));
    out->logits = malloc(first->count * (size_t)first->labels * sizeof *out->logits);
    out->label = malloc(first->count * sizeof *out->label);
    ebm_status status = out->logits && out->label ? add_seeds(runs, average) : no_memory();
    if (status.code == EBM_OK) status = ebm_average_logits(average, out->logits);
    if (status.code == EBM_OK) memcpy(out->label, first->label, first->count * sizeof *out->label);
    out->rows = (ebm_predictions){first->count, first->labels, out->logits, out->label, NULL};
    out->probabilities = true;
    ebm_average_free(average);
    return status;
}

static void seed_free(compare_seed *seed, size_t sets)
{
    for (int half = 0; half < 2; half++) {
        ebm_prediction_rows_free(seed->half + half);
        ebm_read_predictions_free(seed->read + half);
    }
    for (size_t i = 0; seed->others && i < sets; i++) ebm_read_predictions_free(&seed->others[i].read);
    free(seed->others);
    *seed = (compare_seed){0};
}

// Only when all seeds are there: an ensemble of fewer is another method.
static ebm_status average(const compare_plan *plan, compare_runs *runs)
{
    compare_seed mean = {0};
    if (runs->seeds == 0 || runs->missing > 0) {
        for (size_t i = 0; i < runs->seeds; i++) seed_free(runs->seed + i, runs->sets);
        runs->missing = 1;
        runs->seeds = 0;
        return ebm_ok();
    }
    ebm_status status = average_rows(runs, mean.read);
    mean.rows[0] = mean.rows[1] = mean.read[0].rows;
    if (status.code == EBM_OK) status = divide(plan, &mean);
    for (size_t i = 0; i < runs->seeds; i++) seed_free(runs->seed + i, runs->sets);
    runs->seeds = 1;
    runs->seed[0] = mean;
    return status;
}

// ---- annotators

// The same for all seeds, so before an ensemble takes their place.
static ebm_status read_annotations(const compare_place *place, const compare_task *task, const compare_variant *variant,
                                   compare_runs *runs)
{
    const compare_variant *trained = variant->kind == COMPARE_TRAINED ? variant : place->plan->variants + variant->of;
    if (runs->seeds == 0) return ebm_ok();
    const ebm_predictions *rows = runs->seed[0].rows;
    char *folder = compare_cell_folder(place, task, trained, runs->seed[0].seed);
    char *model = folder ? ebm_path_join(folder, "model") : NULL;
    double *counts = NULL;
    ebm_status status = model ? compare_annotations_read(task, model, rows, &counts) : no_memory();
    for (int half = 0; status.code == EBM_OK && counts && half < 2; half++)
        status = ebm_counts_portion(counts, rows->count, rows->labels, half_of(place->plan, half),
                                    place->plan->split_seed, runs->counts + half);
    free(counts);
    free(model);
    free(folder);
    return status;
}

// ---- the whole

static ebm_status make_parts(compare_runs *runs)
{
    runs->raw_part = calloc(2 * runs->seeds + 1, sizeof *runs->raw_part);
    runs->calibrated_part = calloc(2 * runs->seeds + 1, sizeof *runs->calibrated_part);
    if (!runs->raw_part || !runs->calibrated_part) return no_memory();
    for (size_t s = 0; s < runs->seeds; s++) {
        const compare_seed *seed = runs->seed + s;
        for (size_t h = 0; h < 2; h++) {
            const bool probabilities = seed->read[0].probabilities;
            runs->raw_part[2 * s + h] = (ebm_suite_part){seed->half[h].rows, 1, probabilities, runs->counts[h], NULL};
            runs->calibrated_part[2 * s + h] =
                (ebm_suite_part){seed->half[h].rows, seed->temperature[h], probabilities, runs->counts[h], NULL};
        }
    }
    runs->raw = (ebm_suite_runs){runs->raw_part, (int)runs->seeds, 2};
    runs->calibrated = (ebm_suite_runs){runs->calibrated_part, (int)runs->seeds, 2};
    return ebm_ok();
}

ebm_status compare_runs_read(const compare_place *place, const compare_task *task, const compare_variant *variant,
                             compare_runs *runs)
{
    *runs = (compare_runs){0};
    EBM_TRY(read_seeds(place, task, variant, runs));
    EBM_TRY(read_annotations(place, task, variant, runs));
    const bool averaged = variant->kind == COMPARE_AVERAGED;
    if (runs->seeds > 0 && !averaged) runs->seconds /= (double)runs->seeds;
    if (averaged) EBM_TRY(average(place->plan, runs));
    return make_parts(runs);
}

void compare_runs_free(compare_runs *runs)
{
    for (size_t i = 0; i < runs->seeds; i++) seed_free(runs->seed + i, runs->sets);
    free(runs->seed);
    free(runs->counts[0]);
    free(runs->counts[1]);
    free(runs->raw_part);
    free(runs->calibrated_part);
    *runs = (compare_runs){0};
}
