// The files of a tokenizer, as transformers reads them.
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "tokenizer_internal.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer's files"); }

static json_t *make_flags(const ebm_added_token *token)
{
    return json_pack("{s:s%, s:b, s:b, s:b, s:b, s:b}", "content", token->text, token->bytes, "single_word",
                     token->single_word, "lstrip", token->lstrip, "rstrip", token->rstrip, "normalized",
                     token->normalized, "special", token->special);
}

// {"0": {"content": "<s>", "lstrip": false, ...}, ...} of all special and added tokens.
static json_t *make_decoder(const ebm_tokenizer *t)
{
    json_t *decoder = json_object();
    for (size_t i = 0; decoder && i < t->added.count; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", (int)t->added.tokens[i].id);
        if (json_object_set_new(decoder, key, make_flags(&t->added.tokens[i])) != 0) {
            json_decref(decoder);
            return NULL;
        }
    }
    return decoder;
}

static json_t *make_hidden(const ebm_tokenizer *t)
{
    json_t *list = json_array();
    for (size_t i = 0; list && i < t->added.count; i++) {
        const ebm_added_token *token = &t->added.tokens[i];
        if (token->hidden) json_array_append_new(list, json_string(token->text));
    }
    return list;
}

static bool set_if_missing(json_t *object, const char *key, json_t *value)
{
    if (!value) return false;
    if (json_object_get(object, key)) return json_decref(value), true;
    return json_object_set_new(object, key, value) == 0;
}

static bool set_names(const ebm_tokenizer *t, json_t *object)
{
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        const char *text = ebm_tokenizer_text(t, t->named[i]);
        if (text && !set_if_missing(object, ebm_named_tokens[i].key, json_string(text))) return false;
    }
    return true;
}

// special_tokens_map.json counts for nothing any more once the configuration lists the added tokens.
static bool take_over_map(json_t *config, json_t *special_map)
{
    const char *key;
    json_t *value;
    if (json_object_get(config, "added_tokens_decoder")) return true;
    json_object_foreach(special_map, key, value) if (json_object_set(config, key, value) != 0) return false;
    return true;
}

static bool fill_config(const ebm_tokenizer *t, json_t *config, json_t *special_map)
{
    const ebm_wordpiece *bert = ebm_normalizer_bert(t->normalizer);
    bool ok = take_over_map(config, special_map) &&
              set_if_missing(config, "tokenizer_class", json_string(ebm_tokenizer_class_name(t->class))) &&
              set_names(t, config);
    if (t->class == EBM_CLASS_ROBERTA || t->class == EBM_CLASS_GPT2)
        ok = ok && set_if_missing(config, "add_prefix_space", json_false());
    if (t->class == EBM_CLASS_BERT && bert)
        ok = ok && set_if_missing(config, "do_lower_case", json_boolean(bert->lower_case)) &&
             set_if_missing(config, "strip_accents", json_null()) &&
             set_if_missing(config, "tokenize_chinese_chars", json_boolean(bert->space_chinese));
    ok = ok && json_object_set_new(config, "added_tokens_decoder", make_decoder(t)) == 0;
    json_t *hidden = make_hidden(t);
    if (json_array_size(hidden) > 0) return json_object_set_new(config, EBM_TOKENIZER_HIDDEN_KEY, hidden) == 0 && ok;
    json_decref(hidden);
    json_object_del(config, EBM_TOKENIZER_HIDDEN_KEY);
    return ok;
}

static ebm_status write_json(const char *directory, int file, const json_t *object)
{
    char *text = json_dumps(object, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    char *path = ebm_path_join(directory, ebm_tokenizer_file_names[file]);
    const ebm_status status = text && path ? ebm_file_write(path, text, strlen(text)) : no_memory();
    free(text);
    free(path);
    return status;
}

static ebm_status save_config(const ebm_tokenizer *t, ebm_tokenizer_settings *settings, const char *directory)
{
    if (!settings->config) settings->config = json_object();
    if (!settings->config || !fill_config(t, settings->config, settings->special_map)) return no_memory();
    return write_json(directory, FILE_CONFIG, settings->config);
}

// tokenizer.json with all tokens there are now; ids are in order, so that the library gives them again.
static ebm_status save_root(const ebm_tokenizer *t, const ebm_tokenizer_settings *settings, const char *directory)
{
    json_t *list = json_array();
    bool ok = list != NULL;
    for (size_t id = 0; ok && id < t->added.id_limit; id++) {
        const ebm_added_token *token = ebm_added_tokens_find(&t->added, (int32_t)id);
        if (!token) continue;
        json_t *entry = json_pack("{s:i}", "id", (int)id), *flags = make_flags(token);
        ok = entry && flags && json_object_update(entry, flags) == 0 && json_array_append(list, entry) == 0;
        json_decref(entry);
        json_decref(flags);
    }
    ok = ok && json_object_set(settings->root, "added_tokens", list) == 0;
    json_decref(list);
    return ok ? write_json(directory, FILE_TOKENIZER_JSON, settings->root) : no_memory();
}

static ebm_status save_special_map(const ebm_tokenizer *t, const char *directory)
{
    json_t *object = json_object();
    const ebm_status status =
        object && set_names(t, object) ? write_json(directory, FILE_SPECIAL_MAP, object) : no_memory();
    json_decref(object);
    return status;
}

static ebm_status save_bytes(const ebm_tokenizer *t, const char *directory, int file)
{
    char *path = ebm_path_join(directory, ebm_tokenizer_file_names[file]);
    if (!path) return no_memory();
    const ebm_status status = ebm_file_write(path, t->files.bytes[file], t->files.size[file]);
    free(path);
    return status;
}

static ebm_status save_file(const ebm_tokenizer *t, ebm_tokenizer_settings *settings, const char *directory, int file)
{
    const bool there = t->files.bytes[file] != NULL;
    if (file == FILE_CONFIG && (!there || t->changed)) return save_config(t, settings, directory);
    if (file == FILE_TOKENIZER_JSON && there && t->changed) return save_root(t, settings, directory);
    if (there) return save_bytes(t, directory, file);
    return file == FILE_SPECIAL_MAP ? save_special_map(t, directory) : ebm_ok();
}

ebm_status ebm_tokenizer_save(const ebm_tokenizer *t, const char *directory)
{
    ebm_tokenizer_settings settings = {0};
    ebm_status status = ebm_tokenizer_settings_read(&t->files, directory, &settings);
    for (int i = 0; i < FILE_COUNT && status.code == EBM_OK; i++) status = save_file(t, &settings, directory, i);
    ebm_tokenizer_settings_free(&settings);
    return status;
}
