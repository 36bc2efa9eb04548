// SentencePiece's charsmap against the tokenizers library (tests/fixtures/make_unigram_fixtures.py), and broken ones.
#include "check.h"

#include "charsmap.h"
#include "sweep.h"

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    return c && at ? (int)(at - digits) : -1;
}

static ebm_bytes read_blob(const json_t *map)
{
    const char *text = json_string_value(json_object_get(map, "blob"));
    ebm_bytes blob = {0};
    unsigned bits = 0;
    int count = 0;
    for (; *text && *text != '='; text++) {
        bits = bits << 6 | (unsigned)digit_of(*text);
        if ((count += 6) < 8) continue;
        count -= 8;
        const unsigned char byte = (unsigned char)(bits >> count);
        assert_true(ebm_bytes_append(&blob, &byte, 1));
    }
    return blob;
}

static bool apply(const void *map, const char *text, size_t bytes, ebm_bytes *out)
{
    return ebm_charsmap_apply(map, text, bytes, out);
}

static void equals_the_library(void **state)
{
    json_t *fixture = sweep_read("unigram/normalizers.json"), *map;
    const char *name;
    json_object_foreach(json_object_get(fixture, "charsmaps"), name, map)
    {
        ebm_charsmap *m = NULL;
        ebm_bytes blob = read_blob(map);
        assert_ok(ebm_charsmap_create(blob.bytes, blob.size, "here", &m));
        sweep_compare(fixture, "around", map, apply, m);
        ebm_charsmap_free(m);
        ebm_bytes_free(&blob);
    }
    json_decref(fixture);
}

// --- made by hand
// -----------------------------------------------------------------------------------------------------

// "a" -> "A", "ab" -> "B": the root's children in block 1, those of "a" in block 2, of "ab" in block 3.
#define UNITS (4 * 256)
typedef struct {
    uint32_t trie_bytes, units[UNITS];
    char strings[8];
} blob;

static uint32_t unit(uint32_t from, uint32_t base, uint32_t label) { return (from ^ base) << 10 | 0x100 | label; }

static blob make_blob(void)
{
    blob b = {.trie_bytes = 4 * UNITS, .strings = "A\0\u00C9\0"};
    b.units[0] = 0x100 << 10;
    b.units[0x100 ^ 'a'] = unit(0x100 ^ 'a', 0x200, 'a');
    b.units[0x200] = 0x80000000; // "A"
    b.units[0x200 ^ 'b'] = unit(0x200 ^ 'b', 0x300, 'b');
    b.units[0x300] = 0x80000002; // E with an acute
    return b;
}

static void expect(const ebm_charsmap *m, const char *text, size_t bytes, const char *expected)
{
    ebm_bytes out = {0};
    assert_true(ebm_bytes_append(&out, "<", 1));
    assert_true(ebm_charsmap_apply(m, text, bytes, &out));
    assert_int_equal(out.size, 1 + strlen(expected));
    assert_memory_equal(out.bytes + 1, expected, strlen(expected));
    ebm_bytes_free(&out);
}

static void takes_the_shortest_key_of_a_cluster(void **state)
{
    blob b = make_blob();
    ebm_charsmap *m = NULL;
    assert_ok(ebm_charsmap_create(&b, sizeof b, "here", &m));
    expect(m, "", 0, "");
    expect(m, "cab", 3, "cAb");
    expect(m, "a\u0301b", 4, "Ab");                               // "a" stands for the whole cluster
    expect(m, "a\u0301\u0301\u0301b", 8, "A\u0301\u0301\u0301b"); // which is too long here
    ebm_charsmap_free(m);
    b.units[0x100 ^ 'a'] &= ~0x100u; // no longer a key
    assert_ok(ebm_charsmap_create(&b, sizeof b, "here", &m));
    expect(m, "a\u0301b", 4, "a\u0301b");
    expect(m, "ab", 2, "ab"); // two clusters
    ebm_charsmap_free(m);
}

static void refuse(const blob *b, size_t bytes, const char *part)
{
    ebm_charsmap *m = NULL;
    assert_fails(ebm_charsmap_create(b, bytes, "tokenizer.json", &m), EBM_ERROR_INPUT, part);
    assert_fails(ebm_charsmap_create(b, bytes, "tokenizer.json", &m), EBM_ERROR_INPUT, "tokenizer.json: precompiled_");
    assert_null(m);
}

static void refuses_broken_sizes(void **state)
{
    blob b = make_blob();
    refuse(&b, 0, "0 bytes");
    refuse(&b, 3, "3 bytes");
    refuse(&b, 4 + 4 * UNITS - 1, "expected a multiple of 1024 within it");
    for (uint32_t bytes = 0; bytes < 4 * UNITS; bytes += bytes < 1020 ? 4 : 1020) {
        b.trie_bytes = bytes;
        if (bytes % 1024 != 0 || bytes == 0) refuse(&b, sizeof b, "expected a multiple of 1024 within it");
    }
    b.trie_bytes = 0xFFFFFC00;
    refuse(&b, sizeof b, "expected a multiple of 1024 within it");
}

static void refuses_broken_indices(void **state)
{
    blob b = make_blob();
    b.units[0] = 0x400 << 10;
    refuse(&b, sizeof b, "the trie leads to unit 1024 of 1024");
    b = make_blob();
    b.units[0x100 ^ 'a'] = 0x1FFFFFu << 10 | 0x200 | 'a'; // times 256
    refuse(&b, sizeof b, "of 1024");
    b = make_blob();
    b.units[0x300] = 0xFFFFFFFF;
    refuse(&b, sizeof b, "leads to byte 2147483647 of 8 bytes of strings");
    b.units[0x300] = 0x80000003;
    refuse(&b, sizeof b, "in the middle of a character");
    b = make_blob();
    b.strings[1] = (char)0xC3;
    b.strings[2] = 'x';
    refuse(&b, sizeof b, "not UTF-8 at byte 1");
}

static void walks_rings(void **state)
{
    blob b = make_blob();
    ebm_charsmap *m = NULL;
    b.units[0x100 ^ 'a'] = ((0x100 ^ 'a') ^ 0x100) << 10 | 'a'; // "a" leads to where it came from
    assert_ok(ebm_charsmap_create(&b, sizeof b, "here", &m));
    expect(m, "aaaaaa", 6, "aaaaaa");
    ebm_charsmap_free(m);
    memset(b.units, 0xFF, sizeof b.units);
    b.units[0] = 0;
    assert_ok(ebm_charsmap_create(&b, sizeof b - sizeof b.strings, "here", &m)); // a trie without children or strings
    expect(m, "aaa\u00E9\r\n", 7, "aaa\u00E9\r\n");
    ebm_charsmap_free(m);
    ebm_charsmap_free(NULL);
}

// Any blob is refused or works: what it says about some text is of no interest.
static void survives_random_blobs(void **state)
{
    blob b = make_blob();
    uint64_t seed = 1;
    ebm_bytes out = {0};
    size_t accepted = 0;
    for (int i = 0; i < 20000; i++) {
        ebm_charsmap *m = NULL;
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        const uint32_t value = (uint32_t)(seed >> 32) >> (seed >> 27 & 31), at = (uint32_t)(seed >> 16) % UNITS;
        const uint32_t old = b.units[at];
        b.units[at] = (value & 0xFFFFFF00) | ((seed & 3) ? at & 0xFF : value & 0xFF);
        out.size = 0;
        if (ebm_charsmap_create(&b, sizeof b, "here", &m).code == EBM_OK) {
            accepted++;
            assert_true(ebm_charsmap_apply(m, "abacadabra\r\n\u00E9a\u0301\u3042", 21, &out));
            assert_true(ebm_utf8_valid(out.bytes, out.size, NULL));
        } else {
            b.units[at] = old;
        }
        ebm_charsmap_free(m);
    }
    assert_in_range(accepted, 1000, 19999);
    ebm_bytes_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_library),   cmocka_unit_test(takes_the_shortest_key_of_a_cluster),
        cmocka_unit_test(refuses_broken_sizes), cmocka_unit_test(refuses_broken_indices),
        cmocka_unit_test(walks_rings),          cmocka_unit_test(survives_random_blobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
