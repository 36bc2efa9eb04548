// Tokenizers from the files of a directory, from words in memory, or from another tokenizer.
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "tokenizer_internal.h"

#define FILE_LIMIT ((size_t)256 << 20)

const char *const ebm_tokenizer_file_names[FILE_COUNT] = {
    "vocab.txt",         "vocab.json",    "merges.txt", "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "tokenizer.json"};

void ebm_tokenizer_files_free(ebm_tokenizer_files *files)
{
    for (int i = 0; i < FILE_COUNT; i++) free(files->bytes[i]);
    *files = (ebm_tokenizer_files){0};
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
    return ebm_ok();
}

// Lines end as Python's text mode ends them: "\n", "\r\n" or "\r".
static ebm_status read_vocab_txt(ebm_tokenizer *t, const char *where)
{
    const char *text = t->files.bytes[FILE_VOCAB_TXT];
    const size_t bytes = t->files.size[FILE_VOCAB_TXT];
    int64_t id = 0;
    for (size_t start = 0; start < bytes; id++) {
        const size_t length = strcspn(text + start, "\r\n");
        size_t end = start + length, bad = 0;
        if (end < bytes && text[end] == 0)
            return ebm_fail(EBM_ERROR_INPUT, "%s/vocab.txt:%lld: a zero byte", where, (long long)id + 1);
        if (!ebm_utf8_valid(text + start, length, &bad))
            return ebm_fail(EBM_ERROR_INPUT, "%s/vocab.txt:%lld: not UTF-8: byte %zu of the line is 0x%02X", where,
                            (long long)id + 1, bad, (unsigned char)text[start + bad]);
        EBM_TRY(ebm_in(ebm_vocabulary_put(&t->vocabulary, id, text + start, length), "%s/vocab.txt:%lld", where,
                       (long long)id + 1));
        if (end + 1 < bytes && text[end] == '\r' && text[end + 1] == '\n') end++;
        start = end + 1;
    }
    return id > 0 ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "%s/vocab.txt: the vocabulary is empty", where);
}

static ebm_status read_vocab_json(ebm_tokenizer *t, const char *where)
{
    json_error_t error;
    json_t *object = json_loadb(t->files.bytes[FILE_VOCAB_JSON], t->files.size[FILE_VOCAB_JSON],
                                JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (!object) return ebm_fail(EBM_ERROR_INPUT, "%s/vocab.json:%d: %s", where, error.line, error.text);
    ebm_status status = ebm_ok();
    const char *key;
    json_t *value;
    if (json_object_size(object) == 0)
        EBM_CHECK(ebm_fail(EBM_ERROR_INPUT, "%s/vocab.json: expected an object of tokens and ids, found %s", where,
                           json_is_object(object) ? "an empty one" : "something else"),
                  end);
    json_object_foreach(object, key, value)
    {
        if (!json_is_integer(value))
            EBM_CHECK(ebm_fail(EBM_ERROR_INPUT, "%s/vocab.json: the id of \"%.80s\" is not an integer", where, key),
                      end);
        EBM_CHECK(ebm_in(ebm_vocabulary_put(&t->vocabulary, json_integer_value(value), key, strlen(key)),
                         "%s/vocab.json", where),
                  end);
    }
end:
    json_decref(object);
    return status;
}

static ebm_family family_of(const ebm_tokenizer *t, const ebm_tokenizer_settings *settings)
{
    const char *class = json_string_value(json_object_get(settings->config, "tokenizer_class"));
    if (class && strncmp(class, "Roberta", 7) == 0) return EBM_FAMILY_ROBERTA;
    if (class && strncmp(class, "GPT2", 4) == 0) return EBM_FAMILY_GPT2;
    if (t->model_type && strcmp(t->model_type, "roberta") == 0) return EBM_FAMILY_ROBERTA;
    if (t->model_type && strcmp(t->model_type, "gpt2") == 0) return EBM_FAMILY_GPT2;
    const bool both = ebm_tokenizer_id(t, "<s>") >= 0 && ebm_tokenizer_id(t, "</s>") >= 0;
    return both ? EBM_FAMILY_ROBERTA : EBM_FAMILY_GPT2;
}

static bool setting(const json_t *config, const char *key, bool usual)
{
    const json_t *value = json_object_get(config, key);
    return json_is_boolean(value) ? json_is_true(value) : usual;
}

static ebm_status build_wordpiece(ebm_tokenizer *t, const ebm_tokenizer_settings *settings, const char *where)
{
    EBM_TRY(read_vocab_txt(t, where));
    t->family = EBM_FAMILY_BERT;
    t->wordpiece.vocabulary = &t->vocabulary;
    t->wordpiece.lower_case = setting(settings->config, "do_lower_case", true);
    t->wordpiece.strip_accents = setting(settings->config, "strip_accents", t->wordpiece.lower_case);
    t->wordpiece.space_chinese = setting(settings->config, "tokenize_chinese_chars", true);
    EBM_TRY(ebm_tokenizer_set_specials(t, settings, where));
    t->wordpiece.unknown = t->roles[EBM_TOKEN_UNK];
    return ebm_ok();
}

static ebm_status build_bpe(ebm_tokenizer *t, const ebm_tokenizer_settings *settings, const char *where)
{
    EBM_TRY(read_vocab_json(t, where));
    t->family = family_of(t, settings);
    EBM_TRY(ebm_in(ebm_bpe_create(&t->vocabulary, t->files.bytes[FILE_MERGES], t->files.size[FILE_MERGES], "merges.txt",
                                  setting(settings->config, "add_prefix_space", false), &t->bpe),
                   "%s", where));
    return ebm_tokenizer_set_specials(t, settings, where);
}

static ebm_status check_files(const ebm_tokenizer_files *files, const char *where)
{
    if (files->bytes[FILE_VOCAB_TXT] || (files->bytes[FILE_VOCAB_JSON] && files->bytes[FILE_MERGES])) return ebm_ok();
    if (files->bytes[FILE_VOCAB_JSON])
        return ebm_fail(EBM_ERROR_INPUT, "%s: vocab.json is there, but merges.txt is missing", where);
    if (files->bytes[FILE_TOKENIZER_JSON])
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "%s: a tokenizer.json alone cannot be read; vocab.txt (BERT) or vocab.json and merges.txt "
                        "(RoBERTa, GPT-2) are needed beside it",
                        where);
    return ebm_fail(EBM_ERROR_INPUT,
                    "%s: no tokenizer; expected vocab.txt (BERT) or vocab.json and merges.txt (RoBERTa, GPT-2)", where);
}

ebm_status ebm_tokenizer_build(ebm_tokenizer_files *files, const char *model_type, const char *where,
                               ebm_tokenizer **out)
{
    static atomic_uint_fast64_t serials;
    ebm_status status = ebm_ok();
    ebm_tokenizer_settings settings = {0};
    ebm_tokenizer *t = calloc(1, sizeof *t);
    if (!t) {
        ebm_tokenizer_files_free(files);
        return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer");
    }
    t->files = *files;
    *files = (ebm_tokenizer_files){0};
    t->serial = atomic_fetch_add(&serials, 1) + 1;
    if (model_type && !(t->model_type = strdup(model_type)))
        EBM_CHECK(ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer"), end);
    EBM_CHECK(check_files(&t->files, where), end);
    EBM_CHECK(ebm_tokenizer_settings_read(&t->files, where, &settings), end);
    EBM_CHECK(t->files.bytes[FILE_VOCAB_TXT] ? build_wordpiece(t, &settings, where) : build_bpe(t, &settings, where),
              end);
    *out = t;
    t = NULL;
end:
    ebm_tokenizer_settings_free(&settings);
    ebm_tokenizer_free(t);
    return status;
}

void ebm_tokenizer_free(ebm_tokenizer *t)
{
    if (!t) return;
    ebm_vocabulary_free(&t->vocabulary);
    ebm_bpe_free(t->bpe);
    ebm_added_tokens_free(&t->added);
    ebm_tokenizer_files_free(&t->files);
    free(t->model_type);
    free(t);
}

static ebm_status read_if_there(const char *directory, const char *name, char **bytes, size_t *size)
{
    char *path = ebm_path_join(directory, name);
    if (!path) return ebm_fail(EBM_ERROR_MEMORY, "%s/%s: out of memory", directory, name);
    const ebm_status status = ebm_file_exists(path) ? ebm_file_read(path, FILE_LIMIT, bytes, size) : ebm_ok();
    free(path);
    return status;
}

// The model_type of config.json, or NULL. A broken config.json is ebm_config_load's to report.
static ebm_status read_model_type(const char *directory, json_t **config, const char **model_type)
{
    char *bytes = NULL;
    size_t size = 0;
    EBM_TRY(read_if_there(directory, "config.json", &bytes, &size));
    *config = bytes ? json_loadb(bytes, size, 0, NULL) : NULL;
    *model_type = json_string_value(json_object_get(*config, "model_type"));
    free(bytes);
    return ebm_ok();
}

ebm_status ebm_tokenizer_load(const char *directory, ebm_tokenizer **tokenizer)
{
    ebm_status status = ebm_ok();
    ebm_tokenizer_files files = {0};
    json_t *config = NULL;
    const char *model_type = NULL;
    if (!ebm_directory_exists(directory)) return ebm_fail(EBM_ERROR_INPUT, "%s: no such directory", directory);
    for (int i = 0; i < FILE_COUNT; i++)
        EBM_CHECK(read_if_there(directory, ebm_tokenizer_file_names[i], &files.bytes[i], &files.size[i]), end);
    EBM_CHECK(read_model_type(directory, &config, &model_type), end);
    EBM_CHECK(ebm_tokenizer_build(&files, model_type, directory, tokenizer), end);
end:
    json_decref(config);
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
    EBM_CHECK(ebm_tokenizer_build(&files, NULL, "word list", tokenizer), end);
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
    EBM_CHECK(ebm_tokenizer_build(&files, t->model_type, "copy of a tokenizer", &clone), end);
    for (size_t id = clone->vocabulary.size; id < t->vocabulary.size; id++) {
        size_t bytes = 0;
        const char *text = ebm_vocabulary_text(&t->vocabulary, (int32_t)id, &bytes);
        if (text) EBM_CHECK(ebm_vocabulary_put(&clone->vocabulary, (int64_t)id, text, bytes), end);
    }
    for (size_t i = 0; i < t->added.count; i++) EBM_CHECK(ebm_added_tokens_put(&clone->added, t->added.tokens[i]), end);
    clone->changed = t->changed;
    *out = clone;
    clone = NULL;
end:
    ebm_tokenizer_files_free(&files);
    ebm_tokenizer_free(clone);
    return status;
}
