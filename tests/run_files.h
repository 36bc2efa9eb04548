// What a training run leaves behind, for comparing: files byte by byte, the log without its timings.
#ifndef EBM_TESTS_RUN_FILES_H
#define EBM_TESTS_RUN_FILES_H

#include <jansson.h>

#include "folder.h"

enum { FILE_LIMIT = 1 << 24 };

static inline char *read_whole(const char *folder, const char *name, size_t *size)
{
    char *path = in_folder(folder, name), *bytes = NULL;
    assert_ok(ebm_file_read(path, FILE_LIMIT, &bytes, size));
    free(path);
    return bytes;
}

static inline void assert_same_file(const char *folder_a, const char *folder_b, const char *name)
{
    size_t size_a = 0, size_b = 0;
    char *a = read_whole(folder_a, name, &size_a), *b = read_whole(folder_b, name, &size_b);
    if (size_a != size_b || memcmp(a, b, size_a) != 0) fail_msg("%s differs", name);
    free(a);
    free(b);
}

// The lines of trainer_log.jsonl as a list; every line must be an object.
static inline json_t *read_log(const char *folder)
{
    size_t size = 0;
    char *text = read_whole(folder, "trainer_log.jsonl", &size), *rest = text;
    json_t *lines = json_array();
    for (char *line; (line = strsep(&rest, "\n")) && rest;) {
        json_error_t error;
        json_t *json = json_loads(line, JSON_REJECT_DUPLICATES, &error);
        if (!json_is_object(json)) fail_msg("not an object: %s (%s)", line, json ? "" : error.text);
        json_array_append_new(lines, json);
    }
    free(text);
    return lines;
}

static inline json_t *read_log_without_times(const char *folder)
{
    json_t *lines = read_log(folder), *line;
    size_t i;
    json_array_foreach(lines, i, line)
    {
        json_object_del(line, "tokens_per_second");
        json_object_del(line, "noise_share");
    }
    return lines;
}

static inline void assert_same_log(const char *folder_a, const char *folder_b)
{
    json_t *a = read_log_without_times(folder_a), *b = read_log_without_times(folder_b);
    assert_true(json_array_size(a) > 0);
    if (json_array_size(a) != json_array_size(b))
        fail_msg("%zu lines in the log, in the other %zu", json_array_size(a), json_array_size(b));
    for (size_t i = 0; i < json_array_size(a); i++)
        if (!json_equal(json_array_get(a, i), json_array_get(b, i)))
            fail_msg("line %zu of the log: %s, in the other %s", i + 1, json_dumps(json_array_get(a, i), 0),
                     json_dumps(json_array_get(b, i), 0));
    json_decref(a);
    json_decref(b);
}

static inline char *make_folder(const char *folder, const char *name)
{
    char *path = in_folder(folder, name);
    assert_ok(ebm_directory_make(path));
    return path;
}

#endif
