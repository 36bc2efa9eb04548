#include "fuzz_texts.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static void check_decoded(const ebm_tokenizer *t, const int32_t *ids, size_t count)
{
    for (int skip = 0; skip < 2; skip++) {
        char *text = NULL;
        fuzz_require_ok(ebm_tokenizer_decode(t, ids, count, skip, &text));
        fuzz_require(ebm_utf8_valid(text, strlen(text), NULL));
        free(text);
    }
}

static void check_ids(const ebm_tokenizer *t, const ebm_encoding *e)
{
    for (size_t i = 0; i < e->tokens; i++) {
        fuzz_require(e->ids[i] >= 0 && (size_t)e->ids[i] < ebm_tokenizer_size(t));
        fuzz_require(ebm_tokenizer_text(t, e->ids[i]) != NULL);
        fuzz_require(e->types[i] == 0 || e->types[i] == 1);
    }
    check_decoded(t, e->ids, e->tokens);
}

static bool same(const ebm_encoding *a, const ebm_encoding *b)
{
    return a->tokens == b->tokens &&
           (a->tokens == 0 || (memcmp(a->ids, b->ids, a->tokens * sizeof *a->ids) == 0 &&
                               memcmp(a->types, b->types, a->tokens * sizeof *a->types) == 0));
}

// `whole` was not cut, `cut` was, to `length` tokens: nothing is lost but for that, and the ends keep their tokens.
static void check_cut(const ebm_tokenizer *t, const ebm_encoding *whole, const ebm_encoding *cut, size_t length,
                      bool pair)
{
    const size_t specials = ebm_tokenizer_special_count(t, pair);
    fuzz_require(whole->tokens >= specials);
    fuzz_require(cut->tokens == (length > 0 && length < whole->tokens ? length : whole->tokens));
    if (specials == 0 || cut->tokens == 0) return;
    fuzz_require(cut->ids[0] == whole->ids[0]);
    fuzz_require(cut->ids[cut->tokens - 1] == whole->ids[whole->tokens - 1]);
    if (pair) return;
    fuzz_require(memcmp(cut->ids, whole->ids, (cut->tokens - 1) * sizeof *cut->ids) == 0);
}

typedef struct {
    const char *a, *b;
    size_t a_bytes, b_bytes;
} texts;

static ebm_status encode(const ebm_tokenizer *t, texts x, size_t length, ebm_encoding *e)
{
    return ebm_tokenizer_encode(t, x.a, x.a_bytes, x.b, x.b_bytes, length, e);
}

static void check_one(const ebm_tokenizer *t, texts x, size_t length)
{
    ebm_encoding whole = {0}, again = {0}, cut = {0};
    const bool valid = ebm_utf8_valid(x.a, x.a_bytes, NULL) && (!x.b || ebm_utf8_valid(x.b, x.b_bytes, NULL));
    const ebm_status status = encode(t, x, 0, &whole);
    fuzz_check_refusal(status);
    fuzz_require(valid || status.code == EBM_ERROR_INPUT);
    if (status.code == EBM_OK) {
        check_ids(t, &whole);
        fuzz_require_ok(encode(t, x, 0, &again));
        fuzz_require(same(&whole, &again));
        fuzz_require_ok(encode(t, x, 0, &whole)); // from a cache that has seen it
        fuzz_require(same(&whole, &again));
        const ebm_status shorter = encode(t, x, length, &cut);
        const bool room = length == 0 || length >= ebm_tokenizer_special_count(t, x.b != NULL);
        fuzz_require(room ? shorter.code == EBM_OK : shorter.code == EBM_ERROR_INPUT);
        if (room) check_cut(t, &whole, &cut, length, x.b != NULL);
    }
    ebm_encoding_free(&whole);
    ebm_encoding_free(&again);
    ebm_encoding_free(&cut);
}

void fuzz_check_texts(const ebm_tokenizer *t, const char *a, size_t a_bytes, const char *b, size_t b_bytes,
                      size_t length)
{
    check_one(t, (texts){.a = a, .a_bytes = a_bytes}, length);
    if (b) check_one(t, (texts){.a = a, .b = b, .a_bytes = a_bytes, .b_bytes = b_bytes}, length);
    ebm_encoding plain = {0};
    if (ebm_tokenizer_encode_plain(t, a, a_bytes, &plain).code == EBM_OK) check_ids(t, &plain);
    ebm_encoding_free(&plain);
}

ebm_tokenizer *fuzz_build(ebm_tokenizer_files *files)
{
    ebm_tokenizer *t = NULL;
    const ebm_status status = ebm_tokenizer_build(files, NULL, "here", &t);
    fuzz_check_refusal(status);
    fuzz_require((status.code == EBM_OK) == (t != NULL));
    ebm_tokenizer_files_free(files);
    return t;
}
