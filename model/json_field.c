#include "json_field.h"

#include "utf8.h"

static ebm_status wrong(const json_t *object, const char *key, const char *where, const char *expected)
{
    if (!json_is_object(object)) return ebm_fail(EBM_ERROR_INPUT, "%s: expected a JSON object", where);
    return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" %s; expected %s", where, key,
                    json_object_get(object, key) ? "is of another kind" : "is missing", expected);
}

ebm_status ebm_field_text(const json_t *object, const char *key, const char *where, const char **text, size_t *bytes)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value)) return wrong(object, key, where, "a string");
    *text = json_string_value(value);
    if (bytes) *bytes = json_string_length(value);
    return ebm_ok();
}

ebm_status ebm_field_flag(const json_t *object, const char *key, const char *where, bool *value)
{
    const json_t *field = json_object_get(object, key);
    if (!json_is_boolean(field)) return wrong(object, key, where, "true or false");
    *value = json_is_true(field);
    return ebm_ok();
}

ebm_status ebm_field_flag_if_there(const json_t *object, const char *key, const char *where, bool *value)
{
    const json_t *field = json_object_get(object, key);
    return !field || json_is_null(field) ? ebm_ok() : ebm_field_flag(object, key, where, value);
}

ebm_status ebm_field_count(const json_t *object, const char *key, const char *where, json_int_t most, size_t *value)
{
    const json_t *field = json_object_get(object, key);
    if (!json_is_integer(field) || json_integer_value(field) < 0) return wrong(object, key, where, "a whole number");
    if (json_integer_value(field) > most)
        return ebm_fail(EBM_ERROR_INPUT, "%s: \"%s\" is %lld; expected at most %lld", where, key,
                        (long long)json_integer_value(field), (long long)most);
    *value = (size_t)json_integer_value(field);
    return ebm_ok();
}

ebm_status ebm_field_character(const json_t *object, const char *key, const char *where, uint32_t *c)
{
    const char *text;
    size_t bytes, i = 0;
    EBM_TRY(ebm_field_text(object, key, where, &text, &bytes));
    if (bytes > 0) *c = ebm_utf8_next(text, &i);
    return bytes > 0 && i == bytes ? ebm_ok() : wrong(object, key, where, "one character");
}

ebm_status ebm_field_list(const json_t *object, const char *key, const char *where, json_t **list)
{
    *list = json_object_get(object, key);
    return json_is_array(*list) ? ebm_ok() : wrong(object, key, where, "a list");
}

ebm_status ebm_field_object(const json_t *object, const char *key, const char *where, json_t **value)
{
    *value = json_object_get(object, key);
    return json_is_object(*value) ? ebm_ok() : wrong(object, key, where, "an object");
}

ebm_status ebm_field_unsupported(const char *type, const char *where)
{
    return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: the type \"%.80s\" is not supported", where, type);
}
