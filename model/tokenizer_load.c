// Tokenizers from the files of a directory, from words in memory, or from another tokenizer.
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "tokenizer_internal.h"

#define FILE_LIMIT ((size_t)128 << 20)

const char *const ebm_tokenizer_file_names[FILE_COUNT] = {
    "vocab.txt",         "vocab.json",    "merges.txt", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "tokenizer.json"};

void ebm_tokenizer_files_free(ebm_tokenizer_files *files)
{
    for (int i = 0; i < FILE_COUNT; i++) free(files->bytes[i]);
    free(files->model_type);
    free(files->model_class);
    *files = (ebm_tokenizer_files){0};
}

static ebm_status copy_text(const char *text, char **copy)
{
    if (text && !(*copy = strdup(text))) return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer");
    return ebm_ok();
}

ebm_status ebm_tokenizer_files_copy(const ebm_tokenizer_files *files, ebm_tokenizer_files *copy)
{
    for (int i = 0; i < FILE_COUNT; i++) {
        if (!files->bytes[i]) continue;
        copy->bytes[i] = malloc(files->size[i] + 1);
        if (!copy->bytes[i]) return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a copy of a tokenizer");
        memcpy(copy->bytes[i], files->bytes[i], files->size[i] + 1);
        copy->size[i] = files->size[i];
    }
    EBM_TRY(copy_text(files->model_type, &copy->model_type));
    return copy_text(files->model_class, &copy->model_class);
}

static ebm_status read_if_there(const char *directory, const char *name, char **bytes, size_t *size)
{
    char *path = ebm_path_join(directory, name);
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "%s/%s: out of memory", directory, name);
    const ebm_status status = ebm_file_exists(path) ? ebm_file_read(path, FILE_LIMIT, bytes, size) : ebm_ok();
    free(path);
    return status;
}

// What config.json says of the tokenizer. A broken config.json is ebm_config_load's to report.
static ebm_status read_model_config(const char *directory, ebm_tokenizer_files *files)
{
    char *bytes = NULL;
    size_t size = 0;
    EBM_TRY(read_if_there(directory, "config.json", &bytes, &size));
    json_t *config = bytes ? json_loadb(bytes, size, 0, NULL) : NULL;
    free(bytes);
    ebm_status status = copy_text(json_string_value(json_object_get(config, "model_type")), &files->model_type);
    if (status.code == EBM_OK)
        status = copy_text(json_string_value(json_object_get(config, "tokenizer_class")), &files->model_class);
    json_decref(config);
    return status;
}

ebm_status ebm_tokenizer_load(const char *directory, ebm_tokenizer **tokenizer)
{
    ebm_status status = ebm_ok();
    ebm_tokenizer_files files = {0};
    if (!ebm_directory_exists(directory)) return ebm_fail(EBM_ERROR_INPUT, "%s: no such directory", directory);
    for (int i = 0; i < FILE_COUNT; i++)
        EBM_CHECK(read_if_there(directory, ebm_tokenizer_file_names[i], &files.bytes[i], &files.size[i]), end);
    EBM_CHECK(read_model_config(directory, &files), end);
    EBM_CHECK(ebm_tokenizer_check_files(&files, directory, directory), end);
    EBM_CHECK(ebm_tokenizer_build(&files, directory, tokenizer), end);
end:
    ebm_tokenizer_files_free(&files);
    return status;
}

static bool is_among(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(words[i], word) == 0) return true;
    return false;
}

static ebm_status append_word(ebm_bytes *text, const char *word)
{
    if (!*word || strpbrk(word, "\r\n"))
        return ebm_fail(EBM_ERROR_INPUT, "word list: expected words without line ends, found \"%.80s\"", word);
    const bool ok = ebm_bytes_append(text, word, strlen(word)) && ebm_bytes_append(text, "\n", 1);
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "word list: out of memory");
}

static ebm_status write_words(const char *const *words, size_t count, ebm_bytes *text)
{
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++)
        if (!is_among(specials[i], words, count)) EBM_TRY(append_word(text, specials[i]));
    for (size_t i = 0; i < count; i++) EBM_TRY(append_word(text, words[i]));
    if (!ebm_bytes_append(text, "", 1)) return ebm_fail(EBM_ERROR_MEMORY, "word list: out of memory");
    text->size--;
    return ebm_ok();
}

ebm_status ebm_tokenizer_from_words(const char *const *words, size_t count, bool lower_case, ebm_tokenizer **tokenizer)
{
    ebm_status status = ebm_ok();
    ebm_tokenizer_files files = {0};
    ebm_bytes text = {0};
    EBM_CHECK(write_words(words, count, &text), end);
    files.bytes[FILE_VOCAB_TXT] = text.bytes;
    files.size[FILE_VOCAB_TXT] = text.size;
    text = (ebm_bytes){0};
    files.bytes[FILE_CONFIG] =
        strdup(lower_case ? "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": true}\n"
                          : "{\"tokenizer_class\": \"BertTokenizer\", \"do_lower_case\": false}\n");
    if (!files.bytes[FILE_CONFIG]) EBM_CHECK(ebm_fail(EBM_ERROR_MEMORY, "word list: out of memory"), end);
    files.size[FILE_CONFIG] = strlen(files.bytes[FILE_CONFIG]);
    EBM_CHECK(ebm_tokenizer_build(&files, "word list", tokenizer), end);
end:
    ebm_bytes_free(&text);
    ebm_tokenizer_files_free(&files);
    return status;
}

ebm_status ebm_tokenizer_clone(const ebm_tokenizer *t, ebm_tokenizer **out)
{
    ebm_status status = ebm_ok();
    ebm_tokenizer_files files = {0};
    ebm_tokenizer *clone = NULL;
    EBM_CHECK(ebm_tokenizer_files_copy(&t->files, &files), end);
    EBM_CHECK(ebm_tokenizer_build(&files, "copy of a tokenizer", &clone), end);
    for (size_t i = 0; i < t->added.count; i++) EBM_CHECK(ebm_added_tokens_put(&clone->added, t->added.tokens[i]), end);
    EBM_CHECK(ebm_added_tokens_index(&clone->added), end);
    clone->changed = t->changed;
    *out = clone;
    clone = NULL;
end:
    ebm_tokenizer_files_free(&files);
    ebm_tokenizer_free(clone);
    return status;
}
