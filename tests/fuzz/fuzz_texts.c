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
        fuzz_require(e->types[i] >= 0);
    }
    check_decoded(t, e->ids, e->tokens);
}

// What an encoding held.
typedef struct {
    int32_t *ids, *types;
    size_t tokens;
} tokens;

static tokens keep(const ebm_encoding *e)
{
    tokens kept = {.tokens = e->tokens};
    kept.ids = malloc(e->tokens * sizeof *e->ids + 1);
    kept.types = malloc(e->tokens * sizeof *e->types + 1);
    fuzz_require(kept.ids && kept.types);
    if (e->tokens > 0) memcpy(kept.ids, e->ids, e->tokens * sizeof *e->ids);
    if (e->tokens > 0) memcpy(kept.types, e->types, e->tokens * sizeof *e->types);
    return kept;
}

static void check_same(const tokens *kept, const ebm_encoding *e)
{
    fuzz_require(kept->tokens == e->tokens);
    if (e->tokens == 0) return;
    fuzz_require(memcmp(kept->ids, e->ids, e->tokens * sizeof *e->ids) == 0);
    fuzz_require(memcmp(kept->types, e->types, e->tokens * sizeof *e->types) == 0);
}

// `cut` is `whole` cut to `length` tokens: nothing else is lost, and special tokens at the ends stay.
static void check_cut(const ebm_tokenizer *t, const tokens *whole, const ebm_encoding *cut, size_t length, bool pair)
{
    const size_t specials = ebm_tokenizer_special_count(t, pair);
    fuzz_require(whole->tokens >= specials);
    fuzz_require(cut->tokens == (length > 0 && length < whole->tokens ? length : whole->tokens));
    size_t parts = 0;
    const ebm_layout_part *layout = ebm_tokenizer_layout(t, pair, &parts);
    if (cut->tokens == 0) return;
    if (layout[0].id >= 0) fuzz_require(cut->ids[0] == whole->ids[0]);
    if (layout[parts - 1].id >= 0) fuzz_require(cut->ids[cut->tokens - 1] == whole->ids[whole->tokens - 1]);
    if (pair || t->cuts_left || layout[parts - 1].id < 0 || specials > 2) return;
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

static void check_one(const ebm_tokenizer *t, ebm_encoding *e, texts x, size_t length)
{
    const bool valid = ebm_utf8_valid(x.a, x.a_bytes, NULL) && (!x.b || ebm_utf8_valid(x.b, x.b_bytes, NULL));
    const ebm_status status = encode(t, x, 0, e);
    fuzz_check_refusal(status);
    fuzz_require(valid || status.code == EBM_ERROR_INPUT);
    if (status.code != EBM_OK) return;
    check_ids(t, e);
    tokens whole = keep(e);
    fuzz_require_ok(encode(t, x, 0, e)); // now from a cache that has seen it
    check_same(&whole, e);
    const ebm_status shorter = encode(t, x, length, e);
    const bool room = length == 0 || length >= ebm_tokenizer_special_count(t, x.b != NULL);
    fuzz_require(room ? shorter.code == EBM_OK : shorter.code == EBM_ERROR_INPUT);
    if (room) check_cut(t, &whole, e, length, x.b != NULL);
    free(whole.ids);
    free(whole.types);
}

void fuzz_check_texts(const ebm_tokenizer *t, ebm_encoding *e, const char *a, size_t a_bytes, const char *b,
                      size_t b_bytes, size_t length)
{
    check_one(t, e, (texts){.a = a, .a_bytes = a_bytes}, length);
    if (b) check_one(t, e, (texts){.a = a, .b = b, .a_bytes = a_bytes, .b_bytes = b_bytes}, length);
    if (ebm_tokenizer_encode_plain(t, a, a_bytes, e).code == EBM_OK) check_ids(t, e);
}

ebm_tokenizer *fuzz_build(ebm_tokenizer_files *files)
{
    ebm_tokenizer *t = NULL;
    const ebm_status status = ebm_tokenizer_build(files, "here", &t);
    fuzz_check_refusal(status);
    fuzz_require((status.code == EBM_OK) == (t != NULL));
    ebm_tokenizer_files_free(files);
    return t;
}
