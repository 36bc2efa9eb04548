// Which tokens are added and special, and with which flags: tokenizer.json, tokenizer_config.json,
// special_tokens_map.json, added_tokens.json. In the order in which transformers (tokenization_utils_base.py,
// tokenization_utils_tokenizers.py) goes through them, since later ones replace earlier ones.
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer_internal.h"

const ebm_named_token ebm_named_tokens[NAMED_COUNT] = {
    {"bos_token", EBM_TOKEN_BOS, {NULL, NULL, "<s>", "<|endoftext|>", "<s>"}},
    {"eos_token", EBM_TOKEN_EOS, {NULL, NULL, "</s>", "<|endoftext|>", "</s>"}},
    {"unk_token", EBM_TOKEN_UNK, {NULL, "[UNK]", "<unk>", "<|endoftext|>", "<unk>"}},
    {"sep_token", EBM_TOKEN_SEP, {NULL, "[SEP]", "</s>", NULL, "</s>"}},
    {"pad_token", EBM_TOKEN_PAD, {NULL, "[PAD]", "<pad>", NULL, "<pad>"}},
    {"cls_token", EBM_TOKEN_CLS, {NULL, "[CLS]", "<s>", NULL, "<s>"}},
    {"mask_token", EBM_TOKEN_MASK, {NULL, "[MASK]", "<mask>", NULL, "<mask>"}},
};

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

// Puts one in, with the id the library would give it.
static ebm_status put(ebm_tokenizer *t, ebm_added_token token)
{
    ebm_normalizer_scratch scratch = {0};
    ebm_status status = ebm_ok();
    if (token.bytes == 0) return ebm_ok(); // as the library
    token.id = ebm_tokenizer_added_id(t, token.text, token.bytes);
    if (token.normalized) {
        const char *text = token.text;
        size_t bytes = token.bytes;
        status = ebm_normalizer_apply(t->normalizer, &scratch, &text, &bytes);
        if (status.code == EBM_OK && (bytes != token.bytes || memcmp(text, token.text, bytes) != 0)) {
            token.sought = text;
            token.sought_bytes = bytes;
        }
    }
    if (status.code == EBM_OK) status = ebm_added_tokens_put(&t->added, token);
    ebm_normalizer_scratch_free(&scratch);
    return status;
}

// --- tokens listed with their ids -----------------------------------------------------------------------------------

static ebm_status list_token(const ebm_tokenizer *t, ebm_added_tokens *listed, ebm_added_token token, const char *where,
                             const char *file)
{
    size_t bytes = 0;
    const char *there = ebm_vocabulary_text(&t->vocabulary, token.id, &bytes);
    if (strlen(token.text) != token.bytes)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s/%s: a zero byte in the added token %d", where, file, (int)token.id);
    if (there && (bytes != token.bytes || memcmp(there, token.text, bytes) != 0))
        return ebm_fail(EBM_ERROR_INPUT, "%s/%s: the added token \"%.80s\" has the id %d, which is the token \"%.80s\"",
                        where, file, token.text, (int)token.id, there);
    return ebm_in(ebm_added_tokens_put(listed, token), "%s/%s", where, file);
}

// {"50264": {"content": "<mask>", "lstrip": true, ...}, ...}
static ebm_status list_decoder(const ebm_tokenizer *t, json_t *decoder, const char *where, ebm_added_tokens *listed)
{
    const char *key;
    json_t *value;
    const char *file = ebm_tokenizer_file_names[FILE_CONFIG];
    json_object_foreach(decoder, key, value)
    {
        char *end;
        errno = 0;
        const long id = strtol(key, &end, 10);
        ebm_added_token token = {.id = (int32_t)id, .normalized = true};
        if (end == key || *end || errno || id < 0 || (unsigned long)id >= EBM_VOCABULARY_LIMIT)
            return ebm_fail(EBM_ERROR_INPUT, "%s/%s: added_tokens_decoder: expected a token id, found \"%.80s\"", where,
                            file, key);
        if (!json_is_object(value) || !read_token(value, &token))
            return ebm_fail(EBM_ERROR_INPUT, "%s/%s: added_tokens_decoder: the entry %s has no \"content\"", where,
                            file, key);
        if (!json_object_get(value, "normalized")) token.normalized = !token.special;
        EBM_TRY(list_token(t, listed, token, where, file));
    }
    return ebm_ok();
}

// {"<text>": id, ...}, older: such a token is found after normalisation and not special, but for the named ones.
static ebm_status list_added(const ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where,
                             ebm_added_tokens *listed)
{
    const char *key;
    json_t *value;
    json_object_foreach(s->added, key, value)
    {
        const json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || (uint64_t)id >= EBM_VOCABULARY_LIMIT)
            return ebm_fail(EBM_ERROR_INPUT, "%s/%s: the token \"%.80s\" has no valid id", where,
                            ebm_tokenizer_file_names[FILE_ADDED], key);
        ebm_added_token token = {.text = key, .bytes = strlen(key), .id = (int32_t)id}, other = {0};
        for (size_t i = 0; i < NAMED_COUNT; i++) {
            const json_t *named = json_object_get(s->special_map, ebm_named_tokens[i].key);
            if (!named) named = json_object_get(s->config, ebm_named_tokens[i].key);
            if (named && read_token(named, &other) && strcmp(other.text, key) == 0) token.special = true;
        }
        token.normalized = !token.special;
        EBM_TRY(list_token(t, listed, token, where, ebm_tokenizer_file_names[FILE_ADDED]));
    }
    return ebm_ok();
}

// [{"id": 0, "content": "<s>", ...}, ...]
static ebm_status list_root(const ebm_tokenizer *t, const json_t *root, const char *where, ebm_added_tokens *listed)
{
    const json_t *list = json_object_get(root, "added_tokens");
    const char *file = ebm_tokenizer_file_names[FILE_TOKENIZER_JSON];
    if (list && !json_is_array(list))
        return ebm_fail(EBM_ERROR_INPUT, "%s/%s: added_tokens: expected a list", where, file);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i), *number = json_object_get(entry, "id");
        const json_int_t id = json_integer_value(number);
        ebm_added_token token = {.id = (int32_t)id};
        if (!json_is_integer(number) || id < 0 || (uint64_t)id >= EBM_VOCABULARY_LIMIT || !read_token(entry, &token))
            return ebm_fail(EBM_ERROR_INPUT, "%s/%s: added_tokens[%zu]: expected an \"id\" and a \"content\"", where,
                            file, i);
        static const char *const flags[] = {"lstrip", "rstrip", "single_word", "normalized", "special"};
        for (size_t k = 0; k < 5; k++)
            if (!json_is_boolean(json_object_get(entry, flags[k])))
                return ebm_fail(EBM_ERROR_INPUT, "%s/%s: added_tokens[%zu]: \"%s\" must be true or false", where, file,
                                i, flags[k]);
        EBM_TRY(list_token(t, listed, token, where, file));
    }
    return ebm_ok();
}

static bool same_flags(const ebm_added_token *a, const ebm_added_token *b)
{
    return a->lstrip == b->lstrip && a->rstrip == b->rstrip && a->single_word == b->single_word &&
           a->normalized == b->normalized && a->special == b->special;
}

static ebm_status put_listed(ebm_tokenizer *t, const ebm_added_tokens *listed, const char *where)
{
    for (size_t id = 0; id < listed->id_limit; id++) {
        const ebm_added_token *token = ebm_added_tokens_find(listed, (int32_t)id);
        const ebm_added_token *known = token ? ebm_added_tokens_find_text(&t->added, token->text, token->bytes) : NULL;
        if (token && !(known && same_flags(known, token))) EBM_TRY(ebm_in(put(t, *token), "%s", where));
    }
    return ebm_ok();
}

static ebm_status put_root(ebm_tokenizer *t, const json_t *root, const char *where)
{
    const json_t *list = json_object_get(root, "added_tokens");
    for (size_t i = 0; i < json_array_size(list); i++) {
        ebm_added_token token = {0};
        read_token(json_array_get(list, i), &token);
        EBM_TRY(ebm_in(put(t, token), "%s/%s", where, ebm_tokenizer_file_names[FILE_TOKENIZER_JSON]));
    }
    return ebm_ok();
}

static ebm_status put_all_listed(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    ebm_added_tokens listed = {0}, root = {0};
    json_t *decoder = json_object_get(s->config, "added_tokens_decoder");
    ebm_status status = list_root(t, s->root, where, &root); // checks them
    if (status.code == EBM_OK && t->class == EBM_CLASS_FILE) status = put_root(t, s->root, where);
    if (status.code == EBM_OK && json_is_object(decoder)) {
        status = list_decoder(t, decoder, where, &listed);
    } else if (status.code == EBM_OK) {
        status = list_added(t, s, where, &listed);
        if (status.code == EBM_OK) status = list_root(t, s->root, where, &listed);
    }
    if (status.code == EBM_OK) status = put_listed(t, &listed, where);
    ebm_added_tokens_free(&listed);
    ebm_added_tokens_free(&root);
    return status;
}

// --- tokens named without an id -------------------------------------------------------------------------------------

// One that neither the vocabulary nor the added tokens have is left out, for there is no embedding for it either.
static ebm_status put_special(ebm_tokenizer *t, const json_t *value, const char *usual, int32_t *id)
{
    ebm_added_token token = {.text = usual, .bytes = usual ? strlen(usual) : 0};
    *id = -1;
    if (value && !read_token(value, &token)) return ebm_ok();
    if (!token.text || strlen(token.text) != token.bytes) return ebm_ok();
    *id = ebm_tokenizer_id(t, token.text);
    if (*id < 0) return ebm_ok();
    token.special = true;
    ebm_added_token *known = ebm_added_tokens_find(&t->added, *id);
    if (!known) return put(t, token);
    if (t->class != EBM_CLASS_FILE) known->special = true; // tokenizer.json decides for itself
    return ebm_ok();
}

// As in transformers, special_tokens_map.json counts only where the configuration lists no added tokens, and then
// before the configuration.
static const json_t *named_value(const ebm_tokenizer_settings *s, const char *key)
{
    const json_t *mapped = json_object_get(s->special_map, key);
    if (json_object_get(s->config, "added_tokens_decoder")) mapped = NULL;
    return mapped ? mapped : json_object_get(s->config, key);
}

static ebm_status set_named(ebm_tokenizer *t, const ebm_tokenizer_settings *s, ebm_named which)
{
    const ebm_named_token *name = &ebm_named_tokens[which];
    const json_t *value = named_value(s, name->key);
    if (json_is_null(value)) return ebm_ok(); // none, not the usual one
    return put_special(t, value, name->usual[t->class], &t->named[which]);
}

// Of tokens that several names give a role, cls and sep are what encode puts; but a GPT-2 with a cls_token still begins
// with bos.
static void set_roles(ebm_tokenizer *t)
{
    static const ebm_named order[] = {NAMED_BOS, NAMED_EOS, NAMED_CLS, NAMED_SEP, NAMED_PAD, NAMED_MASK, NAMED_UNK};
    for (size_t i = 0; i < NAMED_COUNT; i++) {
        const ebm_token_role role = ebm_named_tokens[order[i]].role;
        const bool second = t->class == EBM_CLASS_GPT2 && (order[i] == NAMED_CLS || order[i] == NAMED_SEP);
        if (t->named[order[i]] >= 0 && !(second && t->roles[role] >= 0)) t->roles[role] = t->named[order[i]];
    }
}

static bool is_named(const char *key)
{
    for (size_t i = 0; i < NAMED_COUNT; i++)
        if (strcmp(key, ebm_named_tokens[i].key) == 0) return true;
    return false;
}

// Lists of them, objects of them, and keys of a model's own ("image_token").
static ebm_status put_others(ebm_tokenizer *t, json_t *settings)
{
    static const char *const lists[] = {"additional_special_tokens", "extra_special_tokens"};
    const char *key;
    json_t *value;
    size_t index;
    int32_t id;
    for (size_t i = 0; i < 2; i++) {
        json_t *list = json_object_get(settings, lists[i]);
        json_array_foreach(list, index, value) EBM_TRY(put_special(t, value, NULL, &id));
        json_object_foreach(list, key, value) EBM_TRY(put_special(t, value, NULL, &id));
    }
    json_object_foreach(settings, key, value)
    {
        const size_t length = strlen(key);
        const bool token = length > 6 && strcmp(key + length - 6, "_token") == 0 && json_is_string(value);
        if (token && !is_named(key)) EBM_TRY(put_special(t, value, NULL, &id));
    }
    return ebm_ok();
}

static void hide(ebm_tokenizer *t, const json_t *list)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        ebm_added_token *token = text ? ebm_added_tokens_find_text(&t->added, text, strlen(text)) : NULL;
        if (token) token->hidden = true;
    }
}

// What the class puts around texts, and what WordPiece makes of words it cannot write.
static ebm_status check_required(const ebm_tokenizer *t, const char *where)
{
    static const ebm_named required[EBM_CLASS_COUNT][3] = {
        [EBM_CLASS_BERT] = {NAMED_UNK, NAMED_CLS, NAMED_SEP},
        [EBM_CLASS_ROBERTA] = {NAMED_CLS, NAMED_SEP, NAMED_SEP},
        [EBM_CLASS_XLM_ROBERTA] = {NAMED_BOS, NAMED_EOS, NAMED_EOS},
    };
    if (t->class == EBM_CLASS_FILE || t->class == EBM_CLASS_GPT2) return ebm_ok();
    for (size_t i = 0; i < 3; i++) {
        const ebm_named_token *name = &ebm_named_tokens[required[t->class][i]];
        if (t->named[required[t->class][i]] < 0)
            return ebm_fail(EBM_ERROR_INPUT,
                            "%s: the vocabulary has no %s (\"%s\", or what tokenizer_config.json names)", where,
                            name->key, name->usual[t->class]);
    }
    return ebm_ok();
}

ebm_status ebm_tokenizer_set_specials(ebm_tokenizer *t, const ebm_tokenizer_settings *s, const char *where)
{
    for (int role = 0; role < EBM_TOKEN_ROLES; role++) t->roles[role] = -1;
    for (int i = 0; i < NAMED_COUNT; i++) t->named[i] = -1;
    EBM_TRY(put_all_listed(t, s, where));
    for (int i = 0; i < NAMED_COUNT; i++) EBM_TRY(set_named(t, s, (ebm_named)i));
    if (!json_object_get(s->config, "added_tokens_decoder")) EBM_TRY(put_others(t, s->special_map));
    EBM_TRY(put_others(t, s->config));
    set_roles(t);
    t->added.split_special = ebm_tokenizer_setting(s->config, "split_special_tokens", false);
    hide(t, json_object_get(s->config, EBM_TOKENIZER_HIDDEN_KEY));
    EBM_TRY(ebm_added_tokens_index(&t->added));
    return check_required(t, where);
}
