// Calibrators: their fits against the oracles of fixtures/make_calibrator_fixtures.py, degenerate cases, what is
// refused.
#include <stdbool.h>
#include <stdio.h>

#include "calibrator.h"
#include "calibrator_internal.h"
#include "predictions.h"

static ebm_calibrator *fitted(const ebm_predictions *rows, ebm_calibrator_kind kind,
                              const ebm_calibrator_options *options)
{
    ebm_calibrator *c = NULL;
    const ebm_status status = ebm_calibrator_fit(rows, kind, options, &c);
    if (status.code != EBM_OK) fail_msg("%s: %s", ebm_calibrator_name(kind), status.message);
    return c;
}

static double *probabilities(const ebm_calibrator *c, const ebm_predictions *rows)
{
    double *p = NULL;
    assert_ok(ebm_calibrator_probabilities(c, rows, &p));
    return p;
}

// --- against the oracles ---------------------------------------------------------------------------------------------

// "matrix 0.01" is matrix with that regularization; a name alone is the default.
static void read_method(const char *text, ebm_calibrator_kind *kind, ebm_calibrator_options *options)
{
    char name[40] = "";
    *options = ebm_calibrator_defaults();
    sscanf(text, "%39s %lf", name, &options->regularization);
    assert_ok(ebm_calibrator_by_name(name, kind));
}

static void check_method(const json_t *one, const char *method, const json_t *expected)
{
    test_predictions p = fixture_predictions(one);
    const json_t *new = json_object_get(one, "new"), *values = json_object_get(expected, "p");
    float logits[100];
    ebm_calibrator_kind kind;
    ebm_calibrator_options options;
    read_method(method, &kind, &options);
    assert_in_range(json_array_size(new), 1, 100);
    for (size_t i = 0; i < json_array_size(new); i++) logits[i] = (float)json_number_value(json_array_get(new, i));
    const ebm_predictions rows = {json_array_size(new) / (size_t)p.rows.labels, p.rows.labels, logits, NULL, NULL};
    ebm_calibrator *c = fitted(&p.rows, kind, &options);
    double *found = probabilities(c, &rows);
    assert_int_equal(json_array_size(values), json_array_size(new));
    for (size_t i = 0; i < json_array_size(values); i++) {
        const double want = json_number_value(json_array_get(values, i));
        if (!(fabs(found[i] - want) <= 1e-6))
            fail_msg("%s, %s: value %zu: expected %.10g, found %.10g", json_string_value(json_object_get(one, "name")),
                     method, i, want, found[i]);
    }
    if (json_object_get(expected, "regularization"))
        assert_true(ebm_calibrator_facts_of(c)->regularization == number_at(expected, "regularization"));
    if (json_object_get(expected, "nll"))
        check_close("nll", ebm_calibrator_facts_of(c)->nll_after, number_at(expected, "nll"), 1e-9);
    free(found);
    ebm_calibrator_free(c);
    free_predictions(&p);
}

static void fits_equal_the_oracles(void **state)
{
    json_error_t error;
    json_t *root = json_load_file(FIXTURES "/calibrators.json", 0, &error), *one, *expected;
    if (!root) fail_msg("%s:%d: %s", error.source, error.line, error.text);
    size_t i, methods = 0;
    const char *method;
    json_array_foreach(json_object_get(root, "cases"), i, one)
    {
        json_object_foreach(json_object_get(one, "expected"), method, expected)
        {
            check_method(one, method, expected);
            methods++;
        }
    }
    assert_int_equal(methods, 5 * 12);
    json_decref(root);
}

// --- properties ------------------------------------------------------------------------------------------------------

static void assert_distributions(const char *name, const double *p, size_t count, int labels)
{
    for (size_t i = 0; i < count; i++) {
        double sum = 0;
        for (int y = 0; y < labels; y++) {
            const double v = p[i * (size_t)labels + (size_t)y];
            if (!(v >= 0 && v <= 1)) fail_msg("%s: row %zu, label %d: %g", name, i, y, v);
            sum += v;
        }
        if (!(fabs(sum - 1) <= 1e-12)) fail_msg("%s: row %zu: a sum of %.17g", name, i, sum);
    }
}

// Every one of these contains the identity, up to a pull of 1e-6.
static void a_fit_does_not_raise_its_own_nll(void **state)
{
    const ebm_calibrator_kind kinds[] = {EBM_CALIBRATOR_TEMPERATURE, EBM_CALIBRATOR_VECTOR, EBM_CALIBRATOR_MATRIX,
                                         EBM_CALIBRATOR_ENSEMBLE};
    for (int labels = 2; labels <= 5; labels++) {
        test_predictions p = random_predictions(300, labels, 3, 2, (uint64_t)labels);
        for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
            ebm_calibrator_options o = ebm_calibrator_defaults();
            o.regularization = 0;
            ebm_calibrator *c = fitted(&p.rows, kinds[k], &o);
            const ebm_calibrator_facts *f = ebm_calibrator_facts_of(c);
            assert_true(f->nll_after < f->nll_before);
            assert_true(f->labels == labels && f->examples == 300 && f->absent == 0 && f->kind == kinds[k]);
            ebm_calibrator_free(c);
        }
        free_predictions(&p);
    }
}

// The weights of the mixture cannot do worse than the temperature alone, and it keeps every row's order.
static void the_ensemble_keeps_the_order(void **state)
{
    test_predictions p = random_predictions(400, 4, 4, 3, 8);
    const ebm_calibrator_options o = ebm_calibrator_defaults();
    ebm_calibrator *tempered = fitted(&p.rows, EBM_CALIBRATOR_TEMPERATURE, &o),
                   *mixed = fitted(&p.rows, EBM_CALIBRATOR_ENSEMBLE, &o);
    double *q = probabilities(mixed, &p.rows);
    assert_true(ebm_calibrator_facts_of(mixed)->nll_after <= ebm_calibrator_facts_of(tempered)->nll_after + 1e-12);
    for (size_t i = 0; i < 400; i++)
        for (size_t a = 0; a < 4; a++)
            for (size_t b = 0; b < 4; b++)
                if (p.logits[4 * i + a] > p.logits[4 * i + b]) assert_true(q[4 * i + a] >= q[4 * i + b]);
    free(q);
    ebm_calibrator_free(tempered);
    ebm_calibrator_free(mixed);
    free_predictions(&p);
}

// softmax of the calibrated logits is the calibrated probability, for every kind; the affine ones are that function.
static void calibrated_logits_say_the_same(void **state)
{
    test_predictions p = random_predictions(150, 3, 2, 1.5, 21);
    const ebm_calibrator_options o = ebm_calibrator_defaults();
    for (int k = 0; k < EBM_CALIBRATORS; k++) {
        ebm_calibrator *c = fitted(&p.rows, (ebm_calibrator_kind)k, &o);
        double *q = probabilities(c, &p.rows), *softmax = NULL, weight[9], bias[3];
        float *logits = NULL;
        assert_distributions(ebm_calibrator_name((ebm_calibrator_kind)k), q, 150, 3);
        assert_ok(ebm_calibrator_logits(c, &p.rows, &logits));
        const ebm_predictions calibrated = {150, 3, logits, p.label, NULL};
        assert_ok(ebm_probabilities_create(&calibrated, 1, &softmax));
        for (size_t i = 0; i < 450; i++)
            check_close(ebm_calibrator_name((ebm_calibrator_kind)k), softmax[i], q[i], 1e-6);
        if (ebm_calibrator_is_affine((ebm_calibrator_kind)k)) {
            assert_ok(ebm_calibrator_affine(c, 3, weight, bias));
            const float *z = p.logits + 3;
            for (size_t y = 0; y < 3; y++)
                check_close("affine", (double)logits[3 + y],
                            bias[y] + weight[3 * y] * (double)z[0] + weight[3 * y + 1] * (double)z[1] +
                                weight[3 * y + 2] * (double)z[2],
                            1e-5);
        } else {
            assert_fails(ebm_calibrator_affine(c, 3, weight, bias), EBM_ERROR_UNSUPPORTED, "not an affine function");
        }
        free(softmax);
        free(logits);
        free(q);
        ebm_calibrator_free(c);
    }
    free_predictions(&p);
}

static void log_odds_are_exact_at_both_ends(void **state)
{
    double s[3];
    ebm_log_odds((const float[]){50, 0}, 2, s);
    check_close("s1", s[1], -50, 1e-13);
    check_close("s0", s[0], 50, 0);
    ebm_log_odds((const float[]){0, 0, 0}, 3, s);
    for (int y = 0; y < 3; y++) check_close("flat", s[y], -log(2), 1e-15);
    ebm_log_odds((const float[]){100, 0, 0}, 3, s);
    check_close("top", s[0], 100 - log(2), 1e-13);
    check_close("low", s[1], -100, 1e-12);
    ebm_log_odds((const float[]){-3e38f, 3e38f}, 2, s);
    assert_true(isfinite(s[0]) && isfinite(s[1]) && s[0] < -1e38 && s[1] > 1e38);
}

static void equal_values_share_a_bin(void **state)
{
    double edge[EBM_BINS_MOST];
    const double plain[] = {0.1, 0.2, 0.3, 0.4, 0.5}, same[] = {0.5, 0.5, 0.5, 0.5},
                 most[] = {0.1, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.9};
    assert_int_equal(ebm_equal_mass_edges(plain, 5, 2, edge), 1); // three and two
    check_close("edge", edge[0], 0.35, 1e-15);
    assert_int_equal(ebm_bin_among(edge, 1, edge[0]), 0); // (a, b]
    assert_int_equal(ebm_equal_mass_edges(plain, 5, 10, edge), 4);
    assert_int_equal(ebm_equal_mass_edges(plain, 5, 1, edge), 0);
    assert_int_equal(ebm_equal_mass_edges(same, 4, 3, edge), 0);
    const size_t edges = ebm_equal_mass_edges(most, 8, 4, edge);
    for (size_t bin = 0; bin <= edges; bin++) { // none is empty
        size_t there = 0;
        for (size_t i = 0; i < 8; i++) there += ebm_bin_among(edge, edges, most[i]) == bin;
        assert_true(there > 0);
    }
    assert_int_equal(edges, 1);
}

// --- degenerate cases ------------------------------------------------------------------------------------------------

static void assert_defined(const char *what, const ebm_predictions *rows)
{
    const ebm_calibrator_options o = ebm_calibrator_defaults();
    const float far[] = {40, -40, 3, -40, 40, -3, 0, 0, 0, 1e4f, -1e4f, 0};
    char name[100], note[300];
    for (int k = 0; k < EBM_CALIBRATORS; k++) {
        snprintf(name, sizeof name, "%s, %s", what, ebm_calibrator_name((ebm_calibrator_kind)k));
        ebm_calibrator *c = fitted(rows, (ebm_calibrator_kind)k, &o);
        double *p = probabilities(c, rows);
        assert_distributions(name, p, rows->count, rows->labels);
        free(p);
        const ebm_predictions others = {12 / (size_t)rows->labels, rows->labels, far, NULL, NULL};
        p = probabilities(c, &others);
        assert_distributions(name, p, others.count, others.labels);
        free(p);
        const ebm_calibrator_facts *f = ebm_calibrator_facts_of(c);
        if (!(isfinite(f->nll_after) && f->nll_after >= 0)) fail_msg("%s: NLL %g", name, f->nll_after);
        ebm_calibrator_note(c, note, sizeof note);
        if (!strstr(note, "examples only")) fail_msg("%s: a note on few examples expected, found \"%s\"", name, note);
        if (f->absent && k > EBM_CALIBRATOR_TEMPERATURE && !strstr(note, "never occur")) fail_msg("%s: %s", name, note);
        ebm_calibrator_free(c);
    }
}

static void one_label_only(void **state)
{
    for (int labels = 2; labels <= 3; labels++) {
        test_predictions p = random_predictions(30, labels, 2, 1, 4);
        for (int y = 0; y < labels; y++) {
            for (int i = 0; i < 30; i++) p.label[i] = y;
            assert_defined("one label", &p.rows);
        }
        free_predictions(&p);
    }
}

static void perfectly_separated(void **state)
{
    for (int labels = 2; labels <= 4; labels++)
        for (int sign = -1; sign <= 1; sign += 2) { // all right, all wrong
            test_predictions p = random_predictions(60, labels, 1, 1, 5);
            for (size_t i = 0; i < 60; i++) {
                p.label[i] = (int32_t)(i % (size_t)labels);
                p.logits[i * (size_t)labels + i % (size_t)labels] += (float)(6 * sign);
            }
            assert_defined(sign > 0 ? "separated" : "all wrong", &p.rows);
            free_predictions(&p);
        }
}

static void few_and_flat(void **state)
{
    for (size_t count = 1; count <= 10; count += 3)
        for (int labels = 2; labels <= 3; labels++) {
            test_predictions p = random_predictions(count, labels, 1, 1, 6 + count);
            assert_defined("few", &p.rows);
            for (size_t i = 0; i < count * (size_t)labels; i++) p.logits[i] = 2;
            assert_defined("flat", &p.rows);
            for (size_t i = 0; i < count * (size_t)labels; i++) p.logits[i] = i % 2 ? 1e4f : -1e4f;
            assert_defined("the largest", &p.rows);
            free_predictions(&p);
        }
}

static void what_has_no_fit_is_refused(void **state)
{
    const ebm_calibrator_options o = ebm_calibrator_defaults();
    const float good[] = {1, 2, 3, 4}, nan[] = {1, 2, NAN, 4}, inf[] = {1, 2, 3, INFINITY}, huge[] = {1e30f, 2, 0, 4};
    const int32_t label[] = {0, 1}, bad[] = {0, 2};
    ebm_calibrator *c = NULL;
    for (int k = 0; k < EBM_CALIBRATORS; k++) {
        const ebm_calibrator_kind kind = (ebm_calibrator_kind)k;
        assert_fails(ebm_calibrator_fit(&(ebm_predictions){0, 2, good, label, NULL}, kind, &o, &c), EBM_ERROR_INPUT,
                     "at least one example");
        assert_fails(ebm_calibrator_fit(&(ebm_predictions){2, 2, nan, label, NULL}, kind, &o, &c), EBM_ERROR_NONFINITE,
                     "row 1: logit of label 0");
        assert_fails(ebm_calibrator_fit(&(ebm_predictions){2, 2, inf, label, NULL}, kind, &o, &c), EBM_ERROR_NONFINITE,
                     "row 1: logit of label 1 is inf");
        assert_fails(ebm_calibrator_fit(&(ebm_predictions){2, 2, good, bad, NULL}, kind, &o, &c), EBM_ERROR_INPUT,
                     "row 1: a label from 0 to 1");
        assert_fails(ebm_calibrator_fit(&(ebm_predictions){2, 2, good, NULL, NULL}, kind, &o, &c), EBM_ERROR_INPUT,
                     "labels expected");
        const ebm_predictions beyond = {2, 2, huge, label, NULL};
        if (ebm_calibrator_family_of(kind)->bounded) {
            assert_fails(ebm_calibrator_fit(&beyond, kind, &o, &c), EBM_ERROR_INPUT, "row 0: logits from -1e4 to 1e4");
        } else {
            c = fitted(&beyond, kind, &o);
            double *p = probabilities(c, &beyond);
            assert_distributions("huge", p, 2, 2);
            free(p);
            ebm_calibrator_free(c);
            c = NULL;
        }
        assert_null(c);
    }
    ebm_calibrator_options odd[] = {o, o, o, o};
    odd[0].bins = 0;
    odd[1].bins = EBM_BINS_MOST + 1;
    odd[2].ece_bins = -1;
    odd[3].regularization = (double)NAN;
    for (size_t i = 0; i < 4; i++)
        assert_fails(
            ebm_calibrator_fit(&(ebm_predictions){2, 2, good, label, NULL}, EBM_CALIBRATOR_HISTOGRAM, &odd[i], &c),
            EBM_ERROR_INPUT, "expected, found");
    ebm_calibrator_kind kind;
    assert_fails(ebm_calibrator_by_name("plat", &kind), EBM_ERROR_INPUT, "found \"plat\"");
}

static void other_logits_are_checked_too(void **state)
{
    test_predictions p = random_predictions(50, 3, 1, 1, 2);
    const ebm_calibrator_options o = ebm_calibrator_defaults();
    ebm_calibrator *c = fitted(&p.rows, EBM_CALIBRATOR_VECTOR, &o);
    const float nan[] = {1, NAN, 2};
    double *q = NULL, weight[4], bias[2];
    float *logits = NULL;
    assert_fails(ebm_calibrator_probabilities(c, &(ebm_predictions){1, 3, nan, NULL, NULL}, &q), EBM_ERROR_NONFINITE,
                 "row 0");
    assert_fails(ebm_calibrator_probabilities(c, &(ebm_predictions){1, 2, p.logits, NULL, NULL}, &q), EBM_ERROR_INPUT,
                 "fitted with 3 labels, the predictions have 2");
    assert_fails(ebm_calibrator_logits(c, &(ebm_predictions){0, 3, p.logits, NULL, NULL}, &logits), EBM_ERROR_INPUT,
                 "at least one example");
    assert_fails(ebm_calibrator_affine(c, 2, weight, bias), EBM_ERROR_INPUT, "fitted with 3 labels");
    ebm_calibrator_free(c);
    ebm_calibrator_free(NULL);
    free_predictions(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fits_equal_the_oracles),
        cmocka_unit_test(a_fit_does_not_raise_its_own_nll),
        cmocka_unit_test(the_ensemble_keeps_the_order),
        cmocka_unit_test(calibrated_logits_say_the_same),
        cmocka_unit_test(log_odds_are_exact_at_both_ends),
        cmocka_unit_test(equal_values_share_a_bin),
        cmocka_unit_test(one_label_only),
        cmocka_unit_test(perfectly_separated),
        cmocka_unit_test(few_and_flat),
        cmocka_unit_test(what_has_no_fit_is_refused),
        cmocka_unit_test(other_logits_are_checked_too),
    };
    return cmocka_run_group_tests_name("calibrator", tests, NULL, NULL);
}
