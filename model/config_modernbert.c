// What only ModernBERT's config.json has: biases that are settings, local attention, rotary bases. transformers 5
// writes layer_types and rope_parameters where version 4, and the models of its time, have global_attn_every_n_layers,
// global_rope_theta and local_rope_theta; the newer names win where a file has both.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "config_internal.h"
#include "sizes.h"

static const char *const LAYER_TYPES[2] = {"full_attention", "sliding_attention"}; // global, local
static const char *const OLD_THETAS[2] = {"global_rope_theta", "local_rope_theta"};

// The switches by their keys.
typedef struct {
    const char *key;
    size_t offset; // in ebm_config
} switch_key;
static const switch_key SWITCHES[] = {
    {"attention_bias", offsetof(ebm_config, bias.attention)},
    {"mlp_bias", offsetof(ebm_config, bias.mlp)},
    {"norm_bias", offsetof(ebm_config, bias.norm)},
    {"classifier_bias", offsetof(ebm_config, bias.classifier)},
};
enum { SWITCH_COUNT = sizeof SWITCHES / sizeof *SWITCHES };

static double *theta_of(ebm_config *config, size_t type) { return type ? &config->local_theta : &config->global_theta; }

static void set_pattern(ebm_config *config, size_t every)
{
    for (size_t l = 0; l < config->layers && l < EBM_MAX_LAYERS; l++) config->local_layers[l] = l % every != 0;
}

static void set_defaults(ebm_config *config)
{
    config->bias.attention = config->bias.mlp = config->bias.norm = config->bias.classifier = false;
    config->window = 64;
    config->global_theta = 160000;
    config->local_theta = 10000;
    set_pattern(config, 3);
}

static ebm_status expected(const ebm_config_reader *r, const char *key, const char *what)
{
    return ebm_config_mismatch(r, EBM_ERROR_INPUT, key, what);
}

static ebm_status read_switches(const ebm_config_reader *r, ebm_config *config)
{
    for (size_t i = 0; i < SWITCH_COUNT; i++) {
        if (ebm_config_absent(r, SWITCHES[i].key)) continue;
        const json_t *value = json_object_get(r->object, SWITCHES[i].key);
        if (!json_is_boolean(value)) return expected(r, SWITCHES[i].key, "true or false");
        *(bool *)((char *)config + SWITCHES[i].offset) = json_is_true(value);
    }
    return ebm_ok();
}

static ebm_status read_window(const ebm_config_reader *r, ebm_config *config)
{
    const char *key = "local_attention";
    if (!ebm_config_absent(r, "sliding_window")) // would overrule local_attention there
        return ebm_config_mismatch(r, EBM_ERROR_UNSUPPORTED, "sliding_window", "no such key beside local_attention");
    if (ebm_config_absent(r, key)) return ebm_ok();
    const json_t *value = json_object_get(r->object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 2) return expected(r, key, "a number from 2 on");
    if (!ebm_fits_size((uint64_t)json_integer_value(value))) return expected(r, key, "a number of this system");
    config->window = (size_t)json_integer_value(value) / 2;
    return ebm_ok();
}

static ebm_status read_every(const ebm_config_reader *r, ebm_config *config)
{
    const char *key = "global_attn_every_n_layers";
    if (ebm_config_absent(r, key)) return ebm_ok();
    const json_t *value = json_object_get(r->object, key);
    if (!json_is_integer(value) || json_integer_value(value) < 1) return expected(r, key, "a number from 1 on");
    if (!ebm_fits_size((uint64_t)json_integer_value(value))) return expected(r, key, "a number of this system");
    set_pattern(config, (size_t)json_integer_value(value));
    return ebm_ok();
}

static ebm_status read_layers(const ebm_config_reader *r, ebm_config *config)
{
    const char *key = "layer_types";
    if (ebm_config_absent(r, key)) return read_every(r, config);
    const json_t *types = json_object_get(r->object, key);
    if (!json_is_array(types) || json_array_size(types) != config->layers)
        return expected(r, key, "a list of num_hidden_layers entries");
    for (size_t l = 0; l < config->layers; l++) {
        const char *name = json_string_value(json_array_get(types, l));
        if (!name || (strcmp(name, LAYER_TYPES[0]) != 0 && strcmp(name, LAYER_TYPES[1]) != 0))
            return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: %s: expected \"%s\" or \"%s\" for layer %zu", r->path, key,
                            LAYER_TYPES[0], LAYER_TYPES[1], l);
        config->local_layers[l] = strcmp(name, LAYER_TYPES[1]) == 0;
    }
    return ebm_ok();
}

static ebm_status read_theta(const ebm_config_reader *r, const char *key, double *theta)
{
    const json_t *value = json_object_get(r->object, key);
    if (!value) return ebm_ok();
    if (!json_is_number(value)) return expected(r, key, "a number above 0");
    *theta = json_number_value(value);
    return ebm_ok();
}

// rope_parameters[type] = {"rope_type": "default", "rope_theta": ...}, each of them optional.
static ebm_status read_rope(const ebm_config_reader *r, json_t *parameters, size_t type, ebm_config *config)
{
    char path[512];
    const ebm_config_reader all = {r->path, parameters};
    if (ebm_config_absent(&all, LAYER_TYPES[type])) return ebm_ok();
    json_t *own = json_object_get(parameters, LAYER_TYPES[type]);
    if (!json_is_object(own)) return expected(&all, LAYER_TYPES[type], "an object of rope_type and rope_theta");
    snprintf(path, sizeof path, "%s: rope_parameters: %s", r->path, LAYER_TYPES[type]);
    const ebm_config_reader inner = {path, own};
    const char *names[] = {"rope_type", "type"};
    for (size_t i = 0; i < 2; i++) {
        const char *kind = json_string_value(json_object_get(own, names[i]));
        if (!ebm_config_absent(&inner, names[i]) && (!kind || strcmp(kind, "default") != 0))
            return ebm_config_mismatch(&inner, EBM_ERROR_UNSUPPORTED, names[i], "\"default\"");
    }
    return read_theta(&inner, "rope_theta", theta_of(config, type));
}

static ebm_status read_ropes(const ebm_config_reader *r, ebm_config *config)
{
    for (size_t type = 0; type < 2; type++) EBM_TRY(read_theta(r, OLD_THETAS[type], theta_of(config, type)));
    if (!ebm_config_absent(r, "rope_scaling"))
        return ebm_config_mismatch(r, EBM_ERROR_UNSUPPORTED, "rope_scaling", "null");
    if (ebm_config_absent(r, "rope_parameters")) return ebm_ok();
    json_t *parameters = json_object_get(r->object, "rope_parameters");
    if (!json_is_object(parameters)) return expected(r, "rope_parameters", "an object of layer types");
    for (size_t type = 0; type < 2; type++) EBM_TRY(read_rope(r, parameters, type, config));
    return ebm_ok();
}

static ebm_status check(const ebm_config *config, const char *where)
{
    const double thetas[2] = {config->global_theta, config->local_theta};
    if (config->window == 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: local_attention: expected a number from 2 on, found 0 or 1", where);
    for (size_t type = 0; type < 2; type++)
        if (!(thetas[type] > 0 && thetas[type] < 1e30))
            return ebm_fail(EBM_ERROR_INPUT, "%s: rope_theta of %s: expected a number above 0 and below 1e30, found %g",
                            where, LAYER_TYPES[type], thetas[type]);
    return ebm_ok();
}

static ebm_status read(const ebm_config_reader *r, ebm_config *config)
{
    const json_t *activation = json_object_get(r->object, "classifier_activation");
    set_defaults(config);
    if (activation && (!json_is_string(activation) || strcmp(json_string_value(activation), "gelu") != 0))
        return ebm_config_mismatch(r, EBM_ERROR_UNSUPPORTED, "classifier_activation", "\"gelu\"");
    if (config->layers > EBM_MAX_LAYERS) return ebm_ok(); // refused by the check of all families
    EBM_TRY(read_switches(r, config));
    EBM_TRY(read_window(r, config));
    EBM_TRY(read_layers(r, config));
    return read_ropes(r, config);
}

static int write_layers(json_t *object, const ebm_config *config)
{
    if (json_object_get(object, "global_attn_every_n_layers") && !json_object_get(object, "layer_types"))
        return 0; // where they were read from
    json_t *types = json_array();
    int failed = json_object_set_new(object, "layer_types", types);
    for (size_t l = 0; l < config->layers && !failed; l++)
        failed |= json_array_append_new(types, json_string(LAYER_TYPES[config->local_layers[l]]));
    return failed;
}

static int write_rope(json_t *parameters, size_t type, double theta)
{
    json_t *own = json_object_get(parameters, LAYER_TYPES[type]);
    if (!json_is_object(own)) {
        own = json_object();
        if (json_object_set_new(parameters, LAYER_TYPES[type], own) != 0) return -1;
    }
    const json_t *old = json_object_get(own, "rope_theta");
    if (!json_is_number(old) || json_number_value(old) < theta || json_number_value(old) > theta)
        if (json_object_set_new(own, "rope_theta", json_real(theta)) != 0) return -1;
    return json_object_get(own, "rope_type") ? 0 : json_object_set_new(own, "rope_type", json_string("default"));
}

static int write_ropes(json_t *object, const ebm_config *config)
{
    const bool old = json_object_get(object, OLD_THETAS[0]) && json_object_get(object, OLD_THETAS[1]);
    json_t *parameters = json_object_get(object, "rope_parameters");
    if (old && !json_is_object(parameters)) return 0; // where they were read from
    if (!json_is_object(parameters)) {
        parameters = json_object();
        if (json_object_set_new(object, "rope_parameters", parameters) != 0) return -1;
    }
    return write_rope(parameters, 0, config->global_theta) | write_rope(parameters, 1, config->local_theta);
}

static int write(json_t *object, const ebm_config *config)
{
    int failed = 0;
    for (size_t i = 0; i < SWITCH_COUNT; i++)
        failed |= json_object_set_new(object, SWITCHES[i].key,
                                      json_boolean(*(const bool *)((const char *)config + SWITCHES[i].offset)));
    const json_t *width = json_object_get(object, "local_attention");
    if (!width || (size_t)json_integer_value(width) / 2 != config->window) // an odd one is kept
        failed |= json_object_set_new(object, "local_attention", json_integer((json_int_t)(2 * config->window)));
    return failed | write_layers(object, config) | write_ropes(object, config);
}

const ebm_config_form ebm_config_modernbert = {set_defaults, read, check, write};
