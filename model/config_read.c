#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"
#include "file.h"
#include "sizes.h"

enum { MAX_BYTES = 16 << 20 };

typedef ebm_config_reader reader;

// What was found is shown as JSON, escaped, so that the sentence stays one line of ASCII whatever the file holds.
ebm_status ebm_config_mismatch(const reader *r, ebm_code code, const char *key, const char *what)
{
    const json_t *value = json_object_get(r->object, key);
    if (!value) return ebm_fail(code, "%s: %s: expected %s, found no such key", r->path, key, what);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
    const ebm_status status = ebm_fail(code, "%s: %s: expected %s, found %.60s", r->path, key, what, text ? text : "?");
    free(text);
    return status;
}

static ebm_status expected(const reader *r, const char *key, const char *what)
{
    return ebm_config_mismatch(r, EBM_ERROR_INPUT, key, what);
}

bool ebm_config_absent(const reader *r, const char *key)
{
    const json_t *value = json_object_get(r->object, key);
    return !value || json_is_null(value);
}

// Ranges are ebm_config_check's business; here only what fits the field.
static ebm_status read_size(const reader *r, const char *key, size_t *out)
{
    const json_t *value = json_object_get(r->object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return expected(r, key, "a number from 1 on");
    if (!ebm_fits_size((uint64_t)json_integer_value(value))) return expected(r, key, "a number of this system");
    *out = (size_t)json_integer_value(value);
    return ebm_ok();
}

static ebm_status read_size_or(const reader *r, const char *key, size_t otherwise, size_t *out)
{
    *out = otherwise;
    return ebm_config_absent(r, key) ? ebm_ok() : read_size(r, key, out);
}

static ebm_status read_float(const reader *r, const char *key, float otherwise, float *out)
{
    *out = otherwise;
    if (ebm_config_absent(r, key)) return ebm_ok();
    const json_t *value = json_object_get(r->object, key);
    if (!json_is_number(value)) return expected(r, key, "a number");
    *out = (float)json_number_value(value);
    return ebm_ok();
}

// eos_token_id may be a list: the first ends texts as well as the others do.
static ebm_status read_id(const reader *r, const char *key, int32_t otherwise, int32_t *out)
{
    *out = otherwise;
    const json_t *value = json_object_get(r->object, key);
    if (!value) return ebm_ok();
    *out = -1;
    if (json_is_null(value)) return ebm_ok();
    if (json_is_array(value)) value = json_array_get(value, 0);
    if (!json_is_integer(value) || json_integer_value(value) < -1 || json_integer_value(value) > INT32_MAX)
        return expected(r, key, "a token id");
    *out = (int32_t)json_integer_value(value);
    return ebm_ok();
}

// Settings that change the arithmetic, which only has the usual one.
static ebm_status refuse_variants(const reader *r, ebm_family family)
{
    static const struct {
        const char *key;
        bool usual, decoders_only;
    } SWITCHES[] = {
        {"is_decoder", false, false},
        {"add_cross_attention", false, false},
        {"tie_word_embeddings", true, true},
        {"scale_attn_weights", true, true},
        {"scale_attn_by_inverse_layer_idx", false, true},
    };
    for (size_t i = 0; i < sizeof SWITCHES / sizeof *SWITCHES; i++) {
        if (ebm_config_absent(r, SWITCHES[i].key) || (SWITCHES[i].decoders_only && ebm_family_is_encoder(family)))
            continue;
        const json_t *value = json_object_get(r->object, SWITCHES[i].key);
        if (!json_is_boolean(value)) return expected(r, SWITCHES[i].key, "true or false");
        if (json_is_true(value) != SWITCHES[i].usual)
            return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: %s: only %s is supported", r->path, SWITCHES[i].key,
                            SWITCHES[i].usual ? "true" : "false");
    }
    if (!ebm_config_absent(r, "quantization_config"))
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: quantization_config: quantized weights are not supported", r->path);
    return ebm_ok();
}

static ebm_status require_text(const reader *r, const char *key, const char *const *allowed, const char *listed)
{
    if (ebm_config_absent(r, key)) return ebm_ok();
    const char *found = json_string_value(json_object_get(r->object, key));
    if (!found) return expected(r, key, listed);
    for (; *allowed; allowed++)
        if (!strcmp(*allowed, found)) return ebm_ok();
    return ebm_config_mismatch(r, EBM_ERROR_UNSUPPORTED, key, listed);
}

static ebm_status check_texts(const reader *r, const ebm_family_traits *family)
{
    static const char *const ABSOLUTE[] = {"absolute", NULL}, *const SINGLE[] = {"single_label_classification", NULL};
    char usual[32];
    snprintf(usual, sizeof usual, "\"%s\"", family->activations[0]);
    EBM_TRY(require_text(r, family->keys.activation, family->activations, usual));
    EBM_TRY(require_text(r, "position_embedding_type", ABSOLUTE, "\"absolute\""));
    if (!family->encoder) return ebm_ok();
    return require_text(r, "problem_type", SINGLE,
                        "\"single_label_classification\", the only problem this program solves");
}

static ebm_status read_family(const reader *r, ebm_family *family)
{
    const char *name = json_string_value(json_object_get(r->object, "model_type"));
    char names[200], supported[240];
    if (name && ebm_family_find(name, family)) return ebm_ok();
    snprintf(supported, sizeof supported, "one of the supported %s", ebm_family_list(false, names, sizeof names));
    return name ? ebm_config_mismatch(r, EBM_ERROR_UNSUPPORTED, "model_type", supported)
                : expected(r, "model_type", supported);
}

static ebm_status read_encoder_sizes(const reader *r, const ebm_family_traits *family, ebm_config *config)
{
    const ebm_family_keys *keys = &family->keys;
    EBM_TRY(read_size(r, keys->positions, &config->max_positions));
    EBM_TRY(read_size(r, keys->intermediate, &config->intermediate));
    if (keys->types) EBM_TRY(read_size_or(r, keys->types, family->defaults.types, &config->type_vocabulary));
    if (!keys->embedding) return ebm_ok();
    return read_size_or(r, keys->embedding, family->defaults.embedding, &config->embedding);
}

static ebm_status read_sizes(const reader *r, const ebm_family_traits *family, ebm_config *config)
{
    const ebm_family_keys *keys = &family->keys;
    EBM_TRY(read_size(r, keys->hidden, &config->hidden));
    EBM_TRY(read_size(r, keys->layers, &config->layers));
    EBM_TRY(read_size(r, keys->heads, &config->heads));
    EBM_TRY(read_size(r, "vocab_size", &config->vocabulary));
    config->embedding = config->hidden;
    if (family->encoder) return read_encoder_sizes(r, family, config);
    // Old GPT-2 files call the context n_ctx alone; n_inner is null in all of the original ones.
    const char *positions =
        ebm_config_absent(r, keys->positions) && !ebm_config_absent(r, "n_ctx") ? "n_ctx" : keys->positions;
    EBM_TRY(read_size(r, positions, &config->max_positions));
    const size_t hidden = config->hidden;
    return read_size_or(r, keys->intermediate, hidden <= SIZE_MAX / 4 ? 4 * hidden : 0, &config->intermediate);
}

// A key the family does not have: the value stays what it would be without it.
static ebm_status read_own_float(const reader *r, const char *key, float otherwise, float *out)
{
    *out = otherwise;
    return key ? read_float(r, key, otherwise, out) : ebm_ok();
}

static ebm_status read_floats(const reader *r, const ebm_family_traits *family, ebm_config *config)
{
    const ebm_family_keys *keys = &family->keys;
    const float usual = family->defaults.dropout;
    EBM_TRY(read_own_float(r, keys->epsilon, family->defaults.epsilon, &config->layer_norm_eps));
    EBM_TRY(read_float(r, keys->hidden_dropout, usual, &config->hidden_dropout));
    EBM_TRY(read_float(r, keys->attention_dropout, usual, &config->attention_dropout));
    const float hidden = config->hidden_dropout, classifier = family->defaults.classifier_dropout;
    config->embedding_dropout = hidden;
    if (keys->embedding_dropout) EBM_TRY(read_float(r, keys->embedding_dropout, usual, &config->embedding_dropout));
    return read_own_float(r, keys->classifier_dropout, classifier < 0 ? hidden : classifier,
                          &config->classifier_dropout);
}

static ebm_status read_pooling(const reader *r, const ebm_family_traits *family, ebm_config *config)
{
    static const char *const POOLINGS[] = {"cls", "mean", NULL};
    const char *key = family->keys.pooling;
    if (!key || ebm_config_absent(r, key)) return ebm_ok();
    EBM_TRY(require_text(r, key, POOLINGS, "\"cls\" or \"mean\""));
    const char *found = json_string_value(json_object_get(r->object, key));
    config->pooling = strcmp(found, "mean") == 0 ? EBM_POOLING_MEAN : EBM_POOLING_FIRST;
    return ebm_ok();
}

static ebm_status read_ids(const reader *r, const ebm_family_traits *family, ebm_config *config)
{
    EBM_TRY(read_id(r, "pad_token_id", family->defaults.pad, &config->pad_id));
    EBM_TRY(read_id(r, "bos_token_id", family->defaults.bos, &config->bos_id));
    EBM_TRY(read_id(r, "eos_token_id", family->defaults.eos, &config->eos_id));
    // transformers writes its default 50256 for a GPT-2 of any vocabulary: there it means nothing.
    if (config->bos_id >= 0 && (size_t)config->bos_id >= config->vocabulary) config->bos_id = -1;
    if (config->eos_id >= 0 && (size_t)config->eos_id >= config->vocabulary) config->eos_id = -1;
    if (!family->positions_after_pad) return ebm_ok();
    if (config->pad_id < 0) return expected(r, "pad_token_id", "a token id (positions start after it)");
    config->position_offset = (size_t)config->pad_id + 1;
    return ebm_ok();
}

static ebm_status read_label(const reader *r, const char *id, const json_t *name, const char **names, size_t count)
{
    char *end = NULL;
    const unsigned long value = strtoul(id, &end, 10);
    if (*id < '0' || *id > '9' || *end || value >= count || names[value])
        return ebm_fail(EBM_ERROR_INPUT, "%s: id2label: expected the ids 0 to %zu, each once", r->path, count - 1);
    if (!json_is_string(name))
        return ebm_fail(EBM_ERROR_INPUT, "%s: id2label: expected a text for id %lu", r->path, value);
    names[value] = json_string_value(name);
    return ebm_ok();
}

static ebm_status read_named_labels(const reader *r, ebm_config *config)
{
    json_t *table = json_object_get(r->object, "id2label"), *name;
    const size_t count = json_object_size(table);
    if (count == 0 || count > EBM_MAX_LABELS) return expected(r, "id2label", "an object of ids and names");
    const char **names = calloc(count, sizeof *names), *id;
    if (!names) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", r->path);
    ebm_status status = ebm_ok();
    json_object_foreach(table, id, name) EBM_CHECK(read_label(r, id, name, names, count), end);
    status = ebm_in(ebm_config_set_labels(config, names, count), "%s: id2label", r->path);
end:
    free(names);
    return status;
}

// As transformers names labels that have no names.
static ebm_status read_numbered_labels(const reader *r, ebm_config *config)
{
    size_t count = 2;
    EBM_TRY(read_size_or(r, "num_labels", 2, &count));
    if (count == 0 || count > EBM_MAX_LABELS) return expected(r, "num_labels", "a number from 1 to 10000");
    typedef char label_name[32];
    label_name *texts = calloc(count, sizeof *texts);
    const char **names = calloc(count, sizeof *names);
    ebm_status status = ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", r->path);
    if (texts && names) {
        for (size_t i = 0; i < count; i++) {
            snprintf(texts[i], sizeof texts[i], "LABEL_%zu", i);
            names[i] = texts[i];
        }
        status = ebm_config_set_labels(config, names, count);
    }
    free(texts);
    free(names);
    return status;
}

static ebm_status read_all(const reader *r, const ebm_family_traits *family, ebm_config *config)
{
    EBM_TRY(check_texts(r, family));
    EBM_TRY(refuse_variants(r, config->family));
    EBM_TRY(read_sizes(r, family, config));
    EBM_TRY(read_floats(r, family, config));
    EBM_TRY(read_pooling(r, family, config));
    EBM_TRY(read_ids(r, family, config));
    if (family->config) EBM_TRY(family->config->read(r, config));
    EBM_TRY(ebm_config_check(config, r->path));
    if (!family->encoder) return ebm_ok();
    EBM_TRY(ebm_config_absent(r, "id2label") ? read_numbered_labels(r, config) : read_named_labels(r, config));
    if (config->label_count > 1) return ebm_ok();
    return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: expected two labels or more, found 1: a regression model", r->path);
}

static ebm_status parse(const char *path, ebm_config **out)
{
    char *text = NULL;
    size_t size = 0;
    EBM_TRY(ebm_file_read(path, MAX_BYTES, &text, &size));
    json_error_t error;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!object) return ebm_fail(EBM_ERROR_INPUT, "%s:%d: not valid JSON (%s)", path, error.line, error.text);

    const reader r = {path, object};
    ebm_status status = ebm_ok();
    ebm_family family = EBM_FAMILY_BERT;
    ebm_config *config = NULL;
    if (!json_is_object(object)) {
        status = ebm_fail(EBM_ERROR_INPUT, "%s: expected a JSON object", path);
        goto end;
    }
    EBM_CHECK(read_family(&r, &family), end);
    config = ebm_config_create(family);
    if (!config) {
        status = ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", path);
        goto end;
    }
    EBM_CHECK(read_all(&r, ebm_family_traits_of(family), config), end);
    json_decref(config->source);
    config->source = json_incref(object);
    *out = config;
    config = NULL;
end:
    ebm_config_free(config);
    json_decref(object);
    return status;
}

ebm_status ebm_config_load(const char *directory, ebm_config **config)
{
    char *path = ebm_path_join(directory, "config.json");
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", directory);
    const ebm_status status = parse(path, config);
    free(path);
    return status;
}
