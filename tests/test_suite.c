// Everything measured at once: one part as its own functions say, several seeds, halves, differences, tables, JSON.
#include <stdio.h>

#include "portion.h"
#include "predictions.h"
#include "suite.h"

static double row_value(const ebm_suite *suite, const char *name)
{
    const ebm_suite_row *row = ebm_suite_find(suite, name);
    if (!row) fail_msg("no row %s", name);
    return row->value;
}

static const ebm_suite_options QUICK = {EBM_SUITE_ALL, 15, 30, 20, 5};

// One seed, one half: values, intervals and floors are those of the parts' own functions, same seed, same draws.
static void one_part_is_what_its_parts_say(void **state)
{
    test_predictions p = random_predictions(80, 3, 2, 1, 6), q = random_predictions(50, 3, 1, 1, 7);
    double counts[240], value[EBM_METRICS], error[EBM_MISCALIBRATIONS], agreement[EBM_AGREEMENTS];
    float energy[80];
    for (size_t i = 0; i < 240; i++) counts[i] = (double)(1 + i * 13 % 7);
    for (size_t i = 0; i < 80; i++) energy[i] = (float)(i * 31 % 80);
    p.rows.energy = q.rows.energy = energy;
    const ebm_suite_part part = {p.rows, 1.3, false, counts, &q.rows};
    const ebm_suite_runs runs = {&part, 1, 1};
    ebm_suite suite;
    ebm_interval interval[EBM_METRICS];
    ebm_floor floor[EBM_ECES], error_floor[EBM_MISCALIBRATION_FLOORS];
    assert_ok(ebm_suite_measure(&runs, &QUICK, &suite));
    assert_int_equal(suite.count, 9 + 9 + 5 * 15 + 6);
    assert_ok(ebm_metrics(&p.rows, 1.3, 15, value));
    assert_ok(ebm_bootstrap(&p.rows, 1.3, 15, 30, 5, interval));
    assert_ok(ebm_ece_floor(&p.rows, 1.3, 15, 20, 5, floor));
    for (int m = 0; m < EBM_METRICS; m++) {
        const ebm_suite_row *row = ebm_suite_find(&suite, ebm_metric_name((ebm_metric)m));
        assert_non_null(row);
        if (m == EBM_F1) continue; // three labels
        check_close(row->name, row->value, value[m], 1e-12);
        check_close(row->name, row->interval.low, interval[m].low, 1e-12);
        check_close(row->name, row->interval.high, interval[m].high, 1e-12);
        assert_int_equal(row->has_floor, m >= EBM_ECE_CLASS_WISE);
        if (row->has_floor) check_close(row->name, row->floor.high, floor[m - EBM_ECE_CLASS_WISE].high, 1e-12);
    }
    assert_ok(ebm_miscalibration_measure(&p.rows, 1.3, 15, error));
    assert_ok(ebm_miscalibration_floor(&p.rows, 1.3, 15, 20, 5, error_floor));
    for (int e = 0; e < EBM_MISCALIBRATIONS; e++) {
        const ebm_suite_row *row = ebm_suite_find(&suite, ebm_miscalibration_name((ebm_miscalibration)e));
        check_close(row->name, row->value, error[e], 1e-12);
        if (!row->has_floor) continue;
        check_close(row->name, row->floor.mean, error_floor[e].mean, 1e-12);
        check_close(row->name, row->floor.p, error_floor[e].p, 1e-12);
    }
    assert_ok(ebm_agreement_measure(&p.rows, 1.3, counts, agreement));
    for (int a = 0; a < EBM_AGREEMENTS; a++)
        check_close("agreement", row_value(&suite, ebm_agreement_name((ebm_agreement)a)), agreement[a], 1e-12);
    double *in = NULL, *out = NULL;
    ebm_detection d;
    assert_ok(ebm_certainty_create(&p.rows, 1.3, EBM_CERTAINTY_ENTROPY, &in));
    assert_ok(ebm_certainty_create(&q.rows, 1.3, EBM_CERTAINTY_ENTROPY, &out));
    assert_ok(ebm_detection_measure(in, 80, out, 50, &d));
    check_close("ood", row_value(&suite, "ood_aupr_out_entropy"), d.aupr_out, 1e-12);
    check_close("ood", row_value(&suite, "ood_fpr_at_95_tpr_entropy"), d.fpr_at_95_tpr, 1e-12);
    free(in);
    free(out);
    ebm_suite_free(&suite);
    ebm_suite_free(&suite);
    free_predictions(&p);
    free_predictions(&q);
}

static void what_is_not_there_is_left_out(void **state)
{
    test_predictions p = random_predictions(40, 2, 1, 1, 1);
    const ebm_suite_part part = {p.rows, 1, true, NULL, NULL}; // probabilities, no energies, no annotators, no others
    const ebm_suite_runs runs = {&part, 1, 1};
    ebm_suite_options options = QUICK;
    options.resamples = options.redraws = 0;
    ebm_suite suite;
    assert_ok(ebm_suite_measure(&runs, &options, &suite));
    assert_int_equal(suite.count, 9 + 9 + 2 * 11);
    assert_null(ebm_suite_find(&suite, "aurc_free_energy"));
    assert_null(ebm_suite_find(&suite, "aurc_max_logit"));
    assert_null(ebm_suite_find(&suite, "human_kl"));
    assert_null(ebm_suite_find(&suite, "ood_auroc_entropy"));
    const ebm_suite_row *row = ebm_suite_find(&suite, "ece_pooled");
    assert_true(!row->has_floor && isnan(row->interval.low) && isnan(row->p));
    ebm_suite_free(&suite);
    options.sections = EBM_SUITE_AGREEMENT;
    assert_fails(ebm_suite_measure(&runs, &options, &suite), EBM_ERROR_INPUT, "a section expected");
    free_predictions(&p);
}

// The same labels for all seeds: another model's logits.
static test_predictions another_seed(const test_predictions *p, uint64_t seed)
{
    test_predictions q = random_predictions(p->rows.count, p->rows.labels, 1, 1, seed);
    memcpy(q.label, p->label, p->rows.count * sizeof *q.label);
    for (size_t i = 0; i < p->rows.count * (size_t)p->rows.labels; i++) q.logits[i] += p->logits[i];
    return q;
}

static void a_value_is_the_mean_over_seeds_and_halves(void **state)
{
    enum { SEEDS = 3 };
    test_predictions all[SEEDS];
    ebm_prediction_rows half[SEEDS][2];
    ebm_suite_part part[SEEDS * 2];
    double sum = 0, smooth = 0, value[EBM_METRICS], error[EBM_MISCALIBRATIONS];
    for (int s = 0; s < SEEDS; s++) {
        all[s] = s ? another_seed(all, (uint64_t)s) : random_predictions(101, 2, 2, 1, 77);
        for (int h = 0; h < 2; h++) {
            assert_ok(ebm_predictions_portion(&all[s].rows, h ? EBM_PORTION_SECOND_HALF : EBM_PORTION_FIRST_HALF, 0,
                                              &half[s][h]));
            part[2 * s + h] = (ebm_suite_part){half[s][h].rows, 1 + s, false, NULL, NULL};
            assert_ok(ebm_metrics(&half[s][h].rows, 1 + s, 15, value));
            assert_ok(ebm_miscalibration_measure(&half[s][h].rows, 1 + s, 15, error));
            sum += value[EBM_NLL] / (SEEDS * 2);
            smooth += error[EBM_SMOOTH_ECE] / (SEEDS * 2);
        }
    }
    ebm_suite suite;
    assert_ok(ebm_suite_measure(&(ebm_suite_runs){part, SEEDS, 2}, &QUICK, &suite));
    check_close("nll", row_value(&suite, "nll"), sum, 1e-12);
    check_close("smooth", row_value(&suite, "smooth_ece"), smooth, 1e-12);
    assert_true(suite.seeds == SEEDS && suite.halves == 2 && suite.examples == 100);
    const ebm_suite_row *row = ebm_suite_find(&suite, "ece_top_label");
    assert_true(row->has_floor && row->floor.mean > 0 && row->floor.high >= row->floor.mean);
    ebm_suite_free(&suite);
    // Of seeds that are all the same the outer level draws nothing new: the intervals are one seed's.
    ebm_suite one;
    for (int s = 1; s < SEEDS; s++) part[s] = part[0];
    assert_ok(ebm_suite_measure(&(ebm_suite_runs){part, SEEDS, 1}, &QUICK, &suite));
    assert_ok(ebm_suite_measure(&(ebm_suite_runs){part, 1, 1}, &QUICK, &one));
    for (size_t i = 0; i < suite.count; i++) {
        if (isnan(one.rows[i].interval.low)) continue;
        check_close(one.rows[i].name, suite.rows[i].interval.low, one.rows[i].interval.low, 1e-12);
        if (one.rows[i].has_floor) check_close("floor", suite.rows[i].floor.high, one.rows[i].floor.high, 1e-12);
    }
    ebm_suite_free(&suite);
    ebm_suite_free(&one);
    for (int s = 0; s < SEEDS; s++) {
        for (int h = 0; h < 2; h++) ebm_prediction_rows_free(&half[s][h]);
        free_predictions(all + s);
    }
}

// The variance of a mean over seeds and examples: seeds that differ by a constant shift of the NLL widen the interval
// by their own spread, which a bootstrap of examples alone does not see.
static void seeds_are_the_outer_level(void **state)
{
    enum { COUNT = 400, SEEDS = 8 };
    test_predictions all[SEEDS];
    ebm_suite_part part[SEEDS];
    for (int s = 0; s < SEEDS; s++) {
        all[s] = allocate_predictions(COUNT, 2);
        part[s] = (ebm_suite_part){all[s].rows, 1, false, NULL, NULL};
        for (size_t i = 0; i < COUNT; i++) { // p(label) is the same for all examples of a seed
            all[s].label[i] = (int32_t)(i % 2);
            all[s].logits[2 * i + i % 2] = (float)(s % 4);
            all[s].logits[2 * i + 1 - i % 2] = 0;
        }
    }
    ebm_suite_options options = {EBM_SUITE_METRICS, 15, 2000, 0, 9};
    ebm_suite suite;
    assert_ok(ebm_suite_measure(&(ebm_suite_runs){part, SEEDS, 1}, &options, &suite));
    double mean = 0, square = 0;
    for (int s = 0; s < SEEDS; s++) {
        const double nll = log1p(exp(-(double)(s % 4)));
        mean += nll / SEEDS;
        square += nll * nll / SEEDS;
    }
    // The mean of 8 draws from 4 values is nearly normal; 15 % for that, and for 2000 resamples.
    const double deviation = sqrt((square - mean * mean) / SEEDS);
    const ebm_suite_row *row = ebm_suite_find(&suite, "nll");
    check_close("value", row->value, mean, 1e-7);
    check_close("width", row->interval.high - row->interval.low, 2 * 1.96 * deviation, 0.15 * 4 * deviation);
    ebm_suite_free(&suite);
    for (int s = 0; s < SEEDS; s++) free_predictions(all + s);
}

static void differences_are_paired(void **state)
{
    test_predictions p = random_predictions(300, 2, 1.5, 1, 31);
    const ebm_suite_part a = {p.rows, 1, false, NULL, NULL}, b = {p.rows, 0.5, false, NULL, NULL};
    ebm_suite_options options = {EBM_SUITE_METRICS, 15, 199, 50, 3};
    ebm_suite same, other, one, two;
    assert_ok(ebm_suite_compare(&(ebm_suite_runs){&a, 1, 1}, &(ebm_suite_runs){&a, 1, 1}, &options, &same));
    for (size_t i = 0; i < same.count; i++) {
        if (isnan(same.rows[i].value)) continue;
        assert_true(same.rows[i].value == 0 && same.rows[i].interval.low == 0 && same.rows[i].interval.high == 0);
        assert_true(same.rows[i].p == 1 && !same.rows[i].has_floor);
    }
    assert_ok(ebm_suite_compare(&(ebm_suite_runs){&a, 1, 1}, &(ebm_suite_runs){&b, 1, 1}, &options, &other));
    assert_ok(ebm_suite_measure(&(ebm_suite_runs){&a, 1, 1}, &options, &one));
    assert_ok(ebm_suite_measure(&(ebm_suite_runs){&b, 1, 1}, &options, &two));
    const ebm_suite_row *nll = ebm_suite_find(&other, "nll");
    check_close("difference", nll->value, row_value(&one, "nll") - row_value(&two, "nll"), 1e-12);
    // Over-confident by a factor of two is worse beyond doubt; two single intervals overlap all the same.
    assert_true(nll->interval.high < 0);
    check_close("p", nll->p, 2.0 / 200, 1e-12);
    const double paired = nll->interval.high - nll->interval.low;
    const ebm_suite_row *first = ebm_suite_find(&one, "nll"), *second = ebm_suite_find(&two, "nll");
    assert_true(paired <
                hypot(first->interval.high - first->interval.low, second->interval.high - second->interval.low));
    check_close("accuracy", row_value(&other, "accuracy"), 0, 0); // no temperature changes an answer
    ebm_suite_free(&same);
    ebm_suite_free(&other);
    ebm_suite_free(&one);
    ebm_suite_free(&two);
    free_predictions(&p);
}

static void methods_of_different_numbers_of_seeds(void **state)
{
    test_predictions p = random_predictions(60, 3, 1.5, 1, 31), q = another_seed(&p, 5);
    const ebm_suite_part two[] = {{p.rows, 1, false, NULL, NULL}, {q.rows, 1, false, NULL, NULL}};
    ebm_suite_options options = {EBM_SUITE_METRICS, 15, 50, 0, 3};
    ebm_suite d;
    assert_ok(ebm_suite_compare(&(ebm_suite_runs){two, 2, 1}, &(ebm_suite_runs){two, 1, 1}, &options, &d));
    double a[EBM_METRICS], b[EBM_METRICS];
    assert_ok(ebm_metrics(&p.rows, 1, 15, a));
    assert_ok(ebm_metrics(&q.rows, 1, 15, b));
    check_close("nll", row_value(&d, "nll"), (a[EBM_NLL] + b[EBM_NLL]) / 2 - a[EBM_NLL], 1e-12);
    ebm_suite_free(&d);
    free_predictions(&p);
    free_predictions(&q);
}

static char *printed(const ebm_suite *suite)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    assert_non_null(stream);
    assert_ok(ebm_suite_print(stream, suite));
    assert_int_equal(fclose(stream), 0);
    return text;
}

static void tables_fit_a_terminal(void **state)
{
    test_predictions p = random_predictions(80, 3, 2, 1, 6), q = random_predictions(50, 3, 1, 1, 7);
    double counts[240];
    for (size_t i = 0; i < 240; i++) counts[i] = (double)(1 + i * 13 % 7);
    const ebm_suite_part part = {p.rows, 1.3, false, counts, &q.rows};
    const ebm_suite_runs runs = {&part, 1, 1};
    for (int which = 0; which < 8; which++) {
        ebm_suite_options options = {EBM_SUITE_ALL, 15, 5, 5, 5};
        ebm_suite suite;
        if (which & 1) options.resamples = 0;
        if (which & 2) options.redraws = 0;
        if (which & 4)
            assert_ok(ebm_suite_compare(&runs, &runs, &options, &suite));
        else
            assert_ok(ebm_suite_measure(&runs, &options, &suite));
        char *text = printed(&suite);
        for (const char *line = text; *line; line = strchr(line, '\n') + 1) {
            assert_in_range(strcspn(line, "\n"), 0, 80);
            for (size_t i = 0; line[i] != '\n'; i++) assert_in_range(line[i], ' ', '~');
        }
        assert_non_null(strstr(text, "smooth_ece"));
        assert_non_null(strstr(text, "\nfree_energy"));
        assert_non_null(strstr(text, "in from out"));
        assert_non_null(strstr(text, "entropy_spearman"));
        assert_null(strstr(text, "\nf1 "));
        free(text);
        ebm_suite_free(&suite);
    }
    free_predictions(&p);
    free_predictions(&q);
}

static void the_json_has_every_key(void **state)
{
    test_predictions p = random_predictions(60, 3, 2, 1, 6);
    const ebm_suite_part part = {p.rows, 1, false, NULL, NULL};
    const ebm_suite_runs runs = {&part, 1, 1};
    const ebm_suite_options options = {EBM_SUITE_ALL, 15, 5, 5, 5};
    for (int difference = 0; difference < 2; difference++) {
        ebm_suite suite;
        char *text = NULL, key[80];
        assert_ok(difference ? ebm_suite_compare(&runs, &runs, &options, &suite)
                             : ebm_suite_measure(&runs, &options, &suite));
        assert_ok(ebm_suite_json(&suite, &text));
        json_t *object = json_loads(text, 0, NULL);
        for (size_t i = 0; i < suite.count; i++) {
            const ebm_suite_row *row = suite.rows + i;
            if (isnan(row->value)) {
                assert_true(json_is_null(json_object_get(object, row->name)));
                continue;
            }
            assert_true(number_at(object, row->name) == row->value);
            snprintf(key, sizeof key, "%s_high", row->name);
            if (!isnan(row->interval.high)) assert_true(number_at(object, key) == row->interval.high);
            snprintf(key, sizeof key, "%s%s", row->name, difference ? "_p" : "_floor_p");
            assert_int_equal(json_object_get(object, key) != NULL, difference || row->has_floor);
        }
        json_decref(object);
        free(text);
        ebm_suite_free(&suite);
    }
    free_predictions(&p);
}

static void bad_runs_are_named(void **state)
{
    test_predictions p = random_predictions(20, 2, 1, 1, 1), q = random_predictions(20, 2, 1, 1, 1),
                     r = random_predictions(19, 2, 1, 1, 1);
    ebm_suite suite;
    q.label[7] = 1 - q.label[7];
    const ebm_suite_part part[] = {{p.rows, 1, false, NULL, NULL}, {q.rows, 1, false, NULL, NULL}};
    const ebm_suite_part shorter[] = {{p.rows, 1, false, NULL, NULL}, {r.rows, 1, false, NULL, NULL}};
    assert_fails(ebm_suite_measure(&(ebm_suite_runs){part, 2, 1}, &QUICK, &suite), EBM_ERROR_INPUT,
                 "run 2: row 7: label");
    assert_fails(ebm_suite_measure(&(ebm_suite_runs){shorter, 2, 1}, &QUICK, &suite), EBM_ERROR_INPUT,
                 "run 2: 20 examples with 2 labels expected as in the first, found 19");
    assert_fails(ebm_suite_compare(&(ebm_suite_runs){part, 1, 1}, &(ebm_suite_runs){part + 1, 1, 1}, &QUICK, &suite),
                 EBM_ERROR_INPUT, "baseline: run 1: row 7");
    assert_fails(ebm_suite_compare(&(ebm_suite_runs){part, 1, 1}, &(ebm_suite_runs){part, 1, 2}, &QUICK, &suite),
                 EBM_ERROR_INPUT, "1 halves expected");
    assert_fails(ebm_suite_measure(&(ebm_suite_runs){part, 0, 1}, &QUICK, &suite), EBM_ERROR_INPUT, "1 to 1000 seeds");
    ebm_suite_options options = QUICK;
    options.resamples = -1;
    assert_fails(ebm_suite_measure(&(ebm_suite_runs){part, 1, 1}, &options, &suite), EBM_ERROR_INPUT,
                 "resamples: 1 to");
    options = QUICK;
    options.redraws = 2000000;
    assert_fails(ebm_suite_measure(&(ebm_suite_runs){part, 1, 1}, &options, &suite), EBM_ERROR_INPUT, "redraws: 1 to");
    free_predictions(&p);
    free_predictions(&q);
    free_predictions(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_part_is_what_its_parts_say),
        cmocka_unit_test(what_is_not_there_is_left_out),
        cmocka_unit_test(a_value_is_the_mean_over_seeds_and_halves),
        cmocka_unit_test(seeds_are_the_outer_level),
        cmocka_unit_test(differences_are_paired),
        cmocka_unit_test(methods_of_different_numbers_of_seeds),
        cmocka_unit_test(tables_fit_a_terminal),
        cmocka_unit_test(the_json_has_every_key),
        cmocka_unit_test(bad_runs_are_named),
    };
    return cmocka_run_group_tests_name("suite", tests, NULL, NULL);
}
