// The words of byte-level BPE against PCRE2, and their merges against doing one after another.
#include "check.h"

#include <stdio.h>
#include <time.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "bpe_internal.h"
#include "byte_level.h"

// --- words ----------------------------------------------------------------------------------------------------------

// GPT-2's pattern, its classes written out: which they are is compared with the tokenizers library in test_tokenizer.c.
static void append_class(ebm_bytes *pattern, ebm_byte_level class)
{
    for (uint32_t c = 0, end; c < 0x110000; c = end + 1) {
        for (end = c; end < 0x110000 && ebm_byte_level_class(end) == class; end++) continue;
        char range[40];
        const int n = snprintf(range, sizeof range, "\\x{%X}-\\x{%X}", (unsigned)c, (unsigned)end - 1);
        if (end > c) assert_true(ebm_bytes_append(pattern, range, (size_t)n));
    }
}

static pcre2_code *compile(void)
{
    ebm_bytes pattern = {0};
    for (const char *form = "'s|'t|'re|'ve|'m|'ll|'d| ?[L]+| ?[N]+| ?[^SLN]+|[S]+(?![^S])|[S]+"; *form; form++) {
        if (*form == 'L') append_class(&pattern, EBM_BYTE_LEVEL_LETTER);
        if (*form == 'N') append_class(&pattern, EBM_BYTE_LEVEL_NUMBER);
        if (*form == 'S') append_class(&pattern, EBM_BYTE_LEVEL_SPACE);
        if (!strchr("LNS", *form)) assert_true(ebm_bytes_append(&pattern, form, 1));
    }
    int error;
    PCRE2_SIZE offset;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.bytes, pattern.size, PCRE2_UTF, &error, &offset, NULL);
    assert_non_null(code);
    pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);
    ebm_bytes_free(&pattern);
    return code;
}

typedef struct {
    pcre2_code *pattern;
    pcre2_match_data *match;
} splitter;

static splitter make_splitter(void)
{
    pcre2_code *pattern = compile();
    return (splitter){pattern, pcre2_match_data_create(1, NULL)};
}

static void free_splitter(splitter *s)
{
    pcre2_match_data_free(s->match);
    pcre2_code_free(s->pattern);
}

// Both with nothing readable behind the text (for the sanitizer) and with zeros there.
static void compare_words(const splitter *s, const char *text, size_t bytes)
{
    char *exact = malloc(bytes ? bytes : 1), *padded = calloc(bytes + 8, 1);
    memcpy(exact, text, bytes);
    memcpy(padded, text, bytes);
    for (size_t at = 0; at < bytes;) {
        pcre2_match(s->pattern, (PCRE2_SPTR)text, bytes, at, PCRE2_NO_UTF_CHECK, s->match, NULL);
        const PCRE2_SIZE *span = pcre2_get_ovector_pointer(s->match);
        const size_t end = ebm_byte_level_word_end(exact, bytes, bytes, at);
        if (span[0] != at || span[1] != end || ebm_byte_level_word_end(padded, bytes, bytes + 8, at) != end)
            fail_msg("\"%.*s\": the word at %zu ends at %zu, expected %zu", (int)bytes, text, at, end, (size_t)span[1]);
        at = end;
    }
    free(exact);
    free(padded);
}

static void splits_all_short_texts(void **state)
{
    static const char *const parts[] = {"a", "s",        "'", " ",        "\t",       "1", "!",
                                        "l", "r",        "e", "\xC3\xA9", "\xD9\xA3", "v", "\xE3\x80\x80",
                                        "t", "\xCC\x81", "d", "m",        "\xC2\xA0"};
    enum { PARTS = sizeof parts / sizeof *parts };
    splitter s = make_splitter();
    for (size_t number = 0; number < (size_t)PARTS * PARTS * PARTS * PARTS; number++) {
        char text[16] = "";
        for (size_t rest = number; rest > 0; rest /= PARTS) strcat(text, parts[rest % PARTS]);
        compare_words(&s, text, strlen(text));
    }
    free_splitter(&s);
}

static void splits_at_every_code_point(void **state)
{
    static const char *const before[] = {"abcdefgh", " ", "'", "1", "!", "\n"};
    splitter s = make_splitter();
    for (uint32_t c = 0; c < 0x110000; c++) {
        if (c >= 0xD800 && c < 0xE000) continue;
        ebm_bytes text = {0};
        char bytes[4];
        const size_t n = ebm_utf8_put(c, bytes);
        for (size_t i = 0; i < sizeof before / sizeof *before; i++)
            assert_true(ebm_bytes_append(&text, before[i], strlen(before[i])) && ebm_bytes_append(&text, bytes, n));
        compare_words(&s, text.bytes, text.size);
        ebm_bytes_free(&text);
    }
    free_splitter(&s);
}

static uint64_t seed;
static uint32_t below(uint32_t limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33) % limit;
}

static void splits_long_texts(void **state)
{
    static const char *const parts[] = {"word", "longerword",        " ",       "  ", "'ll",          "'", "12",
                                        "...",  "\xC3\xA9t\xC3\xA9", " \n\t  ", "A",  "\xE4\xB8\xAD", "'s"};
    splitter s = make_splitter();
    seed = 1;
    for (int i = 0; i < 3000; i++) {
        char text[1024] = "";
        for (uint32_t n = below(60); n > 0; n--) strcat(text, parts[below(sizeof parts / sizeof *parts)]);
        compare_words(&s, text, strlen(text));
    }
    free_splitter(&s);
}

// --- merges ---------------------------------------------------------------------------------------------------------

typedef struct {
    ebm_vocabulary vocabulary;
    ebm_bpe *bpe;
    ebm_bpe_scratch scratch;
    ebm_id_list ids;
} model;

static void free_model(model *m)
{
    ebm_bpe_scratch_free(&m->scratch);
    ebm_bpe_free(m->bpe);
    ebm_vocabulary_free(&m->vocabulary);
    free(m->ids.ids);
}

static bool put_token(model *m, const char *text)
{
    if (ebm_vocabulary_find(&m->vocabulary, text, strlen(text)) >= 0) return false;
    assert_ok(ebm_vocabulary_put(&m->vocabulary, (int64_t)m->vocabulary.size, text, strlen(text)));
    return true;
}

// Letters, and merges of random tokens that are there: each makes a new one, or also an old one in another way, so that
// a better rank may need what a worse one makes.
static model make_model(uint32_t letters, uint32_t merge_count, bool ordered)
{
    model m = {0};
    ebm_bytes merges = {0};
    for (uint32_t i = 0; i < letters; i++) put_token(&m, (char[]){(char)('a' + i), 0});
    for (uint32_t tries = 0; tries < merge_count; tries++) {
        const char *left = ebm_vocabulary_text(&m.vocabulary, (int32_t)below((uint32_t)m.vocabulary.size), NULL);
        const char *right = ebm_vocabulary_text(&m.vocabulary, (int32_t)below((uint32_t)m.vocabulary.size), NULL);
        char joined[256], line[256];
        if (strlen(left) + strlen(right) > 12) continue;
        snprintf(line, sizeof line, "%s %s\n", left, right);
        snprintf(joined, sizeof joined, "%s%s", left, right);
        if (put_token(&m, joined) || !ordered) assert_true(ebm_bytes_append(&merges, line, strlen(line)));
    }
    assert_ok(ebm_bpe_create(&m.vocabulary, merges.bytes, merges.size, "merges", false, &m.bpe));
    ebm_bytes_free(&merges);
    return m;
}

// The definition: the leftmost pair of the best rank, again and again.
static size_t merge_plainly(const model *m, const char *word, size_t bytes, int32_t *ids)
{
    size_t count = 0;
    for (size_t i = 0; i < bytes; i++) ids[count++] = ebm_vocabulary_find(&m->vocabulary, word + i, 1);
    for (;;) {
        size_t best = 0;
        uint64_t least = EBM_BPE_NO_MERGE;
        for (size_t i = 0; i + 1 < count; i++) {
            const uint64_t merge = ebm_bpe_find(m->bpe, ids[i], ids[i + 1])->merge;
            if (merge < least) least = merge, best = i;
        }
        if (least == EBM_BPE_NO_MERGE) return count;
        ids[best] = (int32_t)(least & INT32_MAX);
        memmove(ids + best + 1, ids + best + 2, (--count - best - 1) * sizeof *ids);
    }
}

static void compare_merges(uint32_t letters, uint32_t merges, bool ordered)
{
    model m = make_model(letters, merges, ordered);
    assert_int_equal(m.bpe->ordered, ordered);
    for (int i = 0; i < 400; i++) {
        char word[300];
        int32_t expected[300];
        const size_t bytes = 1 + below(i % 2 ? 299 : 40);
        for (size_t k = 0; k < bytes; k++)
            word[k] = k > 0 && below(3) == 0 ? word[k - 1] : (char)('a' + below(letters));
        const size_t count = merge_plainly(&m, word, bytes, expected);
        for (int turn = 0; turn < 2; turn++) { // the second from the cache, if it is short
            m.ids.count = 0;
            assert_ok(ebm_bpe_encode(m.bpe, word, bytes, &m.scratch, &m.ids));
            assert_int_equal(m.ids.count, count);
            assert_memory_equal(m.ids.ids, expected, count * sizeof *expected);
        }
        m.ids.count = 0;
        assert_true(ebm_bpe_merge_long_word(m.bpe, word, bytes, &m.scratch, &m.ids));
        assert_int_equal(m.ids.count, count);
        assert_memory_equal(m.ids.ids, expected, count * sizeof *expected);
    }
    free_model(&m);
}

static void merges_as_one_after_another(void **state)
{
    seed = 2;
    for (uint32_t letters = 1; letters <= 4; letters++)
        for (uint32_t merges = 3; merges < 400; merges = 3 * merges) compare_merges(letters, merges, true);
}

static void merges_of_any_order(void **state)
{
    seed = 3;
    for (uint32_t letters = 2; letters <= 4; letters++) compare_merges(letters, 300, false);
}

static void knows_whether_merges_are_ordered(void **state)
{
    static const struct {
        const char *merges;
        bool ordered;
    } cases[] = {
        {"a b\nab c\nc ab\n", true}, {"ab c\na b\n", false}, {"c ab\na b\n", false}, {"a b\nab c\na b\n", false}};
    static const char *const tokens[] = {"a", "b", "c", "ab", "abc", "cab"};
    model m = {0};
    for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++) put_token(&m, tokens[i]);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_ok(ebm_bpe_create(&m.vocabulary, cases[i].merges, strlen(cases[i].merges), "merges", false, &m.bpe));
        assert_int_equal(m.bpe->ordered, cases[i].ordered);
        ebm_bpe_free(m.bpe);
    }
    m.bpe = NULL;
    free_model(&m);
}

static void remembers_for_one_model_only(void **state)
{
    seed = 4;
    model a = make_model(3, 60, true), b = make_model(3, 60, true);
    ebm_id_list ids = {0}, alone = {0};
    for (int i = 0; i < 4; i++) {
        const model *m = i % 2 ? &b : &a;
        ebm_bpe_scratch own = {0};
        ids.count = alone.count = 0;
        assert_ok(ebm_bpe_encode(m->bpe, "abcabccbaabc", 12, &a.scratch, &ids));
        assert_ok(ebm_bpe_encode(m->bpe, "abcabccbaabc", 12, &own, &alone));
        assert_int_equal(ids.count, alone.count);
        assert_memory_equal(ids.ids, alone.ids, ids.count * sizeof *ids.ids);
        ebm_bpe_scratch_free(&own);
    }
    free(ids.ids);
    free(alone.ids);
    free_model(&a);
    free_model(&b);
}

// Four times the word, less than ten times the time of the processor (the square would be sixteen); the least of three.
static double seconds_of(model *m, const char *word, size_t bytes)
{
    double least = 1e9;
    for (int i = 0; i < 3; i++) {
        const clock_t start = clock();
        m->ids.count = 0;
        assert_ok(ebm_bpe_encode(m->bpe, word, bytes, &m->scratch, &m->ids));
        const double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
        if (seconds < least) least = seconds;
    }
    return least;
}

static void takes_time_in_proportion(void **state)
{
    enum { BYTES = 1 << 19 };
    seed = 5;
    model m = make_model(4, 300, true);
    char *word = malloc(BYTES);
    for (int kind = 0; kind < 3; kind++) { // one letter, letters in turn, letters by chance
        for (size_t i = 0; i < BYTES; i++) word[i] = (char)('a' + (kind == 0 ? 0 : kind == 1 ? i % 4 : below(4)));
        const double quarter = seconds_of(&m, word, BYTES / 4), whole = seconds_of(&m, word, BYTES);
        if (whole > 10 * quarter + 0.005) fail_msg("kind %d: %g s for a quarter, %g s for all", kind, quarter, whole);
    }
    free(word);
    free_model(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_all_short_texts),
        cmocka_unit_test(splits_at_every_code_point),
        cmocka_unit_test(splits_long_texts),
        cmocka_unit_test(merges_as_one_after_another),
        cmocka_unit_test(merges_of_any_order),
        cmocka_unit_test(knows_whether_merges_are_ordered),
        cmocka_unit_test(remembers_for_one_model_only),
        cmocka_unit_test(takes_time_in_proportion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
