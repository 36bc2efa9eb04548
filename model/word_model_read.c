// The "model" of tokenizer.json.
#include <stdlib.h>
#include <string.h>

#include "json_field.h"
#include "unigram_score.h"
#include "word_model.h"
#include "wordpiece.h"

ebm_status ebm_word_model_read_vocabulary(json_t *json, const char *where, ebm_vocabulary *vocabulary)
{
    const char *key;
    json_t *value;
    if (json_object_size(json) == 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected an object of tokens and ids, found %s", where,
                        json_is_object(json) ? "an empty one"
                        : json               ? "something else"
                                             : "nothing");
    json_object_foreach(json, key, value)
    {
        if (!json_is_integer(value))
            return ebm_fail(EBM_ERROR_INPUT, "%s: the id of \"%.80s\" is not an integer", where, key);
        EBM_TRY(ebm_in(ebm_vocabulary_put(vocabulary, json_integer_value(value), key, strlen(key)), "%s", where));
    }
    return ebm_ok();
}

// "left right", or ["left", "right"].
static ebm_status read_merge(const json_t *merge, const char *name, ebm_bpe *bpe)
{
    if (json_array_size(merge) == 2 && json_is_string(json_array_get(merge, 0)) &&
        json_is_string(json_array_get(merge, 1))) {
        const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
        return ebm_bpe_add_merge(bpe, json_string_value(left), json_string_length(left), json_string_value(right),
                                 json_string_length(right), name);
    }
    const char *text = json_string_value(merge), *space = text ? strchr(text, ' ') : NULL;
    if (!space || strchr(space + 1, ' '))
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected two tokens, \"left right\" or [\"left\", \"right\"]", name);
    return ebm_bpe_add_merge(bpe, text, (size_t)(space - text), space + 1, strlen(space + 1), name);
}

static ebm_status read_merges(const json_t *json, const char *where, ebm_bpe *bpe)
{
    json_t *list;
    EBM_TRY(ebm_field_list(json, "merges", where, &list));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *merge = json_array_get(list, i);
        const char *text = json_string_value(merge);
        if (text && strncmp(text, "#version", 8) == 0) continue;
        char name[256];
        snprintf(name, sizeof name, "%.200s.merges[%zu]", where, i);
        EBM_TRY(read_merge(merge, name, bpe));
    }
    return ebm_ok();
}

// NULL for a missing, null or empty text.
static ebm_status read_text_if_there(const json_t *json, const char *key, const char *where, const char **text)
{
    const json_t *value = json_object_get(json, key);
    *text = NULL;
    if (!value || json_is_null(value)) return ebm_ok();
    EBM_TRY(ebm_field_text(json, key, where, text, NULL));
    if (!**text) *text = NULL;
    return ebm_ok();
}

static ebm_status keep(const char *text, const char *where, char **kept)
{
    *kept = strdup(text);
    return *kept ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
}

static ebm_status find_unknown(ebm_word_model *m, const char *token, const char *where)
{
    m->unknown = token ? ebm_vocabulary_find(m->vocabulary, token, strlen(token)) : -1;
    if (token && m->unknown < 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: the unk_token \"%.80s\" is not in the vocabulary", where, token);
    return ebm_ok();
}

static ebm_status read_bpe_options(const json_t *json, const char *where, ebm_word_model *m)
{
    const char *prefix, *suffix, *unknown;
    const json_t *dropout = json_object_get(json, "dropout");
    if (dropout && !json_is_null(dropout) && !(json_is_number(dropout) && json_number_value(dropout) == 0))
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: \"dropout\" is not supported", where);
    EBM_TRY(read_text_if_there(json, "continuing_subword_prefix", where, &prefix));
    if (prefix)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: \"continuing_subword_prefix\" is not supported for BPE", where);
    EBM_TRY(read_text_if_there(json, "end_of_word_suffix", where, &suffix));
    if (suffix) EBM_TRY(keep(suffix, where, &m->suffix));
    EBM_TRY(ebm_field_flag_if_there(json, "fuse_unk", where, &m->fuse_unknown));
    EBM_TRY(ebm_field_flag_if_there(json, "byte_fallback", where, &m->byte_fallback));
    EBM_TRY(ebm_field_flag_if_there(json, "ignore_merges", where, &m->ignore_merges));
    EBM_TRY(read_text_if_there(json, "unk_token", where, &unknown));
    return find_unknown(m, unknown, where);
}

static ebm_status read_bpe(const json_t *json, const char *where, bool options, ebm_word_model *m)
{
    EBM_TRY(ebm_bpe_create(m->vocabulary, "", 0, where, false, &m->bpe));
    EBM_TRY(read_merges(json, where, m->bpe));
    EBM_TRY(ebm_bpe_order(m->bpe, where));
    return options ? read_bpe_options(json, where, m) : ebm_ok();
}

static ebm_status read_wordpiece(const json_t *json, const char *where, bool options, ebm_word_model *m)
{
    const char *unknown, *prefix;
    size_t prefix_bytes;
    m->longest_word = EBM_WORDPIECE_LONGEST_WORD;
    if (!options) return ebm_ok();
    EBM_TRY(ebm_field_text(json, "unk_token", where, &unknown, NULL));
    EBM_TRY(ebm_field_text(json, "continuing_subword_prefix", where, &prefix, &prefix_bytes));
    if (strlen(prefix) != prefix_bytes)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: a zero byte in \"continuing_subword_prefix\"", where);
    if (strcmp(prefix, "##") != 0) EBM_TRY(keep(prefix, where, &m->prefix));
    EBM_TRY(ebm_field_count(json, "max_input_chars_per_word", where, 1 << 20, &m->longest_word));
    return find_unknown(m, unknown, where);
}

static ebm_status read_level(const json_t *json, const char *where, ebm_word_model *m)
{
    const char *unknown;
    EBM_TRY(ebm_field_text(json, "unk_token", where, &unknown, NULL));
    return find_unknown(m, unknown, where);
}

// [["token", score], ...]
static ebm_status read_scores(const json_t *list, const char *where, ebm_vocabulary *vocabulary, double *scores)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *entry = json_array_get(list, i), *text = json_array_get(entry, 0),
                     *score = json_array_get(entry, 1);
        if (json_array_size(entry) != 2 || !json_is_string(text) || !json_is_number(score))
            return ebm_fail(EBM_ERROR_INPUT, "%s.vocab[%zu]: expected a token and its score", where, i);
        EBM_TRY(ebm_in(ebm_vocabulary_put(vocabulary, (int64_t)i, json_string_value(text), json_string_length(text)),
                       "%s.vocab", where));
        scores[i] = json_is_real(score) ? ebm_unigram_score(json_real_value(score)) : json_number_value(score);
    }
    return ebm_ok();
}

static ebm_status read_unigram(const json_t *json, const char *where, bool options, ebm_vocabulary *vocabulary,
                               ebm_word_model *m)
{
    json_t *list;
    EBM_TRY(ebm_field_list(json, "vocab", where, &list));
    const size_t count = json_array_size(list);
    const json_t *unknown = json_object_get(json, "unk_id");
    if (count == 0) return ebm_fail(EBM_ERROR_INPUT, "%s: the vocabulary is empty", where);
    m->unknown = options ? -1 : 3;
    if (options && unknown && !json_is_null(unknown)) {
        size_t id;
        EBM_TRY(ebm_field_count(json, "unk_id", where, (json_int_t)count - 1, &id));
        m->unknown = (int32_t)id;
    }
    if (options) EBM_TRY(ebm_field_flag_if_there(json, "byte_fallback", where, &m->byte_fallback));
    double *scores = calloc(count, sizeof *scores);
    ebm_status status = scores ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", where);
    if (status.code == EBM_OK) status = read_scores(list, where, vocabulary, scores);
    if (status.code == EBM_OK)
        status = ebm_in(ebm_unigram_create(vocabulary, scores, count, m->unknown, m->byte_fallback, &m->unigram), "%s",
                        where);
    free(scores);
    return status;
}

// Old files do not name the type.
static ebm_status read_kind(const json_t *json, const char *where, ebm_word_model_kind *kind)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!json_is_object(json)) return ebm_fail(EBM_ERROR_INPUT, "%s: expected a JSON object", where);
    if (!type) {
        *kind = json_object_get(json, "merges")                      ? EBM_BPE
                : json_is_array(json_object_get(json, "vocab"))      ? EBM_UNIGRAM
                : json_object_get(json, "continuing_subword_prefix") ? EBM_WORDPIECE
                                                                     : EBM_WORD_LEVEL;
        return ebm_ok();
    }
    for (int i = 0; i < 4; i++)
        if (strcmp(type, ebm_word_model_names[i]) == 0) return *kind = (ebm_word_model_kind)i, ebm_ok();
    return ebm_field_unsupported(type, where);
}

ebm_status ebm_word_model_read(const json_t *json, const char *where, bool options, ebm_vocabulary *vocabulary,
                               ebm_word_model *m)
{
    char name[256];
    m->vocabulary = vocabulary;
    m->unknown = -1;
    EBM_TRY(read_kind(json, where, &m->kind));
    if (m->kind == EBM_UNIGRAM) return read_unigram(json, where, options, vocabulary, m);
    snprintf(name, sizeof name, "%.200s.vocab", where);
    EBM_TRY(ebm_word_model_read_vocabulary(json_object_get(json, "vocab"), name, vocabulary));
    if (m->kind == EBM_BPE) return read_bpe(json, where, options, m);
    return m->kind == EBM_WORDPIECE ? read_wordpiece(json, where, options, m) : read_level(json, where, m);
}
