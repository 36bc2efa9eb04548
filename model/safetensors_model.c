// The weights of a model directory: one file, several with an index, or a form that is refused with what to do.
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json_file.h"
#include "safetensors_internal.h"

static const char *const INDEX_FILE = "model.safetensors.index.json";

#define BAD(...) ebm_fail(EBM_ERROR_INPUT, __VA_ARGS__)

static ebm_status out_of_memory(const char *path) { return ebm_fail(EBM_ERROR_MEMORY, "%s: out of host memory", path); }

// ---- several files

// An index comes from elsewhere: it must not lead out of its directory.
static bool is_plain_name(const char *name)
{
    if (!*name || !strcmp(name, ".") || !strcmp(name, "..") || strpbrk(name, "/\\")) return false;
    for (; *name; name++)
        if ((unsigned char)*name < 0x20 || *name == 0x7F) return false;
    return true;
}

static int compare_texts(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

// The distinct file names of the map in their order; the list is the caller's, the names are the map's.
static ebm_status list_files(const json_t *map, const char ***files, size_t *count)
{
    const char *tensor;
    json_t *value;
    *count = 0;
    *files = malloc((json_object_size(map) + 1) * sizeof **files);
    if (!*files) return ebm_fail(EBM_ERROR_MEMORY, "out of host memory");
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        const char *name = json_string_value(value);
        if (!name || !is_plain_name(name))
            return BAD("tensor %.200s: expected the name of a file in the same directory, found %s%.200s", tensor,
                       name ? "" : "no text", name ? name : "");
        (*files)[(*count)++] = name;
    }
    if (*count == 0) return BAD("\"weight_map\" names no files");
    qsort(*files, *count, sizeof **files, compare_texts);
    size_t distinct = 1;
    for (size_t i = 1; i < *count; i++)
        if (strcmp((*files)[distinct - 1], (*files)[i]) != 0) (*files)[distinct++] = (*files)[i];
    *count = distinct;
    return ebm_ok();
}

// Every tensor of the map must be in its file. One the map does not have is a tensor of the model all the same, as it
// is for transformers.
static ebm_status check_map(const json_t *map, const ebm_safetensors *file)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        size_t index = 0;
        const char *name = json_string_value(value);
        const bool found = ebm_safetensors_find(file, tensor, &index);
        const char *path = found ? ebm_safetensors_view(file, index)->path : "", *slash = strrchr(path, '/');
        if (found && !strcmp(slash ? slash + 1 : path, name)) continue;
        return BAD("tensor %.200s should be in %.100s, it is %s%s", tensor, name, found ? "in " : "missing there",
                   found ? path : "");
    }
    return ebm_ok();
}

static ebm_status add_files(const char *directory, const json_t *map, ebm_safetensors *file, const char *const *names,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *path = ebm_path_join(directory, names[i]);
        const ebm_status status = path ? ebm_safetensors_add_file(file, path) : out_of_memory(directory);
        free(path);
        EBM_TRY(status);
    }
    EBM_TRY(ebm_safetensors_finish(file));
    return check_map(map, file);
}

static ebm_status open_mapped(const char *directory, const char *index, const json_t *map, ebm_safetensors **file)
{
    const char **names = NULL;
    size_t count = 0;
    ebm_safetensors *opened = NULL;
    ebm_status status = json_is_object(map) ? ebm_ok() : BAD("\"weight_map\" is missing or not an object");
    EBM_CHECK(status, end);
    EBM_CHECK(list_files(map, &names, &count), end);
    EBM_CHECK(ebm_safetensors_start(index, count, &opened), end);
    EBM_CHECK(add_files(directory, map, opened, names, count), end);
    *file = opened;
    opened = NULL;
end:
    ebm_safetensors_free(opened);
    free(names);
    return status;
}

static ebm_status open_several(const char *directory, const char *index, ebm_safetensors **file)
{
    json_t *json = NULL;
    EBM_TRY(ebm_json_file_read(directory, INDEX_FILE, &json));
    const ebm_status status =
        ebm_in(open_mapped(directory, index, json_object_get(json, "weight_map"), file), "%s", index);
    json_decref(json);
    return status;
}

// ---- other forms

// What people download and cannot be read here, with what turns it into what can. {directory} is where to run it.
static const struct {
    const char *files[2]; // one of them is there
    const char *what, *command;
} OTHER_FORMS[] = {
    {{"pytorch_model.bin", "pytorch_model.bin.index.json"},
     "convert by",
     "python3 -c \"import torch,glob;from safetensors.torch import save_file as s;s({k:v.clone().contiguous()for f in "
     "glob.glob('pytorch_model*.bin')for k,v in torch.load(f,'cpu',weights_only=True).items()},'model.safetensors',"
     "{'format':'pt'})\""},
    {{"tf_model.h5", NULL},
     "with transformers below 5 and tensorflow, convert by",
     "USE_FLAX=0 python3 -c \"import transformers as t;c=t.AutoConfig.from_pretrained('.');m=getattr(t,"
     "c.architectures[0])(c);t.load_tf2_checkpoint_in_pytorch_model(m,'tf_model.h5');m.save_pretrained('.')\""},
    {{"flax_model.msgpack", NULL},
     "with transformers below 5 and flax, convert by",
     "USE_TF=0 python3 -c \"import transformers as t,transformers.modeling_flax_pytorch_utils as f;"
     "c=t.AutoConfig.from_pretrained('.');m=getattr(t,c.architectures[0])(c);"
     "f.load_flax_checkpoint_in_pytorch_model(m,'flax_model.msgpack').save_pretrained('.')\""},
};

static bool has_file(const char *directory, const char *name)
{
    char *path = name ? ebm_path_join(directory, name) : NULL;
    const bool found = ebm_file_exists(path);
    free(path);
    return found;
}

// The directory as one word of a shell's command, for the caller to free(); NULL when out of memory.
static char *shell_word(const char *directory)
{
    static const char SAFE[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+,:@%";
    if (strspn(directory, SAFE) == strlen(directory)) return strdup(directory);
    char *word = malloc(4 * strlen(directory) + 3), *at = word;
    if (!word) return NULL;
    *at++ = '\'';
    for (; *directory; directory++) {
        if (*directory == '\'')
            at = stpcpy(at, "'\\''");
        else
            *at++ = *directory;
    }
    strcpy(at, "'");
    return word;
}

static ebm_status refuse_other_forms(const char *directory)
{
    for (size_t i = 0; i < sizeof OTHER_FORMS / sizeof *OTHER_FORMS; i++) {
        const char *const *files = OTHER_FORMS[i].files;
        if (!has_file(directory, files[0]) && !has_file(directory, files[1])) continue;
        char *word = shell_word(directory);
        if (!word) return out_of_memory(directory);
        const ebm_status status =
            ebm_fail(EBM_ERROR_UNSUPPORTED, "expected model.safetensors, found %s; %s: cd %s && %s", files[0],
                     OTHER_FORMS[i].what, word, OTHER_FORMS[i].command);
        free(word);
        return status;
    }
    return BAD("%s: expected model.safetensors or %s, found neither", directory, INDEX_FILE);
}

ebm_status ebm_safetensors_open_model(const char *directory, ebm_safetensors **file)
{
    char *whole = ebm_path_join(directory, "model.safetensors"), *index = ebm_path_join(directory, INDEX_FILE);
    ebm_status status;
    if (!whole || !index)
        status = out_of_memory(directory);
    else if (ebm_file_exists(whole))
        status = ebm_safetensors_open(whole, file);
    else if (ebm_file_exists(index))
        status = open_several(directory, index, file);
    else
        status = refuse_other_forms(directory);
    free(whole);
    free(index);
    return status;
}
