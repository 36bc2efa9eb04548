#include "train_results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "card_text.h"
#include "example_file.h"
#include "file.h"
#include "gemm.h"
#include "html_report.h"
#include "json_file.h"
#include "model_card.h"
#include "report_internal.h"

// A name for JSON: what is not UTF-8 has no place there.
static int set_text(json_t *object, const char *key, const char *text)
{
    json_t *string = json_string(text);
    return json_object_set_new(object, key, string ? string : json_string("?"));
}

int ebm_program_set_name(json_t *object, const char *key, const char *path)
{
    char *name = path ? ebm_card_base_name(path) : NULL;
    const int failed = name ? set_text(object, key, name) : path ? -1 : 0;
    free(name);
    return failed;
}

static int set_count(json_t *object, const char *key, uint64_t count)
{
    return json_object_set_new(object, key, json_integer((json_int_t)count));
}

// "." and "model/.." are called what they stand for.
static int set_directory(json_t *object, const char *key, const char *directory)
{
    char *real = realpath(directory, NULL);
    const int failed = ebm_program_set_name(object, key, real ? real : directory);
    free(real);
    return failed;
}

int ebm_program_set_model(json_t *object, const char *key, const char *model)
{
    char *name = ebm_card_model_name(model);
    const int failed = name ? set_text(object, key, name) : -1;
    free(name);
    return failed;
}

json_t *ebm_program_results(const char *directory, const char *model, const ebm_data_options *data,
                            const ebm_device *device)
{
    json_t *object = json_object();
    if (!object) return NULL;
    const ebm_device_info *info = ebm_device_info_view(device);
    const ebm_task *task = NULL;
    (void)ebm_program_task(data, &task); // it was named rightly, or training would not have begun
    int failed = set_directory(object, "name", directory);
    failed |= set_text(object, "ebmcl_version", EBMCL_VERSION);
    failed |= set_text(object, "device", info->name);
    failed |= set_text(object, "platform", info->platform_name);
    failed |= set_text(object, "driver", info->driver);
    failed |= set_text(object, "precision", ebm_precision_name(ebm_gemm_precision(device))); // of products
    if (model) failed |= ebm_program_set_model(object, "base_model", model);
    if (task) failed |= set_text(object, "task_name", task->name);
    failed |= ebm_program_set_name(object, "train_file", data->train_file);
    failed |= ebm_program_set_name(object, "validation_file", data->validation_file);
    if (!failed) return object;
    json_decref(object);
    return NULL;
}

static int set_texts(json_t *object, const char *use, const ebm_encoded *texts)
{
    char key[64];
    if (!texts) return 0;
    snprintf(key, sizeof key, "%s_samples", use);
    int failed = set_count(object, key, ebm_encoded_count(texts));
    snprintf(key, sizeof key, "%s_mean_tokens", use);
    const double mean = (double)ebm_encoded_tokens(texts) / (double)ebm_encoded_count(texts);
    return failed | json_object_set_new(object, key, json_real(mean));
}

static int set_noise(json_t *object, const ebm_train_results *r)
{
    if (!r->noise) return 0;
    const bool is_path = r->source->texts || r->source->model || r->source->mlm;
    int failed = is_path ? set_directory(object, "noise", r->noise) : set_text(object, "noise", r->noise);
    if (r->source->texts) return failed;
    const ebm_noise_statistics n = ebm_noise_stream_statistics(r->source->stream);
    failed |= set_count(object, "noise_used", n.delivered);
    failed |= set_count(object, "noise_generated", n.generated);
    failed |= set_count(object, "noise_malformed", n.malformed);
    return failed | set_count(object, "noise_duplicates", n.duplicates);
}

static ebm_status write_training(const ebm_train_results *r)
{
    json_t *object = ebm_program_results(r->output_dir, r->model, r->data, r->device);
    if (object && r->fp16_activations) set_text(object, "activations", "fp16");
    int failed = !object || set_texts(object, "train", r->train) || set_texts(object, "validation", r->validation);
    failed = failed || json_object_set_new(object, "pairs", json_boolean(r->pairs)) || set_noise(object, r);
    failed = failed || set_count(object, "steps", ebm_trainer_total_steps(r->trainer));
    if (!failed) return ebm_json_file_write(r->output_dir, "train_results.json", object);
    json_decref(object);
    return ebm_fail(EBM_ERROR_MEMORY, "no memory for train_results.json");
}

// What the texts were, and what only the trainer measured.
static json_t *describe_evaluation(const ebm_train_results *r)
{
    ebm_trainer_evaluation best;
    const ebm_task *task = NULL;
    json_t *object = json_object();
    if (!object || !ebm_trainer_best(r->trainer, &best)) return object;
    (void)ebm_program_task(r->data, &task);
    set_count(object, "step", best.step);
    if (task) set_text(object, "task_name", task->name);
    if (r->data->validation_file) {
        ebm_program_set_name(object, "file", r->data->validation_file);
        ebm_program_set_name(object, "source", r->data->validation_file);
    } else {
        json_object_set_new(object, "source",
                            json_sprintf("the validation texts of %s", task ? task->name : "the task"));
    }
    if (!best.has_noise) return object;
    json_object_set_new(object, "told_apart", json_real(best.told_apart));
    json_object_set_new(object, "told_apart_auroc", json_real(best.auroc));
    if (isfinite(best.mean_exp)) json_object_set_new(object, "mean_exp_minus_energy_noise", json_real(best.mean_exp));
    if (isfinite(best.effective_share)) {
        json_object_set_new(object, "effective_sample_size", json_real(best.effective));
        json_object_set_new(object, "effective_sample_share", json_real(best.effective_share));
    }
    return object;
}

static ebm_status write_rows(const ebm_train_results *r, const char *name, const ebm_example_rows *rows)
{
    char *path = ebm_path_join(r->output_dir, name);
    const ebm_status status = ebm_example_file_write(path, rows);
    free(path);
    return ebm_in(status, "%s", name);
}

static ebm_status write_validation(const ebm_train_results *r, const ebm_predictions *predictions)
{
    const char **text = calloc(2 * predictions->count, sizeof *text);
    if (!text) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %s", EBM_EVAL_PREDICTIONS);
    const ebm_example_rows rows = {
        .predictions = *predictions,
        .names = ebm_dataset_labels(r->validation_texts)->names,
        .text = text,
        .text_pair = text + predictions->count,
    };
    for (size_t i = 0; i < predictions->count; i++) {
        const ebm_row row = ebm_dataset_row(r->validation_texts, i);
        text[i] = row.text_a;
        text[predictions->count + i] = row.text_b;
    }
    const ebm_status status = write_rows(r, EBM_EVAL_PREDICTIONS, &rows);
    free(text);
    return status;
}

static ebm_status write_noise(const ebm_train_results *r)
{
    ebm_trainer_noise noise;
    EBM_TRY(ebm_trainer_noise_predictions(r->trainer, &noise));
    const ebm_example_rows rows = {
        .predictions = noise.rows,
        .names = ebm_dataset_labels(r->validation_texts)->names,
        .text = (const char *const *)noise.text,
        .text_pair = (const char *const *)noise.text_pair,
    };
    const ebm_status status = noise.rows.count ? write_rows(r, EBM_NOISE_PREDICTIONS, &rows) : ebm_ok();
    ebm_trainer_noise_free(&noise);
    return status;
}

static ebm_status write_report(const ebm_train_results *r)
{
    const ebm_html_report report = {
        .directories = &r->output_dir, .count = 1, .made_with = "ebmcl " EBMCL_VERSION, .brief = true};
    char *path = ebm_path_join(r->output_dir, "report.html");
    const ebm_status status =
        path ? ebm_html_report_write(&report, path) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    free(path);
    return ebm_in(status, "report.html");
}

ebm_status ebm_program_write_results(const ebm_train_results *r)
{
    ebm_predictions predictions;
    EBM_TRY(write_training(r));
    EBM_TRY(ebm_trainer_predictions(r->trainer, &predictions));
    if (predictions.count > 0) {
        EBM_TRY(ebm_evaluation_file_write(r->output_dir, &predictions, describe_evaluation(r)));
        EBM_TRY(write_validation(r, &predictions));
        EBM_TRY(write_noise(r));
    }
    EBM_TRY(ebm_model_card_write(r->output_dir));
    return r->no_report ? ebm_ok() : write_report(r);
}

static ebm_status write_settings(const ebm_noise_results *r, const char *directory)
{
    char *text = NULL, *path = ebm_path_join(directory, "training_args.json");
    ebm_status status = ebm_options_json(r->table, r->options, &text);
    if (status.code == EBM_OK) status = ebm_file_write(path, text, strlen(text));
    free(text);
    free(path);
    return status;
}

static int set_plain_text(json_t *object, const ebm_noise_results *r)
{
    if (r->pretrain_sentences == 0) return 0;
    json_t *files = json_array();
    int failed = json_object_set_new(object, "pretrain_files", files);
    for (size_t i = 0; i < r->pretrain_files.count && !failed; i++) {
        json_t *file = json_object();
        failed |= ebm_program_set_name(file, "file", r->pretrain_files.items[i]);
        failed |= json_array_append_new(files, file);
    }
    return failed | set_count(object, "pretrain_sentences", r->pretrain_sentences);
}

static ebm_status write_noise_training(const ebm_noise_results *r, const char *directory)
{
    json_t *object = ebm_program_results(r->output_dir, r->model, r->data, r->device);
    int failed = !object || set_plain_text(object, r) || set_count(object, "train_samples", r->train_samples);
    failed = failed || set_count(object, "held_out_samples", r->held_out_samples);
    if (r->best->perplexity > 0) { // else nothing was held out
        failed = failed || json_object_set_new(object, "perplexity", json_real(r->best->perplexity));
        failed = failed || set_count(object, "best_step", r->best->step);
    }
    if (!failed) return ebm_json_file_write(directory, "train_results.json", object);
    json_decref(object);
    return ebm_fail(EBM_ERROR_MEMORY, "no memory for train_results.json");
}

ebm_status ebm_program_write_noise_results(const ebm_noise_results *r, const char *directory)
{
    EBM_TRY(write_settings(r, directory));
    EBM_TRY(write_noise_training(r, directory));
    return ebm_model_card_write(directory);
}
