// Agreement with several annotators: against scipy (tests/oracles), by hand, and by its properties.
#include "annotators_internal.h"
#include "suite_fixture.h"

#define EXACT 1e-12

static double *fixture_counts(const json_t *one, size_t cells)
{
    const json_t *list = json_object_get(one, "counts");
    double *counts = malloc(cells * sizeof *counts);
    assert_non_null(counts);
    assert_int_equal(json_array_size(list), cells);
    for (size_t i = 0; i < cells; i++) counts[i] = json_number_value(json_array_get(list, i));
    return counts;
}

static void agreement_equals_the_oracles(void **state)
{
    json_t *root = load_suite(), *one;
    size_t c;
    json_array_foreach(json_object_get(root, "cases"), c, one)
    {
        test_predictions p = fixture_predictions(one);
        double *counts = fixture_counts(one, p.rows.count * (size_t)p.rows.labels), value[EBM_AGREEMENTS];
        p.rows.label = NULL; // not read
        assert_ok(ebm_agreement_measure(&p.rows, 1, counts, value));
        for (int a = 0; a < EBM_AGREEMENTS; a++) {
            const char *name = ebm_agreement_name((ebm_agreement)a);
            check_close(name, value[a], number_at(json_object_get(one, "agreement"), name), EXACT);
        }
        free(counts);
        free_predictions(&p);
    }
    json_decref(root);
    assert_int_equal(c, 3);
}

static void a_model_that_says_what_people_say(void **state)
{
    const float logits[] = {0, logf(3), 0, 0, logf(9), 0};
    const double counts[] = {1, 3, 5, 5, 9, 1}; // the same shares
    const ebm_predictions p = {3, 2, logits, NULL, NULL};
    double v[EBM_AGREEMENTS];
    assert_ok(ebm_agreement_measure(&p, 1, counts, v));
    check_close("kl", v[EBM_HUMAN_KL], 0, 1e-7); // of floats
    check_close("tv", v[EBM_HUMAN_TOTAL_VARIATION], 0, 1e-7);
    check_close("difference", v[EBM_ENTROPY_DIFFERENCE], 0, 1e-7);
    check_close("pearson", v[EBM_ENTROPY_PEARSON], 1, 1e-7);
    check_close("spearman", v[EBM_ENTROPY_SPEARMAN], 1, EXACT);
    const double shares[] = {0.25, 0.75, 0.5, 0.5, 0.9, 0.1};
    double w[EBM_AGREEMENTS];
    assert_ok(ebm_agreement_measure(&p, 1, shares, w));
    for (int a = 0; a < EBM_AGREEMENTS; a++) check_close("shares", w[a], v[a], EXACT);
}

static void people_at_one(void **state)
{
    const float logits[] = {0, logf(3), 2000, 0};
    const double counts[] = {0, 4, 3, 0};
    const ebm_predictions p = {2, 2, logits, NULL, NULL};
    double v[EBM_AGREEMENTS];
    assert_ok(ebm_agreement_measure(&p, 1, counts, v));
    check_close("cross-entropy", v[EBM_HUMAN_CROSS_ENTROPY], -log(0.75) / 2, 1e-7);
    check_close("tv", v[EBM_HUMAN_TOTAL_VARIATION], 0.25 / 2, 1e-7);
    assert_true(isnan(v[EBM_ENTROPY_PEARSON]) && isnan(v[EBM_ENTROPY_SPEARMAN])); // people's entropy does not vary
}

static void weights_are_repetitions(void **state)
{
    enum { COUNT = 40, LABELS = 3 };
    test_predictions p = random_predictions(COUNT, LABELS, 2, 1, 6), many = allocate_predictions(3 * COUNT, LABELS);
    double counts[COUNT * LABELS], repeated[3 * COUNT * LABELS], weight[COUNT], a[EBM_AGREEMENTS], b[EBM_AGREEMENTS];
    size_t rows = 0;
    for (size_t i = 0; i < COUNT * LABELS; i++) counts[i] = (double)(1 + i * i % 5);
    for (size_t i = 0; i < COUNT; i++) {
        weight[i] = (double)(i % 3);
        for (size_t k = 0; k < i % 3; k++, rows++) {
            memcpy(many.logits + rows * LABELS, p.logits + i * LABELS, LABELS * sizeof *p.logits);
            memcpy(repeated + rows * LABELS, counts + i * LABELS, LABELS * sizeof *counts);
        }
    }
    many.rows.count = rows;
    ebm_agreement_plan plan;
    assert_ok(ebm_agreement_plan_create(&p.rows, 1.5, counts, &plan));
    ebm_agreement_weighted(&plan, weight, a);
    assert_ok(ebm_agreement_measure(&many.rows, 1.5, repeated, b));
    for (int m = 0; m < EBM_AGREEMENTS; m++) check_close(ebm_agreement_name((ebm_agreement)m), a[m], b[m], EXACT);
    ebm_agreement_plan_free(&plan);
    free_predictions(&p);
    free_predictions(&many);
}

static void bad_counts_are_named(void **state)
{
    const float logits[] = {0, 1, 2, 0};
    double counts[] = {1, 2, 3, 4}, v[EBM_AGREEMENTS];
    ebm_predictions p = {2, 2, logits, NULL, NULL};
    counts[3] = -1;
    assert_fails(ebm_agreement_measure(&p, 1, counts, v), EBM_ERROR_INPUT,
                 "row 1: a count of at least 0 expected for label 1, found -1");
    counts[3] = NAN;
    assert_fails(ebm_agreement_measure(&p, 1, counts, v), EBM_ERROR_INPUT, "row 1: a count");
    counts[0] = counts[1] = 0;
    assert_fails(ebm_agreement_measure(&p, 1, counts, v), EBM_ERROR_INPUT, "row 0: counts with a sum above 0");
    assert_fails(ebm_agreement_measure(&p, 0, counts, v), EBM_ERROR_INPUT, "temperature");
    p.count = 0;
    assert_fails(ebm_agreement_measure(&p, 1, counts, v), EBM_ERROR_INPUT, "0 examples");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agreement_equals_the_oracles),
        cmocka_unit_test(a_model_that_says_what_people_say),
        cmocka_unit_test(people_at_one),
        cmocka_unit_test(weights_are_repetitions),
        cmocka_unit_test(bad_counts_are_named),
    };
    return cmocka_run_group_tests_name("annotators", tests, NULL, NULL);
}
