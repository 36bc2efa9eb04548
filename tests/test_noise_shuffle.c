// Shuffled training texts as noise: permutations of words or blocks, every order equally often, and the stream of them.
#include "noise_shuffle.h"

#include <math.h>
#include <stdio.h>

#include "check.h"
#include "small_task.h"

enum { SEED = 9, MAX_LENGTH = 32 };

static ebm_dataset *rows_of(const char *const (*texts)[2], size_t count)
{
    ebm_dataset *rows = NULL;
    assert_ok(ebm_dataset_create(NULL, &rows));
    for (size_t i = 0; i < count; i++) assert_ok(ebm_dataset_add(rows, texts[i][0], texts[i][1], -1, i + 1));
    return rows;
}

// ---- the law

// n words w0 ... w(n-1): where each of them stands, or -1 for a text that is no permutation of them.
static void places_of(const char *text, int n, int *place)
{
    size_t at = 0, length = 0;
    int found = 0;
    for (int i = 0; i < n; i++) place[i] = -1;
    for (const char *word; (word = ebm_next_word(text, &at, &length)); found++) {
        const int id = length == 2 && word[0] == 'w' ? word[1] - '0' : -1;
        if (id < 0 || id >= n || place[id] >= 0) fail_msg("'%s' is no permutation", text);
        place[id] = found;
    }
    assert_int_equal(found, n);
}

// Of n = 4 words every one of 24 orders comes with probability 1/24: chi-square with 23 degrees of freedom is below
// 59.9 but once in 20,000 (it has mean 23); the numbers are the same in every run.
static void every_order_comes_equally_often(void **state)
{
    (void)state;
    enum { N = 4, ORDERS = 24, DRAWS = 4800 };
    ebm_dataset *rows = rows_of((const char *const[][2]){{"w0  w1\tw2 w3 ", NULL}}, 1);
    ebm_noise_shuffle *s = NULL;
    int count[256] = {0};
    assert_ok(ebm_noise_shuffle_create(rows, 1, 100, SEED, &s));
    for (uint64_t i = 0; i < DRAWS; i++) {
        const char *a = NULL, *b = "";
        int place[N], code = 0;
        assert_ok(ebm_noise_shuffle_make(s, i, &a, &b));
        assert_null(b);
        assert_int_equal(strlen(a), 11);
        places_of(a, N, place);
        for (int k = 0; k < N; k++) code = 4 * code + place[k];
        count[code]++;
    }
    double chi = 0, expected = (double)DRAWS / ORDERS;
    int orders = 0;
    for (int i = 0; i < 256; i++) {
        if (count[i] == 0) continue;
        orders++;
        chi += (count[i] - expected) * (count[i] - expected) / expected;
    }
    assert_int_equal(orders, ORDERS);
    if (!(chi < 59.9 && chi > 5)) fail_msg("chi-square %g", chi);
    ebm_noise_shuffle_free(s);
    ebm_dataset_free(rows);
}

// Blocks of 3 of 8 words stay together, the last has 2; parts of a pair keep to themselves.
static void blocks_stay_together_and_parts_apart(void **state)
{
    (void)state;
    ebm_dataset *rows = rows_of((const char *const[][2]){{"w0 w1 w2 w3 w4 w5 w6 w7", "w0 w1 w2 w3"}}, 1);
    ebm_noise_shuffle *s = NULL;
    int firsts[8] = {0};
    assert_ok(ebm_noise_shuffle_create(rows, 3, 100, SEED, &s));
    for (uint64_t i = 0; i < 600; i++) {
        const char *a = NULL, *b = NULL;
        int place[8];
        assert_ok(ebm_noise_shuffle_make(s, i, &a, &b));
        places_of(b, 4, place);
        assert_true((place[1] == place[0] + 1 && place[2] == place[1] + 1) && (place[3] == 0 || place[3] == 3));
        places_of(a, 8, place);
        for (int k = 0; k < 8; k++)
            if (k % 3 != 2 && k != 7) assert_int_equal(place[k + 1], place[k] + 1);
        for (int k = 0; k < 8; k++)
            if (place[k] == 0) firsts[k]++;
    }
    // 200 each on average, deviation 11.5
    for (int k = 0; k < 8; k++) assert_in_range(firsts[k], k % 3 ? 0 : 142, k % 3 ? 0 : 258);
    ebm_noise_shuffle_free(s);
    ebm_dataset_free(rows);
}

static void long_texts_are_cut_before(void **state)
{
    (void)state;
    ebm_dataset *rows = rows_of((const char *const[][2]){{"w0 w1 w2 w3 w4 w5 w6", "w0 w1 w2"}}, 1);
    ebm_noise_shuffle *s = NULL;
    const char *a = NULL, *b = NULL;
    int place[8];
    assert_ok(ebm_noise_shuffle_create(rows, 1, 5, SEED, &s));
    assert_ok(ebm_noise_shuffle_make(s, 3, &a, &b));
    places_of(a, 5, place);
    places_of(b, 3, place);
    ebm_noise_shuffle_free(s);
    ebm_dataset_free(rows);
}

static void what_cannot_be_shuffled_is_refused(void **state)
{
    (void)state;
    ebm_dataset *rows = rows_of((const char *const[][2]){{"word", NULL}, {"two words", NULL}}, 2);
    ebm_dataset *none = NULL;
    ebm_noise_shuffle *s = NULL;
    ebm_noise_statistics n = {0};
    uint64_t number = 0;
    const char *a = NULL, *b = NULL;
    assert_ok(ebm_noise_shuffle_create(rows, 2, 10, SEED, &s));
    assert_fails(ebm_noise_shuffle_next(s, &number, &n, &a, &b), EBM_ERROR_INPUT, "nothing to shuffle");
    assert_int_equal(n.duplicates, n.generated);
    ebm_noise_shuffle_free(s);
    // In blocks of one only "words two" is left.
    n = (ebm_noise_statistics){0};
    assert_ok(ebm_noise_shuffle_create(rows, 1, 10, SEED, &s));
    for (int i = 0; i < 20; i++) {
        assert_ok(ebm_noise_shuffle_next(s, &number, &n, &a, &b));
        assert_string_equal(a, "words two");
    }
    assert_int_equal(n.generated, n.duplicates + 20);
    ebm_noise_shuffle_free(s);
    assert_fails(ebm_noise_shuffle_create(rows, 0, 10, SEED, &s), EBM_ERROR_INPUT, "none may be 0");
    assert_ok(ebm_dataset_create(NULL, &none));
    assert_fails(ebm_noise_shuffle_create(none, 1, 10, SEED, &s), EBM_ERROR_INPUT, "none may be 0");
    ebm_dataset_free(none);
    ebm_dataset_free(rows);
}

// ---- the stream

static ebm_noise_stream *open_stream(const ebm_dataset *training, const ebm_tokenizer *encoder, size_t ngram,
                                     uint64_t seed)
{
    const ebm_noise_shuffle_source source = {training, encoder, MAX_LENGTH, ngram, seed};
    ebm_noise_stream *stream = NULL;
    assert_ok(ebm_noise_stream_from_shuffle(&source, &stream));
    return stream;
}

static void expect_text(const ebm_tokenizer *encoder, const char *text, ebm_sequence got)
{
    ebm_encoding e = {0};
    const char *cut = strstr(text, EBM_PAIR_SEPARATOR), *b = cut ? cut + strlen(EBM_PAIR_SEPARATOR) : NULL;
    assert_ok(ebm_tokenizer_encode(encoder, text, cut ? (size_t)(cut - text) : strlen(text), b, b ? strlen(b) : 0,
                                   MAX_LENGTH, &e));
    if (e.tokens != got.count || memcmp(e.ids, got.ids, e.tokens * sizeof *e.ids) != 0 ||
        memcmp(e.types, got.types, e.tokens * sizeof *e.types) != 0)
        fail_msg("'%s' came as other ids", text);
    ebm_encoding_free(&e);
}

// Ids and texts are the same stream, taken up anywhere; the first ones are held out; another seed is another stream.
static void a_stream_is_a_function_of_its_seed(void **state)
{
    (void)state;
    enum { TEXTS = 60, HELD = 7 };
    ebm_tokenizer *encoder = small_tokenizer(false);
    for (int kind = 0; kind < 2; kind++) {
        ebm_dataset *rows = small_texts((small_kind)kind, 40, 3);
        ebm_noise_stream *ids = open_stream(rows, encoder, 1, SEED), *texts = open_stream(rows, NULL, 1, SEED);
        ebm_noise_stream *other = open_stream(rows, NULL, 1, SEED + 1);
        char *all[TEXTS];
        uint64_t positions[TEXTS];
        ebm_sequence held[HELD], next;
        size_t count = HELD, equal = 0;
        for (size_t i = 0; i < TEXTS; i++) {
            const char *text = NULL;
            positions[i] = ebm_noise_stream_position(texts);
            assert_ok(ebm_noise_stream_next_text(texts, &text));
            all[i] = strdup(text);
            assert_ok(ebm_noise_stream_next_text(other, &text));
            equal += strcmp(text, all[i]) == 0;
        }
        assert_int_equal(positions[0], 0);
        assert_in_range(equal, 0, 3);
        assert_ok(ebm_noise_stream_hold_out(ids, &count, held));
        assert_int_equal(count, HELD);
        for (size_t i = 0; i < HELD; i++) expect_text(encoder, all[i], held[i]);
        for (size_t i = HELD; i < TEXTS; i++) {
            assert_ok(ebm_noise_stream_next(ids, 1, &next));
            expect_text(encoder, all[i], next);
        }
        for (size_t i = 0; i < TEXTS; i++) {
            const size_t k = 37 * i % TEXTS;
            assert_ok(ebm_noise_stream_seek(ids, positions[k]));
            assert_ok(ebm_noise_stream_next(ids, 1, &next));
            expect_text(encoder, all[k], next);
        }
        const ebm_noise_statistics n = ebm_noise_stream_statistics(texts);
        assert_int_equal(n.delivered, TEXTS);
        assert_int_equal(n.generated, TEXTS + n.duplicates);
        assert_string_equal(ebm_noise_stream_source(ids), "shuffled texts, longest 32, shuffle_ngram 1, seed 9");
        assert_null(ebm_noise_stream_arena(ids));
        for (size_t i = 0; i < TEXTS; i++) free(all[i]);
        ebm_noise_stream_free(ids);
        ebm_noise_stream_free(texts);
        ebm_noise_stream_free(other);
        ebm_dataset_free(rows);
    }
    ebm_tokenizer_free(encoder);
}

// ---- sets of texts

static void a_set_knows_its_texts(void **state)
{
    (void)state;
    ebm_dataset *single = rows_of((const char *const[][2]){{" a  b\tc", NULL}, {"ab c", NULL}, {"d", NULL}}, 3);
    ebm_dataset *pairs = rows_of((const char *const[][2]){{"a b", "c"}, {"d", "e"}}, 2);
    ebm_dataset *texts = rows_of((const char *const[][2]){{"x", NULL}, {"a b  c ", NULL}, {"D", NULL}}, 3);
    ebm_dataset *left = NULL;
    ebm_text_set *set = NULL;
    size_t dropped = 0;
    assert_ok(ebm_text_set_create(single, &set));
    assert_true(ebm_text_set_contains(set, "a b c", NULL));
    assert_true(ebm_text_set_contains(set, "ab  c\n", NULL));
    assert_false(ebm_text_set_contains(set, "a bc", NULL));
    assert_false(ebm_text_set_contains(set, "a b", NULL));
    assert_false(ebm_text_set_contains(set, "a b c d", NULL));
    assert_false(ebm_text_set_contains(set, "", NULL));
    assert_false(ebm_text_set_contains(set, "a b", "c"));
    ebm_text_set_free(set);
    assert_ok(ebm_text_set_create(pairs, &set));
    assert_true(ebm_text_set_contains(set, "a b", "c"));
    assert_false(ebm_text_set_contains(set, "a", "b c"));
    assert_false(ebm_text_set_contains(set, "c", "a b"));
    assert_false(ebm_text_set_contains(set, "a b", NULL));
    ebm_text_set_free(set);
    assert_ok(ebm_dataset_without(texts, single, &dropped, &left));
    assert_int_equal(dropped, 1);
    assert_int_equal(ebm_dataset_count(left), 2);
    assert_string_equal(ebm_dataset_row(left, 1).text_a, "D");
    assert_int_equal(ebm_dataset_row(left, 1).line, 3);
    ebm_dataset_free(left);
    assert_fails(ebm_dataset_without(texts, texts, &dropped, &left), EBM_ERROR_INPUT, "all 3 texts are training texts");
    assert_null(left);
    ebm_dataset_free(single);
    ebm_dataset_free(pairs);
    ebm_dataset_free(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_order_comes_equally_often),    cmocka_unit_test(blocks_stay_together_and_parts_apart),
        cmocka_unit_test(long_texts_are_cut_before),          cmocka_unit_test(what_cannot_be_shuffled_is_refused),
        cmocka_unit_test(a_stream_is_a_function_of_its_seed), cmocka_unit_test(a_set_knows_its_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
