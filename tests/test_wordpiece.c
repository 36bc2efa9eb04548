// WordPiece word by word against the whole text in two steps; what both use.
#include "check.h"

#include <stdio.h>
#include <time.h>

#include "word_cache.h"
#include "wordpiece.h"

static uint64_t seed;
static uint32_t below(uint32_t limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % limit;
}

static void put(ebm_vocabulary *v, const char *text)
{
    assert_ok(ebm_vocabulary_put(v, (int64_t)v->size, text, strlen(text)));
}

// Every byte's character is a token, so that ids tell texts apart; some of more characters.
static void make_vocabulary(ebm_vocabulary *v)
{
    static const char *const words[] = {"ab",           "abc",       "##bc",       "##bca",
                                        "\xE4\xB8\xAD", "x\xC2\xAD", "##\xCC\x81", "i\xCC\x87"};
    char text[8] = "##";
    put(v, "[UNK]");
    for (uint32_t c = 0x21; c < 0x250; c++) {
        text[2 + ebm_utf8_put(c, text + 2)] = 0;
        put(v, text);
        put(v, text + 2);
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) put(v, words[i]);
}

typedef struct {
    ebm_vocabulary vocabulary;
    ebm_wordpiece wordpiece;
    ebm_wordpiece_scratch scratch, other;
    ebm_id_list ids, expected;
} model;

static model *make_model(void)
{
    model *m = calloc(1, sizeof *m);
    make_vocabulary(&m->vocabulary);
    m->wordpiece.vocabulary = &m->vocabulary;
    return m;
}

static void free_model(model *m)
{
    ebm_wordpiece_scratch_free(&m->scratch);
    ebm_wordpiece_scratch_free(&m->other);
    ebm_vocabulary_free(&m->vocabulary);
    free(m->ids.ids);
    free(m->expected.ids);
    free(m);
}

static void set_flags(model *m, unsigned flags)
{
    m->wordpiece.lower_case = flags & 1;
    m->wordpiece.strip_accents = flags & 2;
    m->wordpiece.space_chinese = flags & 4;
}

static void compare(model *m, const char *text, size_t bytes)
{
    m->expected.count = 0;
    assert_ok(ebm_wordpiece_normalize(&m->wordpiece, text, bytes, &m->other));
    assert_ok(ebm_wordpiece_encode(&m->wordpiece, m->other.text.bytes, m->other.text.size, &m->expected));
    for (int turn = 0; turn < 2; turn++) {
        m->ids.count = 0;
        assert_ok(ebm_wordpiece_encode_text(&m->wordpiece, text, bytes, &m->scratch, &m->ids));
        if (m->ids.count != m->expected.count ||
            memcmp(m->ids.ids, m->expected.ids, m->ids.count * sizeof *m->ids.ids) != 0)
            fail_msg("\"%.*s\" has other ids", (int)bytes, text);
    }
}

static void is_the_same_at_every_code_point(void **state)
{
    model *m = make_model();
    static const unsigned flags[] = {7, 1, 6};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        set_flags(m, flags[i]);
        for (uint32_t c = 0; c < 0x110000; c++) {
            if (c >= 0xD800 && c < 0xE000) continue;
            char text[40] = "aB", bytes[5] = "";
            const size_t n = ebm_utf8_put(c, bytes);
            memcpy(text + 2, bytes, n);
            memcpy(text + 2 + n, "b\xCC\x81 \xE3\x80\xAE", 7); // U+302E, a mark that stripping leaves
            memcpy(text + 9 + n, bytes, n);
            memcpy(text + 9 + 2 * n, "\xCC\x81!", 3);
            memcpy(text + 12 + 2 * n, bytes, n);
            compare(m, text, 12 + 3 * n);
        }
    }
    free_model(m);
}

static void is_the_same_for_random_texts(void **state)
{
    static const char *const parts[] = {"a",
                                        "B",
                                        "bca",
                                        " ",
                                        "  ",
                                        "-",
                                        "\xE4\xB8\xAD",
                                        "\x01",
                                        "\xC3\x89",
                                        "\xCC\x81",
                                        "\xF0\x9D\x85\xA5",
                                        "\xE3\x80\xAE",
                                        "\xC2\xA0",
                                        "\xE2\x80\x94",
                                        "\xEA\xB0\x81",
                                        "abcdefghijklmnopq",
                                        "\xC4\xB0",
                                        "\xE2\x80\x8B",
                                        "0",
                                        "\t",
                                        "\xCE\x86"};
    model *m = make_model();
    seed = 1;
    for (int i = 0; i < 40000; i++) {
        char text[2048] = "";
        set_flags(m, (unsigned)i / 5000);
        for (uint32_t n = below(i % 100 ? 12 : 100); n > 0; n--)
            strcat(text, parts[below(sizeof parts / sizeof *parts)]);
        compare(m, text, strlen(text));
    }
    free_model(m);
}

static void sees_that_the_vocabulary_grows(void **state)
{
    model *m = make_model();
    set_flags(m, 7);
    compare(m, "abcabc zzz", 10);
    put(&m->vocabulary, "zzz");
    compare(m, "abcabc zzz", 10);
    assert_int_equal(m->ids.ids[m->ids.count - 1], (int)m->vocabulary.size - 1);
    free_model(m);
}

static void finds_the_longest_token(void **state)
{
    ebm_vocabulary v = {0};
    char text[300];
    seed = 2;
    put(&v, "[UNK]");
    for (int i = 0; i < 3000; i++) {
        char token[200] = "##";
        const size_t prefix = below(2) ? 2 : 0, bytes = prefix + 1 + (below(20) ? below(9) : below(150));
        for (size_t k = prefix; k < bytes; k++) token[k] = (char)('a' + below(k < 12 ? 8 : 1));
        if (ebm_vocabulary_find(&v, token, bytes) < 0) assert_ok(ebm_vocabulary_put(&v, (int64_t)v.size, token, bytes));
    }
    for (int i = 0; i < 3000; i++) {
        const char *const prefix = i % 2 ? "##" : "";
        const size_t bytes = 1 + below(i % 3 ? 12 : 190);
        memcpy(text, "##", 2);
        for (size_t k = 0; k < bytes; k++) text[2 + k] = (char)('a' + below(k < 12 ? 8 : 1));
        size_t expected = bytes, matched = 0;
        int32_t id = -1;
        for (; expected > 0 && id < 0; expected -= id < 0)
            id = ebm_vocabulary_find(&v, text + 2 - strlen(prefix), strlen(prefix) + expected);
        assert_int_equal(ebm_vocabulary_longest(&v, prefix, text + 2, bytes, &matched), id);
        assert_int_equal(matched, expected);
    }
    ebm_vocabulary_free(&v);
}

// Four times the word, less than ten times the time of the processor (the square would be sixteen); the least of three.
static double seconds_of(model *m, const ebm_bytes *word, size_t bytes)
{
    double least = 1e9;
    for (int i = 0; i < 3; i++) {
        const clock_t start = clock();
        m->ids.count = 0;
        assert_ok(ebm_wordpiece_encode_text(&m->wordpiece, word->bytes, bytes, &m->scratch, &m->ids));
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds < least) least = seconds;
    }
    return least;
}

static void takes_time_in_proportion(void **state)
{
    static const uint32_t marks[] = {0x302E, 0x1D165, 0x302F, 0x1D16D}; // classes 224, 216, 224, 226; not stripped
    model *m = make_model();
    set_flags(m, 7);
    for (int kind = 0; kind < 5;
         kind++) { // one letter; different ones; Chinese; marks that go; marks to be put in order
        ebm_bytes word = {0};
        for (uint32_t i = 0; i < 1 << 18; i++) {
            char bytes[4];
            const uint32_t characters[] = {'a', 0xAC00 + i % 0x2BA4, 0x4E00 + i % 0x5000, 0x300 + i % 0x40,
                                           marks[i % 4]};
            assert_true(ebm_bytes_append(&word, bytes, ebm_utf8_put(characters[kind], bytes)));
        }
        const size_t part = word.size / 4 / 4 / 3 * 4 * 3; // of whole characters: they have 1, 2, 3, or 3 and 4 bytes
        const size_t quarter_bytes = kind == 4 ? word.size / 4 : part;
        const double quarter = seconds_of(m, &word, quarter_bytes), whole = seconds_of(m, &word, word.size);
        if (whole > 10 * quarter + 0.005) fail_msg("kind %d: %g s for a quarter, %g s for all", kind, quarter, whole);
        ebm_bytes_free(&word);
    }
    free_model(m);
}

// Many more words than there are places: what is answered is right, or that the word is not there.
static void remembers_words(void **state)
{
    ebm_word_cache cache = {0};
    ebm_id_list ids = {0};
    size_t found = 0;
    assert_true(ebm_word_cache_prepare(&cache));
    assert_true(ebm_id_list_reserve(&ids, 100));
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 100000; i++) {
            char word[64];
            const int number = turn ? i : i / 2; // each twice
            const size_t bytes =
                (size_t)snprintf(word, sizeof word, "%d%.*s", number, number % 26, "abcdefghijklmnopqrstuvwxyz");
            const ebm_word_key key = ebm_word_key_of(word, bytes);
            const size_t count = (size_t)number % (EBM_WORD_IDS + 2);
            ids.count = 0;
            const bool is_short = ebm_word_cache_append_short(&cache, word, bytes, &ids);
            if (is_short || ebm_word_cache_append(&cache, &key, &ids)) {
                assert_int_equal(ids.count, count);
                for (size_t k = 0; k < count; k++) assert_int_equal(ids.ids[k], number + (int)k);
                found++;
            } else {
                int32_t expected[EBM_WORD_IDS + 2];
                for (size_t k = 0; k < count; k++) expected[k] = number + (int32_t)k;
                ebm_word_cache_put(&cache, &key, expected, count);
                assert_true(turn > 0 || i % 2 == 0 || count > EBM_WORD_IDS); // just put in
            }
        }
    assert_true(found > 45000);
    ebm_word_cache_free(&cache);
    free(ids.ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_the_same_at_every_code_point), cmocka_unit_test(is_the_same_for_random_texts),
        cmocka_unit_test(sees_that_the_vocabulary_grows),  cmocka_unit_test(finds_the_longest_token),
        cmocka_unit_test(takes_time_in_proportion),        cmocka_unit_test(remembers_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
