// Metrics against scikit-learn and numpy, their properties, their edges; halves; energies of data and noise.
#include "portion.h"
#include "predictions.h"
#include "separation.h"

// Both sides compute in double on the same float logits; sums of at most 1,000 terms below 1 differ by less than 1e-12.
#define EXACT 1e-12

static void metrics_equal_the_oracles(void **state)
{
    json_t *root = load_fixture(), *one, *measure, *expected;
    const char *name;
    size_t c, m, compared = 0;
    json_array_foreach(json_object_get(root, "cases"), c, one)
    {
        test_predictions p = fixture_predictions(one);
        json_array_foreach(json_object_get(one, "measures"), m, measure)
        {
            double value[EBM_METRICS];
            assert_ok(ebm_metrics(&p.rows, number_at(measure, "temperature"), (int)number_at(measure, "bins"), value));
            assert_int_equal(isnan(value[EBM_F1]), p.rows.labels != 2);
            json_object_foreach(json_object_get(measure, "value"), name, expected)
            {
                ebm_metric metric;
                assert_ok(ebm_metric_by_name(name, &metric));
                check_close(name, value[metric], json_number_value(expected), EXACT);
                compared++;
            }
        }
        free_predictions(&p);
    }
    json_decref(root);
    assert_int_equal(compared, 4 * (2 * 9 + 2 * 8)); // 4 measures of 2 cases with two labels and 2 with more
}

static void divergence_equals_the_oracle(void **state)
{
    json_t *root = load_fixture(), *one;
    size_t c;
    json_array_foreach(json_object_get(root, "cases"), c, one)
    {
        test_predictions p = fixture_predictions(one);
        const json_t *list = json_object_get(one, "truth");
        double *truth = malloc(json_array_size(list) * sizeof *truth), kl;
        assert_non_null(truth);
        for (size_t i = 0; i < json_array_size(list); i++) truth[i] = json_number_value(json_array_get(list, i));
        p.rows.label = NULL;
        assert_ok(ebm_kl_from_truth(&p.rows, 1, truth, &kl));
        check_close("kl", kl, number_at(one, "kl"), EXACT);
        truth[0] += 1e-3;
        assert_fails(ebm_kl_from_truth(&p.rows, 1, truth, &kl), EBM_ERROR_INPUT, "row 0: a sum of 1");
        truth[(size_t)p.rows.labels] = -1;
        truth[0] -= 1e-3;
        assert_fails(ebm_kl_from_truth(&p.rows, 1, truth, &kl), EBM_ERROR_INPUT, "row 1: probability of label 0 is -1");
        free(truth);
        free_predictions(&p);
    }
    json_decref(root);
}

static void divergence_from_itself_is_zero(void **state)
{
    test_predictions p = random_predictions(50, 4, 3, 1, 5);
    double *own = NULL, kl;
    assert_ok(ebm_probabilities_create(&p.rows, 1.7, &own));
    assert_ok(ebm_kl_from_truth(&p.rows, 1.7, own, &kl));
    check_close("kl", kl, 0, EXACT);
    free(own);
    free_predictions(&p);
}

// Mirrored bins hold gaps of opposite sign and equal size; with an odd number the middle bin is its own mirror.
static void eces_of_two_labels_are_ordered(void **state)
{
    for (uint64_t seed = 0; seed < 200; seed++) {
        test_predictions p = random_predictions(20 + 7 * seed, 2, 0.2 + 0.02 * (double)seed, 2, seed);
        double even[EBM_METRICS], odd[EBM_METRICS];
        assert_ok(ebm_metrics(&p.rows, 1, seed % 2 ? 20 : 10, even));
        assert_ok(ebm_metrics(&p.rows, 1, 15, odd));
        check_close("pooled, top label", even[EBM_ECE_POOLED], even[EBM_ECE_TOP_LABEL], EXACT);
        assert_true(even[EBM_ECE_TOP_LABEL] <= even[EBM_ECE_CLASS_WISE] + EXACT);
        assert_true(odd[EBM_ECE_POOLED] <= odd[EBM_ECE_TOP_LABEL] + EXACT);
        assert_true(odd[EBM_ECE_POOLED] <= odd[EBM_ECE_CLASS_WISE] + EXACT);
        free_predictions(&p);
    }
}

static void a_handful_by_hand(void **state)
{
    // p(1) = 1/(1 + e^-x): 0.5 (a tie: label 0 is predicted), 0.8, 0.8, 0.2, with x = 0, ln 4, ln 4, -ln 4
    const float x = logf(4);
    const float logits[] = {0, 0, 0, x, 0, x, 0, -x};
    const int32_t label[] = {1, 1, 0, 0};
    const ebm_predictions p = {4, 2, logits, label, NULL};
    double v[EBM_METRICS];
    assert_ok(ebm_metrics(&p, 1, 4, v)); // bins [0, .25) [.25, .5) [.5, .75) [.75, 1]
    const double rounding = 1e-7;        // of ln 4 as a float
    check_close("accuracy", v[EBM_ACCURACY], 0.5, 0);
    check_close("f1", v[EBM_F1], 0.5, 0); // one hit, two are there, two predicted
    check_close("macro_f1", v[EBM_MACRO_F1], 0.5, 0);
    check_close("matthews", v[EBM_MATTHEWS], 0, 0);
    check_close("nll", v[EBM_NLL], -(log(0.5) + log(0.8) + log(0.2) + log(0.8)) / 4, rounding);
    check_close("brier", v[EBM_BRIER], (0.5 + 0.08 + 1.28 + 0.08) / 4, rounding);
    // top label: .5 wrong: gap -.5 | .8 .8 .8 with two right: gap -.4
    check_close("top label", v[EBM_ECE_TOP_LABEL], (0.5 + 0.4) / 4, rounding);
    // label 0: bin 0 {.2 no, .2 yes} +.6, bin 2 {.5 no} -.5, bin 3 {.8 yes} +.2; label 1: the mirror, but .5 is in bin
    // 2
    check_close("class-wise", v[EBM_ECE_CLASS_WISE], (0.6 + 0.5 + 0.2 + 0.2 + 0.5 + 0.6) / 8, rounding);
    check_close("pooled", v[EBM_ECE_POOLED], (0.4 + 0.0 + 0.4) / 8, rounding);
}

static void one_label_only_is_defined(void **state)
{
    const float logits[] = {2, 0, 3, 0, 1, 0};
    const int32_t label[] = {0, 0, 0};
    const ebm_predictions p = {3, 2, logits, label, NULL};
    double v[EBM_METRICS];
    assert_ok(ebm_metrics(&p, 1, 20, v));
    assert_true(v[EBM_ACCURACY] == 1 && v[EBM_F1] == 0 && v[EBM_MACRO_F1] == 1 && v[EBM_MATTHEWS] == 0);
}

// Softmax of huge logits: nothing overflows, probabilities are 0 and 1, and 1 belongs to the last bin.
static void huge_logits_stay_finite(void **state)
{
    const float logits[] = {3e38f, -3e38f, -3e38f, 3e38f};
    const int32_t label[] = {0, 0};
    const ebm_predictions p = {2, 2, logits, label, NULL};
    double v[EBM_METRICS];
    assert_ok(ebm_metrics(&p, 1e-6, 200, v));
    for (int m = 0; m < EBM_METRICS; m++) assert_true(isfinite(v[m]));
    assert_true(v[EBM_ECE_TOP_LABEL] == 0.5);
    assert_true(v[EBM_BRIER] == 1);
}

static void bad_predictions_are_named(void **state)
{
    float logits[] = {0, 1, 2, 3};
    int32_t label[] = {0, 1};
    float energy[] = {0, 0};
    ebm_predictions p = {2, 2, logits, label, energy};
    double v[EBM_METRICS];
    assert_ok(ebm_metrics(&p, 1, 20, v));
    logits[3] = NAN;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_NONFINITE, "row 1: logit of label 1 is");
    logits[3] = -INFINITY;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_NONFINITE, "row 1: logit of label 1 is -inf");
    logits[3] = 3;
    label[0] = 2;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_INPUT, "row 0: a label from 0 to 1 expected, found 2");
    label[0] = -1;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_INPUT, "found -1");
    label[0] = 0;
    energy[1] = INFINITY;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_NONFINITE, "row 1: energy is inf");
    energy[1] = 0;
    assert_fails(ebm_metrics(&p, 0, 20, v), EBM_ERROR_INPUT, "temperature");
    assert_fails(ebm_metrics(&p, (double)NAN, 20, v), EBM_ERROR_INPUT, "temperature");
    assert_fails(ebm_metrics(&p, 1, 0, v), EBM_ERROR_INPUT, "bins");
    assert_fails(ebm_metrics(&p, 1, 201, v), EBM_ERROR_INPUT, "bins");
    p.label = NULL;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_INPUT, "labels expected");
    p.label = label;
    p.labels = 1;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_INPUT, "at least 2 labels");
    p.labels = 2;
    p.count = 0;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_INPUT, "found none");
    p.count = SIZE_MAX / 2;
    assert_fails(ebm_metrics(&p, 1, 20, v), EBM_ERROR_INPUT, "do not fit");
    ebm_metric metric;
    assert_fails(ebm_metric_by_name("ece", &metric), EBM_ERROR_INPUT, "found \"ece\"");
}

static void names_and_directions(void **state)
{
    for (int m = 0; m < EBM_METRICS; m++) {
        ebm_metric metric = EBM_METRICS;
        assert_ok(ebm_metric_by_name(ebm_metric_name((ebm_metric)m), &metric));
        assert_int_equal(metric, m);
    }
    assert_true(ebm_metric_more_is_better(EBM_MATTHEWS));
    assert_false(ebm_metric_more_is_better(EBM_NLL));
    assert_false(ebm_metric_more_is_better(EBM_ECE_POOLED));
}

static void halves_share_no_row(void **state)
{
    const ebm_portion pairs[][2] = {{EBM_PORTION_FIRST_HALF, EBM_PORTION_SECOND_HALF},
                                    {EBM_PORTION_RANDOM_FIRST_HALF, EBM_PORTION_RANDOM_SECOND_HALF}};
    for (size_t count = 2; count < 40; count++)
        for (int pair = 0; pair < 2; pair++) {
            int seen[40] = {0};
            for (int side = 0; side < 2; side++) {
                uint32_t *rows = NULL;
                size_t number;
                assert_ok(ebm_portion_rows(pairs[pair][side], count, 11, &rows, &number));
                assert_int_equal(number, count / 2);
                for (size_t i = 0; i < number; i++) {
                    assert_true(rows[i] < count && !seen[rows[i]]++);
                    if (i) assert_true(rows[i - 1] < rows[i]);
                    if (!pair) assert_int_equal(rows[i], side ? count - number + i : i);
                }
                free(rows);
            }
        }
}

static void random_halves_follow_the_seed(void **state)
{
    uint32_t *a = NULL, *b = NULL, *c = NULL;
    size_t n;
    assert_ok(ebm_portion_rows(EBM_PORTION_RANDOM_FIRST_HALF, 100, 1, &a, &n));
    assert_ok(ebm_portion_rows(EBM_PORTION_RANDOM_FIRST_HALF, 100, 1, &b, &n));
    assert_ok(ebm_portion_rows(EBM_PORTION_RANDOM_FIRST_HALF, 100, 2, &c, &n));
    assert_memory_equal(a, b, n * sizeof *a);
    assert_memory_not_equal(a, c, n * sizeof *a);
    free(a);
    free(b);
    free(c);
}

static void a_split_copies_its_rows(void **state)
{
    const float logits[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, energy[] = {10, 11, 12, 13, 14};
    const int32_t label[] = {0, 1, 1, 0, 1};
    const ebm_predictions all = {5, 2, logits, label, energy};
    ebm_prediction_rows half = {0};
    assert_ok(ebm_predictions_portion(&all, EBM_PORTION_SECOND_HALF, 0, &half));
    assert_int_equal(half.rows.count, 2);
    assert_memory_equal(half.rows.logits, logits + 6, 4 * sizeof *logits);
    assert_memory_equal(half.rows.label, label + 3, 2 * sizeof *label);
    assert_memory_equal(half.rows.energy, energy + 3, 2 * sizeof *energy);
    ebm_prediction_rows_free(&half);
    ebm_prediction_rows_free(&half);
    assert_ok(ebm_predictions_portion(&(ebm_predictions){5, 2, logits, NULL, NULL}, EBM_PORTION_ALL, 0, &half));
    assert_memory_equal(half.rows.logits, logits, sizeof logits);
    assert_true(!half.rows.label && !half.rows.energy);
    ebm_prediction_rows_free(&half);
    assert_fails(
        ebm_predictions_portion(&(ebm_predictions){1, 2, logits, NULL, NULL}, EBM_PORTION_FIRST_HALF, 0, &half),
        EBM_ERROR_INPUT, "split first-half: 2 to");
    ebm_portion portion;
    for (int s = 0; s < EBM_PORTIONS; s++) {
        assert_ok(ebm_portion_by_name(ebm_portion_name((ebm_portion)s), &portion));
        assert_int_equal(portion, s);
    }
    assert_fails(ebm_portion_by_name("third", &portion), EBM_ERROR_INPUT, "found \"third\"");
}

static size_t read_energies(const json_t *one, const char *key, float energy[200])
{
    const json_t *list = json_object_get(one, key);
    assert_in_range(json_array_size(list), 1, 200);
    for (size_t i = 0; i < json_array_size(list); i++) energy[i] = (float)json_number_value(json_array_get(list, i));
    return json_array_size(list);
}

static void contrast_equals_the_oracle(void **state)
{
    json_t *root = load_fixture(), *one;
    size_t i;
    json_array_foreach(json_object_get(root, "contrast"), i, one)
    {
        float data[200], noise[200];
        const size_t n = read_energies(one, "data", data), m = read_energies(one, "noise", noise);
        ebm_separation c;
        assert_ok(ebm_separation_measure(data, n, noise, m, number_at(one, "ratio"), &c));
        check_close("accuracy", c.accuracy, number_at(one, "accuracy"), EXACT);
        check_close("told_apart", c.told_apart, number_at(one, "told_apart"), EXACT);
        check_close("auroc", c.auroc, number_at(one, "auroc"), EXACT);
        check_close("mean_exp", c.mean_exp, number_at(one, "mean_exp"), EXACT * 100); // terms up to about 50
        check_close("log_mean_exp", c.log_mean_exp, log(number_at(one, "mean_exp")), EXACT);
        check_close("data_energy", c.data_energy, number_at(one, "data_energy"), EXACT);
        check_close("noise_energy", c.noise_energy, number_at(one, "noise_energy"), EXACT);
        double sum = 0, squares = 0; // the definition, without anything taken out
        for (size_t k = 0; k < m; k++) {
            sum += exp(-(double)noise[k]);
            squares += exp(-2 * (double)noise[k]);
        }
        check_close("effective", c.effective, sum * sum / squares, EXACT * 100);
        check_close("effective_share", c.effective_share, c.effective / (double)m, EXACT);
    }
    json_decref(root);
}

static void contrast_at_its_extremes(void **state)
{
    const float zero[] = {0, 0}, low[] = {-1e4f, -1e4f}, high[] = {1e4f, 1e4f}, broken[] = {0, NAN};
    ebm_separation c;
    assert_ok(ebm_separation_measure(zero, 2, zero, 2, 1, &c)); // nothing is known: everything is at chance
    assert_true(c.accuracy == 0.5 && c.told_apart == 0.5 && c.auroc == 0.5 && c.mean_exp == 1 && c.log_mean_exp == 0);
    assert_ok(ebm_separation_measure(zero, 2, zero, 2, 8, &c)); // 0 > -ln 8: always "noise"
    assert_true(c.accuracy == 8.0 / 9 && c.told_apart == 0.5);
    assert_ok(ebm_separation_measure(low, 2, high, 2, 8, &c));
    assert_true(c.accuracy == 1 && c.told_apart == 1 && c.auroc == 1 && c.mean_exp == 0 && c.log_mean_exp == -1e4);
    assert_ok(ebm_separation_measure(high, 2, low, 2, 8, &c));
    assert_true(c.accuracy == 0 && c.auroc == 0 && isfinite(c.mean_exp) && c.log_mean_exp == 1e4);
    const float far[] = {-1e4f, 1e4f, 1e4f, 1e4f}, zeros[] = {0, 0, 0, 0};
    assert_true(c.effective == 2 && c.effective_share == 1); // equal energies, however low
    assert_ok(ebm_separation_measure(zeros, 4, far, 4, 1, &c));
    assert_true(c.effective == 1 && c.effective_share == 0.25); // one sample outweighs all
    assert_fails(ebm_separation_measure(zero, 2, broken, 2, 1, &c), EBM_ERROR_NONFINITE, "noise energies: row 1");
    assert_fails(ebm_separation_measure(zero, 0, zero, 2, 1, &c), EBM_ERROR_INPUT, "data energies: at least one");
    assert_fails(ebm_separation_measure(zero, 2, zero, 2, 0, &c), EBM_ERROR_INPUT, "noise ratio");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics_equal_the_oracles),
        cmocka_unit_test(divergence_equals_the_oracle),
        cmocka_unit_test(divergence_from_itself_is_zero),
        cmocka_unit_test(eces_of_two_labels_are_ordered),
        cmocka_unit_test(a_handful_by_hand),
        cmocka_unit_test(one_label_only_is_defined),
        cmocka_unit_test(huge_logits_stay_finite),
        cmocka_unit_test(bad_predictions_are_named),
        cmocka_unit_test(names_and_directions),
        cmocka_unit_test(halves_share_no_row),
        cmocka_unit_test(random_halves_follow_the_seed),
        cmocka_unit_test(a_split_copies_its_rows),
        cmocka_unit_test(contrast_equals_the_oracle),
        cmocka_unit_test(contrast_at_its_extremes),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
