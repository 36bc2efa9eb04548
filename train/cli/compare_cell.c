#include "compare_cell.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "again.h"
#include "compare_lock.h"
#include "compare_noise.h"
#include "file.h"
#include "json_file.h"
#include "program.h"
#include "timing.h"
#include "train_check.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for a cell of the comparison"); }

char *compare_cell_folder(const compare_place *place, const compare_task *task, const compare_variant *variant,
                          int64_t seed)
{
    char *path = NULL;
    if (asprintf(&path, "%s/cells/%s/%s/seed-%" PRId64, place->output_dir, task->folder, variant->folder, seed) < 0)
        return NULL;
    return path;
}

// ---- what is to be predicted besides the evaluation set: other distributions, and by other ways of predicting

typedef struct {
    const compare_variant *variant; // NULL: the trained one itself
    json_t *ood;                    // NULL: the evaluation set
} wanted;

static void prediction_name(const wanted *w, char *name, size_t size)
{
    char ood[100] = "";
    if (w->ood) compare_folder(json_string_value(json_object_get(w->ood, "name")), ood, sizeof ood);
    snprintf(name, size, "%.160s%s%s%.99s.jsonl", w->variant ? w->variant->folder : "", w->variant && w->ood ? "." : "",
             w->ood ? "ood-" : "", ood);
}

// Calls `use` for every file of predictions that the plan wants of a cell.
static ebm_status each_wanted(const compare_plan *plan, const compare_task *task, const compare_variant *variant,
                              ebm_status (*use)(void *context, const wanted *w), void *context)
{
    json_t *ood = json_object_get(task->spec, "ood");
    const size_t of = (size_t)(variant - plan->variants);
    for (size_t i = 0; i <= plan->variant_count; i++) {
        const compare_variant *v = i == plan->variant_count ? NULL : plan->variants + i;
        if (v && (v->kind != COMPARE_PREDICTED || v->of != of)) continue;
        if (v) EBM_TRY(use(context, &(wanted){v, NULL}));
        for (size_t s = 0; s < json_array_size(ood); s++) EBM_TRY(use(context, &(wanted){v, json_array_get(ood, s)}));
    }
    return ebm_ok();
}

typedef struct {
    const char *folder;
    bool there;
} presence;

static ebm_status look_for(void *context, const wanted *w)
{
    presence *p = context;
    char name[300];
    prediction_name(w, name, sizeof name);
    char *path = ebm_path_join(p->folder, name);
    if (!path) return no_memory();
    p->there = p->there && ebm_file_exists(path);
    free(path);
    return ebm_ok();
}

// ---- settings of a cell

// What makes a cell this one: everything but where it lies and runs.
static ebm_status settings_of(const compare_place *place, const compare_task *task, const compare_variant *variant,
                              int64_t seed, json_t **settings, json_t **noise)
{
    *settings = NULL;
    EBM_TRY(compare_plan_noise(place->plan, task, variant, noise));
    json_t *o = compare_plan_options(place->plan, task, variant);
    if (!o) return no_memory();
    json_object_set_new(o, "seed", json_integer((json_int_t)seed));
    if (*noise) json_object_set(o, "noise", *noise);
    *settings = o;
    return ebm_ok();
}

static ebm_status check_same(const char *folder, json_t *now)
{
    json_t *file = NULL;
    EBM_TRY(ebm_json_file_read(folder, "cell.json", &file));
    json_t *then = json_object_get(file, "settings");
    const char *key;
    json_t *value;
    ebm_status status = ebm_ok();
    json_object_foreach(now, key, value)
    {
        json_t *other = json_object_get(then, key);
        if (status.code != EBM_OK || (other && json_equal(value, other))) continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY), *old = other ? json_dumps(other, JSON_ENCODE_ANY) : NULL;
        status = ebm_fail(EBM_ERROR_INPUT,
                          "%s is done with %s %.100s, now it is %.100s; name the method anew, or remove the folder",
                          folder, key, old ? old : "not there", text ? text : "?");
        free(text);
        free(old);
    }
    json_object_foreach(then, key, value)
    {
        if (status.code == EBM_OK && !json_object_get(now, key))
            status = ebm_fail(EBM_ERROR_INPUT,
                              "%s is done with %s, now that is not there; name the method anew, or remove the folder",
                              folder, key);
    }
    json_decref(file);
    return status;
}

static bool has_file(const char *folder, const char *name)
{
    char *path = ebm_path_join(folder, name);
    const bool there = path && ebm_file_exists(path);
    free(path);
    return there;
}

ebm_status compare_cell_is_done(const compare_place *place, const compare_task *task, const compare_variant *variant,
                                int64_t seed, bool *done)
{
    json_t *settings = NULL;
    json_t *noise = NULL;
    char *folder = compare_cell_folder(place, task, variant, seed);
    presence p = {folder, true};
    ebm_status status = folder ? ebm_ok() : no_memory();
    *done = false;
    if (status.code != EBM_OK || !has_file(folder, "cell.json")) goto end;
    EBM_CHECK(settings_of(place, task, variant, seed, &settings, &noise), end);
    EBM_CHECK(check_same(folder, settings), end);
    EBM_CHECK(each_wanted(place->plan, task, variant, look_for, &p), end);
    *done = p.there;
end:
    json_decref(settings);
    free(folder);
    return status;
}

// ---- making one

typedef struct {
    const compare_place *place;
    const compare_task *task;
    const compare_variant *variant;
    int64_t seed;
    char *folder, *model;
    json_t *settings;
    char why[480]; // not empty: this cell has failed
} cell;

static ebm_status fail_cell(cell *c, const char *what, int code, const char *log_name)
{
    char words[400];
    char *log = ebm_path_join(c->folder, log_name);
    if (!log) return no_memory();
    ebm_program_last_words(log, words, sizeof words);
    snprintf(c->why, sizeof c->why, "%.60s: %.399s", what, *words ? words : "it ended without a word");
    if (!*words && code > 128) snprintf(c->why, sizeof c->why, "%.60s: killed by signal %d", what, code - 128);
    free(log);
    return ebm_ok();
}

static ebm_status write_options(const cell *c, json_t *noise)
{
    json_t *o = json_copy(c->settings);
    if (!o) return no_memory();
    ebm_status status = ebm_program_go_on(c->model, o);
    json_object_del(o, "noise");
    if (status.code == EBM_OK && noise) status = compare_noise_options(c->place, c->task, noise, o);
    json_object_set_new(o, "keep_last_model", json_true());
    json_object_set_new(o, "save_predictions", json_true());
    json_object_set_new(o, "no_report", json_true()); // the comparison has a page of its own
    if (c->place->device) json_object_set_new(o, "device", json_string(c->place->device));
    if (status.code == EBM_OK) return ebm_json_file_write(c->folder, "train.json", o); // takes o over
    json_decref(o);
    return status;
}

static ebm_status run_options(cell *c, const char *command, const char *options, const char *log_name, const char *what)
{
    int code = -1;
    char *file = ebm_path_join(c->folder, options), *log = ebm_path_join(c->folder, log_name);
    ebm_status status = file && log ? ebm_ok() : no_memory();
    if (status.code == EBM_OK) status = ebm_program_again((const char *const[]){command, file, NULL}, log, &code);
    if (status.code == EBM_OK && code != 0) status = fail_cell(c, what, code, log_name);
    free(file);
    free(log);
    return status;
}

static ebm_status check_train_options(cell *c)
{
    char *file = ebm_path_join(c->folder, "train.json");
    const ebm_status wrong = file ? ebm_train_check(file) : no_memory();
    free(file);
    if (wrong.code == EBM_OK || wrong.code == EBM_ERROR_MEMORY) return wrong;
    snprintf(c->why, sizeof c->why, "%.470s", wrong.message);
    return ebm_ok();
}

// A training that was stopped goes on from its checkpoint: the time of its parts adds up.
static ebm_status keep_seconds(const cell *c, double seconds)
{
    return ebm_json_file_write(c->folder, "stopped.json", json_pack("{s:f}", "seconds", seconds));
}

static double earlier_seconds(const cell *c)
{
    json_t *file = NULL;
    if (ebm_json_file_read(c->folder, "stopped.json", &file).code != EBM_OK) return 0;
    const double seconds = json_number_value(json_object_get(file, "seconds"));
    json_decref(file);
    return seconds;
}

static ebm_status note_training(const cell *c, double seconds)
{
    char *stopped = ebm_path_join(c->folder, "stopped.json");
    if (stopped) unlink(stopped);
    free(stopped);
    json_t *json = json_pack("{s:O s:f s:s}", "settings", c->settings, "seconds", seconds, "version", EBMCL_VERSION);
    return json ? ebm_json_file_write(c->folder, "cell.json", json) : no_memory();
}

static ebm_status train(cell *c, json_t *noise)
{
    const double start = ebm_now(), earlier = earlier_seconds(c);
    EBM_TRY(write_options(c, noise));
    EBM_TRY(check_train_options(c));
    if (*c->why) return ebm_ok();
    const ebm_status status = run_options(c, "train", "train.json", "log.txt", "training");
    if (status.code == EBM_ERROR_INTERRUPTED) EBM_TRY(keep_seconds(c, earlier + ebm_now() - start));
    EBM_TRY(status);
    return *c->why ? ebm_ok() : note_training(c, earlier + ebm_now() - start);
}

// ---- predictions

static ebm_status write_predict_options(const cell *c, const wanted *w, const char *name)
{
    static const char *const TEXTS[] = {"task_name",        "data_dir",       "validation_file", "text_column",
                                        "text_pair_column", "skip_malformed", "test_file"};
    json_t *source = w->ood ? w->ood : c->task->spec, *bf16 = json_object_get(c->settings, "bf16");
    json_t *o = json_object();
    char *out = ebm_path_join(c->folder, name);
    if (o && w->variant) json_object_update(o, json_object_get(w->variant->method, "predict"));
    for (size_t i = 0; o && i < sizeof TEXTS / sizeof *TEXTS; i++) {
        json_t *value = json_object_get(source, TEXTS[i]);
        if (value) json_object_set(o, TEXTS[i], value);
    }
    if (!o || !out) {
        json_decref(o);
        free(out);
        return no_memory();
    }
    if (!w->ood && c->task->task) { // predict takes a task's test set: name its development set
        char *file = NULL;
        const char *folder = json_string_value(json_object_get(source, "data_dir"));
        if (!json_object_get(source, "validation_file") && folder &&
            ebm_task_file(c->task->task, folder, EBM_SPLIT_DEV, &file).code == EBM_OK)
            json_object_set_new(o, "validation_file", json_string(file));
        free(file);
    }
    if (bf16) json_object_set(o, "bf16", bf16);
    json_object_set_new(o, "model_name_or_path", json_string(c->model));
    json_object_set_new(o, "output_file", json_string(out));
    if (c->place->device) json_object_set_new(o, "device", json_string(c->place->device));
    free(out);
    return ebm_json_file_write(c->folder, "predict.json", o);
}

static ebm_status predict(void *context, const wanted *w)
{
    cell *c = context;
    char name[300], what[320];
    if (*c->why) return ebm_ok();
    prediction_name(w, name, sizeof name);
    if (has_file(c->folder, name)) return ebm_ok();
    snprintf(what, sizeof what, "predictions %s", name);
    EBM_TRY(write_predict_options(c, w, name));
    return run_options(c, "predict", "predict.json", "predict-log.txt", what);
}

// ---- the cell

static ebm_status remove_weights(const cell *c)
{
    static const char *const FILES[] = {"model.safetensors", "energy.safetensors"};
    if (c->place->keep_models) return ebm_ok();
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char *path = ebm_path_join(c->model, FILES[i]);
        if (!path) return no_memory();
        unlink(path);
        free(path);
    }
    DIR *open = opendir(c->model);
    for (const struct dirent *entry; open && (entry = readdir(open));) {
        char *path = strncmp(entry->d_name, "checkpoint-", 11) == 0 ? ebm_path_join(c->model, entry->d_name) : NULL;
        if (path) ebm_directory_remove(path);
        free(path);
    }
    if (open) closedir(open);
    return ebm_ok();
}

static ebm_status note_failure(const cell *c)
{
    char *path = ebm_path_join(c->folder, "failed.txt");
    if (!path) return no_memory();
    ebm_status status = ebm_ok();
    if (*c->why) {
        char line[500];
        snprintf(line, sizeof line, "%s\n", c->why);
        status = ebm_file_write(path, line, strlen(line));
    } else {
        unlink(path);
    }
    free(path);
    return status;
}

// Weights may have been removed after an earlier run with fewer wishes: then it is trained again, to the same bits.
static ebm_status make_locked(cell *c, json_t *noise)
{
    if (has_file(c->folder, "cell.json")) EBM_TRY(check_same(c->folder, c->settings));
    if (!has_file(c->folder, "cell.json") || !has_file(c->model, "model.safetensors")) EBM_TRY(train(c, noise));
    if (!*c->why) EBM_TRY(each_wanted(c->place->plan, c->task, c->variant, predict, c));
    if (!*c->why) EBM_TRY(remove_weights(c));
    return note_failure(c);
}

static ebm_status make(cell *c, json_t *noise, compare_outcome *outcome)
{
    compare_lock lock;
    bool done = false;
    EBM_TRY(compare_lock_take(c->folder, &lock));
    *outcome = COMPARE_BUSY;
    if (!lock.held) return ebm_ok();
    // Another process may have made it between our look and our lock.
    ebm_status status = compare_cell_is_done(c->place, c->task, c->variant, c->seed, &done);
    if (status.code == EBM_OK && !done) status = make_locked(c, noise);
    compare_lock_release(&lock);
    *outcome = *c->why ? COMPARE_FAILED : done ? COMPARE_DONE : COMPARE_MADE;
    return status;
}

ebm_status compare_cell_make(const compare_place *place, const compare_task *task, const compare_variant *variant,
                             int64_t seed, compare_outcome *outcome)
{
    cell c = {.place = place, .task = task, .variant = variant, .seed = seed};
    json_t *noise = NULL;
    ebm_status status = ebm_ok();
    *outcome = COMPARE_BUSY;
    c.folder = compare_cell_folder(place, task, variant, seed);
    c.model = c.folder ? ebm_path_join(c.folder, "model") : NULL;
    if (!c.model) status = no_memory();
    EBM_CHECK(status, end);
    EBM_CHECK(settings_of(place, task, variant, seed, &c.settings, &noise), end);
    if (noise) {
        EBM_CHECK(compare_noise_make(place, task, noise, outcome, c.why, sizeof c.why), end);
        if (*outcome == COMPARE_BUSY) {
            *outcome = COMPARE_WAITS;
            goto end;
        }
        if (*outcome == COMPARE_FAILED) {
            EBM_CHECK(ebm_directory_make(c.folder), end);
            EBM_CHECK(note_failure(&c), end);
            goto end;
        }
    }
    EBM_CHECK(make(&c, noise, outcome), end);
end:
    json_decref(c.settings);
    free(c.folder);
    free(c.model);
    return status;
}

double compare_cell_seconds(const char *folder)
{
    json_t *file = NULL;
    if (ebm_json_file_read(folder, "cell.json", &file).code != EBM_OK) return 0;
    const double seconds = json_number_value(json_object_get(file, "seconds"));
    json_decref(file);
    return seconds;
}

void compare_cell_failure(const char *folder, char *text, size_t size)
{
    char *path = ebm_path_join(folder, "failed.txt"), *content = NULL;
    *text = 0;
    if (path && ebm_file_exists(path) && ebm_file_read(path, 1 << 16, &content, NULL).code == EBM_OK)
        snprintf(text, size, "%.*s", (int)strcspn(content, "\n"), content);
    free(content);
    free(path);
}
