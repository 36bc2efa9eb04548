#include "model_find.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "json_file.h"

enum { LONGEST_NAME = 96, LONGEST_REVISION = 200, COMMIT_DIGITS = 40 }; // the first and the last are the hub's

// The parts of ORGANISATION/MODEL@REVISION.
typedef struct {
    char id[LONGEST_NAME + 1], revision[LONGEST_REVISION + 1];
    bool has_revision;
} hub_name;

static ebm_status out_of_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no host memory to look for a model"); }

// ---- names

#define LETTERS_AND_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

static bool has_any(const char *text, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(text, parts[i])) return true;
    return false;
}

// What the hub allows: letters, digits, - _ . with at most one slash between two parts; no -- and no .. in it.
static bool is_hub_id(const char *id)
{
    static const char *const REFUSED[] = {"--", "..", "/-", "/.", "-/", "./"};
    const size_t length = strlen(id);
    if (length == 0 || length > LONGEST_NAME || strspn(id, LETTERS_AND_DIGITS "-_./") != length) return false;
    if (has_any(id, REFUSED, 6) || strchr(id, '/') != strrchr(id, '/')) return false;
    return !strchr("-./", id[0]) && !strchr("-./", id[length - 1]);
}

// A path below refs/: no empty part, none that begins with a dot.
static bool is_revision(const char *revision)
{
    static const char *const REFUSED[] = {"//", "/."};
    const size_t length = strlen(revision);
    if (length == 0 || strspn(revision, LETTERS_AND_DIGITS "-_./+") != length || has_any(revision, REFUSED, 2))
        return false;
    return !strchr("/.", revision[0]) && revision[length - 1] != '/';
}

static bool split(const char *name, hub_name *parts)
{
    const char *at = strchr(name, '@');
    const size_t length = at ? (size_t)(at - name) : strlen(name);
    if (length > LONGEST_NAME || (at && strlen(at + 1) > LONGEST_REVISION)) return false;
    snprintf(parts->id, sizeof parts->id, "%.*s", (int)length, name);
    snprintf(parts->revision, sizeof parts->revision, "%s", at ? at + 1 : "main");
    parts->has_revision = at != NULL;
    return is_hub_id(parts->id) && is_revision(parts->revision);
}

// ---- the cache

// The value of a variable, a leading ~ replaced as huggingface_hub does; NULL when it is not set or empty.
static char *variable(const char *name, const char *below)
{
    const char *value = getenv(name), *home = getenv("HOME");
    char *path = NULL;
    if (!value || !*value) return NULL;
    const bool tilde = value[0] == '~' && (!value[1] || value[1] == '/') && home;
    if (asprintf(&path, "%s%s%s", tilde ? home : "", tilde ? value + 1 : value, below) < 0) return NULL;
    return path;
}

// NULL: there is nowhere to look, not even a home.
static char *cache_directory(void)
{
    static const char *const PLACES[][2] = {{"HF_HUB_CACHE", ""},
                                            {"HUGGINGFACE_HUB_CACHE", ""},
                                            {"HF_HOME", "/hub"},
                                            {"XDG_CACHE_HOME", "/huggingface/hub"},
                                            {"HOME", "/.cache/huggingface/hub"}};
    char *path = NULL;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES && !path; i++) path = variable(PLACES[i][0], PLACES[i][1]);
    return path;
}

// "models--organisation--model", for the caller to free().
static char *folder_of(const char *id)
{
    const char *slash = strchr(id, '/');
    char *folder = NULL;
    const int length = slash ? (int)(slash - id) : 0;
    if (asprintf(&folder, "models--%.*s%s%s", length, id, slash ? "--" : "", slash ? slash + 1 : id) < 0) return NULL;
    return folder;
}

static bool is_commit(const char *text)
{
    return strspn(text, "0123456789abcdef") == COMMIT_DIGITS && !text[COMMIT_DIGITS];
}

// The commit a branch or tag stood at when it was fetched. *commit stays empty when the cache does not know it.
static ebm_status read_reference(const char *model, const char *revision, char commit[COMMIT_DIGITS + 1])
{
    char *path = NULL, *text = NULL;
    if (asprintf(&path, "%s/refs/%s", model, revision) < 0) return out_of_memory();
    ebm_status status = ebm_ok();
    if (!ebm_file_exists(path)) goto end;
    EBM_CHECK(ebm_file_read(path, 1024, &text, NULL), end);
    text[strcspn(text, " \t\r\n")] = 0;
    if (is_commit(text))
        snprintf(commit, COMMIT_DIGITS + 1, "%s", text);
    else
        status =
            ebm_fail(EBM_ERROR_INPUT, "%s: expected a commit of %d digits, found \"%.60s\"", path, COMMIT_DIGITS, text);
end:
    free(text);
    free(path);
    return status;
}

// *snapshot stays NULL when the model or the revision is not there.
static ebm_status find_snapshot(const char *cache, const hub_name *name, char **snapshot)
{
    char commit[COMMIT_DIGITS + 1] = "", *folder = folder_of(name->id), *model = NULL;
    ebm_status status = ebm_ok();
    if (folder) model = ebm_path_join(cache, folder);
    if (!model) status = out_of_memory();
    EBM_CHECK(status, end);
    if (is_commit(name->revision))
        snprintf(commit, sizeof commit, "%s", name->revision);
    else
        EBM_CHECK(read_reference(model, name->revision, commit), end);
    if (!commit[0]) goto end;
    if (asprintf(snapshot, "%s/snapshots/%s", model, commit) < 0) {
        *snapshot = NULL;
        status = out_of_memory();
    } else if (!ebm_directory_exists(*snapshot)) {
        free(*snapshot);
        *snapshot = NULL;
    }
end:
    free(folder);
    free(model);
    return status;
}

// Old models have two names, bert-base-uncased and google-bert/bert-base-uncased; the cache has what was asked for when
// it was filled. Writes " (it has ORGANISATION/MODEL)" when that is the model under its other name.
static void hint_other_name(const char *cache, const char *id, char *hint, size_t size)
{
    const char *slash = strchr(id, '/'), *model = slash ? slash + 1 : id;
    static const char PREFIX[] = "models--";
    DIR *directory = opendir(cache);
    if (!directory) return;
    for (const struct dirent *entry; (entry = readdir(directory)) && !*hint;) {
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) != 0) continue;
        const char *found = entry->d_name + sizeof PREFIX - 1, *border = strstr(found, "--");
        const int owner = border ? (int)(border - found) : 0;
        const char *own = border ? border + 2 : found;
        char other[2 * LONGEST_NAME];
        snprintf(other, sizeof other, "%.*s%s%s", owner, found, border ? "/" : "", own);
        if (!strcmp(own, model) && strcmp(other, id) != 0) snprintf(hint, size, " (it has %s)", other);
    }
    closedir(directory);
}

static ebm_status not_found(const char *cache, const hub_name *name, const char *given)
{
    char hint[2 * LONGEST_NAME + 16] = "", *folder = folder_of(name->id), *model = NULL;
    if (folder) model = ebm_path_join(cache, folder);
    const bool has_model = ebm_directory_exists(model);
    if (!has_model) hint_other_name(cache, name->id, hint, sizeof hint);
    free(folder);
    free(model);
    return ebm_fail(EBM_ERROR_INPUT,
                    "%s: no such directory, and %s not in the hub's cache %s%s; ebmcl downloads nothing, this does: "
                    "hf download %s%s%s",
                    given, has_model ? "this revision is" : "the model is", cache, hint, name->id,
                    name->has_revision ? " --revision " : "", name->has_revision ? name->revision : "");
}

static ebm_status find_in_cache(const char *given, char **directory)
{
    hub_name name;
    if (!split(given, &name)) return ebm_fail(EBM_ERROR_INPUT, "%s: no such directory", given);
    char *cache = cache_directory();
    if (!cache) return ebm_fail(EBM_ERROR_INPUT, "%s: no such directory, and $HOME does not tell where else", given);
    ebm_status status = find_snapshot(cache, &name, directory);
    if (status.code == EBM_OK && !*directory) status = not_found(cache, &name, given);
    free(cache);
    return status;
}

// ---- sentence-transformers

static bool has_weights(const char *directory)
{
    static const char *const FILES[] = {"model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
                                        "pytorch_model.bin.index.json"};
    bool found = false;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES && !found; i++) {
        char *path = ebm_path_join(directory, FILES[i]);
        found = ebm_file_exists(path);
        free(path);
    }
    return found;
}

static bool is_folder_name(const char *name)
{
    return *name && !strpbrk(name, "/\\") && strcmp(name, ".") != 0 && strcmp(name, "..") != 0;
}

// The first module that is a Transformer, in a folder of its own.
static const char *folder_of_encoder(const json_t *modules)
{
    for (size_t i = 0; i < json_array_size(modules); i++) {
        const json_t *module = json_array_get(modules, i);
        const char *type = json_string_value(json_object_get(module, "type"));
        const char *path = json_string_value(json_object_get(module, "path"));
        const char *end = type ? strrchr(type, '.') : NULL;
        if (end && !strcmp(end + 1, "Transformer")) return path && is_folder_name(path) ? path : NULL;
    }
    return NULL;
}

// Replaces *directory by the folder of the encoder when the weights are not in the directory itself.
static ebm_status enter_encoder(char **directory)
{
    char *text = NULL, *path = ebm_path_join(*directory, "modules.json"), *inner = NULL;
    ebm_status status = path ? ebm_ok() : out_of_memory();
    json_t *modules = NULL;
    EBM_CHECK(status, end);
    if (!ebm_file_exists(path) || has_weights(*directory)) goto end;
    size_t size = 0;
    EBM_CHECK(ebm_file_read(path, 1 << 20, &text, &size), end);
    modules = json_loadb(text, size, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_array(modules)) status = ebm_fail(EBM_ERROR_INPUT, "%s: expected a list of modules", path);
    EBM_CHECK(status, end);
    const char *folder = folder_of_encoder(modules);
    if (!folder) goto end;
    inner = ebm_path_join(*directory, folder);
    if (!inner) status = out_of_memory();
    EBM_CHECK(status, end);
    free(*directory);
    *directory = inner;
end:
    json_decref(modules);
    free(text);
    free(path);
    return status;
}

ebm_status ebm_model_find(const char *name, char **directory)
{
    *directory = NULL;
    if (access(name, F_OK) == 0)
        *directory = strdup(name);
    else
        EBM_TRY(find_in_cache(name, directory));
    if (!*directory) return out_of_memory();
    const ebm_status status = enter_encoder(directory);
    if (status.code == EBM_OK) return status;
    free(*directory);
    *directory = NULL;
    return status;
}
