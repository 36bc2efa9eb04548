// A checkpoint is a model directory with what training needs beside it: the moments (checkpoint_parts.h),
//     margins.safetensors of mixup by area under the margin (margins.h) and
//     trainer_state.json                                               step, orders, noise position, best evaluation,
//     and the settings that must not change; with several ranks that make noise, the positions of all
#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_parts.h"
#include "file.h"
#include "gemm.h"
#include "json_file.h"
#include "trainer_internal.h"

static const char *const STATE_FILE = "trainer_state.json";

// False where there is none, which a checkpoint of before they were there need not say.
static json_t *weight_of(float weight) { return weight > 0 ? json_real((double)weight) : json_false(); }

static int add_regularisers(const ebm_trainer *t, json_t *json)
{
    const float mlm = t->set.step.mlm_weight;
    return json_object_set_new(json, "mlm_weight", weight_of(mlm)) ||
           json_object_set_new(json, "mlm_probability", mlm > 0 ? json_real(t->set.mlm_probability) : json_false()) ||
           json_object_set_new(json, "hidden_norm_weight", weight_of(t->set.step.hidden_norm_weight));
}

// false without: a checkpoint of before it could be set has none.
static json_t *mixup_of(const ebm_trainer *t)
{
    char text[100];
    ebm_mixup_text(&t->set.step.mixup, text, sizeof text);
    return *text ? json_string(text) : json_false();
}

// false without, likewise.
static int add_half(const ebm_trainer *t, json_t *json)
{
    const ebm_half_settings *half = &t->set.half;
    return json_object_set_new(json, "fp16_activations", json_boolean(half->on)) ||
           json_object_set_new(json, "fp16_initial_scale",
                               half->on ? json_real(ebm_half_scale_start(half).scale) : json_false());
}

// What would make the rest of the run another one if it changed.
static json_t *settings_of(const ebm_trainer *t)
{
    const bool joint = t->set.step.objective == EBM_OBJECTIVE_JOINT;
    char label_loss[200];
    ebm_label_loss_text(&t->set.step.label_loss, label_loss, sizeof label_loss);
    json_t *json = json_pack(
        "{s:I s:I s:I s:f s:I s:f s:f s:f s:f s:f s:s s:I s:I s:s s:I s:I s:b s:b s:s}", "seed",
        (json_int_t)t->set.seed, "per_device_train_batch_size", (json_int_t)t->set.batch_size, "total_steps",
        (json_int_t)t->total, "learning_rate", t->set.learning_rate, "warmup_steps", (json_int_t)t->schedule.warmup,
        "weight_decay", t->set.adamw.weight_decay, "adam_beta1", t->set.adamw.beta1, "adam_beta2", t->set.adamw.beta2,
        "adam_epsilon", t->set.adamw.epsilon, "max_grad_norm", t->set.adamw.max_norm, "objective",
        ebm_objective_name(t->set.step.objective), "training_texts", (json_int_t)ebm_encoded_count(t->in.train),
        "training_tokens", (json_int_t)ebm_encoded_tokens(t->in.train), "metric_for_best_model",
        ebm_metric_name(t->set.metric), "eval_steps", (json_int_t)t->set.eval_steps, "token_budget",
        (json_int_t)t->set.step.limits.tokens, "bf16", ebm_gemm_precision(t->in.device) == EBM_BF16, "keep_last_model",
        t->set.keep_last, "label_loss", label_loss);
    if (json && (add_regularisers(t, json) != 0 || add_half(t, json) != 0)) {
        json_decref(json);
        json = NULL;
    }
    if (json) json_object_set_new(json, "mixup", mixup_of(t));
    if (!json || !joint) return json;
    json_t *more =
        json_pack("{s:s s:i s:f s:f s:f s:s s:s s:s}", "energy", ebm_energy_name(t->in.info.energy), "noise_ratio",
                  t->set.step.noise_ratio, "nce_weight", (double)t->set.step.nce_weight, "nce_warmup_ratio",
                  t->set.nce_warmup_ratio, "energy_margin", (double)t->set.step.energy_margin, "nce_data",
                  t->set.step.nce_data == EBM_NCE_SHARED ? "shared" : "separate", "noise",
                  t->in.noise ? ebm_noise_stream_route(t->in.noise) : "none", "noise_source",
                  t->in.noise ? ebm_noise_stream_source(t->in.noise) : "none");
    if (!more || json_object_update(json, more) != 0) {
        json_decref(json);
        json = NULL;
    }
    json_decref(more);
    return json;
}

// Sums of the log's current line, so that its means are those of an uninterrupted run.
enum { WINDOW_SUMS = 16, WITHOUT_REGULARISERS = 14 };
static void window_sums(ebm_log_window *w, double *sums[WINDOW_SUMS])
{
    ebm_objective_sums *s = &w->sums;
    double *const all[WINDOW_SUMS] = {&w->loss,        &w->cross_entropy, &w->nce,           &w->norm,
                                      &w->tokens,      &w->seconds,       &w->noise_seconds, &s->data_apart,
                                      &s->noise_apart, &s->noise_z,       &s->data_energy,   &s->noise_energy,
                                      &s->data,        &s->noise,         &w->mlm,           &w->hidden_norm};
    memcpy(sums, all, sizeof all);
}

static json_t *window_of(const ebm_trainer *t)
{
    ebm_log_window window = t->window;
    double *sums[WINDOW_SUMS];
    json_t *json = json_pack("[I]", (json_int_t)window.steps);
    window_sums(&window, sums);
    for (size_t i = 0; json && i < WINDOW_SUMS; i++)
        json_array_append_new(json, json_real(isfinite(*sums[i]) ? *sums[i] : DBL_MAX));
    return json;
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
    if (isfinite(t->best.effective)) {
        json_object_set_new(best, "effective_sample_size", json_real(t->best.effective));
        json_object_set_new(best, "effective_sample_share", json_real(t->best.effective_share));
    }
    return best;
}

// Of every rank, where each makes its own texts; NULL where one position says all.
static json_t *positions_of(const ebm_trainer *t, const uint64_t *positions)
{
    if (ebm_rank_count(t->in.ranks) == 1 || !t->in.noise || !ebm_noise_stream_is_made(t->in.noise)) return NULL;
    json_t *list = json_array();
    for (int i = 0; list && i < t->in.ranks->count; i++)
        json_array_append_new(list, json_integer((json_int_t)positions[i]));
    return list;
}

static json_t *half_of(const ebm_trainer *t)
{
    json_t *json = t->set.half.on ? ebm_half_scale_json(&t->half) : NULL;
    if (json) json_object_set_new(json, "skipped_in_window", json_integer((json_int_t)t->window.skipped));
    return json;
}

static ebm_status read_half(ebm_trainer *t, const json_t *json, const char *path)
{
    const json_t *skipped = json_object_get(json, "skipped_in_window");
    EBM_TRY(ebm_in(ebm_half_scale_restore(&t->half, json), "%s", path));
    if (!json_is_integer(skipped) || json_integer_value(skipped) < 0 || t->half.skipped > t->done ||
        (uint64_t)json_integer_value(skipped) > t->window.steps)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"half_scale\" has skipped more steps than there were", path);
    t->window.skipped = (uint64_t)json_integer_value(skipped);
    return ebm_ok();
}

static ebm_status write_state(const ebm_trainer *t, const uint64_t *positions, const char *directory)
{
    const uint64_t noise = positions[0];
    return ebm_json_file_write(
        directory, STATE_FILE,
        json_pack("{s:I s:f s:o s:o s:I s:o s:o s:o s:o s:o* s:o* s:o*}", "global_step", (json_int_t)t->done, "epoch",
                  (double)t->done / (double)t->steps_per_epoch, "order", ebm_place_of(t->order), "nce_order",
                  ebm_place_of(t->nce_order), "noise_position", (json_int_t)noise, "log_window", window_of(t), "best",
                  best_of(t), "settings", settings_of(t), "computed_by", ebm_computed_by(t->in.device), "posterior",
                  t->posterior ? ebm_posterior_json(t->posterior) : NULL, "noise_positions", positions_of(t, positions),
                  "half_scale", half_of(t)));
}

static ebm_status write_checkpoint(ebm_trainer *t, const uint64_t *positions)
{
    ebm_checkpoint_name name;
    ebm_checkpoint_name_of(t->done, name);
    char *path = ebm_path_join(t->set.output_dir, name);
    ebm_directory_writer *writer = NULL;
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_directory_writer_open(path, &writer), end);
    const char *directory = ebm_directory_writer_path(writer);
    EBM_CHECK(ebm_model_directory_write(directory, t->in.classifier, t->in.tokenizer, &t->in.info), end);
    EBM_CHECK(ebm_moments_write(ebm_classifier_parameters(t->in.classifier), directory), end);
    if (t->margins) EBM_CHECK(ebm_margins_write(t->margins, directory), end);
    EBM_CHECK(write_state(t, positions, directory), end);
    EBM_CHECK(ebm_directory_writer_finish(writer, true), end);
    status = ebm_checkpoint_remove_others(t->set.output_dir, name);
end:
    ebm_directory_writer_free(writer);
    free(path);
    return status;
}

ebm_status ebm_checkpoint_write(ebm_trainer *t)
{
    const uint64_t own = t->in.noise ? ebm_noise_stream_position(t->in.noise) : 0;
    uint64_t *positions = calloc((size_t)ebm_rank_count(t->in.ranks), sizeof *positions);
    if (!positions) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a checkpoint");
    ebm_status status = ebm_ranks_gather(t->in.ranks, &own, sizeof own, positions);
    if (status.code == EBM_OK && ebm_rank_is_first(t->in.ranks)) status = write_checkpoint(t, positions);
    free(positions);
    return status;
}

static ebm_status read_window(ebm_trainer *t, const json_t *json, const char *path)
{
    double *sums[WINDOW_SUMS];
    const json_t *steps = json_array_get(json, 0);
    const size_t count = json_array_size(json) == WITHOUT_REGULARISERS + 1 ? WITHOUT_REGULARISERS : WINDOW_SUMS;
    bool sound = json_array_size(json) == count + 1 && json_is_integer(steps) && json_integer_value(steps) >= 0;
    window_sums(&t->window, sums);
    for (size_t i = 0; sound && i < count; i++) {
        const json_t *sum = json_array_get(json, i + 1);
        sound = json_is_number(sum);
        *sums[i] = json_number_value(sum);
    }
    if (!sound) return ebm_fail(EBM_ERROR_INPUT, "%s: \"log_window\" must be %d numbers", path, WINDOW_SUMS + 1);
    t->window.steps = (uint64_t)json_integer_value(steps);
    return ebm_ok();
}

static ebm_status read_number(const json_t *json, const char *key, const char *path, double *value)
{
    const json_t *number = json_object_get(json, key);
    if (!json_is_number(number)) return ebm_fail(EBM_ERROR_INPUT, "%s: \"best\": \"%s\" must be a number", path, key);
    *value = json_number_value(number);
    return ebm_ok();
}

// Without a "step" there was no evaluation yet; a metric that is not there was not defined.
static ebm_status read_best(ebm_trainer *t, const json_t *best, const char *path)
{
    const json_t *step = json_object_get(best, "step");
    if (!json_is_object(best) || (step && (!json_is_integer(step) || json_integer_value(step) < 0)))
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"best\" must hold the step and metrics of an evaluation, or nothing",
                        path);
    t->has_best = step != NULL;
    if (!t->has_best) return ebm_ok();
    ebm_trainer_evaluation *e = &t->best;
    e->step = (uint64_t)json_integer_value(step);
    e->epoch = (double)e->step / (double)t->steps_per_epoch;
    e->is_best = true;
    for (ebm_metric m = 0; m < EBM_METRICS; m++) {
        e->value[m] = (double)NAN;
        if (json_object_get(best, ebm_metric_name(m)))
            EBM_TRY(read_number(best, ebm_metric_name(m), path, &e->value[m]));
    }
    e->has_noise = json_object_get(best, "told_apart") != NULL;
    if (!e->has_noise) return ebm_ok();
    EBM_TRY(read_number(best, "told_apart", path, &e->told_apart));
    EBM_TRY(read_number(best, "told_apart_auroc", path, &e->auroc));
    EBM_TRY(read_number(best, "mean_exp_minus_energy_noise", path, &e->mean_exp));
    e->effective = e->effective_share = (double)NAN;
    if (!json_object_get(best, "effective_sample_size")) return ebm_ok();
    EBM_TRY(read_number(best, "effective_sample_size", path, &e->effective));
    return read_number(best, "effective_sample_share", path, &e->effective_share);
}

// The run may end with the best model so far, so it must be there.
static ebm_status check_best(const ebm_trainer *t, const char *path)
{
    char *best = ebm_path_join(t->set.output_dir, "best");
    ebm_status status = best ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    if (status.code == EBM_OK) status = ebm_directory_recover(best);
    if (status.code == EBM_OK && t->has_best && !ebm_directory_exists(best))
        status = ebm_fail(EBM_ERROR_INPUT, "%s: the best model so far, of step %" PRIu64 ", is expected in %s", path,
                          t->best.step, best);
    free(best);
    return status;
}

// One position, or one of each rank that made texts. One rank goes there at once, and so learns whether the place
// exists; several do when all is read.
static ebm_status read_positions(ebm_trainer *t, const char *path, const json_t *one, const json_t *all)
{
    const size_t count = all ? json_array_size(all) : 1;
    if (!t->in.noise) return ebm_ok();
    t->noise_positions = calloc(count + 1, sizeof *t->noise_positions);
    if (!t->noise_positions) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a checkpoint");
    for (size_t i = 0; i < count; i++) {
        const json_t *position = all ? json_array_get(all, i) : one;
        if (!json_is_integer(position) || json_integer_value(position) < 0)
            return ebm_fail(EBM_ERROR_INPUT, "%s: \"noise_positions\" must be numbers of 0 or more", path);
        t->noise_positions[i] = (uint64_t)json_integer_value(position);
    }
    if (count == 0) return ebm_fail(EBM_ERROR_INPUT, "%s: \"noise_positions\" must not be empty", path);
    t->noise_position_count = count;
    if (ebm_rank_count(t->in.ranks) > 1) return ebm_ok();
    return ebm_noise_stream_resume(t->in.noise, t->noise_positions, count);
}

static ebm_status read_state(ebm_trainer *t, const char *path, const json_t *json)
{
    const json_t *step = json_object_get(json, "global_step"), *noise = json_object_get(json, "noise_position");
    EBM_TRY(ebm_settings_check(settings_of(t), json_object_get(json, "settings"), path));
    if (!json_is_integer(step) || json_integer_value(step) < 0 || (uint64_t)json_integer_value(step) > t->total)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"global_step\" must be from 0 to %" PRIu64, path, t->total);
    if (!json_is_integer(noise) || json_integer_value(noise) < 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"noise_position\" must be 0 or more", path);
    EBM_TRY(ebm_place_seek(t->order, json_object_get(json, "order"), path, "order"));
    EBM_TRY(ebm_place_seek(t->nce_order, json_object_get(json, "nce_order"), path, "nce_order"));
    EBM_TRY(read_positions(t, path, noise, json_object_get(json, "noise_positions")));
    t->done = (uint64_t)json_integer_value(step);
    ebm_computed_by_note(t->in.device, json_object_get(json, "computed_by"), t->resume_note);
    EBM_TRY(read_window(t, json_object_get(json, "log_window"), path));
    if (t->set.half.on) EBM_TRY(read_half(t, json_object_get(json, "half_scale"), path));
    EBM_TRY(read_best(t, json_object_get(json, "best"), path));
    if (t->posterior) {
        EBM_TRY(ebm_in(ebm_posterior_restore(t->posterior, json_object_get(json, "posterior")), "%s", path));
        EBM_TRY(ebm_step_set_posterior(t->step, t->posterior)); // to be sent again
    }
    return check_best(t, path);
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
    if (t->margins) EBM_TRY(ebm_margins_read(t->margins, directory));
    return ebm_moments_read(ebm_classifier_parameters(t->in.classifier), directory);
}
