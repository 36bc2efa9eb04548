// Bootstrap intervals, floors, reliability diagram, table and JSON.
#include <stdio.h>

#include "bootstrap.h"
#include "predictions.h"
#include "reliability.h"
#include "report.h"

// With one resample both ends are that resample's metrics: compared with the metrics of the rows themselves.
static void a_resample_is_the_metrics_of_its_rows(void **state)
{
    for (int labels = 2; labels < 5; labels++) {
        const size_t n = 101, width = (size_t)labels;
        test_predictions p = random_predictions(n, labels, 2, 1, 4), drawn = allocate_predictions(n, labels);
        ebm_random random = ebm_random_stream(77, 0, EBM_SITE_BOOTSTRAP);
        for (size_t i = 0; i < n; i++) {
            const uint32_t row = ebm_random_below(&random, (uint32_t)n);
            memcpy(drawn.logits + i * width, p.logits + row * width, width * sizeof *p.logits);
            drawn.label[i] = p.label[row];
        }
        ebm_interval interval[EBM_METRICS];
        double expected[EBM_METRICS];
        assert_ok(ebm_bootstrap(&p.rows, 1.3, 15, 1, 77, interval));
        assert_ok(ebm_metrics(&drawn.rows, 1.3, 15, expected));
        for (int m = 0; m < EBM_METRICS; m++) { // the same additions in the same order: the same bits
            if (m == EBM_F1 && labels > 2) {
                assert_true(isnan(interval[m].low) && isnan(interval[m].high));
                continue;
            }
            assert_true(interval[m].low == expected[m] && interval[m].high == expected[m]);
        }
        free_predictions(&p);
        free_predictions(&drawn);
    }
}

// Means are nearly normal at n = 2000: their interval is value -+ 1.96 s. An end estimated from 4000 resamples has a
// deviation of sqrt(.025 * .975 / 4000) / density(1.96) = 0.042 s; five of those, 0.1 s for skewness, and one example's
// step for accuracy are allowed.
static void intervals_of_means_are_normal(void **state)
{
    test_predictions p = random_predictions(2000, 2, 1.5, 1, 8);
    ebm_interval interval[EBM_METRICS];
    double value[EBM_METRICS], squares = 0, *probability = NULL;
    assert_ok(ebm_metrics(&p.rows, 1, 20, value));
    assert_ok(ebm_bootstrap(&p.rows, 1, 20, 4000, 1, interval));
    const double a = value[EBM_ACCURACY], s = sqrt(a * (1 - a) / 2000);
    check_close("low", interval[EBM_ACCURACY].low, a - 1.96 * s, 0.31 * s + 1.0 / 2000);
    check_close("high", interval[EBM_ACCURACY].high, a + 1.96 * s, 0.31 * s + 1.0 / 2000);
    assert_ok(ebm_probabilities_create(&p.rows, 1, &probability));
    for (size_t i = 0; i < 2000; i++) squares += pow(log(probability[2 * i + (size_t)p.label[i]]), 2);
    const double t = sqrt((squares / 2000 - value[EBM_NLL] * value[EBM_NLL]) / 2000);
    check_close("low", interval[EBM_NLL].low, value[EBM_NLL] - 1.96 * t, 0.31 * t);
    check_close("high", interval[EBM_NLL].high, value[EBM_NLL] + 1.96 * t, 0.31 * t);
    free(probability);
    free_predictions(&p);
}

static void quantiles_are_numpys(void **state)
{
    const double sorted[] = {1, 2, 4, 8, 16};
    check_close("0", ebm_quantile_of_sorted(sorted, 5, 0), 1, 0);
    check_close("0.5", ebm_quantile_of_sorted(sorted, 5, 0.5), 4, 0);
    check_close("0.9", ebm_quantile_of_sorted(sorted, 5, 0.9), 12.8, 1e-12);
    check_close("1", ebm_quantile_of_sorted(sorted, 5, 1), 16, 0);
    check_close("one value", ebm_quantile_of_sorted(sorted, 1, 0.975), 1, 0);
}

// One bin: the ECE is |mean of hits - p|, half-normal with s^2 = mean of p (1 - p) / n: mean s sqrt(2/pi), 95 %
// quantile 1.96 s. 2000 redraws leave deviations of .6 s / sqrt(2000) = .0135 s and sqrt(.05 * .95 / 2000) / (2
// density(1.96)) = .042 s; five of each are allowed. Pooled, the two labels' gaps cancel.
static void the_floor_of_one_bin_is_half_normal(void **state)
{
    test_predictions p = random_predictions(1000, 2, 1, 1, 21);
    double *probability = NULL, variance = 0;
    assert_ok(ebm_probabilities_create(&p.rows, 1, &probability));
    for (size_t i = 0; i < 1000; i++) variance += probability[2 * i] * probability[2 * i + 1] / 1e6;
    const double s = sqrt(variance);
    ebm_floor floor[EBM_ECES];
    assert_ok(ebm_ece_floor(&p.rows, 1, 1, 2000, 5, floor));
    for (int e = 0; e < 2; e++) { // class-wise, top-label
        check_close("mean", floor[e].mean, s * sqrt(2 / acos(-1.0)), 5 * 0.0135 * s);
        check_close("95 %", floor[e].high, 1.96 * s, 5 * 0.042 * s);
    }
    check_close("pooled", floor[2].high, 0, 1e-12);
    free(probability);
    free_predictions(&p);
}

// Labels that were drawn from the model's probabilities measure about the floor; other temperatures measure far more.
static void a_calibrated_model_is_at_its_floor(void **state)
{
    double sum[EBM_ECES] = {0};
    ebm_floor floor[EBM_ECES];
    const int runs = 40;
    for (int r = 0; r < runs; r++) {
        test_predictions p = random_predictions(521, 3, 2, 1, 100 + (uint64_t)r);
        double value[EBM_METRICS];
        assert_ok(ebm_metrics(&p.rows, 1, 20, value));
        assert_ok(ebm_ece_floor(&p.rows, 1, 20, 200, 0, floor));
        for (int e = 0; e < EBM_ECES; e++) sum[e] += (value[EBM_ECE_CLASS_WISE + e] / floor[e].mean - 1) / runs;
        assert_ok(ebm_metrics(&p.rows, 0.3, 20, value));
        assert_ok(ebm_ece_floor(&p.rows, 0.3, 20, 200, 0, floor));
        assert_true(value[EBM_ECE_TOP_LABEL] > floor[1].high);
        free_predictions(&p);
    }
    // An ECE deviates by about a quarter of its floor: the mean of 40 by 0.04; four of those.
    for (int e = 0; e < EBM_ECES; e++) check_close("ratio", sum[e], 0, 0.16);
}

static void the_same_seed_gives_the_same_bits(void **state)
{
    test_predictions p = random_predictions(300, 3, 1, 1, 2);
    ebm_evaluation_options options = ebm_evaluation_defaults();
    ebm_evaluation a, b;
    options.resamples = options.redraws = 50;
    assert_ok(ebm_evaluate(&p.rows, &options, &a));
    assert_ok(ebm_evaluate(&p.rows, &options, &b));
    assert_memory_equal(a.interval, b.interval, sizeof a.interval);
    assert_memory_equal(a.floor, b.floor, sizeof a.floor);
    options.seed = UINT64_MAX;
    assert_ok(ebm_evaluate(&p.rows, &options, &b));
    assert_memory_equal(a.value, b.value, sizeof a.value);
    assert_true(a.interval[EBM_NLL].low != b.interval[EBM_NLL].low && a.floor[0].mean != b.floor[0].mean);
    options.resamples = -1;
    assert_fails(ebm_evaluate(&p.rows, &options, &b), EBM_ERROR_INPUT, "resamples: 1 to");
    free_predictions(&p);
}

static void the_json_has_every_key(void **state)
{
    test_predictions p = random_predictions(60, 2, 1, 1, 2);
    float energy[60];
    for (int i = 0; i < 60; i++) energy[i] = (float)i;
    p.rows.energy = energy;
    ebm_evaluation_options options = {1.5, 10, 20, 20, 1ULL << 40};
    ebm_evaluation e;
    char *text = NULL, key[64];
    assert_ok(ebm_evaluate(&p.rows, &options, &e));
    assert_ok(ebm_evaluation_json(&e, &text));
    json_t *object = json_loads(text, 0, NULL);
    for (int m = 0; m < EBM_METRICS; m++) {
        const char *name = ebm_metric_name((ebm_metric)m);
        assert_true(number_at(object, name) == e.value[m]);
        snprintf(key, sizeof key, "%s_low", name);
        assert_true(number_at(object, key) == e.interval[m].low);
        snprintf(key, sizeof key, "%s_high", name);
        assert_true(number_at(object, key) == e.interval[m].high);
        if (m < EBM_ECE_CLASS_WISE) continue;
        snprintf(key, sizeof key, "%s_floor", name);
        assert_true(number_at(object, key) == e.floor[m - EBM_ECE_CLASS_WISE].mean);
        snprintf(key, sizeof key, "%s_floor_95", name);
        assert_true(number_at(object, key) == e.floor[m - EBM_ECE_CLASS_WISE].high);
        snprintf(key, sizeof key, "%s_floor_p", name);
        assert_true(number_at(object, key) == e.floor[m - EBM_ECE_CLASS_WISE].p);
    }
    assert_true(number_at(object, "examples") == 60 && number_at(object, "temperature") == 1.5);
    assert_true(number_at(object, "bins") == 10 && number_at(object, "mean_energy") == 29.5);
    assert_int_equal(json_integer_value(json_object_get(object, "seed")), 1LL << 40);
    json_decref(object);
    free(text);
    free_predictions(&p);
}

static void what_is_not_there_is_null_or_left_out(void **state)
{
    test_predictions p = random_predictions(60, 3, 1, 1, 2);
    ebm_evaluation_options options = {1, 20, 0, 0, 3};
    ebm_evaluation e;
    char *text = NULL;
    assert_ok(ebm_evaluate(&p.rows, &options, &e));
    assert_ok(ebm_evaluation_json(&e, &text));
    json_t *object = json_loads(text, 0, NULL);
    assert_true(json_is_null(json_object_get(object, "f1")));
    assert_null(json_object_get(object, "nll_low"));
    assert_null(json_object_get(object, "ece_pooled_floor"));
    assert_null(json_object_get(object, "mean_energy"));
    json_decref(object);
    free(text);
    free_predictions(&p);
}

static char *printed(const ebm_evaluation *e, const ebm_reliability_bin *bin, int bins)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    if (e)
        assert_ok(ebm_evaluation_print(stream, e));
    else
        assert_ok(ebm_reliability_print(stream, bin, bins));
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void check_lines(const char *text, size_t columns)
{
    for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
        assert_in_range(strcspn(line, "\n"), 1, columns);
        for (size_t i = 0; line[i] != '\n'; i++) assert_in_range(line[i], ' ', '~');
    }
}

static void the_table_names_what_is_defined(void **state)
{
    test_predictions p = random_predictions(1043, 3, 2, 2, 6);
    for (int which = 0; which < 4; which++) {
        ebm_evaluation_options options = {2, 20, which & 1 ? 20 : 0, which & 2 ? 20 : 0, 0};
        ebm_evaluation e;
        assert_ok(ebm_evaluate(&p.rows, &options, &e));
        char *text = printed(&e, NULL, 0), value[32];
        check_lines(text, 80);
        for (int m = 0; m < EBM_METRICS; m++)
            assert_true((strstr(text, ebm_metric_name((ebm_metric)m)) != NULL) || m == EBM_F1);
        assert_null(strstr(text, "\nf1 "));
        snprintf(value, sizeof value, "%8.4f", e.value[EBM_ECE_POOLED]);
        assert_non_null(strstr(text, value));
        assert_int_equal(strstr(text, "floor") != NULL, which >> 1);
        free(text);
    }
    free_predictions(&p);
}

static void the_diagram_shows_each_bin(void **state)
{
    // probabilities of the answer: .6 right, .6 wrong, .9 right, 1 right (x = ln p / (1 - p))
    const float logits[] = {0, logf(1.5f), 0, logf(1.5f), logf(9), 0, 200, 0};
    const int32_t label[] = {1, 0, 0, 0};
    const ebm_predictions p = {4, 2, logits, label, NULL};
    ebm_reliability_bin bin[8];
    assert_ok(ebm_reliability_measure(&p, 1, 8, bin));
    assert_int_equal(bin[4].count, 2);
    assert_int_equal(bin[6].count, 0);
    assert_int_equal(bin[7].count, 2);
    check_close("confidence", bin[4].confidence, 0.6, 1e-7);
    check_close("accuracy", bin[4].accuracy, 0.5, 0);
    check_close("confidence", bin[7].confidence, 0.95, 1e-7);
    assert_true(bin[4].low == 0.5 && bin[4].high == 0.625 && bin[7].high == 1);
    char *text = printed(NULL, bin, 8);
    check_lines(text, EBM_RELIABILITY_COLUMNS);
    assert_non_null(strstr(text, "\n[0.500, 0.625)       2  0.600  0.500  ###############   |\n"));
    assert_non_null(strstr(text, "\n[0.625, 0.750)       0      -      -\n"));
    assert_non_null(strstr(text, "\n[0.875, 1.000]       2  0.950  1.000  #############################|\n"));
    assert_null(strstr(text, "[0.375"));
    free(text);
    const ebm_reliability_bin full = {0, 1, 5, 1, 1}; // the longest line
    text = printed(NULL, &full, 1);
    check_lines(text, EBM_RELIABILITY_COLUMNS);
    free(text);
}

static void a_full_disk_is_an_error(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    if (!full) skip();
    setvbuf(full, NULL, _IONBF, 0);
    const ebm_reliability_bin bin = {0, 1, 5, 1, 1};
    assert_fails(ebm_reliability_print(full, &bin, 1), EBM_ERROR_IO, "writing failed");
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resample_is_the_metrics_of_its_rows),
        cmocka_unit_test(intervals_of_means_are_normal),
        cmocka_unit_test(quantiles_are_numpys),
        cmocka_unit_test(the_floor_of_one_bin_is_half_normal),
        cmocka_unit_test(a_calibrated_model_is_at_its_floor),
        cmocka_unit_test(the_same_seed_gives_the_same_bits),
        cmocka_unit_test(the_json_has_every_key),
        cmocka_unit_test(what_is_not_there_is_null_or_left_out),
        cmocka_unit_test(the_table_names_what_is_defined),
        cmocka_unit_test(the_diagram_shows_each_bin),
        cmocka_unit_test(a_full_disk_is_an_error),
    };
    return cmocka_run_group_tests_name("evaluation", tests, NULL, NULL);
}
