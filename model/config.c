#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_internal.h"

size_t ebm_config_head_size(const ebm_config *config) { return config->hidden / config->heads; }
size_t ebm_config_max_tokens(const ebm_config *config) { return config->max_positions - config->position_offset; }

static ebm_status out_of_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a model's config"); }

ebm_config *ebm_config_create(ebm_family family)
{
    ebm_config *config = calloc(1, sizeof *config);
    if (!config) return NULL;
    config->family = family;
    config->pad_id = config->bos_id = config->eos_id = -1;
    config->bias.attention = config->bias.mlp = config->bias.norm = config->bias.classifier = true;
    config->source = json_object();
    if (config->source) return config;
    free(config);
    return NULL;
}

static void free_labels(char **labels, size_t count)
{
    for (size_t i = 0; labels && i < count; i++) free(labels[i]);
    free(labels);
}

void ebm_config_free(ebm_config *config)
{
    if (!config) return;
    free_labels(config->labels, config->label_count);
    json_decref(config->source);
    free(config);
}

static bool has_control_character(const char *text)
{
    while (*text && (unsigned char)*text >= 0x20 && *text != 0x7F) text++;
    return *text != 0;
}

static bool is_utf8(const char *text)
{
    json_t *string = json_string(text);
    const bool valid = string != NULL;
    json_decref(string);
    return valid;
}

static ebm_status check_labels(const char *const *labels, size_t count)
{
    if (count == 0 || count > EBM_MAX_LABELS)
        return ebm_fail(EBM_ERROR_INPUT, "expected 1 to %d labels, found %zu", EBM_MAX_LABELS, count);
    json_t *seen = json_object();
    ebm_status status = seen ? ebm_ok() : out_of_memory();
    for (size_t i = 0; i < count && status.code == EBM_OK; i++) {
        if (!*labels[i])
            status = ebm_fail(EBM_ERROR_INPUT, "label %zu has no name", i);
        else if (!is_utf8(labels[i]))
            status = ebm_fail(EBM_ERROR_INPUT, "the name of label %zu is not UTF-8", i);
        else if (has_control_character(labels[i]))
            status = ebm_fail(EBM_ERROR_INPUT, "the name of label %zu holds a control character", i);
        else if (json_object_get(seen, labels[i]))
            status = ebm_fail(EBM_ERROR_INPUT, "two labels have the name \"%s\"", labels[i]);
        else if (json_object_set_new(seen, labels[i], json_true()) != 0)
            status = out_of_memory();
    }
    json_decref(seen);
    return status;
}

ebm_status ebm_config_set_labels(ebm_config *config, const char *const *labels, size_t count)
{
    EBM_TRY(check_labels(labels, count));
    char **copies = calloc(count, sizeof *copies);
    if (!copies) return out_of_memory();
    for (size_t i = 0; i < count; i++) {
        copies[i] = strdup(labels[i]);
        if (copies[i]) continue;
        free_labels(copies, count);
        return out_of_memory();
    }
    free_labels(config->labels, config->label_count); // last: the new names may be the old ones
    config->labels = copies;
    config->label_count = count;
    return ebm_ok();
}

int32_t ebm_config_label_id(const ebm_config *config, const char *label)
{
    for (size_t i = 0; i < config->label_count; i++)
        if (!strcmp(config->labels[i], label)) return (int32_t)i;
    return -1;
}

static ebm_status check_size(const char *where, const char *key, size_t value, size_t step, size_t most)
{
    if (value > 0 && value <= most && value % step == 0) return ebm_ok();
    if (step == 1)
        return ebm_fail(EBM_ERROR_INPUT, "%s: %s: expected a number from 1 to %zu, found %zu", where, key, most, value);
    return ebm_fail(EBM_ERROR_INPUT, "%s: %s: expected a multiple of %zu up to %zu, found %zu", where, key, step, most,
                    value);
}

static ebm_status check_heads(const ebm_config *config, const char *where, const ebm_family_keys *keys)
{
    if (config->hidden % config->heads != 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: %s: expected a divisor of %s %zu, found %zu", where, keys->heads,
                        keys->hidden, config->hidden, config->heads);
    const size_t size = ebm_config_head_size(config);
    if (size % 16 == 0 && size <= 128) return ebm_ok();
    return ebm_fail(EBM_ERROR_UNSUPPORTED,
                    "%s: %s: expected a head size (%s / %s) of a multiple of 16 up to 128, found %zu", where,
                    keys->heads, keys->hidden, keys->heads, size);
}

static ebm_status check_sizes(const ebm_config *config, const char *where, const ebm_family_keys *keys)
{
    EBM_TRY(check_size(where, keys->hidden, config->hidden, 16, 1 << 14));
    if (keys->embedding) EBM_TRY(check_size(where, keys->embedding, config->embedding, 16, 1 << 14));
    EBM_TRY(check_size(where, keys->layers, config->layers, 1, EBM_MAX_LAYERS));
    EBM_TRY(check_size(where, keys->heads, config->heads, 1, 1 << 10));
    EBM_TRY(check_size(where, keys->intermediate, config->intermediate, 16, 1 << 17));
    EBM_TRY(check_size(where, "vocab_size", config->vocabulary, 1, 1 << 24));
    EBM_TRY(check_size(where, keys->positions, config->max_positions, 1, 1 << 20));
    if (keys->types) EBM_TRY(check_size(where, keys->types, config->type_vocabulary, 1, 1 << 16));
    if (config->position_offset >= config->max_positions)
        return ebm_fail(EBM_ERROR_INPUT, "%s: %s: expected more than pad_token_id + 1 = %zu, found %zu", where,
                        keys->positions, config->position_offset, config->max_positions);
    return check_heads(config, where, keys);
}

static ebm_status check_probability(const char *where, const char *key, float value)
{
    if (value >= 0 && value < 1) return ebm_ok(); // NaN fails both
    return ebm_fail(EBM_ERROR_INPUT, "%s: %s: expected a probability from 0 to below 1, found %g", where, key,
                    (double)value);
}

static ebm_status check_id(const ebm_config *config, const char *where, const char *key, int32_t id)
{
    if (id >= -1 && (id < 0 || (size_t)id < config->vocabulary)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: %s: expected an id below vocab_size %zu, found %d", where, key,
                    config->vocabulary, (int)id);
}

ebm_status ebm_config_check(const ebm_config *config, const char *where)
{
    const ebm_family_traits *family = ebm_family_traits_of(config->family);
    const ebm_family_keys *keys = &family->keys;
    EBM_TRY(check_sizes(config, where, keys));
    EBM_TRY(check_probability(where, keys->hidden_dropout, config->hidden_dropout));
    EBM_TRY(check_probability(where, keys->attention_dropout, config->attention_dropout));
    if (keys->embedding_dropout) EBM_TRY(check_probability(where, keys->embedding_dropout, config->embedding_dropout));
    if (keys->classifier_dropout)
        EBM_TRY(check_probability(where, keys->classifier_dropout, config->classifier_dropout));
    if (keys->epsilon && !(config->layer_norm_eps > 0 && config->layer_norm_eps < 1))
        return ebm_fail(EBM_ERROR_INPUT, "%s: %s: expected a number above 0 and below 1, found %g", where,
                        keys->epsilon, (double)config->layer_norm_eps);
    EBM_TRY(check_id(config, where, "pad_token_id", config->pad_id));
    EBM_TRY(check_id(config, where, "bos_token_id", config->bos_id));
    EBM_TRY(check_id(config, where, "eos_token_id", config->eos_id));
    return family->config ? family->config->check(config, where) : ebm_ok();
}

// Sizes as asked for, all else as transformers has it for the family when its config.json says nothing.
static void fill(ebm_config *config, size_t layers, size_t hidden, size_t vocabulary, size_t max_positions)
{
    const ebm_family_traits *family = ebm_family_traits_of(config->family);
    const size_t head = hidden % 64 == 0 ? 64 : hidden % 32 == 0 ? 32 : 16;
    config->layers = layers;
    config->hidden = hidden;
    config->embedding = family->defaults.embedding ? family->defaults.embedding : hidden;
    config->heads = hidden / head;
    config->intermediate = hidden <= SIZE_MAX / 4 ? 4 * hidden : 0;
    config->vocabulary = vocabulary;
    config->max_positions = max_positions;
    config->type_vocabulary = family->defaults.types;
    config->hidden_dropout = config->attention_dropout = config->embedding_dropout = family->defaults.dropout;
    config->classifier_dropout =
        family->defaults.classifier_dropout < 0 ? config->hidden_dropout : family->defaults.classifier_dropout;
    config->layer_norm_eps = family->defaults.epsilon;
    config->pad_id = family->defaults.pad;
    config->bos_id = family->defaults.bos;
    config->eos_id = family->defaults.eos;
    if (family->positions_after_pad) config->position_offset = (size_t)config->pad_id + 1;
    if (family->config) family->config->set_defaults(config);
}

static ebm_status scratch_config(ebm_family family, size_t layers, size_t hidden, size_t vocabulary,
                                 size_t max_positions, ebm_config **out)
{
    static const char *const LABELS[] = {"LABEL_0", "LABEL_1"};
    ebm_config *config = ebm_config_create(family);
    if (!config) return out_of_memory();
    ebm_status status = ebm_ok();
    fill(config, layers, hidden, vocabulary, max_positions);
    if (json_object_set_new(config->source, "initializer_range", json_real(0.02)) != 0) status = out_of_memory();
    EBM_CHECK(status, end);
    if (ebm_family_is_encoder(family)) EBM_CHECK(ebm_config_set_labels(config, LABELS, 2), end);
    EBM_CHECK(ebm_config_check(config, "a model from scratch"), end);
    *out = config;
    config = NULL;
end:
    ebm_config_free(config);
    return status;
}

ebm_status ebm_config_default_gpt2(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                   ebm_config **config)
{
    return scratch_config(EBM_FAMILY_GPT2, layers, hidden, vocabulary, max_positions, config);
}

ebm_status ebm_config_default_bert(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                   ebm_config **config)
{
    return scratch_config(EBM_FAMILY_BERT, layers, hidden, vocabulary, max_positions, config);
}

ebm_status ebm_config_default_modernbert(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                         ebm_config **config)
{
    return scratch_config(EBM_FAMILY_MODERNBERT, layers, hidden, vocabulary, max_positions, config);
}

// The original's values for what transformers has other defaults for.
ebm_status ebm_config_default_roberta(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                      ebm_config **config)
{
    EBM_TRY(scratch_config(EBM_FAMILY_ROBERTA, layers, hidden, vocabulary, max_positions, config));
    (*config)->type_vocabulary = 1;
    (*config)->layer_norm_eps = 1e-5F;
    return ebm_ok();
}

ebm_status ebm_config_copy(const ebm_config *config, ebm_config **copy)
{
    ebm_config *made = malloc(sizeof *made);
    if (!made) return out_of_memory();
    *made = *config;
    made->labels = NULL;
    made->label_count = 0;
    made->source = json_deep_copy(config->source);
    ebm_status status = made->source ? ebm_ok() : out_of_memory();
    if (status.code == EBM_OK && config->label_count > 0)
        status = ebm_config_set_labels(made, (const char *const *)config->labels, config->label_count);
    if (status.code == EBM_OK)
        *copy = made;
    else
        ebm_config_free(made);
    return status;
}
