// The tokens of a tokenizer: by id, by text, added ones, and their counterparts in another tokenizer.
#include <string.h>

#include "tokenizer_internal.h"

int32_t ebm_tokenizer_special(const ebm_tokenizer *t, ebm_token_role role) { return t->roles[role]; }

bool ebm_tokenizer_is_special(const ebm_tokenizer *t, int32_t id)
{
    const ebm_added_token *token = ebm_added_tokens_find(&t->added, id);
    return token && token->special;
}

size_t ebm_tokenizer_size(const ebm_tokenizer *t)
{
    return t->vocabulary.size > t->added.id_limit ? t->vocabulary.size : t->added.id_limit;
}

static const char *text_of(const ebm_tokenizer *t, int32_t id, size_t *bytes)
{
    const ebm_added_token *token = ebm_added_tokens_find(&t->added, id);
    if (!token) return ebm_vocabulary_text(&t->vocabulary, id, bytes);
    *bytes = token->bytes;
    return token->text;
}

const char *ebm_tokenizer_text(const ebm_tokenizer *t, int32_t id)
{
    size_t bytes;
    return text_of(t, id, &bytes);
}

static int32_t find(const ebm_tokenizer *t, const char *text, size_t bytes)
{
    const ebm_added_token *token = ebm_added_tokens_find_text(&t->added, text, bytes);
    return token ? token->id : ebm_vocabulary_find(&t->vocabulary, text, bytes);
}

int32_t ebm_tokenizer_id(const ebm_tokenizer *t, const char *text) { return find(t, text, strlen(text)); }

// The library gives a new token the number of the model's tokens, or one more than the largest added id. (Where a
// vocabulary with gaps has that one already, the next free one.)
int32_t ebm_tokenizer_added_id(const ebm_tokenizer *t, const char *text, size_t bytes)
{
    const int32_t there = find(t, text, bytes);
    if (there >= 0) return there;
    const size_t model = t->model.kind == EBM_UNIGRAM ? t->vocabulary.size : t->vocabulary.used;
    const size_t next = t->added.id_limit > model ? t->added.id_limit : model;
    return (int32_t)(ebm_vocabulary_text(&t->vocabulary, (int32_t)next, NULL) ? ebm_tokenizer_size(t) : next);
}

ebm_status ebm_tokenizer_add_token(ebm_tokenizer *t, const char *text, int32_t *id)
{
    const size_t bytes = strlen(text);
    size_t bad = 0;
    if (bytes == 0) return ebm_fail(EBM_ERROR_INPUT, "an added token must not be empty");
    if (!ebm_utf8_valid(text, bytes, &bad))
        return ebm_fail(EBM_ERROR_INPUT, "an added token is not UTF-8: byte %zu is 0x%02X", bad,
                        (unsigned char)text[bad]);
    *id = ebm_tokenizer_added_id(t, text, bytes);
    if (ebm_added_tokens_find(&t->added, *id)) return ebm_ok();
    t->changed = true;
    EBM_TRY(ebm_added_tokens_put(
        &t->added, (ebm_added_token){.text = text, .bytes = bytes, .id = *id, .special = true, .hidden = true}));
    return ebm_added_tokens_index(&t->added);
}

ebm_status ebm_tokenizer_match_token(ebm_tokenizer *t, int32_t id)
{
    ebm_added_token *token = ebm_added_tokens_find(&t->added, id);
    if (!token) return ebm_fail(EBM_ERROR_INPUT, "the id %d is no added token's", (int)id);
    if (token->hidden) t->changed = true;
    token->hidden = false;
    return ebm_added_tokens_index(&t->added);
}

// --- maps -----------------------------------------------------------------------------------------------------------

// Tokens of the same kind say by the same text that they are the same: how a word's beginning is marked, and how its
// characters are written.
typedef enum { KIND_OTHER, KIND_WORDPIECE, KIND_BYTE_LEVEL, KIND_METASPACE } vocabulary_kind;

static vocabulary_kind kind_of(const ebm_tokenizer *t)
{
    if (t->model.kind == EBM_WORDPIECE) return t->model.prefix ? KIND_OTHER : KIND_WORDPIECE;
    if (ebm_pretokenizer_ends_in_bytes(t->pretokenizer)) return KIND_BYTE_LEVEL;
    return ebm_pretokenizer_metaspace(t->pretokenizer) == 0x2581 ? KIND_METASPACE : KIND_OTHER;
}

void ebm_tokenizer_map(const ebm_tokenizer *from, const ebm_tokenizer *to, int32_t *map, size_t *missing)
{
    const bool same_kind = kind_of(from) == kind_of(to) && kind_of(from) != KIND_OTHER;
    size_t none = 0;
    for (size_t i = 0; i < ebm_tokenizer_size(from); i++) {
        size_t bytes = 0;
        const char *text = text_of(from, (int32_t)i, &bytes);
        const bool special = ebm_tokenizer_is_special(from, (int32_t)i);
        map[i] = text && (same_kind || special) ? find(to, text, bytes) : -1;
        if (text && map[i] < 0 && !special) none++;
    }
    // One token may have several roles (GPT-2's <|endoftext|>): as an end it is generated, so that role comes last.
    static const ebm_token_role order[] = {EBM_TOKEN_UNK, EBM_TOKEN_PAD, EBM_TOKEN_MASK, EBM_TOKEN_BOS, EBM_TOKEN_EOS};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (from->roles[order[i]] >= 0 && to->roles[order[i]] >= 0) map[from->roles[order[i]]] = to->roles[order[i]];
    if (missing) *missing = none;
}
