// Temperature: the fit against scipy, its degenerate cases, its file.
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "calibration.h"
#include "predictions.h"

static void the_fit_equals_the_oracle(void **state)
{
    json_t *root = load_fixture(), *one;
    size_t c;
    json_array_foreach(json_object_get(root, "cases"), c, one)
    {
        const json_t *expected = json_object_get(one, "fit");
        test_predictions p = fixture_predictions(one);
        ebm_temperature fit;
        assert_ok(ebm_temperature_fit(&p.rows, &fit));
        assert_int_equal(fit.bound, EBM_BOUND_NONE);
        assert_int_equal(fit.examples, p.rows.count);
        // The oracle compares values: near the minimum it cannot tell points closer than about sqrt(2^-52) = 1.5e-8 of
        // T.
        check_close("temperature", fit.temperature / number_at(expected, "temperature"), 1, 1e-6);
        check_close("nll_before", fit.nll_before, number_at(expected, "nll_before"), 1e-12);
        check_close("nll_after", fit.nll_after, number_at(expected, "nll_after"), 1e-12);
        free_predictions(&p);
    }
    json_decref(root);
}

// Labels drawn at temperature T: its estimate has deviation 1 / sqrt(n curvature) in ln T, at n = 20,000 below 0.02.
static void a_known_temperature_is_found(void **state)
{
    const double truths[] = {0.2, 1, 3};
    for (size_t i = 0; i < 3; i++) {
        test_predictions p = random_predictions(20000, 3, 2 * truths[i], truths[i], 3 + i);
        ebm_temperature fit;
        assert_ok(ebm_temperature_fit(&p.rows, &fit));
        check_close("ln T", log(fit.temperature / truths[i]), 0, 0.08);
        assert_true(fit.nll_after <= fit.nll_before);
        double value[EBM_METRICS];
        assert_ok(ebm_metrics(&p.rows, fit.temperature, 20, value));
        check_close("nll_after", fit.nll_after, value[EBM_NLL], 1e-12);
        free_predictions(&p);
    }
}

// T is in units of the logits, and a common level of a row's logits does not matter.
static void the_fit_follows_scale_and_not_level(void **state)
{
    test_predictions p = random_predictions(500, 3, 2, 1.5, 9);
    ebm_temperature fit, scaled, lifted;
    assert_ok(ebm_temperature_fit(&p.rows, &fit));
    for (size_t i = 0; i < 1500; i++) p.logits[i] *= 8; // exact
    assert_ok(ebm_temperature_fit(&p.rows, &scaled));
    check_close("scaled", scaled.temperature / fit.temperature, 8, 1e-7);
    for (size_t i = 0; i < 1500; i++) p.logits[i] = p.logits[i] / 8 + 1024; // rounds to 2^-13
    assert_ok(ebm_temperature_fit(&p.rows, &lifted));
    check_close("lifted", lifted.temperature / fit.temperature, 1, 1e-3);
    free_predictions(&p);
}

static void degenerate_cases_end_in_a_result(void **state)
{
    const float right[] = {2, 0, 0, 1, 3, 1}, wrong[] = {0, 2, 1, 0, 1, 3}, flat[] = {1, 1, -4, -4, 0, 0};
    const int32_t label[] = {0, 1, 0};
    ebm_temperature fit;
    char note[200];
    assert_ok(ebm_temperature_fit(&(ebm_predictions){3, 2, right, label, NULL}, &fit));
    assert_true(fit.bound == EBM_BOUND_LOWEST && fit.temperature == EBM_TEMPERATURE_LOWEST);
    ebm_temperature_note(&fit, note, sizeof note);
    assert_non_null(strstr(note, "lowest value"));
    assert_non_null(strstr(note, "; fitted on 3 examples only"));
    ebm_temperature_note(&fit, note, 10);
    assert_int_equal(strlen(note), 9);

    assert_ok(ebm_temperature_fit(&(ebm_predictions){3, 2, wrong, label, NULL}, &fit));
    assert_true(fit.bound == EBM_BOUND_HIGHEST && fit.temperature == EBM_TEMPERATURE_HIGHEST);
    assert_true(fit.nll_after < fit.nll_before);

    assert_ok(ebm_temperature_fit(&(ebm_predictions){3, 2, flat, label, NULL}, &fit));
    assert_true(fit.bound == EBM_BOUND_FLAT && fit.temperature == 1);
    check_close("nll", fit.nll_after, log(2), 1e-15);

    const int32_t zero[] = {0, 0, 0}; // one label only, one of three wrong: p = softmax(b f) with f = 2, -1, 2
    assert_ok(ebm_temperature_fit(&(ebm_predictions){3, 2, right, zero, NULL}, &fit));
    const double b = 1 / fit.temperature; // derivative of sum ln(1 + e^{-b d}), d = 2, -1, 2
    assert_int_equal(fit.bound, EBM_BOUND_NONE);
    check_close("slope", -2 * 2 / (1 + exp(2 * b)) + 1 / (1 + exp(-b)), 0, 1e-8);

    assert_ok(ebm_temperature_fit(&(ebm_predictions){1, 2, right, label, NULL}, &fit));
    assert_int_equal(fit.bound, EBM_BOUND_LOWEST);
    fit = (ebm_temperature){.temperature = 2, .examples = 100};
    ebm_temperature_note(&fit, note, sizeof note);
    assert_string_equal(note, "");
    assert_fails(ebm_temperature_fit(&(ebm_predictions){0, 2, right, label, NULL}, &fit), EBM_ERROR_INPUT,
                 "found none");
}

static void huge_and_mixed_logits_end_too(void **state)
{
    const float logits[] = {1e30f, -1e30f, 1e30f, -1e30f, 1e-30f, 0, 0, 5};
    const int32_t label[] = {0, 1, 0, 1};
    ebm_temperature fit;
    assert_ok(ebm_temperature_fit(&(ebm_predictions){4, 2, logits, label, NULL}, &fit));
    assert_int_equal(fit.bound, EBM_BOUND_HIGHEST); // the second row weighs 2e30: as flat as is allowed
    assert_true(isfinite(fit.nll_after) && fit.nll_after < fit.nll_before);
}

static char *scratch_directory(void)
{
    static char path[] = "ebm_calibration_XXXXXX";
    strcpy(path + sizeof path - 7, "XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void write_text(const char *directory, const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "%s/calibration.json", directory);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void remove_scratch(const char *directory)
{
    char path[100];
    snprintf(path, sizeof path, "%s/calibration.json", directory);
    remove(path);
    assert_int_equal(rmdir(directory), 0); // nothing else was left behind
}

static void the_file_gives_back_what_was_saved(void **state)
{
    const char *directory = scratch_directory();
    ebm_temperature fit = {1.0 / 3, 0.71234567890123456, 0.6, 521, EBM_BOUND_NONE, "dev.tsv, first-half \"\xC3\xBC\"",
                           0};
    ebm_temperature back;
    assert_ok(ebm_temperature_save(directory, &fit));
    fit.temperature = EBM_TEMPERATURE_HIGHEST; // replaces the first
    fit.bound = EBM_BOUND_HIGHEST;
    assert_ok(ebm_temperature_save(directory, &fit));
    assert_ok(ebm_temperature_load(directory, &back));
    assert_true(back.temperature == fit.temperature && back.nll_before == fit.nll_before);
    assert_true(back.nll_after == fit.nll_after && back.examples == fit.examples && back.bound == fit.bound);
    assert_string_equal(back.fitted_on, fit.fitted_on);

    for (size_t shift = 0; shift < 3; shift++) { // a character of three bytes cut at each place
        memset(fit.fitted_on, 'a', shift);
        for (size_t i = shift; i < sizeof fit.fitted_on; i++) fit.fitted_on[i] = "\xE2\x82\xAC"[(i - shift) % 3];
        fit.fitted_on[sizeof fit.fitted_on - 1] = 0;
        assert_ok(ebm_temperature_save(directory, &fit));
        assert_ok(ebm_temperature_load(directory, &back));
        assert_int_equal((strlen(back.fitted_on) - shift) % 3, 0);
        assert_in_range(strlen(back.fitted_on), 253, 255);
    }
    remove_scratch(directory);
}

static void nothing_bad_is_saved(void **state)
{
    const char *directory = scratch_directory();
    ebm_temperature fit = {1, 0.5, 0.5, 10, EBM_BOUND_NONE, "\xFF\xFF\xFF\xFF\xFF", 0};
    assert_fails(ebm_temperature_save(directory, &fit), EBM_ERROR_INPUT, "not UTF-8");
    strcpy(fit.fitted_on, "dev.tsv");
    fit.nll_after = (double)NAN;
    assert_fails(ebm_temperature_save(directory, &fit), EBM_ERROR_INPUT, "not finite");
    fit.nll_after = 0.5;
    fit.temperature = 0;
    assert_fails(ebm_temperature_save(directory, &fit), EBM_ERROR_INPUT, "temperature");
    fit.temperature = 1;
    remove_scratch(directory);
    const ebm_status status = ebm_temperature_save(directory, &fit); // it is gone now
    assert_int_not_equal(status.code, EBM_OK);
    assert_non_null(strstr(status.message, "calibration.json"));
}

static void bad_files_are_named(void **state)
{
    const char *directory = scratch_directory();
    ebm_temperature fit;
    assert_fails(ebm_temperature_load(directory, &fit), EBM_ERROR_INPUT, "calibration.json");
    const struct {
        const char *text, *part;
    } bad[] = {
        {"", "not JSON"},
        {"{\"temperature\": 1.5", "not JSON"},
        {"[1.5]", "a number expected at \"temperature\""},
        {"{}", "a number expected at \"temperature\""},
        {"{\"temperature\": \"1.5\"}", "a number expected at \"temperature\""},
        {"{\"temperature\": -1}", "temperature: a number from 1e-6 to 1e6 expected, found -1"},
        {"{\"temperature\": 1e999}", "not JSON"},
        {"{\"temperature\": 1, \"temperature\": 2}", "not JSON"},
        {"{\"temperature\": 1, \"nll_before\": 1}", "\"nll_after\""},
        {"{\"temperature\": 1, \"nll_before\": 1, \"nll_after\": 1, \"examples\": -3}", "a count expected"},
        {"{\"temperature\": 1, \"fitted_on\": \"\xFF\"}", "not JSON"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_text(directory, bad[i].text);
        assert_fails(ebm_temperature_load(directory, &fit), EBM_ERROR_INPUT, bad[i].part);
    }
    write_text(directory, "{\"temperature\": 2, \"nll_before\": 1, \"nll_after\": 1, \"examples\": 7}");
    assert_ok(ebm_temperature_load(directory, &fit)); // fitted_on is for people
    assert_true(fit.temperature == 2 && fit.examples == 7 && !*fit.fitted_on);
    remove_scratch(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fit_equals_the_oracle),
        cmocka_unit_test(a_known_temperature_is_found),
        cmocka_unit_test(the_fit_follows_scale_and_not_level),
        cmocka_unit_test(degenerate_cases_end_in_a_result),
        cmocka_unit_test(huge_and_mixed_logits_end_too),
        cmocka_unit_test(the_file_gives_back_what_was_saved),
        cmocka_unit_test(nothing_bad_is_saved),
        cmocka_unit_test(bad_files_are_named),
    };
    return cmocka_run_group_tests_name("calibration", tests, NULL, NULL);
}
