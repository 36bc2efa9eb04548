// Adaptive, debiased, smooth and largest errors, the Brier score's parts, their floors, and consistency bars: against
// uncertainty-calibration, netcal, relplot, scikit-learn (tests/oracles), by hand, and by their properties.
#include "miscalibration_internal.h"
#include "predictions.h"
#include "reliability.h"
#include "suite_fixture.h"

// Sums of at most 1,600 terms below 1 in double. relplot computes on the same grid in another order.
#define EXACT 1e-10

static bool error_by_name(const char *name, ebm_miscalibration *error)
{
    for (int e = 0; e < EBM_MISCALIBRATIONS; e++)
        if (strcmp(ebm_miscalibration_name((ebm_miscalibration)e), name) == 0) {
            *error = (ebm_miscalibration)e;
            return true;
        }
    return false;
}

static void errors_equal_the_oracles(void **state)
{
    json_t *root = load_suite(), *one, *measure, *expected;
    const char *name;
    size_t c, m, compared = 0;
    json_array_foreach(json_object_get(root, "cases"), c, one)
    {
        test_predictions p = fixture_predictions(one);
        json_array_foreach(json_object_get(one, "measures"), m, measure)
        {
            double value[EBM_MISCALIBRATIONS], basic[EBM_METRICS];
            const int bins = (int)number_at(measure, "bins");
            assert_ok(ebm_miscalibration_measure(&p.rows, 1, bins, value));
            assert_ok(ebm_metrics(&p.rows, 1, bins, basic));
            json_object_foreach(json_object_get(measure, "value"), name, expected)
            {
                ebm_miscalibration error;
                ebm_metric metric;
                if (error_by_name(name, &error)) {
                    check_close(name, value[error], json_number_value(expected), EXACT);
                } else {
                    assert_ok(ebm_metric_by_name(name, &metric));
                    check_close(name, basic[metric], json_number_value(expected), EXACT);
                }
                compared++;
            }
        }
        free_predictions(&p);
    }
    json_decref(root);
    assert_int_equal(compared, 3 * (17 + 16 + 16)); // three numbers of bins; two labels have f1
}

// An example that counts w times is w examples.
static void weights_are_repetitions(void **state)
{
    for (int labels = 2; labels < 5; labels++) {
        const size_t n = 90, width = (size_t)labels;
        test_predictions p = random_predictions(n, labels, 2, 1, 3), many = allocate_predictions(4 * n, labels);
        double weight[90], weighted[EBM_MISCALIBRATIONS], repeated[EBM_MISCALIBRATIONS];
        size_t rows = 0;
        for (size_t i = 0; i < n; i++) {
            weight[i] = (double)(i * 7 % 4); // 0 to 3
            for (int k = 0; k < (int)weight[i]; k++, rows++) {
                memcpy(many.logits + rows * width, p.logits + i * width, width * sizeof *p.logits);
                many.label[rows] = p.label[i];
            }
        }
        many.rows.count = rows;
        ebm_scores scores;
        ebm_miscalibration_plan plan;
        assert_ok(ebm_scores_create(&p.rows, 1.2, 15, &scores));
        assert_ok(ebm_miscalibration_plan_create(&scores, &plan));
        ebm_miscalibration_weighted(&plan, scores.label, weight, weighted);
        assert_ok(ebm_miscalibration_measure(&many.rows, 1.2, 15, repeated));
        for (int e = 0; e < EBM_MISCALIBRATIONS; e++)
            check_close(ebm_miscalibration_name((ebm_miscalibration)e), weighted[e], repeated[e], 1e-12);
        ebm_miscalibration_plan_free(&plan);
        ebm_scores_free(&scores);
        free_predictions(&p);
        free_predictions(&many);
    }
}

static void the_parts_of_brier_add_up(void **state)
{
    for (uint64_t seed = 0; seed < 20; seed++) {
        test_predictions p = random_predictions(10 + 30 * seed, 2 + (int)seed % 4, 1 + 0.1 * (double)seed, 1.5, seed);
        double value[EBM_MISCALIBRATIONS], basic[EBM_METRICS];
        const int bins = 1 + (int)seed * 10;
        assert_ok(ebm_miscalibration_measure(&p.rows, 0.8, bins, value));
        assert_ok(ebm_metrics(&p.rows, 0.8, bins, basic));
        check_close("brier", value[EBM_BRIER_CALIBRATION] + value[EBM_BRIER_REFINEMENT] + value[EBM_BRIER_WITHIN],
                    basic[EBM_BRIER], 1e-12);
        assert_true(value[EBM_BRIER_CALIBRATION] >= 0 && value[EBM_BRIER_REFINEMENT] >= 0);
        // The largest gap bounds the mean gap, and smoothing cancels what bins keep apart.
        assert_true(value[EBM_MCE] >= basic[EBM_ECE_TOP_LABEL] - 1e-12);
        free_predictions(&p);
    }
}

static void a_handful_by_hand(void **state)
{
    // The answer's probability is .8 four times (three right), then .9 four times (all right)
    const float x = logf(4), y = logf(9);
    const float logits[] = {0, x, 0, x, 0, x, 0, x, 0, y, 0, y, 0, y, 0, y};
    const int32_t label[] = {1, 1, 1, 0, 1, 1, 1, 1};
    const ebm_predictions p = {8, 2, logits, label, NULL};
    double v[EBM_MISCALIBRATIONS];
    const double rounding = 1e-7;
    assert_ok(ebm_miscalibration_measure(&p, 1, 2, v));
    check_close("ace", v[EBM_ACE_TOP_LABEL], (0.05 + 0.1) / 2, rounding);
    check_close("class-wise", v[EBM_ACE_CLASS_WISE], (0.05 + 0.1) / 2, rounding);
    // (.8 - .75)^2 - .75 * .25 / 3 = -.06, .1^2 - 0 = .01: the sum is negative
    check_close("debiased", v[EBM_DEBIASED_TOP_LABEL], 0, 0);
    // Three bins of 3, 3 and 2 do not cut the two runs: the second run begins in the second bin
    assert_ok(ebm_miscalibration_measure(&p, 1, 3, v));
    check_close("ace", v[EBM_ACE_TOP_LABEL], (0.05 + 0.1) / 2, rounding);
    // One bin: mean p .85, frequency 7/8: |gap| .025; gap^2 - (7/64) / 7
    assert_ok(ebm_miscalibration_measure(&p, 1, 1, v));
    check_close("ace", v[EBM_ACE_TOP_LABEL], 0.025, rounding);
    check_close("mce", v[EBM_MCE], 0.025, rounding);
    check_close("refinement", v[EBM_BRIER_REFINEMENT], 2 * 7.0 / 64, rounding);
    check_close("calibration", v[EBM_BRIER_CALIBRATION], 2 * 0.025 * 0.025, rounding);
    const int32_t wrong[] = {0, 0, 0, 0, 0, 0, 0, 1}; // gap .85 - .125
    const ebm_predictions q = {8, 2, logits, wrong, NULL};
    assert_ok(ebm_miscalibration_measure(&q, 1, 1, v));
    check_close("debiased", v[EBM_DEBIASED_TOP_LABEL], sqrt(0.725 * 0.725 - 7.0 / 64 / 7), rounding);
}

// The squared error without its bias is 0 in the mean for a calibrated model; with it, above.
static void debiasing_takes_the_bias(void **state)
{
    double sum = 0, plain = 0;
    enum { RUNS = 300, BINS = 15, COUNT = 300 };
    for (uint64_t r = 0; r < RUNS; r++) {
        test_predictions p = random_predictions(COUNT, 2, 1, 1, 500 + r);
        double v[EBM_MISCALIBRATIONS];
        assert_ok(ebm_miscalibration_measure(&p.rows, 1, BINS, v));
        sum += v[EBM_DEBIASED_TOP_LABEL] * v[EBM_DEBIASED_TOP_LABEL] / RUNS; // clipped at 0: half of a spread remains
        plain += v[EBM_ACE_TOP_LABEL] * v[EBM_ACE_TOP_LABEL] / RUNS;
        free_predictions(&p);
    }
    // A bin's gap has variance p (1 - p) / 20, about .01: the plain square is near 2/pi of that.
    assert_true(plain > 0.004);
    assert_true(sum < plain / 3);
}

static void few_examples_are_defined(void **state)
{
    const float logits[] = {2, 0, 0, 1, 3, 0};
    const int32_t label[] = {0, 0, 0};
    for (size_t n = 1; n < 4; n++) {
        const ebm_predictions p = {n, 2, logits, label, NULL};
        double v[EBM_MISCALIBRATIONS];
        assert_ok(ebm_miscalibration_measure(&p, 1, EBM_BINS_MOST, v));
        for (int e = 0; e < EBM_MISCALIBRATIONS; e++) assert_true(isfinite(v[e]));
        check_close("debiased", v[EBM_DEBIASED_TOP_LABEL], 0, 0); // every bin holds one example
    }
}

static void smooth_ece_at_its_extremes(void **state)
{
    const double one[] = {1, 1, 1}, zero[] = {0, 0, 0}, half[] = {0.5, 0.5, 0.5};
    double smooth, width;
    assert_ok(ebm_smooth_ece(one, one, 3, &smooth, &width)); // nothing is wrong: the narrowest width
    assert_true(smooth == 0 && width < 0.003);
    assert_ok(ebm_smooth_ece(half, half, 3, &smooth, NULL)); // outcomes may be shares
    assert_true(smooth == 0);
    assert_ok(ebm_smooth_ece(one, zero, 3, &smooth, &width)); // everything is
    check_close("all wrong", smooth, 1, 0.01);
    assert_true(width > 0.98);
    assert_ok(ebm_smooth_ece(half, one, 3, &smooth, &width)); // smoothing one place changes no sum
    check_close("half", smooth, 0.5, 0.01);
    const double above[] = {0.5, 1.5}, broken[] = {NAN};
    assert_fails(ebm_smooth_ece(above, zero, 2, &smooth, NULL), EBM_ERROR_INPUT,
                 "row 1: a probability from 0 to 1 expected, found 1.5");
    assert_fails(ebm_smooth_ece(zero, broken, 1, &smooth, NULL), EBM_ERROR_INPUT, "row 0: an outcome");
    assert_fails(ebm_smooth_ece(zero, zero, 0, &smooth, NULL), EBM_ERROR_INPUT, "found none");
}

// Calibrated: p-values are uniform, so their mean over 40 runs is .5 with deviation .29 / sqrt(40) = .046; five of
// those. Over-confident by a factor of three: every test of an error that sees it rejects.
static void floors_test_calibration(void **state)
{
    enum { RUNS = 40 };
    const bool is_small = getenv("EBMCL_TEST_SMALL") != NULL; // sanitizers take half a minute for all
    double mean[EBM_MISCALIBRATION_FLOORS] = {0}, ece_mean[EBM_ECES] = {0};
    for (uint64_t r = 0; r < (is_small ? 3 : RUNS); r++) {
        test_predictions p = random_predictions(150, 3, 2, 1, 900 + r);
        ebm_floor floor[EBM_MISCALIBRATION_FLOORS], ece[EBM_ECES];
        double value[EBM_MISCALIBRATIONS];
        assert_ok(ebm_miscalibration_floor(&p.rows, 1, 10, 19, r, floor));
        assert_ok(ebm_ece_floor(&p.rows, 1, 10, 19, r, ece));
        for (int e = 0; e < EBM_MISCALIBRATION_FLOORS; e++) mean[e] += floor[e].p / RUNS;
        for (int e = 0; e < EBM_ECES; e++) ece_mean[e] += ece[e].p / RUNS;
        assert_ok(ebm_miscalibration_measure(&p.rows, 0.3, 10, value));
        assert_ok(ebm_miscalibration_floor(&p.rows, 0.3, 10, 19, r, floor));
        assert_ok(ebm_ece_floor(&p.rows, 0.3, 10, 19, r, ece));
        check_close("p", floor[EBM_SMOOTH_ECE].p, 1 / 20.0, 1e-12);
        check_close("p", floor[EBM_ACE_TOP_LABEL].p, 1 / 20.0, 1e-12);
        check_close("p", ece[1].p, 1 / 20.0, 1e-12);
        assert_true(value[EBM_SMOOTH_ECE] > floor[EBM_SMOOTH_ECE].high);
        assert_true(floor[EBM_SMOOTH_ECE].high >= floor[EBM_SMOOTH_ECE].mean);
        free_predictions(&p);
    }
    for (int e = 0; e < EBM_MISCALIBRATION_FLOORS && !is_small; e++) {
        if (e == EBM_DEBIASED_TOP_LABEL) continue; // often exactly 0, where p is 1
        check_close(ebm_miscalibration_name((ebm_miscalibration)e), mean[e], 0.5, 0.23);
    }
    for (int e = 0; e < EBM_ECES && !is_small; e++) check_close("ece", ece_mean[e], 0.5, 0.23);
}

// The share of right answers among n of probability .8 is binomial: at n = 100 its quantiles are .72 and .87 or .88.
static void consistency_bars_are_binomial(void **state)
{
    enum { COUNT = 100, BINS = 10 };
    test_predictions p = allocate_predictions(COUNT, 2);
    for (size_t i = 0; i < COUNT; i++) {
        p.logits[2 * i] = logf(4.1f); // .804, off the edge
        p.logits[2 * i + 1] = 0;
        p.label[i] = 0;
    }
    ebm_interval bar[BINS];
    ebm_reliability_bin bin[BINS];
    assert_ok(ebm_reliability_consistency(&p.rows, 1, BINS, 4000, 3, bar));
    assert_ok(ebm_reliability_measure(&p.rows, 1, BINS, bin));
    check_close("low", bar[8].low, 0.72, 0.0101);
    check_close("high", bar[8].high, 0.88, 0.0101);
    for (int b = 0; b < BINS; b++) assert_true(b == 8 || (isnan(bar[b].low) && isnan(bar[b].high)));
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_ok(ebm_reliability_print_consistency(stream, bin, bar, BINS));
    assert_int_equal(fclose(stream), 0);
    assert_non_null(strstr(text, "[0.800, 0.900)     100  0.804  1.000  0.7"));
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        assert_in_range(strcspn(line, "\n"), 1, EBM_RELIABILITY_COLUMNS + 11);
    free(text);
    assert_fails(ebm_reliability_consistency(&p.rows, 1, BINS, 0, 3, bar), EBM_ERROR_INPUT, "redraws: 1 to");
    free_predictions(&p);
}

static void bad_arguments_are_named(void **state)
{
    test_predictions p = random_predictions(10, 2, 1, 1, 1);
    double v[EBM_MISCALIBRATIONS];
    ebm_floor floor[EBM_MISCALIBRATION_FLOORS];
    assert_fails(ebm_miscalibration_measure(&p.rows, 1, 0, v), EBM_ERROR_INPUT, "bins");
    assert_fails(ebm_miscalibration_measure(&p.rows, 0, 10, v), EBM_ERROR_INPUT, "temperature");
    assert_fails(ebm_miscalibration_floor(&p.rows, 1, 10, 0, 0, floor), EBM_ERROR_INPUT, "redraws");
    p.label[3] = 2;
    assert_fails(ebm_miscalibration_measure(&p.rows, 1, 10, v), EBM_ERROR_INPUT, "row 3");
    assert_fails(ebm_miscalibration_floor(&p.rows, 1, 10, 5, 0, floor), EBM_ERROR_INPUT, "row 3");
    free_predictions(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_equal_the_oracles),      cmocka_unit_test(weights_are_repetitions),
        cmocka_unit_test(the_parts_of_brier_add_up),     cmocka_unit_test(a_handful_by_hand),
        cmocka_unit_test(debiasing_takes_the_bias),      cmocka_unit_test(few_examples_are_defined),
        cmocka_unit_test(smooth_ece_at_its_extremes),    cmocka_unit_test(floors_test_calibration),
        cmocka_unit_test(consistency_bars_are_binomial), cmocka_unit_test(bad_arguments_are_named),
    };
    return cmocka_run_group_tests_name("miscalibration", tests, NULL, NULL);
}
