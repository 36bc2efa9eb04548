// Encoding and decoding, and what one asks a tokenizer; how it is made is in tokenizer_load.c and its neighbours.
#include "tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer_internal.h"

static void scratch_free(struct ebm_tokenizer_scratch *s)
{
    ebm_normalizer_scratch_free(&s->normalizer);
    ebm_pieces_free(&s->pieces);
    ebm_word_model_scratch_free(&s->model);
    free(s->a.ids);
    free(s->b.ids);
    free(s);
}

void ebm_encoding_free(ebm_encoding *encoding)
{
    if (encoding->scratch) scratch_free(encoding->scratch);
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
    if (s->serial != tokenizer->serial) ebm_word_model_scratch_free(&s->model);
    s->serial = tokenizer->serial;
    s->a.count = s->b.count = 0;
    return ebm_ok();
}

// A piece of normalised text without added tokens; `first`: it begins where the original text does.
static ebm_status encode_piece(const ebm_tokenizer *t, const char *text, size_t bytes, bool first,
                               struct ebm_tokenizer_scratch *s, ebm_id_list *ids)
{
    if (bytes == 0) return ebm_ok();
    if (t->way == EBM_WAY_BERT) return ebm_wordpiece_encode(&t->wordpiece, text, bytes, ids);
    if (t->way == EBM_WAY_BYTE_LEVEL) return ebm_bpe_encode(t->model.bpe, text, bytes, &s->model.bpe, ids);
    ebm_pieces *p = &s->pieces;
    EBM_TRY(ebm_pieces_begin(p, text, bytes, first));
    EBM_TRY(ebm_pretokenizer_apply(t->pretokenizer, !t->model.takes_bytes, p));
    for (size_t i = 0; i < p->count; i++) {
        const ebm_piece *word = &p->pieces[i];
        EBM_TRY(ebm_word_model_encode(&t->model, p->text + word->start, word->end - word->start, &s->model, ids));
    }
    return ebm_ok();
}

static ebm_status append(ebm_id_list *ids, int32_t id)
{
    return ebm_id_list_append(ids, id) ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for a text's tokens");
}

// A text without added tokens of the first kind; those of the second are found after normalisation.
static ebm_status encode_between(const ebm_tokenizer *t, const char *text, size_t bytes, bool first,
                                 struct ebm_tokenizer_scratch *s, ebm_id_list *ids)
{
    if (t->way == EBM_WAY_BERT && ebm_normalizer_bert(t->normalizer) && t->added.sets[true].count == 0)
        return ebm_wordpiece_encode_text(&t->wordpiece, text, bytes, &s->normalizer.bert, ids);
    EBM_TRY(ebm_normalizer_apply(t->normalizer, &s->normalizer, &text, &bytes));
    ebm_added_match match = {.normalized = true};
    size_t done = 0;
    for (; ebm_added_tokens_next(&t->added, text, bytes, &match); done = match.end) {
        if (done < match.start) EBM_TRY(encode_piece(t, text + done, match.start - done, first && done == 0, s, ids));
        EBM_TRY(append(ids, match.id));
    }
    return encode_piece(t, text + done, bytes - done, first && done == 0, s, ids);
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
        if (done < match.start) EBM_TRY(encode_between(t, text + done, match.start - done, done == 0, s, ids));
        EBM_TRY(append(ids, match.id));
    }
    return done < bytes ? encode_between(t, text + done, bytes - done, done == 0, s, ids) : ebm_ok();
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
    if (b) EBM_TRY(ebm_id_list_reserve(&s->b, 1) ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory")); // not NULL
    EBM_TRY(reserve(e, s->a.count + s->b.count + specials));
    e->tokens =
        ebm_tokenizer_assemble(t, s->a.ids, s->a.count, b ? s->b.ids : NULL, s->b.count, max_length, e->ids, e->types);
    return ebm_ok();
}

ebm_status ebm_tokenizer_encode_plain(const ebm_tokenizer *t, const char *text, size_t bytes, ebm_encoding *e)
{
    EBM_TRY(prepare(t, e));
    EBM_TRY(encode_text(t, text, bytes, e->scratch, &e->scratch->a));
    const ebm_id_list *ids = &e->scratch->a;
    EBM_TRY(reserve(e, ids->count));
    if (ids->count > 0) memcpy(e->ids, ids->ids, ids->count * sizeof *ids->ids);
    if (ids->count > 0) memset(e->types, 0, ids->count * sizeof *e->types);
    e->tokens = ids->count;
    return ebm_ok();
}

// --- decoding -------------------------------------------------------------------------------------------------------

// As the library: of an added token that is found normalised, the normalised text.
static const char *text_for_decoder(const ebm_tokenizer *t, int32_t id, size_t *bytes)
{
    const ebm_added_token *token = ebm_added_tokens_find(&t->added, id);
    if (!token) return ebm_vocabulary_text(&t->vocabulary, id, bytes);
    *bytes = token->sought ? token->sought_bytes : token->bytes;
    return token->sought ? token->sought : token->text;
}

static ebm_status decode_tokens(const ebm_tokenizer *t, const int32_t *ids, size_t count, bool skip_special,
                                ebm_pieces *tokens, ebm_bytes *text)
{
    EBM_TRY(ebm_token_decoder_begin(tokens));
    for (size_t i = 0; i < count; i++) {
        size_t bytes = 0;
        const char *token = text_for_decoder(t, ids[i], &bytes);
        if (!token)
            return ebm_fail(EBM_ERROR_INPUT, "token %zu has the id %d, which is not in the vocabulary of %zu", i,
                            (int)ids[i], ebm_tokenizer_size(t));
        // By its text: the library leaves out other tokens that read like a special one, too.
        const ebm_added_token *added = skip_special ? ebm_added_tokens_find_text(&t->added, token, bytes) : NULL;
        if (added && added->special) continue;
        EBM_TRY(ebm_token_decoder_add(tokens, token, bytes));
    }
    return ebm_token_decoder_finish(t->decoder, tokens, text);
}

ebm_status ebm_tokenizer_decode(const ebm_tokenizer *t, const int32_t *ids, size_t count, bool skip_special, char **out)
{
    ebm_bytes raw = {0}, text = {0};
    ebm_pieces tokens = {0};
    ebm_status status = decode_tokens(t, ids, count, skip_special, &tokens, &raw);
    bool ok = true;
    for (size_t i = 0; status.code == EBM_OK && ok && i < raw.size;) { // a zero byte would end a C string early
        const char *zero = memchr(raw.bytes + i, 0, raw.size - i);
        const size_t end = zero ? (size_t)(zero - raw.bytes) : raw.size;
        ok = ebm_bytes_append(&text, raw.bytes + i, end - i) && (!zero || ebm_bytes_append(&text, "\xEF\xBF\xBD", 3));
        i = end + 1;
    }
    ok = ok && ebm_bytes_append(&text, "", 1);
    if (status.code == EBM_OK && !ok)
        status = ebm_fail(EBM_ERROR_MEMORY, "out of memory for the text of %zu tokens", count);
    ebm_bytes_free(&raw);
    ebm_pieces_free(&tokens);
    if (status.code == EBM_OK)
        *out = text.bytes;
    else
        ebm_bytes_free(&text);
    return status;
}
