#include "json_file.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { LIMIT = 1 << 20 };

static ebm_status read_path(const char *path, json_t **json)
{
    char *text = NULL;
    size_t size = 0;
    json_error_t error;
    EBM_TRY(ebm_file_read(path, LIMIT, &text, &size));
    *json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    free(text);
    if (!*json) return ebm_fail(EBM_ERROR_INPUT, "%s:%d: %s", path, error.line, error.text);
    if (json_is_object(*json)) return ebm_ok();
    json_decref(*json);
    *json = NULL;
    return ebm_fail(EBM_ERROR_INPUT, "%s: an object expected", path);
}

ebm_status ebm_json_file_read(const char *directory, const char *name, json_t **json)
{
    *json = NULL;
    char *path = ebm_path_join(directory, name);
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %s", name);
    const ebm_status status = ebm_file_exists(path) ? read_path(path, json) : ebm_ok();
    free(path);
    return status;
}

ebm_status ebm_json_file_write(const char *directory, const char *name, json_t *json)
{
    char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17)) : NULL;
    char *path = ebm_path_join(directory, name);
    const ebm_status status = text && path ? ebm_file_write(path, text, strlen(text))
                                           : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %s", name);
    free(path);
    free(text);
    json_decref(json);
    return status;
}
