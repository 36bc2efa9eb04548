// A checkpoint is a model directory with what training needs beside it:
//     optimizer_moment1.safetensors, optimizer_moment2.safetensors    under the parameters' names
//     trainer_state.json                                               step, orders, noise position, best evaluation,
//     and the settings that must not change
#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json_file.h"
#include "trainer_internal.h"

static const char *const STATE_FILE = "trainer_state.json";
static const char *const MOMENT_FILES[2] = {"optimizer_moment1.safetensors", "optimizer_moment2.safetensors"};
static const ebm_part MOMENTS[2] = {EBM_PART_MOMENT1, EBM_PART_MOMENT2};

// What would make the rest of the run another one if it changed.
static json_t *settings_of(const ebm_trainer *t)
{
    return json_pack("{s:I s:I s:I s:f s:I s:f s:s s:s s:i s:f s:s s:I}", "seed", (json_int_t)t->set.seed,
                     "per_device_train_batch_size", (json_int_t)t->set.batch_size, "total_steps", (json_int_t)t->total,
                     "learning_rate", t->set.learning_rate, "warmup_steps", (json_int_t)t->schedule.warmup,
                     "weight_decay", t->set.adamw.weight_decay, "objective", ebm_objective_name(t->set.step.objective),
                     "energy", t->in.info.objective == EBM_OBJECTIVE_JOINT ? ebm_energy_name(t->in.info.energy) : "",
                     "noise_ratio", t->set.step.noise_ratio, "nce_weight", (double)t->set.step.nce_weight, "nce_data",
                     t->set.step.nce_data == EBM_NCE_SHARED ? "shared" : "separate", "training_texts",
                     (json_int_t)ebm_encoded_count(t->in.train));
}

static json_t *place_of(const ebm_order *order)
{
    return json_pack("[I,I]", (json_int_t)ebm_order_epoch(order), (json_int_t)ebm_order_position(order));
}

static json_t *best_of(const ebm_trainer *t)
{
    json_t *best = json_object();
    if (!best || !t->has_best) return best;
    json_object_set_new(best, "step", json_integer((json_int_t)t->best.step));
    for (ebm_metric m = 0; m < EBM_METRICS; m++)
        if (isfinite(t->best.value[m])) json_object_set_new(best, ebm_metric_name(m), json_real(t->best.value[m]));
    if (!t->best.has_noise) return best;
    json_object_set_new(best, "told_apart", json_real(t->best.told_apart));
    json_object_set_new(best, "told_apart_auroc", json_real(t->best.auroc));
    json_object_set_new(best, "mean_exp_minus_energy_noise", json_real(t->best.mean_exp));
    return best;
}

static ebm_status write_state(const ebm_trainer *t, const char *directory)
{
    const uint64_t noise = t->in.noise ? ebm_noise_stream_position(t->in.noise) : 0;
    return ebm_json_file_write(directory, STATE_FILE,
                               json_pack("{s:I s:f s:o? s:o? s:I s:o? s:o?}", "global_step", (json_int_t)t->done,
                                         "epoch", (double)t->done / (double)t->steps_per_epoch, "order",
                                         place_of(t->order), "nce_order", place_of(t->nce_order), "noise_position",
                                         (json_int_t)noise, "best", best_of(t), "settings", settings_of(t)));
}

static ebm_status write_moments(ebm_trainer *t, const char *directory)
{
    ebm_parameters *parameters = ebm_classifier_parameters(t->in.classifier);
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < 2 && status.code == EBM_OK; i++) {
        char *path = ebm_path_join(directory, MOMENT_FILES[i]);
        status = path ? ebm_parameters_save(parameters, MOMENTS[i], path, "", NULL)
                      : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
        free(path);
    }
    return status;
}

// The newest checkpoint is complete by now, so the older ones have done their duty.
static ebm_status remove_older(const ebm_trainer *t, const char *newest)
{
    ebm_status status = ebm_ok();
    DIR *folder = opendir(t->set.output_dir);
    if (!folder) return ebm_fail(EBM_ERROR_IO, "%s: %m", t->set.output_dir);
    for (struct dirent *entry; status.code == EBM_OK && (entry = readdir(folder)) != NULL;) {
        const char *digits = entry->d_name + strlen("checkpoint-");
        if (strncmp(entry->d_name, "checkpoint-", strlen("checkpoint-")) != 0 || !*digits ||
            strspn(digits, "0123456789") != strlen(digits) || strcmp(entry->d_name, newest) == 0)
            continue;
        char *path = ebm_path_join(t->set.output_dir, entry->d_name);
        status = path ? ebm_directory_remove(path) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
        free(path);
    }
    closedir(folder);
    return status;
}

ebm_status ebm_checkpoint_write(ebm_trainer *t)
{
    char name[64];
    snprintf(name, sizeof name, "checkpoint-%" PRIu64, t->done);
    char *path = ebm_path_join(t->set.output_dir, name);
    ebm_directory_writer *writer = NULL;
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_directory_writer_open(path, &writer), end);
    const char *directory = ebm_directory_writer_path(writer);
    EBM_CHECK(ebm_model_directory_write(directory, t->in.classifier, t->in.tokenizer, &t->in.info), end);
    EBM_CHECK(write_moments(t, directory), end);
    EBM_CHECK(write_state(t, directory), end);
    EBM_CHECK(ebm_directory_writer_finish(writer, true), end);
    status = remove_older(t, name);
end:
    ebm_directory_writer_free(writer);
    free(path);
    return status;
}

static ebm_status check_settings(const ebm_trainer *t, const json_t *found, const char *path)
{
    json_t *expected = settings_of(t);
    const char *key;
    json_t *value;
    ebm_status status = expected ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %s", STATE_FILE);
    json_object_foreach(expected, key, value)
    {
        json_t *other = json_object_get(found, key);
        if (status.code != EBM_OK || json_equal(value, other)) continue;
        char *now = json_dumps(value, JSON_ENCODE_ANY), *then = other ? json_dumps(other, JSON_ENCODE_ANY) : NULL;
        status = ebm_fail(EBM_ERROR_INPUT, "%s: %s was %s, now it is %s; a resumed run keeps its settings", path, key,
                          then ? then : "not there", now ? now : "?");
        free(now);
        free(then);
    }
    json_decref(expected);
    return status;
}

static ebm_status seek(ebm_order *order, const json_t *place, const char *path, const char *key)
{
    const json_int_t epoch = json_integer_value(json_array_get(place, 0));
    const json_t *position = json_array_get(place, 1);
    if (!json_is_integer(position) || epoch < 0 || epoch > UINT32_MAX || json_integer_value(position) < 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" must be [epoch, position]", path, key);
    return ebm_in(ebm_order_seek(order, (uint32_t)epoch, (size_t)json_integer_value(position)), "%s: %s", path, key);
}

static void read_best(ebm_trainer *t, const json_t *best)
{
    const json_t *step = json_object_get(best, "step");
    t->has_best = json_is_integer(step);
    if (!t->has_best) return;
    t->best.step = (uint64_t)json_integer_value(step);
    t->best.epoch = (double)t->best.step / (double)t->steps_per_epoch;
    t->best.is_best = true;
    for (ebm_metric m = 0; m < EBM_METRICS; m++) {
        const json_t *value = json_object_get(best, ebm_metric_name(m));
        t->best.value[m] = value ? json_number_value(value) : (double)NAN;
    }
    t->best.has_noise = json_object_get(best, "told_apart") != NULL;
    t->best.told_apart = json_number_value(json_object_get(best, "told_apart"));
    t->best.auroc = json_number_value(json_object_get(best, "told_apart_auroc"));
    t->best.mean_exp = json_number_value(json_object_get(best, "mean_exp_minus_energy_noise"));
}

static ebm_status read_state(ebm_trainer *t, const char *path, const json_t *json)
{
    const json_t *step = json_object_get(json, "global_step"), *noise = json_object_get(json, "noise_position");
    if (!json_is_integer(step) || json_integer_value(step) < 0 || (uint64_t)json_integer_value(step) > t->total)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"global_step\" must be from 0 to %" PRIu64, path, t->total);
    if (!json_is_integer(noise) || json_integer_value(noise) < 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"noise_position\" must be 0 or more", path);
    EBM_TRY(check_settings(t, json_object_get(json, "settings"), path));
    EBM_TRY(seek(t->order, json_object_get(json, "order"), path, "order"));
    EBM_TRY(seek(t->nce_order, json_object_get(json, "nce_order"), path, "nce_order"));
    if (t->in.noise) EBM_TRY(ebm_noise_stream_seek(t->in.noise, (uint64_t)json_integer_value(noise)));
    t->done = (uint64_t)json_integer_value(step);
    read_best(t, json_object_get(json, "best"));
    return ebm_ok();
}

static ebm_status read_state_file(ebm_trainer *t, const char *directory)
{
    json_t *json = NULL;
    EBM_TRY(ebm_json_file_read(directory, STATE_FILE, &json));
    if (!json) return ebm_fail(EBM_ERROR_INPUT, "%s: no checkpoint, %s is missing", directory, STATE_FILE);
    char *path = ebm_path_join(directory, STATE_FILE);
    const ebm_status status =
        path ? read_state(t, path, json) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    free(path);
    json_decref(json);
    return status;
}

static ebm_status read_moments(ebm_trainer *t, const char *directory)
{
    ebm_parameters *parameters = ebm_classifier_parameters(t->in.classifier);
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < 2 && status.code == EBM_OK; i++) {
        char *path = ebm_path_join(directory, MOMENT_FILES[i]);
        ebm_safetensors *file = NULL;
        status = path ? ebm_safetensors_open(path, &file) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
        if (status.code == EBM_OK) status = ebm_parameters_restore(parameters, MOMENTS[i], file, "", NULL);
        ebm_safetensors_free(file);
        free(path);
    }
    return status;
}

ebm_status ebm_checkpoint_read(ebm_trainer *t, const char *directory)
{
    ebm_load_report report = {0};
    EBM_TRY(ebm_directory_recover(directory));
    EBM_TRY(read_state_file(t, directory));
    EBM_TRY(ebm_classifier_load(t->in.classifier, directory, &report));
    ebm_status status = ebm_ok();
    if (report.created && report.created[0])
        status = ebm_fail(EBM_ERROR_INPUT, "%s: the checkpoint lacks %s", directory, report.created[0]);
    ebm_load_report_free(&report);
    EBM_TRY(status);
    return read_moments(t, directory);
}
