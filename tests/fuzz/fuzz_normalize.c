// A text: normal forms keep their laws (UAX 15), and Unigram finds tokens for every text.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "normal_form.h"
#include "unigram.h"

static ebm_bytes normal(ebm_normal_form form, const char *text, size_t bytes)
{
    ebm_bytes out = {0};
    fuzz_require(ebm_normal_form_apply(form, text, bytes, &out));
    fuzz_require(ebm_utf8_valid(out.bytes, out.size, NULL));
    return out;
}

static void require_normal(ebm_normal_form form, ebm_bytes text, const ebm_bytes *expected)
{
    ebm_bytes out = normal(form, text.bytes, text.size);
    fuzz_require(out.size == expected->size && (out.size == 0 || memcmp(out.bytes, expected->bytes, out.size) == 0));
    ebm_bytes_free(&out);
}

static void check_forms(const char *text, size_t bytes)
{
    ebm_bytes forms[4];
    for (int f = EBM_NFC; f <= EBM_NFKD; f++) forms[f] = normal((ebm_normal_form)f, text, bytes);
    for (int f = EBM_NFC; f <= EBM_NFKD; f++) {
        const bool compatible = f == EBM_NFKC || f == EBM_NFKD;
        for (int from = EBM_NFC; from <= EBM_NFKD; from++)
            if (compatible || from == EBM_NFC || from == EBM_NFD)
                require_normal((ebm_normal_form)f, forms[from], &forms[f]);
    }
    for (int f = EBM_NFC; f <= EBM_NFKD; f++) ebm_bytes_free(&forms[f]);
}

static ebm_unigram *unigram;
static size_t token_count;
static ebm_unigram_scratch scratch;

static void free_unigram(void)
{
    ebm_unigram_scratch_free(&scratch);
    ebm_unigram_free(unigram);
}

static void load_unigram(void)
{
    if (unigram) return;
    json_t *fixture = json_load_file(FIXTURES "/unigram/trained.json", JSON_ALLOW_NUL, NULL);
    const json_t *pieces = json_object_get(fixture, "pieces");
    token_count = json_array_size(pieces);
    fuzz_require(token_count > 0);
    ebm_vocabulary vocabulary = {0};
    double *scores = calloc(token_count, sizeof *scores);
    fuzz_require(scores != NULL);
    for (size_t i = 0; i < token_count; i++) {
        const json_t *piece = json_array_get(json_array_get(pieces, i), 0);
        fuzz_require_ok(
            ebm_vocabulary_put(&vocabulary, (int64_t)i, json_string_value(piece), json_string_length(piece)));
        scores[i] = json_number_value(json_array_get(json_array_get(pieces, i), 1));
    }
    fuzz_require_ok(ebm_unigram_create(&vocabulary, scores, token_count, 0, true, &unigram));
    atexit(free_unigram);
    ebm_vocabulary_free(&vocabulary);
    free(scores);
    json_decref(fixture);
}

static void check_unigram(const char *text, size_t bytes)
{
    ebm_id_list ids = {0};
    load_unigram();
    fuzz_require_ok(ebm_unigram_encode(unigram, text, bytes, &scratch, &ids));
    const size_t count = ids.count;
    fuzz_require_ok(ebm_unigram_encode(unigram, text, bytes, &scratch, &ids)); // from the cache
    fuzz_require(ids.count == 2 * count && count <= bytes && (count > 0) == (bytes > 0));
    for (size_t i = 0; i < count; i++) {
        fuzz_require(ids.ids[i] >= 0 && (size_t)ids.ids[i] < token_count);
        fuzz_require(ids.ids[i] == ids.ids[count + i]);
    }
    free(ids.ids);
}

void fuzz_normalize(const uint8_t *data, size_t size)
{
    ebm_bytes text = {0};
    fuzz_require(ebm_bytes_append_lossy(&text, (const char *)data, size));
    char *exact = fuzz_copy(text.bytes, text.size); // without room behind it
    check_forms(exact, text.size);
    check_unigram(exact, text.size);
    free(exact);
    ebm_bytes_free(&text);
}
