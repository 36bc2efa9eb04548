#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "trainer_internal.h"
#include "training_log.h"

enum { LOG_LIMIT = 1 << 30 };

// JSON has no NaN: what is not defined is left out.
static void put(json_t *json, const char *key, double value)
{
    if (isfinite(value)) json_object_set_new(json, key, json_real(value));
}

static ebm_status append_line(ebm_trainer *t, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(9));
    char *path = ebm_path_join(t->set.output_dir, EBM_TRAINING_LOG);
    ebm_status status = text && path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a line of the log");
    FILE *file = status.code == EBM_OK ? fopen(path, "a") : NULL;
    if (status.code == EBM_OK && !file) status = ebm_fail(EBM_ERROR_IO, "%s: %m", path);
    if (file) {
        const bool written = fprintf(file, "%s\n", text) > 0;
        if (fclose(file) != 0 || !written) status = ebm_fail(EBM_ERROR_IO, "%s: %m", path);
    }
    if (status.code == EBM_OK) status = ebm_trainer_events_add(t, json);
    free(path);
    free(text);
    json_decref(json);
    return status;
}

ebm_status ebm_trainer_log_step(ebm_trainer *t, const ebm_progress *p)
{
    json_t *json = json_object();
    if (!json) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a line of the log");
    json_object_set_new(json, "step", json_integer((json_int_t)p->step));
    put(json, "epoch", p->epoch);
    put(json, "loss", p->loss);
    put(json, "cross_entropy", p->cross_entropy);
    if (t->set.step.mlm_weight > 0) put(json, "mlm_loss", p->mlm);
    if (t->set.step.hidden_norm_weight > 0) put(json, "hidden_norm", p->hidden_norm);
    put(json, "learning_rate", p->learning_rate);
    put(json, "grad_norm", p->gradient_norm);
    if (t->set.half.on) {
        put(json, "half_scale", p->half_scale);
        json_object_set_new(json, "skipped_steps", json_integer((json_int_t)p->skipped));
    }
    put(json, "tokens_per_second", p->tokens_per_second);
    if (p->joint) {
        put(json, t->set.step.energy_margin > 0 ? "margin_loss" : "nce", p->nce);
        if (t->set.nce_warmup_ratio > 0) put(json, "nce_weight", p->nce_weight);
        put(json, "noise_share", p->noise_share);
        put(json, "data_told_apart", p->data_apart);
        put(json, "noise_told_apart", p->noise_apart);
        put(json, "mean_exp_minus_energy_noise", p->noise_z);
        put(json, "mean_energy_data", p->data_energy);
        put(json, "mean_energy_noise", p->noise_energy);
    }
    return append_line(t, json);
}

ebm_status ebm_trainer_log_evaluation(ebm_trainer *t, const ebm_trainer_evaluation *e)
{
    json_t *json = json_object();
    if (!json) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a line of the log");
    json_object_set_new(json, "step", json_integer((json_int_t)e->step));
    put(json, "epoch", e->epoch);
    for (ebm_metric m = 0; m < EBM_METRICS; m++) {
        char key[64];
        snprintf(key, sizeof key, "eval_%s", ebm_metric_name(m));
        put(json, key, e->value[m]);
    }
    if (e->has_noise) {
        put(json, "eval_told_apart", e->told_apart);
        put(json, "eval_told_apart_auroc", e->auroc);
        put(json, "eval_mean_exp_minus_energy_noise", e->mean_exp);
        put(json, "eval_effective_sample_size", e->effective);
        put(json, "eval_effective_sample_share", e->effective_share);
    }
    json_object_set_new(json, "best", json_boolean(e->is_best));
    return append_line(t, json);
}

// The number of a line that is whole, or -1.
static json_int_t step_of(const char *line, size_t length)
{
    json_t *json = json_loadb(line, length, 0, NULL);
    const json_t *step = json_object_get(json, "step");
    const json_int_t number = json_is_integer(step) ? json_integer_value(step) : -1;
    json_decref(json);
    return number;
}

// Moves what stays to the front of `text`; returns its length.
static size_t keep_lines(char *text, size_t size, uint64_t last_step)
{
    size_t kept = 0;
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        const size_t length = end ? (size_t)(end - text) + 1 - at : size - at;
        const json_int_t step = end ? step_of(text + at, length) : -1;
        if (step >= 0 && (uint64_t)step <= last_step) {
            memmove(text + kept, text + at, length);
            kept += length;
        }
        at += length;
    }
    return kept;
}

ebm_status ebm_trainer_log_cut(ebm_trainer *t)
{
    char *path = ebm_path_join(t->set.output_dir, EBM_TRAINING_LOG), *text = NULL;
    size_t size = 0;
    ebm_status status = path ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_trainer_events_cut(t), end);
    if (!ebm_file_exists(path)) goto end;
    EBM_CHECK(ebm_file_read(path, LOG_LIMIT, &text, &size), end);
    const size_t kept = keep_lines(text, size, t->done);
    if (kept < size) status = ebm_file_write(path, text, kept);
end:
    free(text);
    free(path);
    return status;
}
