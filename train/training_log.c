#include "training_log.h"

#include <stdlib.h>
#include <string.h>

#include "file.h"

enum { LOG_LIMIT = 1 << 30 };

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a log"); }

static ebm_status take_lines(char *text, const char *path, json_t *log)
{
    char *rest = text;
    size_t number = 0;
    for (char *line; (line = strsep(&rest, "\n"));) {
        json_t *json = json_loads(line, 0, NULL);
        number++;
        if (json_is_object(json)) {
            if (json_array_append_new(log, json) != 0) return no_memory();
            continue;
        }
        json_decref(json);
        if (rest && *line) return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: a JSON object expected", path, number);
    }
    return ebm_ok();
}

ebm_status ebm_training_log_read(const char *directory, json_t **log)
{
    char *path = ebm_path_join(directory, EBM_TRAINING_LOG), *text = NULL;
    *log = json_array();
    ebm_status status = path && *log ? ebm_ok() : no_memory();
    if (status.code == EBM_OK && ebm_file_exists(path)) {
        status = ebm_file_read(path, LOG_LIMIT, &text, NULL);
        if (status.code == EBM_OK) status = take_lines(text, path, *log);
    }
    if (status.code != EBM_OK) {
        json_decref(*log);
        *log = NULL;
    }
    free(text);
    free(path);
    return status;
}
