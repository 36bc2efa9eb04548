// Which tokens are special, and with which flags: tokenizer_config.json, special_tokens_map.json, added_tokens.json.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer_internal.h"

const ebm_tokenizer_role_name ebm_tokenizer_role_names[EBM_TOKENIZER_ROLE_NAMES] = {
    // cls and sep after bos and eos: they are what encode puts.
    {"bos_token", EBM_TOKEN_BOS, {NULL, "<s>", "<|endoftext|>"}},
    {"eos_token", EBM_TOKEN_EOS, {NULL, "</s>", "<|endoftext|>"}},
    {"cls_token", EBM_TOKEN_CLS, {"[CLS]", "<s>", NULL}},
    {"sep_token", EBM_TOKEN_SEP, {"[SEP]", "</s>", NULL}},
    {"pad_token", EBM_TOKEN_PAD, {"[PAD]", "<pad>", NULL}},
    {"mask_token", EBM_TOKEN_MASK, {"[MASK]", "<mask>", NULL}},
    {"unk_token", EBM_TOKEN_UNK, {"[UNK]", "<unk>", "<|endoftext|>"}},
};

static ebm_status read_object(const ebm_tokenizer_files *files, int file, const char *where, json_t **object)
{
    if (!files->bytes[file]) return ebm_ok();
    const char *name = ebm_tokenizer_file_names[file];
    json_error_t error;
    *object = json_loadb(files->bytes[file], files->size[file], JSON_DECODE_ANY, &error);
    if (!*object) return ebm_fail(EBM_ERROR_INPUT, "%s/%s:%d: not JSON: %s", where, name, error.line, error.text);
    if (!json_is_object(*object)) return ebm_fail(EBM_ERROR_INPUT, "%s/%s: expected a JSON object", where, name);
    return ebm_ok();
}

ebm_status ebm_tokenizer_settings_read(const ebm_tokenizer_files *files, const char *where,
                                       ebm_tokenizer_settings *settings)
{
    EBM_TRY(read_object(files, FILE_CONFIG, where, &settings->config));
    EBM_TRY(read_object(files, FILE_SPECIAL_MAP, where, &settings->special_map));
    return read_object(files, FILE_ADDED, where, &settings->added);
}

void ebm_tokenizer_settings_free(ebm_tokenizer_settings *settings)
{
    json_decref(settings->config);
    json_decref(settings->special_map);
    json_decref(settings->added);
    *settings = (ebm_tokenizer_settings){0};
}

ebm_status ebm_tokenizer_put_added(ebm_tokenizer *t, ebm_added_token token)
{
    if (t->bpe || !token.normalized) return ebm_added_tokens_put(&t->added, token);
    ebm_wordpiece_scratch scratch = {0};
    ebm_status status = ebm_wordpiece_normalize(&t->wordpiece, token.text, token.bytes, &scratch);
    if (status.code == EBM_OK) {
        token.text = scratch.text.bytes;
        token.bytes = scratch.text.size;
        status = ebm_added_tokens_put(&t->added, token);
    }
    ebm_wordpiece_scratch_free(&scratch);
    return status;
}

static void read_flag(const json_t *object, const char *key, bool *flag)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_boolean(value)) *flag = json_is_true(value);
}

// A token written as a string, or as an object with "content" and flags. NULL: neither.
static const char *read_token(const json_t *value, ebm_added_token *token)
{
    const json_t *content = json_is_object(value) ? json_object_get(value, "content") : value;
    if (!json_is_string(content)) return NULL;
    token->text = json_string_value(content);
    token->bytes = json_string_length(content);
    if (json_is_object(value)) {
        read_flag(value, "lstrip", &token->lstrip);
        read_flag(value, "rstrip", &token->rstrip);
        read_flag(value, "single_word", &token->single_word);
        read_flag(value, "normalized", &token->normalized);
        read_flag(value, "special", &token->special);
    }
    return token->text;
}

static ebm_status add_with_id(ebm_tokenizer *t, ebm_added_token token, const char *where, const char *file)
{
    size_t bytes = 0;
    const char *there = ebm_vocabulary_text(&t->vocabulary, token.id, &bytes);
    if (there && (bytes != token.bytes || memcmp(there, token.text, bytes) != 0))
        return ebm_fail(EBM_ERROR_INPUT, "%s/%s: the added token \"%.80s\" has the id %d, which is the token \"%.80s\"",
                        where, file, token.text, (int)token.id, there);
    if (!there)
        EBM_TRY(ebm_in(ebm_vocabulary_put(&t->vocabulary, token.id, token.text, token.bytes), "%s/%s", where, file));
    return ebm_tokenizer_put_added(t, token);
}

// {"50264": {"content": "<mask>", "lstrip": true, ...}, ...}
static ebm_status read_decoder(ebm_tokenizer *t, json_t *decoder, const char *where)
{
    const char *key;
    json_t *value;
    const char *file = ebm_tokenizer_file_names[FILE_CONFIG];
    json_object_foreach(decoder, key, value)
    {
        char *end;
        errno = 0;
        const long id = strtol(key, &end, 10);
        ebm_added_token token = {.id = (int32_t)id};
        if (end == key || *end || errno || id < 0 || (unsigned long)id >= EBM_VOCABULARY_LIMIT)
            return ebm_fail(EBM_ERROR_INPUT, "%s/%s: added_tokens_decoder: expected a token id, found \"%.80s\"", where,
                            file, key);
        if (!read_token(value, &token))
            return ebm_fail(EBM_ERROR_INPUT, "%s/%s: added_tokens_decoder: the entry %s has no \"content\"", where,
                            file, key);
        EBM_TRY(add_with_id(t, token, where, file));
    }
    return ebm_ok();
}

// {"<text>": id, ...}, older: by default such a token is found after normalisation and not special.
static ebm_status read_added(ebm_tokenizer *t, json_t *added, const char *where)
{
    const char *key;
    json_t *value;
    json_object_foreach(added, key, value)
    {
        const json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || (uint64_t)id >= EBM_VOCABULARY_LIMIT)
            return ebm_fail(EBM_ERROR_INPUT, "%s/%s: the token \"%.80s\" has no valid id", where,
                            ebm_tokenizer_file_names[FILE_ADDED], key);
        const ebm_added_token token = {.text = key, .bytes = strlen(key), .id = (int32_t)id, .normalized = true};
        EBM_TRY(add_with_id(t, token, where, ebm_tokenizer_file_names[FILE_ADDED]));
    }
    return ebm_ok();
}

// A special token named without an id; one the vocabulary lacks is left out, for there is no embedding for it either.
static ebm_status put_special(ebm_tokenizer *t, const json_t *value, ebm_added_token token, int32_t *id)
{
    *id = -1;
    if (value && !read_token(value, &token)) return ebm_ok();
    token.id = ebm_vocabulary_find(&t->vocabulary, token.text, token.bytes);
    if (token.id < 0) return ebm_ok();
    *id = token.id;
    token.special = true;
    ebm_added_token *known = ebm_added_tokens_find(&t->added, token.id);
    if (!known || json_is_object(value)) return ebm_tokenizer_put_added(t, token);
    known->special = true;
    return ebm_ok();
}

static ebm_status set_role(ebm_tokenizer *t, const ebm_tokenizer_role_name *name, const ebm_tokenizer_settings *s)
{
    // As in transformers, the map wins over a configuration that does not list the added tokens itself.
    const bool map_first = !json_object_get(s->config, "added_tokens_decoder");
    const json_t *value = json_object_get(map_first ? s->special_map : s->config, name->key);
    if (!value || json_is_null(value)) value = json_object_get(map_first ? s->config : s->special_map, name->key);
    if (json_is_null(value)) value = NULL;
    const char *usual = name->usual[t->family];
    if (!value && !usual) return ebm_ok();
    ebm_added_token token = {.text = usual, .bytes = usual ? strlen(usual) : 0};
    token.lstrip = name->role == EBM_TOKEN_MASK && t->family == EBM_FAMILY_ROBERTA;
    int32_t id = -1;
    EBM_TRY(put_special(t, value, token, &id));
    // GPT-2 models with a cls_token still begin with bos.
    const bool second =
        t->family == EBM_FAMILY_GPT2 && (!strcmp(name->key, "cls_token") || !strcmp(name->key, "sep_token"));
    if (id >= 0 && !(second && t->roles[name->role] >= 0)) t->roles[name->role] = id;
    return ebm_ok();
}

static ebm_status put_all(ebm_tokenizer *t, json_t *list)
{
    size_t index;
    json_t *value;
    const char *key;
    int32_t id;
    json_array_foreach(list, index, value) EBM_TRY(put_special(t, value, (ebm_added_token){0}, &id));
    json_object_foreach(list, key, value) EBM_TRY(put_special(t, value, (ebm_added_token){0}, &id));
    return ebm_ok();
}

static void hide(ebm_tokenizer *t, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        ebm_added_token *token = text ? ebm_added_tokens_find(&t->added, ebm_tokenizer_id(t, text)) : NULL;
        if (token) token->hidden = true;
    }
    ebm_added_tokens_index(&t->added);
}

// GPT-2 needs none; the others what encode puts, and WordPiece what it makes of words it cannot write.
static ebm_status check_required(const ebm_tokenizer *t, const char *where)
{
    static const ebm_token_role required[] = {EBM_TOKEN_CLS, EBM_TOKEN_SEP, EBM_TOKEN_UNK};
    static const char *const keys[] = {"cls_token", "sep_token", "unk_token"};
    const size_t count = t->family == EBM_FAMILY_GPT2 ? 0 : t->bpe ? 2 : 3;
    for (size_t i = 0; i < count; i++) {
        if (t->roles[required[i]] >= 0) continue;
        const char *usual = NULL;
        for (size_t k = 0; k < EBM_TOKENIZER_ROLE_NAMES; k++)
            if (strcmp(ebm_tokenizer_role_names[k].key, keys[i]) == 0)
                usual = ebm_tokenizer_role_names[k].usual[t->family];
        return ebm_fail(EBM_ERROR_INPUT, "%s: the vocabulary has no %s (\"%s\", or what tokenizer_config.json names)",
                        where, keys[i], usual);
    }
    return ebm_ok();
}

ebm_status ebm_tokenizer_set_specials(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    for (int role = 0; role < EBM_TOKEN_ROLES; role++) t->roles[role] = -1;
    json_t *decoder = json_object_get(s->config, "added_tokens_decoder");
    if (json_is_object(decoder))
        EBM_TRY(read_decoder(t, decoder, where));
    else if (s->added)
        EBM_TRY(read_added(t, s->added, where));
    for (size_t i = 0; i < EBM_TOKENIZER_ROLE_NAMES; i++) EBM_TRY(set_role(t, &ebm_tokenizer_role_names[i], s));
    static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        EBM_TRY(put_all(t, json_object_get(s->special_map, lists[i])));
        EBM_TRY(put_all(t, json_object_get(s->config, lists[i])));
    }
    hide(t, json_object_get(s->config, EBM_TOKENIZER_HIDDEN_KEY));
    return check_required(t, where);
}
