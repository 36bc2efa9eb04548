// Risk and coverage, right answers told from wrong ones, in from out: against scikit-learn, torch-uncertainty and
// uncertainty-calibration (tests/oracles), by hand, and by their properties.
#include "ranking.h"
#include "suite_fixture.h"

#define EXACT 1e-12

static void check_detection(const json_t *expected, const ebm_detection *d)
{
    check_close("auroc", d->auroc, number_at(expected, "auroc"), EXACT);
    check_close("aupr_in", d->aupr_in, number_at(expected, "aupr_in"), EXACT);
    check_close("aupr_out", d->aupr_out, number_at(expected, "aupr_out"), EXACT);
    check_close("fpr", d->fpr_at_95_tpr, number_at(expected, "fpr_at_95_tpr"), EXACT);
}

static void check_selective(const json_t *expected, const ebm_selective *s)
{
    char key[32];
    check_close("aurc", s->aurc, number_at(expected, "aurc"), EXACT);
    check_close("excess", s->excess_aurc, number_at(expected, "excess_aurc"), EXACT);
    for (int c = 0; c < EBM_COVERAGES; c++) {
        snprintf(key, sizeof key, "accuracy_at_%d", ebm_coverages[c]);
        check_close(key, s->accuracy_at[c], number_at(expected, key), EXACT);
    }
    check_close("coverage", s->coverage_at_risk_5, number_at(expected, "coverage_at_risk_5"), EXACT);
}

static bool *right_answers(const ebm_predictions *p)
{
    bool *right = malloc(p->count * sizeof *right);
    assert_non_null(right);
    for (size_t i = 0; i < p->count; i++) {
        int top = 0;
        for (int y = 1; y < p->labels; y++)
            if (p->logits[i * (size_t)p->labels + (size_t)y] > p->logits[i * (size_t)p->labels + (size_t)top]) top = y;
        right[i] = top == p->label[i];
    }
    return right;
}

static void measures_equal_the_oracles(void **state)
{
    json_t *root = load_suite(), *one;
    size_t c;
    json_array_foreach(json_object_get(root, "cases"), c, one)
    {
        test_predictions p = fixture_predictions(one);
        bool *right = right_answers(&p.rows);
        for (int k = 0; k < EBM_CERTAINTY_ENERGY; k++) {
            const char *name = ebm_certainty_name((ebm_certainty)k);
            double *certainty = NULL;
            ebm_selective s;
            assert_ok(ebm_certainty_create(&p.rows, 1, (ebm_certainty)k, &certainty));
            assert_ok(ebm_selective_measure(certainty, right, p.rows.count, &s));
            check_selective(json_object_get(json_object_get(one, "selective"), name), &s);
            check_detection(json_object_get(json_object_get(one, "errors"), name), &s.errors);
            free(certainty);
        }
        free(right);
        free_predictions(&p);
    }
    json_decref(root);
    assert_int_equal(c, 3);
}

static size_t read_scores(const json_t *one, const char *key, double score[100])
{
    const json_t *list = json_object_get(one, key);
    assert_in_range(json_array_size(list), 1, 100);
    for (size_t i = 0; i < json_array_size(list); i++) score[i] = json_number_value(json_array_get(list, i));
    return json_array_size(list);
}

static void detection_equals_the_oracles(void **state)
{
    json_t *root = load_suite(), *one;
    size_t i;
    json_array_foreach(json_object_get(root, "detection"), i, one)
    {
        double in[100], out[100];
        const size_t n = read_scores(one, "in", in), m = read_scores(one, "out", out);
        ebm_detection d;
        assert_ok(ebm_detection_measure(in, n, out, m, &d));
        check_detection(one, &d);
    }
    json_decref(root);
    assert_int_equal(i, 4);
}

static void four_answers_by_hand(void **state)
{
    const double certainty[] = {4, 3, 2, 1};
    const bool right[] = {true, false, true, true};
    ebm_selective s;
    double risk[4];
    assert_ok(ebm_selective_measure(certainty, right, 4, &s));
    assert_ok(ebm_risk_coverage(certainty, right, 4, risk));
    assert_true(risk[0] == 0 && risk[1] == 0.5 && risk[3] == 0.25);
    check_close("risk", risk[2], 1.0 / 3, EXACT);
    check_close("aurc", s.aurc, (0.5 + 1.0 / 3 + 0.25) / 4, EXACT);
    check_close("excess", s.excess_aurc, (0.5 + 1.0 / 3) / 4, EXACT); // the best: 0 0 0 1/4
    check_close("half", s.accuracy_at[0], 0.5, 0);
    check_close("80 %: all four", s.accuracy_at[1], 0.75, 0);
    check_close("coverage", s.coverage_at_risk_5, 0.25, 0);
    check_close("auroc", s.errors.auroc, 1.0 / 3, EXACT);
    check_close("fpr", s.errors.fpr_at_95_tpr, 1, 0);
}

// All equally sure: every order is as likely, so the risk is the error rate at any coverage and nothing is told apart.
static void ties_are_the_mean_over_orders(void **state)
{
    const double same[] = {7, 7, 7, 7, 7};
    const bool right[] = {true, false, true, false, true};
    ebm_selective s;
    assert_ok(ebm_selective_measure(same, right, 5, &s));
    check_close("aurc", s.aurc, 0.4, EXACT);
    check_close("auroc", s.errors.auroc, 0.5, 0);
    check_close("aupr", s.errors.aupr_in, 0.6, EXACT);
    check_close("aupr", s.errors.aupr_out, 0.4, EXACT);
    check_close("fpr", s.errors.fpr_at_95_tpr, 1, 0);
    // Two runs of ties, against the mean over all orders of the second: {r} {r, w}: (0 + (0 or 1/2) + 1/3) / 3
    const double two[] = {9, 8, 8};
    assert_ok(ebm_selective_measure(two, (const bool[]){true, true, false}, 3, &s));
    check_close("aurc", s.aurc, (0.25 + 1.0 / 3) / 3, EXACT);
}

static void one_kind_only_is_not_a_number(void **state)
{
    const double certainty[] = {1, 2, 3};
    ebm_selective s;
    assert_ok(ebm_selective_measure(certainty, (const bool[]){true, true, true}, 3, &s));
    assert_true(s.aurc == 0 && s.excess_aurc == 0 && s.coverage_at_risk_5 == 1 && isnan(s.errors.auroc));
    assert_ok(ebm_selective_measure(certainty, (const bool[]){false, false, false}, 3, &s));
    assert_true(s.aurc == 1 && s.excess_aurc == 0 && s.coverage_at_risk_5 == 0 && isnan(s.errors.fpr_at_95_tpr));
}

static void weights_are_repetitions(void **state)
{
    enum { COUNT = 60 };
    double score[COUNT], weight[COUNT], many[4 * COUNT];
    bool right[COUNT], many_right[4 * COUNT];
    size_t rows = 0;
    ebm_random random = ebm_random_stream(4, 0, EBM_SITE_GRAMMAR);
    for (size_t i = 0; i < COUNT; i++) {
        score[i] = floor(20 * ebm_random_uniform(&random)); // with ties
        right[i] = ebm_random_uniform(&random) < 0.7;
        weight[i] = (double)ebm_random_below(&random, 4);
        for (int k = 0; k < (int)weight[i]; k++, rows++) {
            many[rows] = score[i];
            many_right[rows] = right[i];
        }
    }
    ebm_ranking ranking;
    ebm_selective repeated;
    assert_ok(ebm_ranking_create("scores", score, COUNT, &ranking));
    const ebm_selective weighted = ebm_ranking_selective(&ranking, right, weight, NULL);
    assert_ok(ebm_selective_measure(many, many_right, rows, &repeated));
    const double *a = &weighted.aurc, *b = &repeated.aurc;
    for (size_t i = 0; i < sizeof weighted / sizeof *a; i++) check_close("value", a[i], b[i], EXACT);
    ebm_ranking_free(&ranking);
}

static void certainties_follow_their_definitions(void **state)
{
    const float logits[] = {1, 3, 0, 0, -2000, 2000}, energy[] = {5, -1, 0};
    const ebm_predictions p = {3, 2, logits, NULL, energy};
    double *c = NULL;
    assert_ok(ebm_certainty_create(&p, 2, EBM_CERTAINTY_MAX_PROBABILITY, &c));
    check_close("max_probability", c[0], 1 / (1 + exp(-1)), EXACT);
    check_close("max_probability", c[1], 0.5, EXACT);
    free(c);
    assert_ok(ebm_certainty_create(&p, 1, EBM_CERTAINTY_ENTROPY, &c));
    check_close("entropy", c[1], -log(2), EXACT);
    check_close("entropy", c[2], 0, 0);
    free(c);
    assert_ok(ebm_certainty_create(&p, 2, EBM_CERTAINTY_MAX_LOGIT, &c));
    check_close("max_logit", c[0], 1.5, 0);
    free(c);
    assert_ok(ebm_certainty_create(&p, 2, EBM_CERTAINTY_FREE_ENERGY, &c));
    check_close("free_energy", c[0], 2 * log(exp(0.5) + exp(1.5)), EXACT);
    check_close("free_energy", c[1], 2 * log(2), EXACT);
    check_close("free_energy", c[2], 2000, 0);
    free(c);
    assert_ok(ebm_certainty_create(&p, 2, EBM_CERTAINTY_ENERGY, &c));
    assert_true(c[0] == -5 && c[1] == 1 && c[2] == 0);
    free(c);
}

static void bad_scores_are_named(void **state)
{
    const double score[] = {1, NAN}, good[] = {1, 2};
    const float logits[] = {1, 3, NAN, 0};
    ebm_selective s;
    ebm_detection d;
    double *c = NULL;
    assert_fails(ebm_selective_measure(score, (const bool[]){true, true}, 2, &s), EBM_ERROR_NONFINITE,
                 "certainties: row 1 is");
    assert_fails(ebm_selective_measure(score, NULL, 0, &s), EBM_ERROR_INPUT, "found none");
    assert_fails(ebm_risk_coverage(score, NULL, 0, NULL), EBM_ERROR_INPUT, "found none");
    assert_fails(ebm_detection_measure(good, 2, score, 0, &d), EBM_ERROR_INPUT, "2 in and 0 out");
    assert_fails(ebm_detection_measure(good, 2, score, 2, &d), EBM_ERROR_NONFINITE, "row 3 is");
    const ebm_predictions p = {2, 2, logits, NULL, NULL};
    assert_fails(ebm_certainty_create(&p, 1, EBM_CERTAINTY_ENTROPY, &c), EBM_ERROR_NONFINITE, "row 1");
    assert_fails(ebm_certainty_create(&p, 1, EBM_CERTAINTY_ENERGY, &c), EBM_ERROR_INPUT, "energies expected");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_equal_the_oracles),
        cmocka_unit_test(detection_equals_the_oracles),
        cmocka_unit_test(four_answers_by_hand),
        cmocka_unit_test(ties_are_the_mean_over_orders),
        cmocka_unit_test(one_kind_only_is_not_a_number),
        cmocka_unit_test(weights_are_repetitions),
        cmocka_unit_test(certainties_follow_their_definitions),
        cmocka_unit_test(bad_scores_are_named),
    };
    return cmocka_run_group_tests_name("selective", tests, NULL, NULL);
}
