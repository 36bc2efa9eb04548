#include "check.h"

static void a_failure_carries_its_sentence(void **state)
{
    const ebm_status status = ebm_fail(EBM_ERROR_INPUT, "%s: line %d", "train.tsv", 7);
    assert_int_equal(status.code, EBM_ERROR_INPUT);
    assert_string_equal(status.message, "train.tsv: line 7");
    assert_string_equal(ebm_in(status, "dataset %s", "CoLA").message, "dataset CoLA: train.tsv: line 7");
    assert_int_equal(ebm_in(ebm_ok(), "unused").code, EBM_OK);
    assert_string_equal(ebm_in(ebm_ok(), "unused").message, "");
}

static void a_long_sentence_is_cut_between_characters(void **state)
{
    char text[1024];
    for (size_t shift = 0; shift < 3; shift++) { // the limit falls on each byte of a 3-byte character in turn
        memset(text, 'a', shift);
        for (size_t i = shift; i + 3 < sizeof text; i += 3) memcpy(text + i, "\xE2\x82\xAC", 4);
        const ebm_status status = ebm_fail(EBM_ERROR_IO, "%s", text);
        const size_t length = strlen(status.message);
        assert_true(length >= sizeof status.message - 4);
        assert_int_equal((length - shift) % 3, 0);
    }
}

static void a_sentence_is_utf8_whatever_it_quotes(void **state)
{
    assert_string_equal(ebm_fail(EBM_ERROR_INPUT, "\"%.4s\" there", "ab\u20AC").message, "\"ab?\" there");
    assert_string_equal(
        ebm_fail(EBM_ERROR_INPUT, "%s", "\xFF \xC3( \xED\xA0\x80 \x80\x80 \xF4\x90\x80\x80\xE2\x82").message,
        "? ?( ? ? ??");
    assert_string_equal(ebm_fail(EBM_ERROR_INPUT, "%s", "a\x1B[2J\x7F\x01 b\u00E9\U0001F600").message,
                        "a?[2J?? b\u00E9\U0001F600");
    assert_string_equal(ebm_in(ebm_fail(EBM_ERROR_INPUT, "x"), "%.1s", "\u00E9").message, "?: x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_carries_its_sentence),
        cmocka_unit_test(a_long_sentence_is_cut_between_characters),
        cmocka_unit_test(a_sentence_is_utf8_whatever_it_quotes),
    };
    return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
