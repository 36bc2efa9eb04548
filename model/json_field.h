// Internal. Fields of JSON objects with errors that name them: `where` starts the sentence ("x/tokenizer.json:
// normalizer").
#ifndef EBM_JSON_FIELD_H
#define EBM_JSON_FIELD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

ebm_status ebm_field_text(const json_t *object, const char *key, const char *where, const char **text, size_t *bytes);
ebm_status ebm_field_flag(const json_t *object, const char *key, const char *where, bool *value);
// Missing or null: `value` stays as it is.
ebm_status ebm_field_flag_if_there(const json_t *object, const char *key, const char *where, bool *value);
ebm_status ebm_field_count(const json_t *object, const char *key, const char *where, json_int_t most, size_t *value);
ebm_status ebm_field_character(const json_t *object, const char *key, const char *where, uint32_t *c);
ebm_status ebm_field_list(const json_t *object, const char *key, const char *where, json_t **list);
ebm_status ebm_field_object(const json_t *object, const char *key, const char *where, json_t **value);

// For a type that is not known.
ebm_status ebm_field_unsupported(const char *type, const char *where);

#endif
