// Calibrators in calibration.json: what is saved comes back to the bit, older files are read, broken ones are named.
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "calibrator.h"
#include "file.h"
#include "predictions.h"

static char directory[] = "ebm_calibrator_XXXXXX";

static int make_directory(void **state) { return mkdtemp(directory) ? 0 : -1; }
static int remove_directory(void **state) { return ebm_directory_remove(directory).code == EBM_OK ? 0 : -1; }

static void put(const char *text)
{
    char path[100];
    snprintf(path, sizeof path, "%s/calibration.json", directory);
    assert_ok(ebm_file_write(path, text, strlen(text)));
}

static void assert_same(const ebm_calibrator *a, const ebm_calibrator *b, const ebm_predictions *rows)
{
    double *p = NULL, *q = NULL;
    assert_ok(ebm_calibrator_probabilities(a, rows, &p));
    assert_ok(ebm_calibrator_probabilities(b, rows, &q));
    assert_memory_equal(p, q, rows->count * (size_t)rows->labels * sizeof *p);
    free(p);
    free(q);
}

static void every_kind_comes_back(void **state)
{
    for (int labels = 2; labels <= 4; labels++) {
        test_predictions p = random_predictions(90, labels, 3, 2, (uint64_t)labels);
        const ebm_calibrator_options o = ebm_calibrator_defaults();
        for (int k = 0; k < 2 * EBM_CALIBRATORS; k++) { // as it is, and folded
            ebm_calibrator *c = NULL, *back = NULL;
            assert_ok(ebm_calibrator_fit(&p.rows, (ebm_calibrator_kind)(k / 2), &o, &c));
            ebm_calibrator_set_fitted_on(c, "dev.tsv, first-half \"\xC3\xBC\"");
            if (k % 2) ebm_calibrator_set_folded(c);
            assert_ok(ebm_calibrator_save(directory, c));
            assert_ok(ebm_calibrator_load(directory, &back));
            const ebm_calibrator_facts *f = ebm_calibrator_facts_of(c), *g = ebm_calibrator_facts_of(back);
            assert_true(f->kind == g->kind && f->examples == g->examples && f->folded == g->folded);
            assert_true(f->nll_before == g->nll_before && f->nll_after == g->nll_after);
            assert_true(f->absent == g->absent && f->regularization == g->regularization);
            assert_string_equal(f->fitted_on, g->fitted_on);
            assert_same(c, back, &p.rows);
            ebm_calibrator_free(c);
            ebm_calibrator_free(back);
        }
        free_predictions(&p);
    }
}

// What is in the weights changes nothing any more.
static void a_folded_one_leaves_the_logits(void **state)
{
    test_predictions p = random_predictions(90, 3, 3, 2, 7);
    const ebm_calibrator_options o = ebm_calibrator_defaults();
    for (int k = 0; k < EBM_CALIBRATORS; k++) {
        if (!ebm_calibrator_is_affine((ebm_calibrator_kind)k)) continue;
        ebm_calibrator *c = NULL;
        float *logits = NULL;
        assert_ok(ebm_calibrator_fit(&p.rows, (ebm_calibrator_kind)k, &o, &c));
        ebm_calibrator_set_folded(c);
        assert_ok(ebm_calibrator_logits(c, &p.rows, &logits));
        assert_memory_equal(logits, p.logits, 270 * sizeof *logits);
        free(logits);
        ebm_calibrator_free(c);
    }
    free_predictions(&p);
}

static void temperatures_are_read_by_both(void **state)
{
    const ebm_temperature saved = {1.75, 0.7, 0.6, 521, EBM_BOUND_NONE, "dev.tsv", 0};
    ebm_temperature back;
    ebm_calibrator *c = NULL;
    assert_ok(ebm_temperature_save(directory, &saved));
    assert_ok(ebm_calibrator_load(directory, &c));
    assert_int_equal(ebm_calibrator_facts_of(c)->kind, EBM_CALIBRATOR_TEMPERATURE);
    assert_true(ebm_calibrator_temperature(c)->temperature == 1.75);
    assert_string_equal(ebm_calibrator_facts_of(c)->fitted_on, "dev.tsv");
    ebm_calibrator_free(c);
    put("{\"method\": \"temperature-ece\", \"temperature\": 2, \"nll_before\": 1, \"nll_after\": 1, \"examples\": 7}");
    assert_ok(ebm_temperature_load(directory, &back));
    assert_true(back.temperature == 2);
    assert_ok(ebm_calibrator_load(directory, &c));
    assert_int_equal(ebm_calibrator_facts_of(c)->kind, EBM_CALIBRATOR_TEMPERATURE_ECE);
    ebm_calibrator_free(c);
    put("{\"method\": \"platt\", \"labels\": 2}");
    assert_fails(ebm_temperature_load(directory, &back), EBM_ERROR_INPUT,
                 "a temperature expected, found method \"platt\"");
}

#define FACTS "\"examples\": 9, \"absent\": 0, \"nll_before\": 1, \"nll_after\": 1, \"regularization\": 0, "
#define OF(method, labels, parts) "{\"method\": \"" method "\", \"labels\": " labels ", " FACTS "\"parts\": " parts "}"

static void broken_files_are_named(void **state)
{
    static const struct {
        const char *text, *part;
    } bad[] = {
        {"", "not JSON"},
        {"{\"method\": 3}", "a name expected at \"method\""},
        {"{\"method\": \"magic\"}", "\"method\": calibrator: temperature, temperature-ece, vector"},
        {"{\"method\": \"temperature-ece\"}", "a number expected at \"temperature\""},
        {"{\"method\": \"platt\"}", "a number expected at \"labels\""},
        {"{\"method\": \"platt\", \"labels\": 1}", "2 to 1000 expected at \"labels\", found 1"},
        {"{\"method\": \"platt\", \"labels\": 2}", "a number expected at \"examples\""},
        {OF("platt", "2", "3"), "a list of 1 expected at \"parts\""},
        {OF("platt", "3", "[{}]"), "a list of 3 expected at \"parts\""},
        {OF("platt", "2", "[{}]"), "a list of numbers expected at \"slope\""},
        {OF("platt", "2", "[{\"slope\": [1], \"offset\": [null]}]"), "\"offset\": a number expected at place 0"},
        {OF("platt", "2", "[{\"slope\": [1, 2], \"offset\": [0]}]"), "place 0: platt: one slope and one offset"},
        {OF("vector", "3", "[{\"scale\": [1, 2], \"bias\": [0, 0, 0]}]"), "vector: a scale and a bias"},
        {OF("matrix", "2", "[{\"weight\": [1, 2], \"bias\": [0, 0]}]"), "matrix: a row of weights"},
        {OF("beta", "2", "[{\"a\": [-1], \"b\": [1], \"c\": [0]}]"), "beta: one a, b and c each"},
        {OF("isotonic", "2", "[{\"p\": [], \"value\": []}]"), "isotonic: as many ascending"},
        {OF("isotonic", "2", "[{\"p\": [0.5, 0.5], \"value\": [0, 1]}]"), "isotonic: as many ascending"},
        {OF("isotonic", "2", "[{\"p\": [0.4, 0.5], \"value\": [1, 0]}]"), "isotonic: as many ascending"},
        {OF("isotonic", "2", "[{\"p\": [0.4, 0.5], \"value\": [0, 1.5]}]"), "isotonic: as many ascending"},
        {OF("histogram", "2", "[{\"edge\": [0.4], \"value\": [1]}]"), "histogram: ascending edges"},
        {OF("histogram", "2", "[{\"edge\": [0.4, 0.4], \"value\": [1, 1, 1]}]"), "histogram: ascending edges"},
        {OF("histogram", "2", "[{\"edge\": [], \"value\": [-1]}]"), "histogram: ascending edges"},
        {OF("scaling-binning", "2", "[{\"slope\": [], \"offset\": [0], \"edge\": [], \"value\": [1]}]"),
         "one slope and one offset"},
        {OF("scaling-binning", "2", "[{\"slope\": [1], \"offset\": [0], \"edge\": [], \"value\": []}]"),
         "scaling-binning: ascending edges"},
        {OF("ensemble-temperature", "2", "[{\"temperature\": [1], \"weight\": [1, 1, -1]}]"), "three weights"},
        {OF("ensemble-temperature", "2", "[{\"temperature\": [0], \"weight\": [1, 0, 0]}]"), "three weights"},
        {OF("ensemble-temperature", "2", "[{\"temperature\": [1], \"weight\": [1, 0]}]"), "three weights"},
    };
    ebm_calibrator *c = NULL;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        put(bad[i].text);
        const ebm_status status = ebm_calibrator_load(directory, &c);
        if (status.code != EBM_ERROR_INPUT || !strstr(status.message, bad[i].part) ||
            !strstr(status.message, "/calibration.json:"))
            fail_msg("%s: expected \"%s\", got \"%s\"", bad[i].text, bad[i].part, status.message);
        assert_null(c);
    }
    put(OF("histogram", "2", "[{\"edge\": [], \"value\": [0.25]}]")); // one bin is fine
    assert_ok(ebm_calibrator_load(directory, &c));
    ebm_calibrator_free(c);
}

static void what_cannot_be_written_is_not(void **state)
{
    test_predictions p = random_predictions(20, 2, 1, 1, 3);
    const ebm_calibrator_options o = ebm_calibrator_defaults();
    ebm_calibrator *c = NULL;
    assert_ok(ebm_calibrator_fit(&p.rows, EBM_CALIBRATOR_BETA, &o, &c));
    assert_int_not_equal(ebm_calibrator_save("nowhere", c).code, EBM_OK);
    ebm_calibrator_set_fitted_on(c, "\xFF\xFF\xFF\xFF\xFF");
    assert_fails(ebm_calibrator_save(directory, c), EBM_ERROR_INPUT, "not UTF-8");
    ebm_calibrator_free(c);
    free_predictions(&p);
    assert_int_not_equal(ebm_calibrator_load("nowhere", &c).code, EBM_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_comes_back),         cmocka_unit_test(a_folded_one_leaves_the_logits),
        cmocka_unit_test(temperatures_are_read_by_both), cmocka_unit_test(broken_files_are_named),
        cmocka_unit_test(what_cannot_be_written_is_not),
    };
    return cmocka_run_group_tests_name("calibrator files", tests, make_directory, remove_directory);
}
