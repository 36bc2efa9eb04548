#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "file.h"

// The shortest decimal number that reads back as the same float: 0.1 and not 0.10000000149.
static double shortest(float value)
{
    char text[32];
    for (int digits = 1; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) break;
    }
    return strtod(text, NULL);
}

// The setters leave a value that says the same already (0, 1e-12, a null with that meaning) as the source wrote it.
// They answer 0 or -1 like jansson's, so that errors can be or-ed.
static int set_float(json_t *object, const char *key, float value)
{
    const json_t *old = json_object_get(object, key);
    if (json_is_number(old) && (float)json_number_value(old) == value) return 0;
    return json_object_set_new(object, key, json_real(shortest(value)));
}

static int set_size(json_t *object, const char *key, size_t value)
{
    return json_object_set_new(object, key, json_integer((json_int_t)value));
}

static int set_id(json_t *object, const char *key, int32_t id)
{
    const json_t *old = json_object_get(object, key);
    if (id < 0 && !old) return 0;
    if (json_is_array(old) && json_integer_value(json_array_get(old, 0)) == id) return 0;
    return json_object_set_new(object, key, id < 0 ? json_null() : json_integer(id));
}

static int set_text(json_t *object, const char *key, const char *text)
{
    return json_object_set_new(object, key, json_string(text));
}

static int set_sizes(json_t *object, const ebm_config *config, const ebm_family_traits *family)
{
    const ebm_family_keys *keys = &family->keys;
    int failed = set_size(object, "vocab_size", config->vocabulary);
    failed |= set_size(object, keys->hidden, config->hidden);
    failed |= set_size(object, keys->layers, config->layers);
    failed |= set_size(object, keys->heads, config->heads);
    failed |= set_size(object, keys->positions, config->max_positions);
    if (keys->types) failed |= set_size(object, keys->types, config->type_vocabulary);
    if (keys->embedding) failed |= set_size(object, keys->embedding, config->embedding);
    if (family->encoder) return failed | set_size(object, keys->intermediate, config->intermediate);
    if (json_object_get(object, "n_ctx")) failed |= set_size(object, "n_ctx", config->max_positions);
    if (config->intermediate == 4 * config->hidden)
        return failed | json_object_set_new(object, keys->intermediate, json_null());
    return failed | set_size(object, keys->intermediate, config->intermediate);
}

// Null where the family has that for "as the hidden dropout".
static int set_classifier_dropout(json_t *object, const ebm_config *config, const ebm_family_traits *family)
{
    const char *key = family->keys.classifier_dropout;
    if (!key) return 0;
    const bool follows =
        family->defaults.classifier_dropout < 0 && config->classifier_dropout == config->hidden_dropout;
    if (follows && !json_is_number(json_object_get(object, key))) return json_object_set_new(object, key, json_null());
    return set_float(object, key, config->classifier_dropout);
}

static int set_settings(json_t *object, const ebm_config *config, const ebm_family_traits *family)
{
    const ebm_family_keys *keys = &family->keys;
    int failed = keys->epsilon ? set_float(object, keys->epsilon, config->layer_norm_eps) : 0;
    failed |= set_float(object, keys->hidden_dropout, config->hidden_dropout);
    failed |= set_float(object, keys->attention_dropout, config->attention_dropout);
    if (keys->embedding_dropout) failed |= set_float(object, keys->embedding_dropout, config->embedding_dropout);
    failed |= set_classifier_dropout(object, config, family);
    failed |= set_id(object, "pad_token_id", config->pad_id);
    failed |= set_id(object, "bos_token_id", config->bos_id);
    failed |= set_id(object, "eos_token_id", config->eos_id);
    if (keys->pooling) failed |= set_text(object, keys->pooling, config->pooling == EBM_POOLING_MEAN ? "mean" : "cls");
    if (family->config) failed |= family->config->write(object, config);
    if (json_is_string(json_object_get(object, keys->activation))) return failed;
    return failed | set_text(object, keys->activation, family->activations[0]);
}

static int set_labels(json_t *object, const ebm_config *config)
{
    if (config->label_count == 0) return 0;
    json_t *names = json_object(), *ids = json_object();
    int failed = json_object_set_new(object, "id2label", names) | json_object_set_new(object, "label2id", ids);
    for (size_t i = 0; i < config->label_count && !failed; i++) {
        char id[24];
        snprintf(id, sizeof id, "%zu", i);
        failed |= set_text(names, id, config->labels[i]);
        failed |= set_size(ids, config->labels[i], i);
    }
    json_object_del(object, "num_labels"); // id2label says it
    json_object_del(object, "_num_labels");
    return failed | set_text(object, "problem_type", "single_label_classification");
}

static int set_all(json_t *object, const ebm_config *config)
{
    const ebm_family_traits *family = ebm_family_traits_of(config->family);
    json_t *architectures = json_array();
    int failed = json_array_append_new(architectures, json_string(family->architecture));
    failed |= json_object_set_new(object, "architectures", architectures);
    failed |= set_text(object, "model_type", family->type);
    failed |= set_sizes(object, config, family);
    failed |= set_settings(object, config, family);
    failed |= set_labels(object, config);
    // "dtype" is newer versions' name; where the source has it, it would win over torch_dtype.
    if (json_object_get(object, "dtype")) failed |= set_text(object, "dtype", "float32");
    return failed | set_text(object, "torch_dtype", "float32");
}

// 15 digits give short numbers back as they were typed; a source that needs 17 gets them.
static char *dump(const json_t *object)
{
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
    json_t *back = text ? json_loads(text, 0, NULL) : NULL;
    if (text && !json_equal(back, object)) {
        free(text);
        text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    }
    json_decref(back);
    return text;
}

ebm_status ebm_config_save(const ebm_config *config, const char *directory)
{
    ebm_status status = ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory for its config.json", directory);
    char *path = ebm_path_join(directory, "config.json"), *text = NULL;
    json_t *object = json_deep_copy(config->source);
    if (!path || !object) goto end;
    const ebm_status checked = ebm_config_check(config, path);
    if (checked.code != EBM_OK) {
        status = checked;
        goto end;
    }
    if (set_all(object, config) != 0 || !(text = dump(object))) goto end;
    ebm_file_writer *writer = NULL;
    EBM_CHECK(ebm_file_writer_open(path, &writer), end);
    (void)ebm_file_writer_append(writer, text, strlen(text)); // sticks, reported by finish
    (void)ebm_file_writer_append(writer, "\n", 1);
    status = ebm_file_writer_finish(writer);
    ebm_file_writer_free(writer);
end:
    json_decref(object);
    free(text);
    free(path);
    return status;
}
