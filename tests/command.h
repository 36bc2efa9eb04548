// What tests of the program's commands share: a folder of their own, texts with labels, and asserts on what a run
// prints and leaves.
//
//     run("eval", "--model_name_or_path", "model", ...)         // in the folder; free_ran what comes back
//     json_t *e = json_of(run("eval", ..., "--json"));          // exit code 0, one JSON object
//     assert_bad("label.tsv:3: ", "eval", ...);     // one line with this part, exit code 2, nothing written
#ifndef EBM_TESTS_COMMAND_H
#define EBM_TESTS_COMMAND_H

#include <ftw.h>
#include <jansson.h>
#include <sys/stat.h>

#include "folder.h"
#include "program.h"

static char folder[] = "/tmp/ebmcl-test-cli-XXXXXX"; // made by mkdtemp in the group's setup

enum { ROWS = 12 };
static const char *const TEXTS[ROWS] = {
    "the film is good .", "the film is bad .",
    "a very dull plot",   "warm and fine",
    "the cast was cold",  "not bad",
    "not good .",         "a fine , warm film",
    "dull , cold , bad",  "the plot is very good",
    "the cast is fine",   "a bad film",
};
static const int LABELS[ROWS] = {1, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0};

#define run(...) run_program(folder, (const char *const[]){__VA_ARGS__, NULL}, NULL)

static inline int remove_files(void **state) { return ebm_directory_remove(folder).code == EBM_OK ? 0 : -1; }

static inline void put(const char *name, const char *text)
{
    char *path = in_folder(folder, name);
    put_file(path, text, strlen(text));
    free(path);
}

static inline char *get(const char *name)
{
    char *path = in_folder(folder, name), *text = NULL;
    assert_ok(ebm_file_read(path, 1 << 24, &text, NULL));
    free(path);
    return text;
}

static inline void assert_file_has(const char *name, const char *part)
{
    char *text = get(name);
    if (!strstr(text, part)) fail_msg("%s lacks \"%s\": %s", name, part, text);
    free(text);
}

static inline void put_texts(const char *name, const char *header, const char *const *labels)
{
    char *path = in_folder(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", header);
    for (int i = 0; i < ROWS; i++) fprintf(file, "%s\t%s\n", TEXTS[i], labels[LABELS[i]]);
    fclose(file);
    free(path);
}

// Exit code 0 and exactly one JSON object on standard output.
static inline json_t *json_of(ran r)
{
    json_error_t error;
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    json_t *object = json_loads(r.out, 0, &error);
    if (!object) fail_msg("not one JSON object (%s): %s", error.text, r.out);
    free_ran(&r);
    return object;
}

static inline double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("\"%s\" is missing or no number", key);
    return json_number_value(value);
}

static inline const char *string(const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    if (!value) fail_msg("\"%s\" is missing or no text", key);
    return value;
}

static inline void assert_prints(ran r, const char *const *parts)
{
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    for (size_t i = 0; parts[i]; i++)
        if (!strstr(r.out, parts[i])) fail_msg("\"%s\" is not in: %s", parts[i], r.out);
    free_ran(&r);
}
#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline json_t *line_of(char **text)
{
    char *end = strchr(*text, '\n');
    assert_non_null(end);
    *end = 0;
    json_t *row = json_loads(*text, 0, NULL);
    assert_non_null(row);
    *text = end + 1;
    return row;
}

static inline double at(const json_t *row, const char *list, size_t i)
{
    return json_number_value(json_array_get(json_object_get(row, list), i));
}

static char *listing;

static inline int add_to_listing(const char *path, const struct stat *info, int kind, struct FTW *place)
{
    char *more = NULL;
    if (asprintf(&more, "%s%s %lld\n", listing, path, S_ISREG(info->st_mode) ? (long long)info->st_size : -1LL) < 0)
        return -1;
    free(listing);
    listing = more;
    return 0;
}

// Every path below the folder with its size. The order is the directory's own, so only unchanged folders compare equal
// for certain, which is what is asked.
static inline char *list_folder(void)
{
    listing = strdup("");
    assert_int_equal(nftw(folder, add_to_listing, 16, FTW_PHYS), 0);
    return listing;
}

static inline void assert_bad_with(const char *part, const char *const *arguments, const run_with *with)
{
    char *before = list_folder();
    ran r = run_program(folder, arguments, with);
    char *after = list_folder();
    const char *line = "";
    if (r.code != 2) fail_msg("%s %s: expected exit code 2, got %d: %s", arguments[0], part, r.code, r.err);
    if (count_complaints(r.err, &line) != 1) fail_msg("expected one line, got: %s", r.err);
    if (strncmp(line, "ebmcl: ", 7) != 0 || !strstr(line, part)) fail_msg("expected \"%s\", got: %s", part, r.err);
    if (r.out[0]) fail_msg("standard output holds: %s", r.out);
    assert_string_equal(before, after);
    free(before);
    free(after);
    free_ran(&r);
}
#define assert_bad(part, ...) assert_bad_with(part, (const char *const[]){__VA_ARGS__, NULL}, NULL)

#endif
