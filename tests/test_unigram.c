// Unigram against the tokenizers library (tests/fixtures/make_unigram_fixtures.py).
#include "check.h"

#include <math.h>
#include <zlib.h>

#include "sweep.h"
#include "trie.h"
#include "unigram.h"
#include "unigram_score.h"

typedef struct {
    ebm_vocabulary vocabulary;
    double *scores;
    ebm_unigram *unigram;
    ebm_unigram_scratch scratch;
    ebm_id_list ids;
} model;

static model make(const json_t *pieces, int32_t unknown, bool byte_fallback)
{
    model m = {0};
    const size_t count = json_array_size(pieces);
    m.scores = calloc(count, sizeof *m.scores);
    for (size_t i = 0; i < count; i++) {
        const json_t *piece = json_array_get(json_array_get(pieces, i), 0);
        assert_ok(ebm_vocabulary_put(&m.vocabulary, (int64_t)i, json_string_value(piece), json_string_length(piece)));
        m.scores[i] = json_number_value(json_array_get(json_array_get(pieces, i), 1));
    }
    assert_ok(ebm_unigram_create(&m.vocabulary, m.scores, count, unknown, byte_fallback, &m.unigram));
    ebm_vocabulary_free(&m.vocabulary); // neither it nor the scores are needed any more
    free(m.scores);
    return m;
}

static void release(model *m)
{
    ebm_unigram_scratch_free(&m->scratch);
    ebm_unigram_free(m->unigram);
    free(m->ids.ids);
}

static void expect_crc(const model *m, const json_t *expected, size_t text, const char *what)
{
    char crc[9];
    snprintf(crc, sizeof crc, "%08lx",
             crc32(0, (const unsigned char *)m->ids.ids, (unsigned)(m->ids.count * sizeof *m->ids.ids)));
    if (strcmp(crc, json_string_value(json_array_get(expected, text))) != 0) fail_msg("%s %zu differs", what, text);
}

#define MARK "\u2581"

static void append_marked(ebm_bytes *out, const json_t *text)
{
    const char *c = json_string_value(text);
    for (size_t i = 0; i < json_string_length(text); i++)
        assert_true(ebm_bytes_append(out, c[i] == ' ' ? MARK : c + i, c[i] == ' ' ? 3 : 1));
}

static void encode_words(model *m, const ebm_bytes *text)
{
    for (size_t start = 0, end; start < text->size; start = end) {
        for (end = start + 1; end < text->size; end++)
            if (text->size - end >= 3 && memcmp(text->bytes + end, MARK, 3) == 0) break;
        assert_ok(ebm_unigram_encode(m->unigram, text->bytes + start, end - start, &m->scratch, &m->ids));
    }
}

static void compare_trained(const char *kind, bool byte_fallback)
{
    json_t *texts = sweep_read("tokenizer/texts.json"), *fixture = sweep_read("unigram/trained.json");
    const json_t *expected = json_object_get(fixture, kind);
    model m = make(json_object_get(fixture, "pieces"), 0, byte_fallback);
    ebm_bytes text = {0};
    for (int turn = 0; turn < 2; turn++) // the second time words come from the cache
        for (size_t i = 0; i < json_array_size(texts); i++) {
            text.size = m.ids.count = 0;
            append_marked(&text, json_array_get(texts, i));
            assert_ok(ebm_unigram_encode(m.unigram, text.bytes, text.size, &m.scratch, &m.ids));
            expect_crc(&m, json_object_get(expected, "whole"), i, "text");
            m.ids.count = 0;
            encode_words(&m, &text);
            expect_crc(&m, json_object_get(expected, "words"), i, "words of text");
        }
    ebm_bytes_free(&text);
    release(&m);
    json_decref(texts);
    json_decref(fixture);
}

static void equals_the_library(void **state) { compare_trained("plain", false); }
static void equals_the_library_with_bytes(void **state) { compare_trained("bytes", true); }

static void compare_text(model *m, size_t number, const json_t *text, const json_t *expected)
{
    const char *bytes = json_string_value(text);
    const size_t before = m->ids.count = 1;
    const ebm_status status = ebm_unigram_encode(m->unigram, bytes, json_string_length(text), &m->scratch, &m->ids);
    if (json_is_null(expected)) {
        assert_fails(status, EBM_ERROR_INPUT, "there is no unknown token");
        assert_int_equal(m->ids.count, before);
        return;
    }
    assert_ok(status);
    if (m->ids.count - before != json_array_size(expected))
        fail_msg("case %zu, \"%s\": %zu tokens", number, bytes, m->ids.count - before);
    for (size_t i = 0; i < json_array_size(expected); i++)
        if (m->ids.ids[before + i] != json_integer_value(json_array_get(expected, i)))
            fail_msg("case %zu, \"%s\": token %zu is %d", number, bytes, i, (int)m->ids.ids[before + i]);
}

static void equals_the_library_in_odd_cases(void **state)
{
    json_t *cases = sweep_read("unigram/cases.json");
    assert_true(json_array_size(cases) >= 12);
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i), *texts = json_object_get(one, "texts");
        model m = make(json_object_get(one, "pieces"), (int32_t)json_integer_value(json_object_get(one, "unknown")),
                       json_is_true(json_object_get(one, "bytes")));
        assert_true(ebm_id_list_append(&m.ids, -7)); // ids are appended
        for (int turn = 0; turn < 2; turn++)
            for (size_t t = 0; t < json_array_size(texts); t++)
                compare_text(&m, i, json_array_get(texts, t), json_array_get(json_object_get(one, "ids"), t));
        release(&m);
    }
    json_decref(cases);
}

// Numbers that a correct reader and the library's read alike, and such of which the library's last bit is another.
static void reads_scores_as_the_library_does(void **state)
{
    static const double alike[] = {0,      -3.1982421875, -8.034584999084473, -0.1, -12.5, 1e-7, 123456789.125,
                                   5e-324, -1e300};
    static const double apart[][2] = {
        {-12.864072317121257, -0x1.9ba67afced458p+3}, {-11.692844665672597, -0x1.762bc89388b30p+3},
        {-7.9360912192871735, -0x1.fbe8eb253a50ap+2}, {-7.9413713793459095, -0x1.fc3f6dbdeb96fp+2},
        {-1.3008558737227243, -0x1.4d04e3fa72d7fp+0},
    };
    for (size_t i = 0; i < sizeof alike / sizeof *alike; i++) assert_true(ebm_unigram_score(alike[i]) == alike[i]);
    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        assert_true(apart[i][0] != apart[i][1]);
        assert_true(ebm_unigram_score(apart[i][0]) == apart[i][1]);
    }
    assert_true(isinf(ebm_unigram_score(HUGE_VAL)));
}

static void refuses_bad_vocabularies(void **state)
{
    ebm_vocabulary v = {0};
    ebm_unigram *u = NULL;
    double scores[3] = {0, -1, -2};
    assert_ok(ebm_vocabulary_put(&v, 0, "<unk>", 5));
    assert_ok(ebm_vocabulary_put(&v, 2, "b", 1));
    assert_fails(ebm_unigram_create(&v, scores, 3, 0, false, &u), EBM_ERROR_INPUT, "no token 1 of 3");
    assert_ok(ebm_vocabulary_put(&v, 1, "a", 1));
    assert_fails(ebm_unigram_create(&v, scores, 4, 0, false, &u), EBM_ERROR_INPUT, "no token 3 of 4");
    assert_fails(ebm_unigram_create(&v, scores, 3, 3, false, &u), EBM_ERROR_INPUT, "unknown token is 3, of 3 tokens");
    assert_fails(ebm_unigram_create(&v, scores, 3, -2, false, &u), EBM_ERROR_INPUT, "unknown token is -2");
    assert_fails(ebm_unigram_create(&v, scores, 0, 0, false, &u), EBM_ERROR_INPUT, "of 0 tokens");
    scores[1] = NAN;
    assert_fails(ebm_unigram_create(&v, scores, 3, 0, false, &u), EBM_ERROR_INPUT,
                 "token 1 (\"a\"): expected a finite");
    scores[1] = -INFINITY;
    assert_fails(ebm_unigram_create(&v, scores, 3, 0, false, &u), EBM_ERROR_INPUT, "found -inf");
    assert_null(u);
    assert_ok(ebm_unigram_create(&v, scores, 0, -1, false, &u));
    ebm_unigram_free(u);
    ebm_unigram_free(NULL);
    ebm_vocabulary_free(&v);
}

// A megabyte without a space, of one letter that only long tokens and short ones hold.
static void takes_a_megabyte_of_one_word(void **state)
{
    const size_t bytes = (size_t)1 << 20;
    ebm_vocabulary v = {0};
    ebm_unigram *u = NULL;
    ebm_unigram_scratch s = {0};
    ebm_id_list ids = {0};
    char *text = malloc(bytes);
    double scores[65] = {0};
    memset(text, 'a', bytes);
    assert_ok(ebm_vocabulary_put(&v, 0, "<unk>", 5));
    for (int i = 1; i <= 64; i++) {
        assert_ok(ebm_vocabulary_put(&v, i, text, (size_t)i));
        scores[i] = -1 - 0.5 * i;
    }
    assert_ok(ebm_unigram_create(&v, scores, 65, 0, false, &u));
    assert_ok(ebm_unigram_encode(u, text, bytes, &s, &ids));
    assert_int_equal(ids.count, bytes / 64);
    for (size_t i = 0; i < ids.count; i++) assert_int_equal(ids.ids[i], 64);
    memset(text, 'b', bytes);
    ids.count = 0;
    assert_ok(ebm_unigram_encode(u, text, bytes, &s, &ids));
    assert_int_equal(ids.count, 1);
    assert_int_equal(ids.ids[0], 0);
    free(text);
    free(ids.ids);
    ebm_unigram_scratch_free(&s);
    ebm_unigram_free(u);
    ebm_vocabulary_free(&v);
}

// All strings of up to three of 40 bytes, so that nodes of many children and of few share blocks.
static void finds_what_is_in_a_trie(void **state)
{
    enum { LETTERS = 40, COUNT = LETTERS + LETTERS * LETTERS + LETTERS * LETTERS * LETTERS };
    ebm_trie trie = {0};
    ebm_trie_entry *entries = calloc(COUNT, sizeof *entries);
    char(*texts)[4] = calloc(COUNT, sizeof *texts);
    for (int i = 0; i < COUNT; i++) {
        int n = i < LETTERS ? 1 : i < LETTERS + LETTERS * LETTERS ? 2 : 3;
        for (int k = 0, rest = i; k < n; k++, rest /= LETTERS) texts[i][k] = (char)(rest % LETTERS * 6);
        entries[i] = (ebm_trie_entry){.text = texts[i], .bytes = (size_t)n, .value = i};
    }
    assert_ok(ebm_trie_build(&trie, entries, COUNT));
    for (int i = 0; i < COUNT; i++) { // some of them are equal: the last one stays
        const int found = ebm_trie_find(&trie, entries[i].text, entries[i].bytes);
        assert_true(found >= entries[i].value);
        assert_memory_equal(texts[found], entries[i].text, 4);
    }
    assert_int_equal(ebm_trie_find(&trie, "\1", 1), -1);
    assert_int_equal(ebm_trie_find(&trie, "", 0), -1);
    assert_int_equal(ebm_trie_find(&trie, "\0\0\0\0", 4), -1);
    assert_true(trie.count < 2 * COUNT);
    ebm_trie_free(&trie);
    free(entries);
    free(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_library),
        cmocka_unit_test(equals_the_library_with_bytes),
        cmocka_unit_test(equals_the_library_in_odd_cases),
        cmocka_unit_test(reads_scores_as_the_library_does),
        cmocka_unit_test(refuses_bad_vocabularies),
        cmocka_unit_test(takes_a_megabyte_of_one_word),
        cmocka_unit_test(finds_what_is_in_a_trie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
