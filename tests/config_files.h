// config.json files for tests: made from a text and what is changed in it, read back key by key.
#ifndef EBM_TESTS_CONFIG_FILES_H
#define EBM_TESTS_CONFIG_FILES_H

#include <jansson.h>

#include "check.h"
#include "config.h"
#include "folder.h"

// Writes base with the keys of patch put over it; a value "delete" takes the key away.
static inline void put_config(const char *folder, const char *base, const char *patch)
{
    json_t *object = json_loads(base, 0, NULL), *changes = json_loads(patch, 0, NULL), *value;
    if (!object || !changes) fail_msg("bad test data: %s", patch);
    const char *key;
    json_object_foreach(changes, key, value)
    {
        if (json_is_string(value) && !strcmp(json_string_value(value), "delete"))
            json_object_del(object, key);
        else
            json_object_set(object, key, value);
    }
    char *path = in_folder(folder, "config.json"), *text = json_dumps(object, 0);
    put_file(path, text, strlen(text));
    free(path);
    free(text);
    json_decref(object);
    json_decref(changes);
}

static inline ebm_config *load(const char *folder, const char *base, const char *patch)
{
    put_config(folder, base, patch);
    ebm_config *config = NULL;
    assert_ok(ebm_config_load(folder, &config));
    return config;
}

static inline json_t *saved(const ebm_config *config, const char *folder)
{
    assert_ok(ebm_config_save(config, folder));
    char *path = in_folder(folder, "config.json");
    json_t *object = json_load_file(path, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    free(path);
    return object;
}

static inline void assert_key(const json_t *object, const char *key, const char *expected)
{
    char *text = json_dumps(json_object_get(object, key), JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (!text || strcmp(text, expected) != 0)
        fail_msg("%s: expected %s, found %s", key, expected, text ? text : "nothing");
    free(text);
}

#endif
