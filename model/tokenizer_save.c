// The files of a tokenizer, as transformers reads them.
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "tokenizer_internal.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "out of memory for tokenizer_config.json"); }

static const char *class_of(const ebm_tokenizer *t)
{
    return !t->bpe ? "BertTokenizer" : t->family == EBM_FAMILY_ROBERTA ? "RobertaTokenizer" : "GPT2Tokenizer";
}

// {"0": {"content": "<s>", "lstrip": false, ...}, ...} of all special and added tokens.
static json_t *make_decoder(const ebm_tokenizer *t)
{
    json_t *decoder = json_object();
    for (size_t i = 0; decoder && i < t->added.count; i++) {
        const ebm_added_token *token = &t->added.tokens[i];
        char key[16];
        snprintf(key, sizeof key, "%d", (int)token->id);
        // The vocabulary's text, not the token's own, which may be normalised.
        json_t *entry =
            json_pack("{s:s, s:b, s:b, s:b, s:b, s:b}", "content", ebm_vocabulary_text(&t->vocabulary, token->id, NULL),
                      "lstrip", token->lstrip, "normalized", token->normalized, "rstrip", token->rstrip, "single_word",
                      token->single_word, "special", token->special);
        if (!entry || json_object_set_new(decoder, key, entry) != 0) {
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

// The special tokens of the family: not those of roles it has no name for (BERT has no bos_token).
static bool set_role_names(const ebm_tokenizer *t, json_t *object)
{
    for (size_t i = 0; i < EBM_TOKENIZER_ROLE_NAMES; i++) {
        const ebm_tokenizer_role_name *name = &ebm_tokenizer_role_names[i];
        const char *text = ebm_vocabulary_text(&t->vocabulary, t->roles[name->role], NULL);
        if (text && name->usual[t->family] && !set_if_missing(object, name->key, json_string(text))) return false;
    }
    return true;
}

static bool fill_config(const ebm_tokenizer *t, json_t *config)
{
    bool ok = set_if_missing(config, "tokenizer_class", json_string(class_of(t))) && set_role_names(t, config);
    if (t->bpe) ok = ok && set_if_missing(config, "add_prefix_space", json_false());
    if (!t->bpe)
        ok = ok && set_if_missing(config, "do_lower_case", json_boolean(t->wordpiece.lower_case)) &&
             set_if_missing(config, "strip_accents", json_null()) &&
             set_if_missing(config, "tokenize_chinese_chars", json_boolean(t->wordpiece.space_chinese));
    ok = ok && json_object_set_new(config, "added_tokens_decoder", make_decoder(t)) == 0;
    json_t *hidden = make_hidden(t);
    if (json_array_size(hidden) > 0) return json_object_set_new(config, EBM_TOKENIZER_HIDDEN_KEY, hidden) == 0 && ok;
    json_decref(hidden);
    json_object_del(config, EBM_TOKENIZER_HIDDEN_KEY);
    return ok;
}

static ebm_status write_json(const char *directory, int file, const json_t *object)
{
    char *text = json_dumps(object, JSON_INDENT(2));
    char *path = ebm_path_join(directory, ebm_tokenizer_file_names[file]);
    const ebm_status status = text && path ? ebm_file_write(path, text, strlen(text)) : no_memory();
    free(text);
    free(path);
    return status;
}

static ebm_status save_config(const ebm_tokenizer *t, const char *directory)
{
    ebm_tokenizer_settings settings = {0};
    ebm_status status = ebm_tokenizer_settings_read(&t->files, directory, &settings);
    if (status.code == EBM_OK && !settings.config && !(settings.config = json_object())) status = no_memory();
    if (status.code == EBM_OK && !fill_config(t, settings.config)) status = no_memory();
    if (status.code == EBM_OK) status = write_json(directory, FILE_CONFIG, settings.config);
    ebm_tokenizer_settings_free(&settings);
    return status;
}

static ebm_status save_special_map(const ebm_tokenizer *t, const char *directory)
{
    json_t *object = json_object();
    const ebm_status status =
        object && set_role_names(t, object) ? write_json(directory, FILE_SPECIAL_MAP, object) : no_memory();
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

ebm_status ebm_tokenizer_save(const ebm_tokenizer *t, const char *directory)
{
    for (int i = 0; i < FILE_COUNT; i++) {
        const bool there = t->files.bytes[i] != NULL;
        if (i == FILE_CONFIG && (!there || t->changed))
            EBM_TRY(save_config(t, directory));
        else if (there)
            EBM_TRY(save_bytes(t, directory, i));
        else if (i == FILE_SPECIAL_MAP)
            EBM_TRY(save_special_map(t, directory));
    }
    return ebm_ok();
}
