// A checkpoint of a noise model's training is a noise model's directory with what training needs beside it: the moments
// (checkpoint_parts.h), best.safetensors with the best weights so far when there were any, and
//     trainer_state.json    phase, step, order, best evaluation, and the settings that must not change
#include <inttypes.h>
#include <stdlib.h>

#include "checkpoint_parts.h"
#include "file.h"
#include "gemm.h"
#include "json_file.h"
#include "noise_trainer_internal.h"

static const char *const STATE_FILE = "trainer_state.json", *const BEST_FILE = "best.safetensors";

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a checkpoint"); }

static json_int_t texts_in(const ebm_noise_texts *texts)
{
    return texts ? (json_int_t)ebm_noise_texts_count(texts) : 0;
}

// What would make the rest of the run another one if it changed.
static json_t *settings_of(const ebm_noise_trainer *t, const ebm_noise_phase_run *p)
{
    return json_pack("{s:I s:s s:f s:I s:f s:I s:I s:f s:f s:f s:f s:f s:I s:i s:I s:I s:b}", "seed",
                     (json_int_t)t->set.seed, "noise_objective", ebm_noise_objective_name(t->set.objective),
                     "mask_probability", (double)t->set.mask_probability, "per_device_train_batch_size",
                     (json_int_t)p->phase->batch_size, "learning_rate", p->phase->learning_rate, "total_steps",
                     (json_int_t)p->total, "warmup_steps", (json_int_t)p->schedule.warmup, "weight_decay",
                     t->set.adamw.weight_decay, "adam_beta1", t->set.adamw.beta1, "adam_beta2", t->set.adamw.beta2,
                     "adam_epsilon", t->set.adamw.epsilon, "max_grad_norm", t->set.adamw.max_norm, "eval_steps",
                     (json_int_t)p->phase->eval_steps, "patience", p->phase->patience, "training_texts",
                     texts_in(p->texts), "held_out_texts", texts_in(p->held_out), "bf16",
                     ebm_gemm_precision(ebm_noise_model_device(t->model)) == EBM_BF16);
}

static ebm_status write_state(const ebm_noise_trainer *t, const ebm_noise_phase_run *p, const char *directory)
{
    return ebm_json_file_write(directory, STATE_FILE,
                               json_pack("{s:I s:I s:I s:o s:{s:I s:f s:i} s:o s:o}", "phase", (json_int_t)p->index,
                                         "step", (json_int_t)p->done, "update", (json_int_t)t->update, "order",
                                         ebm_place_of(p->order), "best", "step", (json_int_t)p->best.step, "perplexity",
                                         p->best.perplexity, "worse_since", p->worse, "settings", settings_of(t, p),
                                         "computed_by", ebm_computed_by(ebm_noise_model_device(t->model))));
}

// Files are written from the device, so the best weights visit it.
static ebm_status write_best(ebm_noise_trainer *t, const char *directory)
{
    char *path = ebm_path_join(directory, BEST_FILE);
    float **current = calloc(t->tensor_count, sizeof *current);
    ebm_status status = path && current ? ebm_noise_weights_read(t, current) : no_memory();
    EBM_CHECK(status, end);
    status = ebm_noise_weights_write(t, t->best_weights);
    if (status.code == EBM_OK)
        status = ebm_parameters_save(ebm_noise_model_parameters(t->model), EBM_PART_WEIGHT, path, "", NULL);
    const ebm_status back = ebm_noise_weights_write(t, current);
    if (status.code == EBM_OK) status = back;
end:
    ebm_noise_weights_free(t, current);
    free(path);
    return status;
}

ebm_status ebm_noise_checkpoint_write(ebm_noise_trainer *t, const ebm_noise_phase_run *p)
{
    ebm_checkpoint_name name;
    ebm_checkpoint_name_of(t->update, name);
    char *path = ebm_path_join(t->set.output_dir, name);
    ebm_directory_writer *writer = NULL;
    ebm_status status = path ? ebm_directory_make(t->set.output_dir) : no_memory();
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_directory_writer_open(path, &writer), end);
    const char *directory = ebm_directory_writer_path(writer);
    EBM_CHECK(ebm_noise_model_save(t->model, directory), end);
    EBM_CHECK(ebm_moments_write(ebm_noise_model_parameters(t->model), directory), end);
    if (p->best.perplexity > 0) EBM_CHECK(write_best(t, directory), end);
    EBM_CHECK(write_state(t, p, directory), end);
    EBM_CHECK(ebm_directory_writer_finish(writer, true), end);
    status = ebm_checkpoint_remove_others(t->set.output_dir, name);
end:
    ebm_directory_writer_free(writer);
    free(path);
    return status;
}

static ebm_status read_weights(ebm_noise_trainer *t, const char *directory, const char *name)
{
    char *path = ebm_path_join(directory, name);
    ebm_safetensors *file = NULL;
    ebm_status status = path ? ebm_safetensors_open(path, &file) : no_memory();
    if (status.code == EBM_OK)
        status = ebm_parameters_restore(ebm_noise_model_parameters(t->model), EBM_PART_WEIGHT, file, "", NULL);
    ebm_safetensors_free(file);
    free(path);
    return status;
}

static ebm_status read_count(const json_t *json, const char *key, uint64_t limit, uint64_t *value)
{
    const json_t *number = json_object_get(json, key);
    if (!json_is_integer(number) || json_integer_value(number) < 0 || (uint64_t)json_integer_value(number) > limit)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" must be a number from 0 to %" PRIu64, STATE_FILE, key, limit);
    *value = (uint64_t)json_integer_value(number);
    return ebm_ok();
}

// The best weights come first, for they pass through the device on their way to the host.
static ebm_status read_all(ebm_noise_trainer *t, const char *directory)
{
    uint64_t phase = 0;
    EBM_TRY(read_count(t->resumed, "phase", 1000, &phase));
    EBM_TRY(read_count(t->resumed, "update", UINT32_MAX, &t->update));
    t->resumed_phase = (uint32_t)phase;
    ebm_computed_by_note(ebm_noise_model_device(t->model), json_object_get(t->resumed, "computed_by"), t->resume_note);
    if (json_number_value(json_object_get(json_object_get(t->resumed, "best"), "perplexity")) > 0) {
        EBM_TRY(read_weights(t, directory, BEST_FILE));
        EBM_TRY(ebm_noise_weights_read(t, t->best_weights));
    }
    EBM_TRY(read_weights(t, directory, "model.safetensors"));
    return ebm_moments_read(ebm_noise_model_parameters(t->model), directory);
}

ebm_status ebm_noise_checkpoint_read(ebm_noise_trainer *t, const char *directory)
{
    EBM_TRY(ebm_directory_recover(directory));
    EBM_TRY(ebm_json_file_read(directory, STATE_FILE, &t->resumed));
    if (!t->resumed) return ebm_fail(EBM_ERROR_INPUT, "%s: no checkpoint, %s is missing", directory, STATE_FILE);
    return ebm_in(read_all(t, directory), "%s", directory);
}

ebm_status ebm_noise_checkpoint_enter(ebm_noise_trainer *t, ebm_noise_phase_run *p)
{
    const json_t *state = t->resumed, *best = json_object_get(state, "best");
    uint64_t worse = 0;
    EBM_TRY(ebm_settings_check(settings_of(t, p), json_object_get(state, "settings"), STATE_FILE));
    EBM_TRY(read_count(state, "step", p->total, &p->done));
    EBM_TRY(read_count(best, "step", p->done, &p->best.step));
    EBM_TRY(read_count(best, "worse_since", INT32_MAX, &worse));
    EBM_TRY(ebm_place_seek(p->order, json_object_get(state, "order"), STATE_FILE, "order"));
    p->worse = (int)worse;
    p->best.perplexity = json_number_value(json_object_get(best, "perplexity"));
    p->best.epoch = (double)p->best.step / (double)p->steps_per_epoch;
    p->best.is_best = p->best.perplexity > 0;
    json_decref(t->resumed);
    t->resumed = NULL;
    return ebm_ok();
}
