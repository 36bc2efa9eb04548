// Normal forms against the tokenizers library (tests/fixtures/make_unigram_fixtures.py).
#include "check.h"

#include "normal_form.h"
#include "sweep.h"

static bool apply(const void *form, const char *text, size_t bytes, ebm_bytes *out)
{
    return ebm_normal_form_apply(*(const ebm_normal_form *)form, text, bytes, out);
}

static void equals_the_library(void **state)
{
    static const char *const names[] = {[EBM_NFC] = "NFC", [EBM_NFD] = "NFD", [EBM_NFKC] = "NFKC", [EBM_NFKD] = "NFKD"};
    json_t *fixture = sweep_read("unigram/normalizers.json");
    for (ebm_normal_form form = EBM_NFC; form <= EBM_NFKD; form++)
        sweep_compare(fixture, "around_forms", json_object_get(json_object_get(fixture, "forms"), names[form]), apply,
                      &form);
    json_decref(fixture);
}

static void expect(ebm_normal_form form, const char *text, const char *expected)
{
    ebm_bytes out = {0};
    assert_true(ebm_bytes_append(&out, "<", 1));
    assert_true(ebm_normal_form_apply(form, text, strlen(text), &out));
    assert_true(ebm_bytes_append(&out, "", 1));
    assert_string_equal(out.bytes + 1, expected);
    assert_int_equal(out.bytes[0], '<');
    ebm_bytes_free(&out);
}

static void normalizes_what_the_standard_shows(void **state) // UAX 15, figures 3 to 6
{
    for (ebm_normal_form form = EBM_NFC; form <= EBM_NFKD; form++) {
        expect(form, "", "");
        expect(form, "plain ASCII", "plain ASCII");
        expect(form, "\u212B", form == EBM_NFC || form == EBM_NFKC ? "\u00C5" : "A\u030A");
    }
    expect(EBM_NFC, "D\u0307\u0323", "\u1E0C\u0307");
    expect(EBM_NFD, "\u1E0B\u0323", "d\u0323\u0307");
    expect(EBM_NFC, "\uFB01 2\u2075", "\uFB01 2\u2075");
    expect(EBM_NFKC, "\uFB01 2\u2075 \u1E9B\u0323", "fi 25 \u1E69");
    expect(EBM_NFKD, "\u1E9B\u0323", "s\u0323\u0307");
    expect(EBM_NFC, "\u01D3\u031B", "\u01AF\u030C"); // the horn goes between the parts of a letter that was composed
    expect(EBM_NFC, "\u1100\u1161\u11A8\u1161", "\uAC01\u1161");
}

// A megabyte, slowest when each mark looks at all before it.
static void is_linear_in_marks(void **state)
{
    static const char *const parts[] = {"\u0301", "\u0345\u0323\u0334", "\u1161\u11A8", "\u09BE"};
    ebm_bytes text = {0}, out = {0};
    for (size_t p = 0; p < sizeof parts / sizeof *parts; p++) {
        for (text.size = 0; text.size < 1 << 20;) assert_true(ebm_bytes_append(&text, parts[p], strlen(parts[p])));
        for (ebm_normal_form form = EBM_NFC; form <= EBM_NFKD; form++) {
            out.size = 0;
            assert_true(ebm_normal_form_apply(form, text.bytes, text.size, &out));
            assert_int_equal(out.size, text.size);
        }
    }
    ebm_bytes_free(&text);
    ebm_bytes_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equals_the_library),
        cmocka_unit_test(normalizes_what_the_standard_shows),
        cmocka_unit_test(is_linear_in_marks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
