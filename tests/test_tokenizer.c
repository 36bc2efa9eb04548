// Tokenizers against fixtures of the tokenizers library (tests/fixtures/make_tokenizer_fixtures.py).
#include "check.h"

#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bert_unicode.h"
#include "bpe.h"
#include "file.h"
#include "tokenizer.h"
#include "wordpiece.h"

#define DIRECTORY FIXTURES "/tokenizer"

static uint32_t hash_more(uint64_t *hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) *hash = (*hash ^ ((const unsigned char *)bytes)[i]) * 0x100000001B3u;
    return (uint32_t)*hash;
}

static const char *hash_text(const void *bytes, size_t size, char out[9])
{
    uint64_t hash = 0xCBF29CE484222325u;
    snprintf(out, 9, "%08x", hash_more(&hash, bytes, size));
    return out;
}

static const char *hash_ids(const int32_t *ids, size_t count, char out[9])
{
    return hash_text(ids, count * sizeof *ids, out); // little-endian, as the fixtures
}

static json_t *read_json(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", DIRECTORY, name);
    json_error_t error;
    json_t *value = json_load_file(path, JSON_ALLOW_NUL, &error);
    if (!value) fail_msg("%s:%d: %s", path, error.line, error.text);
    return value;
}

static char temporary[64];

static const char *in_temporary(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", temporary, name);
    return path;
}

static int make_temporary(void **state)
{
    strcpy(temporary, "/tmp/ebmcl_tokenizer_XXXXXX");
    return mkdtemp(temporary) ? 0 : -1;
}

static int remove_temporary(void **state) { return ebm_directory_remove(temporary).code == EBM_OK ? 0 : -1; }

static void write_file(const char *name, const char *text)
{
    assert_ok(ebm_file_write(in_temporary(name), text, strlen(text)));
}

static void copy_fixture(const char *name, const char *as)
{
    char from[512];
    snprintf(from, sizeof from, "%s/%s", DIRECTORY, name);
    assert_ok(ebm_file_copy(from, in_temporary(as)));
}

static const char *text_at(const json_t *texts, size_t i, size_t *bytes)
{
    const json_t *text = json_array_get(texts, i);
    *bytes = json_string_length(text);
    return json_string_value(text);
}

static const char *string_at(const json_t *object, const char *key, size_t i)
{
    return json_string_value(json_array_get(json_object_get(object, key), i));
}

static void expect_hash(const char *what, size_t i, const char *text, const char *found, const char *expected)
{
    if (strcmp(found, expected) != 0) fail_msg("%s of text %zu differs: \"%s\"", what, i, text);
}

static void expect_ids(const json_t *expected, size_t text, const ebm_encoding *e)
{
    if (!expected) return;
    assert_int_equal(e->tokens, json_array_size(expected));
    for (size_t i = 0; i < e->tokens; i++)
        if (e->ids[i] != json_integer_value(json_array_get(expected, i)))
            fail_msg("text %zu: token %zu is %d, expected %d", text, i, (int)e->ids[i],
                     (int)json_integer_value(json_array_get(expected, i)));
}

static void compare_decoded(const ebm_tokenizer *t, const ebm_encoding *e, bool skip, const char *expected, size_t i)
{
    char *text = NULL, hash[9];
    assert_ok(ebm_tokenizer_decode(t, e->ids, e->tokens, skip, &text));
    expect_hash(skip ? "decoding without special tokens" : "decoding", i, text, hash_text(text, strlen(text), hash),
                expected);
    free(text);
}

static void compare_texts(const ebm_tokenizer *t, const json_t *texts, const json_t *expected, ebm_encoding *e)
{
    uint64_t plain = 0xCBF29CE484222325u;
    char hash[9];
    for (size_t i = 0; i < json_array_size(texts); i++) {
        size_t bytes;
        const char *text = text_at(texts, i, &bytes);
        assert_ok(ebm_tokenizer_encode(t, text, bytes, NULL, 0, 0, e));
        expect_ids(json_array_get(json_object_get(expected, "ids"), i), i, e);
        expect_hash("encoding", i, text, hash_ids(e->ids, e->tokens, hash), string_at(expected, "hashes", i));
        compare_decoded(t, e, true, string_at(expected, "decoded_skipping", i), i);
        assert_ok(ebm_tokenizer_encode_plain(t, text, bytes, e));
        hash_more(&plain, hash_ids(e->ids, e->tokens, hash), 8);
        compare_decoded(t, e, false, string_at(expected, "decoded", i), i);
    }
    snprintf(hash, sizeof hash, "%08x", (uint32_t)plain);
    assert_string_equal(hash, json_string_value(json_object_get(expected, "plain")));
}

static void compare_pairs(const ebm_tokenizer *t, const json_t *texts, const json_t *expected, ebm_encoding *e)
{
    const json_t *pairs = json_object_get(expected, "pairs");
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        size_t a, b, length, a_bytes, b_bytes;
        const char *ids, *types, *single;
        char hash[9];
        assert_int_equal(json_unpack(json_array_get(pairs, i), "[I,I,I,s,s,s]", &a, &b, &length, &ids, &types, &single),
                         0);
        const char *first = text_at(texts, a, &a_bytes), *second = text_at(texts, b, &b_bytes);
        assert_ok(ebm_tokenizer_encode(t, first, a_bytes, second, b_bytes, length, e));
        assert_true(e->tokens <= length);
        expect_hash("pair", i, first, hash_ids(e->ids, e->tokens, hash), ids);
        expect_hash("pair's types", i, first, hash_ids(e->types, e->tokens, hash), types);
        assert_ok(ebm_tokenizer_encode(t, first, a_bytes, NULL, 0, length, e));
        expect_hash("cut text", i, first, hash_ids(e->ids, e->tokens, hash), single);
    }
}

static void compare(const char *directory, const char *fixture)
{
    ebm_tokenizer *t = NULL;
    ebm_encoding e = {0};
    json_t *texts = read_json("texts.json"), *expected = read_json(fixture);
    assert_ok(ebm_tokenizer_load(directory, &t));
    assert_int_equal(ebm_tokenizer_size(t), json_integer_value(json_object_get(expected, "vocabulary")));
    compare_texts(t, texts, expected, &e);
    compare_pairs(t, texts, expected, &e);
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
    json_decref(texts);
    json_decref(expected);
}

static void equals_bert(void **state) { compare(DIRECTORY "/bert", "bert.json"); }
static void equals_roberta(void **state) { compare(DIRECTORY "/roberta", "roberta.json"); }
static void equals_gpt2(void **state) { compare(DIRECTORY "/gpt2", "gpt2.json"); }

static void equals_cased_bert(void **state)
{
    copy_fixture("bert/vocab.txt", "vocab.txt");
    write_file("tokenizer_config.json", "{\"do_lower_case\": false, \"strip_accents\": null}");
    compare(temporary, "bert_cased.json");
}

static void equals_bert_with_accents(void **state)
{
    copy_fixture("bert/vocab.txt", "vocab.txt");
    write_file("tokenizer_config.json",
               "{\"do_lower_case\": true, \"strip_accents\": false, \"tokenize_chinese_chars\": false}");
    compare(temporary, "bert_accents.json");
}

static void equals_roberta_with_prefix_space(void **state)
{
    copy_fixture("roberta/vocab.json", "vocab.json");
    copy_fixture("roberta/merges.txt", "merges.txt");
    write_file("tokenizer_config.json", "{\"add_prefix_space\": true}");
    compare(temporary, "roberta_prefix.json");
}

// The vocabularies in use are too large to commit: EBMCL_TEST_DATA names a folder with vocab/<name>/.
static void equals_real(const char *name)
{
    const char *data = getenv("EBMCL_TEST_DATA");
    char directory[1024], fixture[64];
    snprintf(directory, sizeof directory, "%s/vocab/%s", data ? data : "", name);
    snprintf(fixture, sizeof fixture, "real_%s.json", name);
    if (!data || !ebm_directory_exists(directory)) {
        print_message("skipped: no vocab/%s in EBMCL_TEST_DATA (%s)\n", name, data ? data : "not set");
        skip();
    }
    compare(directory, fixture);
}
static void equals_real_bert(void **state) { equals_real("bert-base-uncased"); }
static void equals_real_roberta(void **state) { equals_real("roberta"); }
static void equals_real_gpt2(void **state) { equals_real("gpt2"); }

// --- every code point -----------------------------------------------------------------------------------------------

static bool is_surrogate(uint32_t c) { return c >= 0xD800 && c < 0xE000; }

static void compare_normalized(const ebm_wordpiece *w, const json_t *hashes)
{
    ebm_wordpiece_scratch s = {0};
    for (uint32_t block = 0; block < 0x110; block++) {
        uint64_t hash = 0xCBF29CE484222325u;
        for (uint32_t c = block << 12; c < (block + 1) << 12; c++) {
            char text[6] = "a";
            const size_t n = 1 + ebm_utf8_put(c, text + 1);
            text[n] = 'b';
            if (is_surrogate(c)) continue;
            assert_ok(ebm_wordpiece_normalize(w, text, n + 1, &s));
            hash_more(&hash, s.text.bytes, s.text.size);
        }
        char found[9];
        snprintf(found, sizeof found, "%08x", (uint32_t)hash);
        if (strcmp(found, json_string_value(json_array_get(hashes, block))) != 0)
            fail_msg("U+%X000 to U+%XFFF are normalised differently", block, block);
    }
    ebm_wordpiece_scratch_free(&s);
}

static void normalizes_every_code_point(void **state)
{
    json_t *expected = read_json("code_points.json");
    const ebm_wordpiece uncased = {.lower_case = true, .strip_accents = true, .space_chinese = true};
    const ebm_wordpiece accents = {.lower_case = true};
    compare_normalized(&uncased, json_object_get(expected, "uncased"));
    compare_normalized(&accents, json_object_get(expected, "accents"));
    json_decref(expected);
}

// "start:class start:class ..." in hexadecimal; '-' is not compared.
static void compare_classes(const char *runs, char (*class_of)(uint32_t, void *), void *context)
{
    while (*runs) {
        char *end;
        const uint32_t start = (uint32_t)strtoul(runs, &end, 16);
        const char expected = end[1];
        runs = end + 2 + (end[2] == ' ');
        const uint32_t stop = *runs ? (uint32_t)strtoul(runs, NULL, 16) : 0x110000;
        for (uint32_t c = start; c < stop && expected != '-'; c++) {
            const char found = is_surrogate(c) ? expected : class_of(c, context);
            if (found != expected) fail_msg("U+%04X is of class %c, expected %c", c, found, expected);
        }
    }
}

static char bert_class(uint32_t c, void *context)
{
    return ebm_bert_is_space(c) ? 'S' : ebm_bert_is_punctuation(c) ? 'P' : 'K';
}

static void splits_bert_words_at_every_code_point(void **state)
{
    json_t *expected = read_json("code_points.json");
    compare_classes(json_string_value(json_object_get(expected, "punctuation")), bert_class, NULL);
    json_decref(expected);
}

// A vocabulary of the 256 bytes and of "a", "1", "!" joined with each first byte of a character: whether a character
// stays with the one before it then shows in the number of tokens.
typedef struct {
    ebm_vocabulary vocabulary;
    ebm_bpe *bpe;
    ebm_bpe_scratch scratch;
    ebm_id_list ids;
} joining;

static void put_byte(ebm_bytes *text, unsigned byte)
{
    const bool itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    const unsigned other = byte < 33 ? byte : byte < 161 ? byte - 127 + 33 : 67;
    char c[4];
    assert_true(ebm_bytes_append(text, c, ebm_utf8_put(itself ? byte : 256 + other, c)));
}

static void make_joining(joining *j)
{
    ebm_bytes merges = {0}, text = {0};
    int64_t id = 0;
    for (unsigned byte = 0; byte < 256; byte++, text.size = 0) {
        put_byte(&text, byte);
        assert_ok(ebm_vocabulary_put(&j->vocabulary, id++, text.bytes, text.size));
    }
    for (const char *first = "a1!"; *first; first++)
        for (unsigned byte = 0; byte < 256; byte++, text.size = 0) {
            assert_true(ebm_bytes_append(&text, first, 1));
            put_byte(&text, byte);
            assert_ok(ebm_vocabulary_put(&j->vocabulary, id++, text.bytes, text.size));
            assert_true(ebm_bytes_append(&merges, first, 1) && ebm_bytes_append(&merges, " ", 1) &&
                        ebm_bytes_append(&merges, text.bytes + 1, text.size - 1) && ebm_bytes_append(&merges, "\n", 1));
        }
    assert_ok(ebm_bpe_create(&j->vocabulary, merges.bytes, merges.size, "merges", false, &j->bpe));
    ebm_bytes_free(&merges);
    ebm_bytes_free(&text);
}

static char byte_level_class(uint32_t c, void *context)
{
    joining *j = context;
    for (size_t i = 0; i < 3; i++) {
        char text[5] = {"a1!"[i]};
        const size_t n = 1 + ebm_utf8_put(c, text + 1);
        j->ids.count = 0;
        assert_ok(ebm_bpe_encode(j->bpe, text, n, &j->scratch, &j->ids));
        if (j->ids.count < n) return "LNO"[i];
    }
    return 'S';
}

static void splits_byte_level_words_at_every_code_point(void **state)
{
    joining j = {0};
    json_t *expected = read_json("code_points.json");
    make_joining(&j);
    compare_classes(json_string_value(json_object_get(expected, "byte_level")), byte_level_class, &j);
    json_decref(expected);
    ebm_bpe_scratch_free(&j.scratch);
    ebm_bpe_free(j.bpe);
    ebm_vocabulary_free(&j.vocabulary);
    free(j.ids.ids);
}

// --- vocabularies ---------------------------------------------------------------------------------------------------

static const char *const small_words[] = {"the", "cat", "sat", "##s", "dog", "."};

static ebm_tokenizer *make_small(void)
{
    ebm_tokenizer *t = NULL;
    assert_ok(ebm_tokenizer_from_words(small_words, 6, true, &t));
    return t;
}

static void expect_encoding(const ebm_encoding *e, size_t count, const int32_t *ids)
{
    assert_int_equal(e->tokens, count);
    assert_memory_equal(e->ids, ids, count * sizeof *ids);
}

static void makes_a_tokenizer_of_words(void **state)
{
    ebm_tokenizer *t = make_small();
    ebm_encoding e = {0};
    assert_int_equal(ebm_tokenizer_size(t), 11);
    assert_int_equal(ebm_tokenizer_id(t, "the"), 5);
    assert_int_equal(ebm_tokenizer_id(t, "bird"), -1);
    assert_string_equal(ebm_tokenizer_text(t, 8), "##s");
    assert_null(ebm_tokenizer_text(t, 11));
    assert_null(ebm_tokenizer_text(t, -1));
    for (int role = 0; role < EBM_TOKEN_ROLES; role++)
        assert_int_equal(ebm_tokenizer_special(t, role), ((const int[]){2, 3, 0, 4, 1})[role]);
    assert_ok(ebm_tokenizer_encode(t, "The CATS sat.", 13, "bird dogs", 9, 0, &e));
    expect_encoding(&e, 11, (const int32_t[]){2, 5, 6, 8, 7, 10, 3, 1, 9, 8, 3});
    for (size_t i = 0; i < e.tokens; i++) assert_int_equal(e.types[i], i > 6);
    char *text = NULL;
    assert_ok(ebm_tokenizer_decode(t, e.ids, e.tokens, true, &text));
    assert_string_equal(text, "the cats sat. dogs");
    free(text);
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
}

static void refuses_bad_words_and_lengths(void **state)
{
    ebm_tokenizer *t = NULL;
    assert_fails(ebm_tokenizer_from_words((const char *const[]){"a\nb"}, 1, true, &t), EBM_ERROR_INPUT, "line ends");
    assert_fails(ebm_tokenizer_from_words((const char *const[]){""}, 1, true, &t), EBM_ERROR_INPUT, "line ends");
    assert_fails(ebm_tokenizer_from_words((const char *const[]){"\xC3("}, 1, true, &t), EBM_ERROR_INPUT, "not UTF-8");
    assert_null(t);
    t = make_small();
    ebm_encoding e = {0};
    char *text = NULL;
    assert_fails(ebm_tokenizer_encode(t, "a", 1, "b", 1, 2, &e), EBM_ERROR_INPUT, "less than the 3 special tokens");
    assert_ok(ebm_tokenizer_encode(t, "the", 3, "cat", 3, 3, &e));
    expect_encoding(&e, 3, (const int32_t[]){2, 3, 3});
    assert_fails(ebm_tokenizer_decode(t, (const int32_t[]){5, 11}, 2, false, &text), EBM_ERROR_INPUT, "token 1");
    assert_fails(ebm_tokenizer_decode(t, (const int32_t[]){-1}, 1, false, &text), EBM_ERROR_INPUT, "id -1");
    assert_null(text);
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
}

static void refuses_text_that_is_not_utf8(void **state)
{
    static const struct {
        const char *text;
        size_t bytes, bad;
    } cases[] = {{"abc\xFF", 4, 3},
                 {"caf\xC3", 4, 3},
                 {"\xE4\xBD", 2, 0},
                 {"ok \xC0\xAF", 5, 3},
                 {"twelve bytes\xED\xA0\x80 of text", 23, 12},
                 {"\xF4\x90\x80\x80", 4, 0},
                 {"\xF0\x8F\xBF\xBF", 4, 0},
                 {"x\x80", 2, 1}};
    ebm_tokenizer *t = make_small();
    ebm_encoding e = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char part[32];
        snprintf(part, sizeof part, "byte %zu is", cases[i].bad);
        assert_fails(ebm_tokenizer_encode(t, cases[i].text, cases[i].bytes, NULL, 0, 0, &e), EBM_ERROR_INPUT, part);
        assert_int_equal(e.tokens, 0);
        assert_fails(ebm_tokenizer_encode(t, "the", 3, cases[i].text, cases[i].bytes, 0, &e), EBM_ERROR_INPUT,
                     "second of a pair");
        assert_fails(ebm_tokenizer_encode_plain(t, cases[i].text, cases[i].bytes, &e), EBM_ERROR_INPUT, part);
    }
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
}

static void adds_tokens_that_texts_do_not_have(void **state)
{
    ebm_tokenizer *t = make_small(), *clone = NULL;
    ebm_encoding e = {0};
    int32_t mask = -1, end = -1, again = -1;
    assert_ok(ebm_tokenizer_add_token(t, "<M>", &mask));
    assert_ok(ebm_tokenizer_add_token(t, "<END>", &end));
    assert_ok(ebm_tokenizer_add_token(t, "<M>", &again));
    assert_int_equal(mask, 11);
    assert_int_equal(end, 12);
    assert_int_equal(again, 11);
    assert_true(ebm_tokenizer_is_special(t, mask));
    assert_false(ebm_tokenizer_is_special(t, 5));
    assert_fails(ebm_tokenizer_add_token(t, "", &again), EBM_ERROR_INPUT, "empty");
    assert_fails(ebm_tokenizer_match_token(t, 5), EBM_ERROR_INPUT, "no added token");
    assert_ok(ebm_tokenizer_encode_plain(t, "the<M>cat", 9, &e));
    expect_encoding(&e, 5, (const int32_t[]){5, 1, 1, 1, 6});
    assert_ok(ebm_tokenizer_match_token(t, mask));
    assert_ok(ebm_tokenizer_encode_plain(t, "the<M>cat", 9, &e));
    expect_encoding(&e, 3, (const int32_t[]){5, 11, 6});
    assert_ok(ebm_tokenizer_clone(t, &clone));
    ebm_tokenizer_free(t);
    assert_int_equal(ebm_tokenizer_size(clone), 13);
    assert_ok(ebm_tokenizer_encode_plain(clone, "<M><END>", 8, &e));
    expect_encoding(&e, 4, (const int32_t[]){11, 1, 1, 1});
    ebm_encoding_free(&e);
    ebm_tokenizer_free(clone);
}

static void assert_same_file(const char *name, const char *expected)
{
    char *found = NULL;
    assert_ok(ebm_file_read(in_temporary(name), 1 << 24, &found, NULL));
    assert_string_equal(found, expected);
    free(found);
}

static void saves_what_it_read_byte_for_byte(void **state)
{
    static const struct {
        const char *name, *text;
    } files[] = {{"vocab.txt", "[PAD]\r\n[UNK]\r\n[CLS]\r\n[SEP]\r\nodd\r\n"},
                 {"tokenizer_config.json", "{ \"do_lower_case\":false , \"own\": [1] }"},
                 {"special_tokens_map.json", "{}"},
                 {"tokenizer.json", " {\"model\": { \"vocab\" : {\"a\":0, \"[UNK]\":1}, \"unk_token\":\"[UNK]\"}}"}};
    for (size_t i = 0; i < 4; i++) write_file(files[i].name, files[i].text);
    ebm_tokenizer *t = NULL;
    assert_ok(ebm_tokenizer_load(temporary, &t));
    for (size_t i = 0; i < 4; i++) assert_int_equal(unlink(in_temporary(files[i].name)), 0);
    assert_ok(ebm_tokenizer_save(t, temporary));
    for (size_t i = 0; i < 4; i++) assert_same_file(files[i].name, files[i].text);
    assert_fails(ebm_tokenizer_save(t, in_temporary("nowhere")), EBM_ERROR_INPUT, "nowhere");
    ebm_tokenizer_free(t);
}

// Encodings must be the same after saving and loading, whatever decided them the first time.
static void compare_saved(ebm_tokenizer *t, const char *text)
{
    ebm_tokenizer *again = NULL;
    ebm_encoding a = {0}, b = {0};
    assert_ok(ebm_tokenizer_save(t, temporary));
    assert_ok(ebm_tokenizer_load(temporary, &again));
    assert_int_equal(ebm_tokenizer_size(again), ebm_tokenizer_size(t));
    for (int pair = 0; pair < 2; pair++)
        assert_int_equal(ebm_tokenizer_special_count(again, pair), ebm_tokenizer_special_count(t, pair));
    for (int role = 0; role < EBM_TOKEN_ROLES; role++)
        assert_int_equal(ebm_tokenizer_special(again, role), ebm_tokenizer_special(t, role));
    assert_ok(ebm_tokenizer_encode(t, text, strlen(text), text, strlen(text), 0, &a));
    assert_ok(ebm_tokenizer_encode(again, text, strlen(text), text, strlen(text), 0, &b));
    expect_encoding(&b, a.tokens, a.ids);
    for (size_t id = 0; id < ebm_tokenizer_size(t); id++)
        assert_int_equal(ebm_tokenizer_is_special(t, (int32_t)id), ebm_tokenizer_is_special(again, (int32_t)id));
    ebm_encoding_free(&a);
    ebm_encoding_free(&b);
    ebm_tokenizer_free(again);
}

static const char *const odd_text = "The <M> [MASK]  <mask> caf\xC3\xA9 <s></s> cats<END> <|endoftext|>";

static void saves_and_loads_again(void **state)
{
    ebm_tokenizer *t = make_small();
    int32_t id;
    compare_saved(t, odd_text);
    assert_ok(ebm_tokenizer_add_token(t, "<M>", &id));
    assert_ok(ebm_tokenizer_add_token(t, "<END>", &id));
    assert_ok(ebm_tokenizer_match_token(t, id));
    compare_saved(t, odd_text);
    ebm_tokenizer_free(t);
}

static void keeps_the_class_of_a_noise_model(void **state)
{
    // A GPT-2 model with RoBERTa's vocabulary: config.json says gpt2, the tokenizer stays RoBERTa's.
    ebm_tokenizer *t = NULL;
    int32_t id;
    assert_ok(ebm_tokenizer_load(DIRECTORY "/roberta", &t));
    assert_int_equal(ebm_tokenizer_special_count(t, true), 4);
    write_file("config.json", "{\"model_type\": \"gpt2\"}");
    compare_saved(t, odd_text);
    assert_ok(ebm_tokenizer_add_token(t, "<M>", &id));
    assert_int_equal(id, 1500);
    compare_saved(t, odd_text);
    ebm_tokenizer_free(t);
}

static void decides_the_class(void **state)
{
    ebm_tokenizer *t = NULL;
    copy_fixture("roberta/vocab.json", "vocab.json");
    copy_fixture("roberta/merges.txt", "merges.txt");
    write_file("config.json", "{\"model_type\": \"gpt2\"}");
    assert_ok(ebm_tokenizer_load(temporary, &t));
    assert_int_equal(ebm_tokenizer_special_count(t, true), 0);
    assert_int_equal(ebm_tokenizer_special(t, EBM_TOKEN_EOS), -1); // no <|endoftext|>
    ebm_tokenizer_free(t);
    write_file("tokenizer_config.json", "{\"tokenizer_class\": \"RobertaTokenizerFast\"}");
    assert_ok(ebm_tokenizer_load(temporary, &t));
    assert_int_equal(ebm_tokenizer_special_count(t, true), 4);
    ebm_tokenizer_free(t);
    assert_ok(ebm_tokenizer_load(DIRECTORY "/gpt2", &t));
    assert_int_equal(ebm_tokenizer_special_count(t, true), 0);
    assert_int_equal(ebm_tokenizer_special(t, EBM_TOKEN_EOS), ebm_tokenizer_id(t, "<|endoftext|>"));
    assert_int_equal(ebm_tokenizer_special(t, EBM_TOKEN_MASK), -1);
    ebm_tokenizer_free(t);
}

static void reads_other_special_tokens(void **state)
{
    write_file("vocab.txt", "<pad>\n<unk>\n<s>\n</s>\nhi\n[UNK]\n");
    write_file("tokenizer_config.json",
               "{\"cls_token\": \"<s>\", \"sep_token\": {\"content\": \"</s>\"}, \"unk_token\": \"[UNK]\","
               " \"mask_token\": \"<none>\", \"pad_token\": null,"
               " \"additional_special_tokens\": [\"<pad>\", \"<absent>\"]}");
    write_file("special_tokens_map.json", "{\"unk_token\": \"<unk>\"}");
    write_file("added_tokens.json", "{\"New Token\": 6, \"hi\": 4}");
    ebm_tokenizer *t = NULL;
    ebm_encoding e = {0};
    assert_ok(ebm_tokenizer_load(temporary, &t));
    const char *text = "hi</s>x nEW tokEn";
    assert_ok(ebm_tokenizer_encode(t, text, strlen(text), NULL, 0, 0, &e));
    expect_encoding(&e, 6, (const int32_t[]){2, 4, 3, 1, 6, 3});
    assert_int_equal(ebm_tokenizer_special(t, EBM_TOKEN_MASK), -1);
    assert_int_equal(ebm_tokenizer_special(t, EBM_TOKEN_PAD), -1);
    assert_true(ebm_tokenizer_is_special(t, 0));
    assert_false(ebm_tokenizer_is_special(t, 6));
    assert_string_equal(ebm_tokenizer_text(t, 6), "New Token");
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
}

// --- maps -----------------------------------------------------------------------------------------------------------

static void maps_between_vocabularies(void **state)
{
    ebm_tokenizer *from = make_small(), *to = NULL;
    int32_t map[16], id;
    size_t missing = 99;
    assert_ok(ebm_tokenizer_from_words((const char *const[]){".", "cat", "the", "##s", "sat"}, 5, true, &to));
    assert_ok(ebm_tokenizer_add_token(from, "<M>", &id));
    ebm_tokenizer_map(from, to, map, &missing);
    assert_memory_equal(map, ((const int32_t[]){0, 1, 2, 3, 4, 7, 6, 9, 8, -1, 5, -1}), 12 * sizeof *map);
    assert_int_equal(missing, 1); // dog; <M> is special
    ebm_tokenizer_map(to, from, map, &missing);
    assert_int_equal(missing, 0);
    ebm_tokenizer_free(from);
    ebm_tokenizer_free(to);
}

static void maps_special_tokens_by_role(void **state)
{
    ebm_tokenizer *gpt2 = NULL, *roberta = NULL, *small = make_small();
    assert_ok(ebm_tokenizer_load(DIRECTORY "/gpt2", &gpt2));
    assert_ok(ebm_tokenizer_load(DIRECTORY "/roberta", &roberta));
    int32_t *map = malloc(2048 * sizeof *map);
    size_t missing = 0, none = 0;
    ebm_tokenizer_map(gpt2, roberta, map, &missing);
    assert_int_equal(map[ebm_tokenizer_special(gpt2, EBM_TOKEN_EOS)], ebm_tokenizer_special(roberta, EBM_TOKEN_EOS));
    for (size_t i = 0; i < ebm_tokenizer_size(gpt2); i++) {
        none += map[i] < 0;
        if (map[i] >= 0 && !ebm_tokenizer_is_special(gpt2, (int32_t)i))
            assert_string_equal(ebm_tokenizer_text(gpt2, (int32_t)i), ebm_tokenizer_text(roberta, map[i]));
    }
    assert_int_equal(missing, none);
    assert_true(missing > 0 && missing < ebm_tokenizer_size(gpt2) / 2);
    ebm_tokenizer_map(roberta, small, map, &missing);
    assert_int_equal(map[ebm_tokenizer_special(roberta, EBM_TOKEN_MASK)], 4);
    assert_int_equal(missing, ebm_tokenizer_size(roberta) - 5);
    free(map);
    ebm_tokenizer_free(gpt2);
    ebm_tokenizer_free(roberta);
    ebm_tokenizer_free(small);
}

// --- broken files ---------------------------------------------------------------------------------------------------

static void load_fails(ebm_code code, const char *part)
{
    ebm_tokenizer *t = NULL;
    assert_fails(ebm_tokenizer_load(temporary, &t), code, part);
    assert_null(t);
}

static void refuses_broken_word_lists(void **state)
{
    load_fails(EBM_ERROR_INPUT, "no tokenizer; expected tokenizer.json, or vocab.txt");
    write_file("sentencepiece.bpe.model", "");
    load_fails(EBM_ERROR_UNSUPPORTED, "sentencepiece.bpe.model alone cannot be read; write a tokenizer.json beside it");
    write_file("vocab.txt", "");
    load_fails(EBM_ERROR_INPUT, "vocab.txt: the vocabulary is empty");
    write_file("vocab.txt", "[PAD]\n[CLS]\n[SEP]\na\n");
    load_fails(EBM_ERROR_INPUT, "no unk_token (\"[UNK]\"");
    write_file("vocab.txt", "[PAD]\n[UNK]\n[SEP]\na\n");
    load_fails(EBM_ERROR_INPUT, "no cls_token");
    write_file("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\nab\xFF\n");
    load_fails(EBM_ERROR_INPUT, "vocab.txt:5: not UTF-8: byte 2 of the line is 0xFF");
    assert_ok(ebm_file_write(in_temporary("vocab.txt"), "[PAD]\n[UNK]\0\n", 13));
    load_fails(EBM_ERROR_INPUT, "vocab.txt:2: a zero byte");
    ebm_tokenizer *t = NULL;
    assert_fails(ebm_tokenizer_load(in_temporary("absent"), &t), EBM_ERROR_INPUT, "no such directory");
}

static void takes_the_later_of_equal_words(void **state) // as transformers does; no last line end
{
    write_file("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n\nb\na");
    ebm_tokenizer *t = NULL;
    ebm_encoding e = {0};
    assert_ok(ebm_tokenizer_load(temporary, &t));
    assert_int_equal(ebm_tokenizer_size(t), 8);
    assert_ok(ebm_tokenizer_encode_plain(t, "b a", 3, &e));
    expect_encoding(&e, 2, (const int32_t[]){6, 7});
    assert_string_equal(ebm_tokenizer_text(t, 4), "a");
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
}

static void refuses_broken_byte_level_files(void **state)
{
    static const struct {
        const char *vocab, *merges, *part;
    } cases[] = {
        {"{\"a\": 0, \"b\"", "", "vocab.json:1: "},
        {"", "", "vocab.json:1: "},
        {"[\"a\"]", "", "expected an object of tokens and ids, found something else"},
        {"{}", "", "found an empty one"},
        {"{\"a\": 0,\n\"a\": 1}", "", "duplicate object key"},
        {"{\"a\": 0, \"b\": 0}", "", "\"a\" and \"b\" have the same id 0"},
        {"{\"a\": \"0\"}", "", "the id of \"a\" is not an integer"},
        {"{\"a\": 0.5}", "", "the id of \"a\" is not an integer"},
        {"{\"a\": -1}", "", "the token \"a\" has the id -1"},
        {"{\"a\": 4000000000}", "", "the token \"a\" has the id 4000000000"},
        {"{\"\xFF\": 0}", "", "vocab.json:1: "},
        {"{\"a\": 0, \"b\": 1, \"ab\": 2}", "#version: 0.2\na b\na\n", "merges.txt:3: expected two tokens"},
        {"{\"a\": 0, \"b\": 1, \"ab\": 2}", "a b c\n", "merges.txt:1: expected two tokens"},
        {"{\"a\": 0, \"b\": 1, \"ab\": 2}", " b\n", "merges.txt:1: expected two tokens"},
        {"{\"a\": 0, \"b\": 1, \"ab\": 2}", "a x\n", "merges.txt:1: the merge \"a x\" has a right part"},
        {"{\"a\": 0, \"b\": 1, \"ab\": 2}", "x b\n", "merges.txt:1: the merge \"x b\" has a left part"},
        {"{\"a\": 0, \"b\": 1, \"ab\": 2}", "b a\n", "merges.txt:1: the merge \"b a\" gives a token"},
    };
    write_file("vocab.json", "{\"a\": 0}");
    load_fails(EBM_ERROR_INPUT, "merges.txt is missing");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file("vocab.json", cases[i].vocab);
        write_file("merges.txt", cases[i].merges);
        load_fails(EBM_ERROR_INPUT, cases[i].part);
    }
    write_file("vocab.json", "{\"a\": 0, \"</s>\": 1, \"ab\": 2, \"b\": 5}");
    write_file("merges.txt", "#version: 0.2\r\na b\r\n\r\n");
    write_file("config.json", "{\"model_type\": \"roberta\"}");
    load_fails(EBM_ERROR_INPUT, "no cls_token (\"<s>\"");
    write_file("config.json", "{");
    ebm_tokenizer *t = NULL;
    ebm_encoding e = {0};
    assert_ok(ebm_tokenizer_load(temporary, &t)); // line ends of Windows, ids 3 and 4 missing, no byte but a and b
    assert_ok(ebm_tokenizer_encode_plain(t, "abba cab", 8, &e));
    expect_encoding(&e, 4, (const int32_t[]){2, 5, 0, 2});
    assert_null(ebm_tokenizer_text(t, 3));
    ebm_encoding_free(&e);
    ebm_tokenizer_free(t);
}

static void refuses_broken_settings(void **state)
{
    write_file("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n");
    write_file("tokenizer_config.json", "{\"do_lower_case\": tru");
    load_fails(EBM_ERROR_INPUT, "tokenizer_config.json:1: not JSON");
    write_file("tokenizer_config.json", "3");
    load_fails(EBM_ERROR_INPUT, "tokenizer_config.json: expected a JSON object");
    write_file("tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {\"content\": \"b\"}}}");
    load_fails(EBM_ERROR_INPUT, "expected a token id, found \"x\"");
    write_file("tokenizer_config.json", "{\"added_tokens_decoder\": {\"5\": {}}}");
    load_fails(EBM_ERROR_INPUT, "the entry 5 has no \"content\"");
    write_file("tokenizer_config.json", "{\"added_tokens_decoder\": {\"4\": {\"content\": \"b\"}}}");
    load_fails(EBM_ERROR_INPUT, "the added token \"b\" has the id 4, which is the token \"a\"");
    write_file("tokenizer_config.json", "{\"added_tokens_decoder\": {\"99999999\": {\"content\": \"b\"}}}");
    load_fails(EBM_ERROR_INPUT, "expected a token id");
    write_file("tokenizer_config.json", "{}");
    write_file("added_tokens.json", "{\"b\": \"5\"}");
    load_fails(EBM_ERROR_INPUT, "added_tokens.json: the token \"b\" has no valid id");
}

// --- long words, threads --------------------------------------------------------------------------------------------

static void encodes_a_word_of_a_megabyte(void **state)
{
    const size_t bytes = (size_t)1 << 20;
    char *text = malloc(bytes);
    memset(text, 'a', bytes);
    static const char *const names[] = {DIRECTORY "/bert", DIRECTORY "/gpt2"};
    for (size_t i = 0; i < 2; i++) {
        ebm_tokenizer *t = NULL;
        ebm_encoding e = {0};
        char *back = NULL;
        assert_ok(ebm_tokenizer_load(names[i], &t));
        assert_ok(ebm_tokenizer_encode_plain(t, text, bytes, &e));
        assert_ok(ebm_tokenizer_decode(t, e.ids, e.tokens, false, &back));
        if (i == 0) assert_string_equal(back, "[UNK]");
        if (i == 1) assert_memory_equal(back, text, bytes);
        free(back);
        ebm_encoding_free(&e);
        ebm_tokenizer_free(t);
    }
    free(text);
}

typedef struct {
    const ebm_tokenizer *tokenizer;
    const json_t *texts;
    uint64_t hash;
} encoding_job;

static void *encode_all(void *argument)
{
    encoding_job *job = argument;
    ebm_encoding e = {0};
    job->hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < 3 * json_array_size(job->texts); i++) {
        size_t bytes;
        const char *text = text_at(job->texts, i % json_array_size(job->texts), &bytes);
        if (ebm_tokenizer_encode(job->tokenizer, text, bytes, NULL, 0, 64, &e).code != EBM_OK) job->hash = 0;
        hash_more(&job->hash, e.ids, e.tokens * sizeof *e.ids);
    }
    ebm_encoding_free(&e);
    return NULL;
}

static void encodes_in_threads(void **state)
{
    json_t *texts = read_json("texts.json");
    static const char *const names[] = {DIRECTORY "/bert", DIRECTORY "/roberta"};
    for (size_t i = 0; i < 2; i++) {
        ebm_tokenizer *t = NULL;
        assert_ok(ebm_tokenizer_load(names[i], &t));
        encoding_job jobs[4];
        pthread_t threads[4];
        for (size_t j = 0; j < 4; j++) jobs[j] = (encoding_job){.tokenizer = t, .texts = texts};
        for (size_t j = 1; j < 4; j++) assert_int_equal(pthread_create(&threads[j], NULL, encode_all, &jobs[j]), 0);
        encode_all(&jobs[0]);
        for (size_t j = 1; j < 4; j++) assert_int_equal(pthread_join(threads[j], NULL), 0);
        for (size_t j = 1; j < 4; j++) assert_true(jobs[j].hash == jobs[0].hash && jobs[0].hash != 0);
        ebm_tokenizer_free(t);
    }
    json_decref(texts);
}

// One ebm_encoding for several tokenizers: the word cache of one must not answer for the other.
static void shares_an_encoding_between_tokenizers(void **state)
{
    ebm_tokenizer *a = NULL, *b = NULL;
    ebm_encoding shared = {0}, own = {0};
    const char *text = "the quick brown fox jumps over the lazy dog";
    assert_ok(ebm_tokenizer_load(DIRECTORY "/gpt2", &a));
    assert_ok(ebm_tokenizer_load(DIRECTORY "/roberta", &b));
    assert_ok(ebm_tokenizer_encode_plain(a, text, strlen(text), &shared));
    assert_ok(ebm_tokenizer_encode_plain(b, text, strlen(text), &shared));
    assert_ok(ebm_tokenizer_encode_plain(b, text, strlen(text), &own));
    expect_encoding(&shared, own.tokens, own.ids);
    ebm_encoding_free(&shared);
    ebm_encoding_free(&own);
    ebm_tokenizer_free(a);
    ebm_tokenizer_free(b);
}

#define in_directory(test) cmocka_unit_test_setup_teardown(test, make_temporary, remove_temporary)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_bert),
        cmocka_unit_test(equals_roberta),
        cmocka_unit_test(equals_gpt2),
        in_directory(equals_cased_bert),
        in_directory(equals_bert_with_accents),
        in_directory(equals_roberta_with_prefix_space),
        cmocka_unit_test(equals_real_bert),
        cmocka_unit_test(equals_real_roberta),
        cmocka_unit_test(equals_real_gpt2),
        cmocka_unit_test(normalizes_every_code_point),
        cmocka_unit_test(splits_bert_words_at_every_code_point),
        cmocka_unit_test(splits_byte_level_words_at_every_code_point),
        cmocka_unit_test(makes_a_tokenizer_of_words),
        cmocka_unit_test(refuses_bad_words_and_lengths),
        cmocka_unit_test(refuses_text_that_is_not_utf8),
        cmocka_unit_test(adds_tokens_that_texts_do_not_have),
        in_directory(saves_what_it_read_byte_for_byte),
        in_directory(saves_and_loads_again),
        in_directory(keeps_the_class_of_a_noise_model),
        in_directory(decides_the_class),
        in_directory(reads_other_special_tokens),
        cmocka_unit_test(maps_between_vocabularies),
        cmocka_unit_test(maps_special_tokens_by_role),
        in_directory(refuses_broken_word_lists),
        in_directory(takes_the_later_of_equal_words),
        in_directory(refuses_broken_byte_level_files),
        in_directory(refuses_broken_settings),
        cmocka_unit_test(encodes_a_word_of_a_megabyte),
        cmocka_unit_test(encodes_in_threads),
        cmocka_unit_test(shares_an_encoding_between_tokenizers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
