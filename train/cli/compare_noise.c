#include "compare_noise.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "again.h"
#include "compare_lock.h"
#include "file.h"
#include "json_file.h"
#include "program.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for the noise of a comparison"); }

typedef struct {
    char *folder, *model, *samples, *log;
} paths;

static void paths_free(paths *p)
{
    free(p->folder);
    free(p->model);
    free(p->samples);
    free(p->log);
}

static ebm_status paths_make(const compare_place *place, const compare_task *task, json_t *noise, paths *p)
{
    char name[100];
    compare_folder(compare_noise_name(noise), name, sizeof name);
    *p = (paths){0};
    if (asprintf(&p->folder, "%s/noise/%s/%s", place->output_dir, task->folder, name) < 0) p->folder = NULL;
    if (!p->folder) return no_memory();
    const char *given = json_string_value(json_object_get(noise, "noise_model"));
    p->model = given ? strdup(given) : ebm_path_join(p->folder, "model");
    p->samples = ebm_path_join(p->folder, "samples.txt");
    p->log = ebm_path_join(p->folder, "log.txt");
    const bool made = p->model && p->samples && p->log;
    if (!made) paths_free(p);
    return made ? ebm_ok() : no_memory();
}

static bool is_trained(json_t *noise) { return json_object_get(noise, "options") != NULL; }
static bool is_sampled(json_t *noise) { return json_object_get(noise, "sample") != NULL; }

ebm_status compare_noise_options(const compare_place *place, const compare_task *task, json_t *noise, json_t *options)
{
    json_t *file = json_object_get(noise, "noise_file");
    paths p;
    if (file) return json_object_set(options, "noise_file", file) == 0 ? ebm_ok() : no_memory();
    EBM_TRY(paths_make(place, task, noise, &p));
    const int failed = is_sampled(noise) ? json_object_set_new(options, "noise_file", json_string(p.samples))
                                         : json_object_set_new(options, "noise_model", json_string(p.model));
    paths_free(&p);
    return failed ? no_memory() : ebm_ok();
}

// ebmcl noise <what> with options from a file in the folder; `why` says what went wrong with it.
static ebm_status run(const compare_place *place, const paths *p, const char *what, json_t *options, char *why,
                      size_t size)
{
    char name[32], words[400];
    int code = -1;
    if (place->device) json_object_set_new(options, "device", json_string(place->device));
    snprintf(name, sizeof name, "%s.json", what);
    EBM_TRY(ebm_json_file_write(p->folder, name, options)); // takes them over
    char *file = ebm_path_join(p->folder, name);
    if (!file) return no_memory();
    ebm_status status = ebm_program_again((const char *const[]){"noise", what, file, NULL}, p->log, &code);
    free(file);
    if (status.code != EBM_OK || code == 0) return status;
    ebm_program_last_words(p->log, words, sizeof words);
    snprintf(why, size, "noise %s: %.380s", what, *words ? words : "it ended without a word");
    return ebm_ok();
}

static ebm_status train(const compare_place *place, const compare_task *task, json_t *noise, const paths *p, char *why,
                        size_t size)
{
    json_t *o = json_copy(json_object_get(noise, "options"));
    if (!o) return no_memory();
    compare_plan_texts(task, o);
    if (!json_object_get(o, "encoder") && !json_object_get(o, "model_name_or_path"))
        json_object_set_new(o, "encoder", json_string(place->plan->model));
    const ebm_status status = ebm_program_go_on(p->model, o);
    if (status.code == EBM_OK) return run(place, p, "train", o, why, size);
    json_decref(o);
    return status;
}

static ebm_status sample(const compare_place *place, const compare_task *task, json_t *noise, const paths *p, char *why,
                         size_t size)
{
    json_t *o = json_copy(json_object_get(noise, "sample"));
    if (!o) return no_memory();
    compare_plan_texts(task, o);
    json_object_del(o, "validation_file"); // prompts are training texts
    json_object_set_new(o, "noise_model", json_string(p->model));
    json_object_set_new(o, "out", json_string(p->samples));
    return run(place, p, "sample", o, why, size);
}

static ebm_status is_made(const paths *p, json_t *noise, bool *made)
{
    json_t *file = NULL;
    EBM_TRY(ebm_json_file_read(p->folder, "noise.json", &file));
    *made = file && json_equal(json_object_get(file, "settings"), noise);
    const bool differs = file && !*made;
    json_decref(file);
    if (differs)
        return ebm_fail(EBM_ERROR_INPUT, "%s was made with other settings; name the noise anew, or remove the folder",
                        p->folder);
    return ebm_ok();
}

static ebm_status make_locked(const compare_place *place, const compare_task *task, json_t *noise, const paths *p,
                              char *why, size_t size)
{
    char *config = ebm_path_join(p->model, "config.json");
    const bool there = config && ebm_file_exists(config);
    free(config);
    if (is_trained(noise) && !there) {
        ebm_program_say("noise model of %s: training", task->name);
        EBM_TRY(train(place, task, noise, p, why, size));
    }
    if (!*why && is_sampled(noise) && !ebm_file_exists(p->samples)) {
        ebm_program_say("noise of %s: sampling", task->name);
        EBM_TRY(sample(place, task, noise, p, why, size));
    }
    if (*why) return ebm_ok();
    json_t *json = json_pack("{s:O}", "settings", noise);
    return json ? ebm_json_file_write(p->folder, "noise.json", json) : no_memory();
}

ebm_status compare_noise_make(const compare_place *place, const compare_task *task, json_t *noise,
                              compare_outcome *outcome, char *why, size_t size)
{
    paths p;
    compare_lock lock;
    bool made = false;
    *outcome = COMPARE_DONE;
    *why = 0;
    if (!is_trained(noise) && !is_sampled(noise)) return ebm_ok(); // as it was given
    for (size_t i = 0; i < json_array_size(place->failed_noise); i++) {
        if (json_array_get(place->failed_noise, i) != noise) continue;
        snprintf(why, size, "its noise could not be made");
        *outcome = COMPARE_FAILED;
        return ebm_ok();
    }
    EBM_TRY(paths_make(place, task, noise, &p));
    ebm_status status = is_made(&p, noise, &made);
    if (status.code != EBM_OK || made) goto end;
    EBM_CHECK(compare_lock_take(p.folder, &lock), end);
    if (!lock.held) *outcome = COMPARE_BUSY;
    if (lock.held) {
        status = is_made(&p, noise, &made);
        if (status.code == EBM_OK && !made) status = make_locked(place, task, noise, &p, why, size);
        compare_lock_release(&lock);
        *outcome = *why ? COMPARE_FAILED : COMPARE_MADE;
        if (*why) json_array_append(place->failed_noise, noise);
    }
end:
    paths_free(&p);
    return status;
}
