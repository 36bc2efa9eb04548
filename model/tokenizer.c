// Encoding, decoding, and what one asks a tokenizer; how it is made is in tokenizer_load.c, tokenizer_specials.c.
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer_internal.h"

void ebm_encoding_free(ebm_encoding *encoding)
{
    struct ebm_tokenizer_scratch *s = encoding->scratch;
    if (s) {
        ebm_wordpiece_scratch_free(&s->wordpiece);
        ebm_bpe_scratch_free(&s->bpe);
        free(s->a.ids);
        free(s->b.ids);
        free(s);
    }
    free(encoding->ids);
    free(encoding->types);
    *encoding = (ebm_encoding){0};
}

static ebm_status prepare(const ebm_tokenizer *tokenizer, ebm_encoding *encoding)
{
    encoding->tokens = 0;
    if (!encoding->scratch) encoding->scratch = calloc(1, sizeof *encoding->scratch);
    struct ebm_tokenizer_scratch *s = encoding->scratch;
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a tokenizer's scratch");
    if (s->serial != tokenizer->serial) ebm_bpe_scratch_free(&s->bpe);
    s->serial = tokenizer->serial;
    s->a.count = s->b.count = 0;
    return ebm_ok();
}

static ebm_status encode_piece(const ebm_tokenizer *t, const char *text, size_t bytes, struct ebm_tokenizer_scratch *s,
                               ebm_id_list *ids)
{
    if (bytes == 0) return ebm_ok();
    if (t->bpe) return ebm_bpe_encode(t->bpe, text, bytes, &s->bpe, ids);
    return ebm_wordpiece_encode(&t->wordpiece, text, bytes, ids);
}

static ebm_status append(ebm_id_list *ids, int32_t id)
{
    return ebm_id_list_append(ids, id) ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for a text's tokens");
}

// A text without added tokens of the first kind; those of the second are found after normalisation.
static ebm_status encode_between(const ebm_tokenizer *t, const char *text, size_t bytes,
                                 struct ebm_tokenizer_scratch *s, ebm_id_list *ids)
{
    if (!t->bpe) {
        EBM_TRY(ebm_wordpiece_normalize(&t->wordpiece, text, bytes, &s->wordpiece));
        text = s->wordpiece.text.bytes;
        bytes = s->wordpiece.text.size;
    }
    ebm_added_match match = {.normalized = true};
    size_t done = 0;
    for (; ebm_added_tokens_next(&t->added, text, bytes, &match); done = match.end) {
        EBM_TRY(encode_piece(t, text + done, match.start - done, s, ids));
        EBM_TRY(append(ids, match.id));
    }
    return encode_piece(t, text + done, bytes - done, s, ids);
}

static ebm_status encode_text(const ebm_tokenizer *t, const char *text, size_t bytes, struct ebm_tokenizer_scratch *s,
                              ebm_id_list *ids)
{
    size_t bad = 0;
    if (!ebm_utf8_valid(text, bytes, &bad))
        return ebm_fail(EBM_ERROR_INPUT, "the text is not UTF-8: byte %zu is 0x%02X", bad, (unsigned char)text[bad]);
    ebm_added_match match = {0};
    size_t done = 0;
    for (; ebm_added_tokens_next(&t->added, text, bytes, &match); done = match.end) {
        if (done < match.start) EBM_TRY(encode_between(t, text + done, match.start - done, s, ids));
        EBM_TRY(append(ids, match.id));
    }
    return done < bytes ? encode_between(t, text + done, bytes - done, s, ids) : ebm_ok();
}

// "Longest first" of tokenizers/src/utils/truncation.rs: the shorter text stays whole while it fits in half.
static void truncate(size_t room, size_t *a, size_t *b)
{
    if (*a + *b <= room) return;
    const bool swapped = *a > *b;
    size_t shorter = swapped ? *b : *a, longer;
    longer = shorter > room ? shorter : room - shorter > shorter ? room - shorter : shorter;
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = shorter + room % 2;
    }
    *a = swapped ? longer : shorter;
    *b = swapped ? shorter : longer;
}

static ebm_status reserve(ebm_encoding *e, size_t tokens)
{
    if (tokens <= e->capacity) return ebm_ok();
    const size_t capacity = 2 * tokens;
    int32_t *ids = realloc(e->ids, capacity * sizeof *ids);
    if (ids) e->ids = ids;
    int32_t *types = realloc(e->types, capacity * sizeof *types);
    if (types) e->types = types;
    if (!ids || !types) return ebm_fail(EBM_ERROR_MEMORY, "out of memory for %zu tokens", tokens);
    e->capacity = capacity;
    return ebm_ok();
}

static void put(ebm_encoding *e, const int32_t *ids, size_t count, int32_t type)
{
    for (size_t i = 0; i < count; i++) {
        e->ids[e->tokens] = ids[i];
        e->types[e->tokens++] = type;
    }
}

size_t ebm_tokenizer_special_count(const ebm_tokenizer *t, bool pair)
{
    if (t->family == EBM_FAMILY_GPT2) return 0;
    return pair ? t->family == EBM_FAMILY_ROBERTA ? 4 : 3 : 2;
}

static void assemble(const ebm_tokenizer *t, bool pair, const ebm_id_list *a, size_t a_count, const ebm_id_list *b,
                     size_t b_count, ebm_encoding *e)
{
    const size_t specials = t->family == EBM_FAMILY_GPT2 ? 0 : 1;
    const int32_t second = t->family == EBM_FAMILY_BERT ? 1 : 0;
    put(e, &t->roles[EBM_TOKEN_CLS], specials, 0);
    put(e, a->ids, a_count, 0);
    put(e, &t->roles[EBM_TOKEN_SEP], specials, 0);
    if (!pair) return;
    if (t->family == EBM_FAMILY_ROBERTA) put(e, &t->roles[EBM_TOKEN_SEP], 1, 0);
    put(e, b->ids, b_count, second);
    put(e, &t->roles[EBM_TOKEN_SEP], specials, second);
}

ebm_status ebm_tokenizer_encode(const ebm_tokenizer *t, const char *a, size_t a_bytes, const char *b, size_t b_bytes,
                                size_t max_length, ebm_encoding *e)
{
    EBM_TRY(prepare(t, e));
    struct ebm_tokenizer_scratch *s = e->scratch;
    const size_t specials = ebm_tokenizer_special_count(t, b != NULL);
    if (max_length > 0 && max_length < specials)
        return ebm_fail(EBM_ERROR_INPUT, "the longest length, %zu, is less than the %zu special tokens", max_length,
                        specials);
    EBM_TRY(encode_text(t, a, a_bytes, s, &s->a));
    if (b) EBM_TRY(ebm_in(encode_text(t, b, b_bytes, s, &s->b), "second of a pair"));
    size_t a_count = s->a.count, b_count = s->b.count;
    if (max_length > 0 && b) truncate(max_length - specials, &a_count, &b_count);
    if (max_length > 0 && !b && a_count > max_length - specials) a_count = max_length - specials;
    EBM_TRY(reserve(e, a_count + b_count + specials));
    assemble(t, b != NULL, &s->a, a_count, &s->b, b_count, e);
    return ebm_ok();
}

ebm_status ebm_tokenizer_encode_plain(const ebm_tokenizer *t, const char *text, size_t bytes, ebm_encoding *e)
{
    EBM_TRY(prepare(t, e));
    EBM_TRY(encode_text(t, text, bytes, e->scratch, &e->scratch->a));
    EBM_TRY(reserve(e, e->scratch->a.count));
    put(e, e->scratch->a.ids, e->scratch->a.count, 0);
    return ebm_ok();
}

static ebm_status decode_tokens(const ebm_tokenizer *t, const int32_t *ids, size_t count, bool skip_special,
                                ebm_bytes *text)
{
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 0;
        const char *token = ebm_vocabulary_text(&t->vocabulary, ids[i], &bytes);
        if (!token)
            return ebm_fail(EBM_ERROR_INPUT, "token %zu has the id %d, which is not in the vocabulary of %zu", i,
                            (int)ids[i], t->vocabulary.size);
        if (skip_special && ebm_tokenizer_is_special(t, ids[i])) continue;
        if (!(t->bpe ? ebm_bpe_decode(token, bytes, text) : ebm_wordpiece_decode(token, bytes, first, text)))
            return ebm_fail(EBM_ERROR_MEMORY, "out of memory for the text of %zu tokens", count);
        first = false;
    }
    return ebm_ok();
}

ebm_status ebm_tokenizer_decode(const ebm_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, char **out)
{
    ebm_bytes raw = {0}, text = {0};
    ebm_status status = decode_tokens(t, ids, count, skip_special, &raw);
    bool ok = true;
    for (size_t i = 0; status.code == EBM_OK && ok && i < raw.size;) { // a zero byte would end a C string early
        const char *zero = memchr(raw.bytes + i, 0, raw.size - i);
        const size_t end = zero ? (size_t)(zero - raw.bytes) : raw.size;
        ok = ebm_bytes_append_lossy(&text, raw.bytes + i, end - i) &&
             (!zero || ebm_bytes_append(&text, "\xEF\xBF\xBD", 3));
        i = end + 1;
    }
    ok = ok && ebm_bytes_append(&text, "", 1);
    if (status.code == EBM_OK && !ok)
        status = ebm_fail(EBM_ERROR_MEMORY, "out of memory for the text of %zu tokens", count);
    ebm_bytes_free(&raw);
    if (status.code == EBM_OK)
        *out = text.bytes;
    else
        ebm_bytes_free(&text);
    return status;
}

int32_t ebm_tokenizer_special(const ebm_tokenizer *t, ebm_token_role role) { return t->roles[role]; }

bool ebm_tokenizer_is_special(const ebm_tokenizer *t, int32_t id)
{
    const ebm_added_token *token = ebm_added_tokens_find(&t->added, id);
    return token && token->special;
}

ebm_family ebm_tokenizer_family(const ebm_tokenizer *t) { return t->family; }

size_t ebm_tokenizer_size(const ebm_tokenizer *t) { return t->vocabulary.size; }

const char *ebm_tokenizer_text(const ebm_tokenizer *t, int32_t id)
{
    return ebm_vocabulary_text(&t->vocabulary, id, NULL);
}

int32_t ebm_tokenizer_id(const ebm_tokenizer *t, const char *text)
{
    return ebm_vocabulary_find(&t->vocabulary, text, strlen(text));
}

ebm_status ebm_tokenizer_add_token(ebm_tokenizer *t, const char *text, int32_t *id)
{
    const size_t bytes = strlen(text);
    size_t bad = 0;
    if (bytes == 0) return ebm_fail(EBM_ERROR_INPUT, "an added token must not be empty");
    if (!ebm_utf8_valid(text, bytes, &bad))
        return ebm_fail(EBM_ERROR_INPUT, "an added token is not UTF-8: byte %zu is 0x%02X", bad,
                        (unsigned char)text[bad]);
    int32_t found = ebm_vocabulary_find(&t->vocabulary, text, bytes);
    if (found < 0) {
        found = (int32_t)t->vocabulary.size;
        EBM_TRY(ebm_vocabulary_put(&t->vocabulary, found, text, bytes));
    }
    if (!ebm_added_tokens_find(&t->added, found)) {
        EBM_TRY(ebm_added_tokens_put(
            &t->added, (ebm_added_token){.text = text, .bytes = bytes, .id = found, .special = true, .hidden = true}));
        t->changed = true;
    }
    *id = found;
    return ebm_ok();
}

ebm_status ebm_tokenizer_match_token(ebm_tokenizer *t, int32_t id)
{
    ebm_added_token *token = ebm_added_tokens_find(&t->added, id);
    if (!token) return ebm_fail(EBM_ERROR_INPUT, "the id %d is no added token's", (int)id);
    if (token->hidden) t->changed = true;
    token->hidden = false;
    ebm_added_tokens_index(&t->added);
    return ebm_ok();
}

void ebm_tokenizer_map(const ebm_tokenizer *from, const ebm_tokenizer *to, int32_t *map, size_t *missing)
{
    const bool same_kind = !from->bpe == !to->bpe;
    size_t none = 0;
    for (size_t i = 0; i < from->vocabulary.size; i++) {
        size_t bytes = 0;
        const int32_t id = (int32_t)i;
        const char *text = ebm_vocabulary_text(&from->vocabulary, id, &bytes);
        const bool special = ebm_tokenizer_is_special(from, id);
        map[i] = text && (same_kind || special) ? ebm_vocabulary_find(&to->vocabulary, text, bytes) : -1;
        if (text && map[i] < 0 && !special) none++;
    }
    // One token may have several roles (GPT-2's <|endoftext|>): as an end it is generated, so that role comes last.
    static const ebm_token_role order[] = {EBM_TOKEN_UNK, EBM_TOKEN_PAD, EBM_TOKEN_MASK, EBM_TOKEN_BOS, EBM_TOKEN_EOS};
    for (size_t i = 0; i < sizeof order / sizeof *order; i++)
        if (from->roles[order[i]] >= 0 && to->roles[order[i]] >= 0) map[from->roles[order[i]]] = to->roles[order[i]];
    if (missing) *missing = none;
}
