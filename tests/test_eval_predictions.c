// ebmcl eval --predictions: files of other programs, several seeds, halves, a baseline, other distributions,
// annotators.
#include "predictions.h"

#include "calibration.h"
#include "command.h"
#include "portion.h"
#include "suite.h"

enum { COUNT = 61, LABEL_COUNT = 3, SEEDS = 3 };

static test_predictions seeds[SEEDS], baseline[SEEDS];

static FILE *file_for(const char *name)
{
    char *path = in_folder(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    free(path);
    return file;
}

static void put_csv(const char *name, const test_predictions *p, bool counts)
{
    FILE *file = file_for(name);
    fprintf(file, "logit_0,logit_1,logit_2,label,energy%s\n", counts ? ",count_0,count_1,count_2" : "");
    for (int i = 0; i < COUNT; i++) {
        const float *f = p->logits + i * LABEL_COUNT;
        fprintf(file, "%.9g,%.9g,%.9g,%d,%d", (double)f[0], (double)f[1], (double)f[2], p->label[i], i * 7 % COUNT);
        fprintf(file, counts ? ",%d,2,1\n" : "\n", 1 + i % 4);
    }
    fclose(file);
}

static void put_jsonl(const char *name, const test_predictions *p)
{
    FILE *file = file_for(name);
    for (int i = 0; i < COUNT; i++) {
        const float *f = p->logits + i * LABEL_COUNT;
        fprintf(file, "{\"logits\": [%.9g, %.9g, %.9g], \"label\": %d}\n", (double)f[0], (double)f[1], (double)f[2],
                p->label[i]);
    }
    fclose(file);
}

static test_predictions shaken(const test_predictions *p, double scale, uint64_t seed)
{
    test_predictions q = random_predictions(COUNT, LABEL_COUNT, 0.5, 1, seed);
    for (size_t i = 0; i < COUNT * LABEL_COUNT; i++) q.logits[i] = (float)scale * (q.logits[i] + p->logits[i]);
    memcpy(q.label, p->label, COUNT * sizeof *q.label);
    return q;
}

static int make_files(void **state)
{
    char name[32];
    if (!mkdtemp(folder)) return -1;
    seeds[0] = random_predictions(COUNT, LABEL_COUNT, 1.5, 1, 3);
    for (int s = 1; s < SEEDS; s++) seeds[s] = shaken(seeds, 1, 10 + (uint64_t)s);
    for (int s = 0; s < SEEDS; s++) {
        baseline[s] = shaken(seeds + s, 3, 20 + (uint64_t)s);
        snprintf(name, sizeof name, "a%d.jsonl", s);
        put_jsonl(name, seeds + s);
        snprintf(name, sizeof name, "b%d.jsonl", s);
        put_jsonl(name, baseline + s);
    }
    put_csv("p.csv", seeds, false);
    put_csv("counts.csv", seeds, true);
    put_csv("other.csv", seeds + 2, false);
    put("probabilities.csv", "p_no,p_yes,label\n0.25,0.75,yes\n0.5,0.5,no\n0.875,0.125,no\n");
    put("longer.jsonl", "{\"logits\": [1, 2, 3], \"label\": 1}\n");
    put("long.jsonl", "{\"logits\": [1, 2, 3], \"label\": 0}\n");
    return 0;
}

static int free_all(void **state)
{
    for (int s = 0; s < SEEDS; s++) {
        free_predictions(seeds + s);
        free_predictions(baseline + s);
    }
    return remove_files(state);
}

static void check_number(const json_t *e, const char *key, double expected)
{
    check_close(key, number(e, key), expected, 1e-9 + 1e-9 * fabs(expected)); // printed with ten digits
}

static void one_file_is_a_table_and_a_diagram(void **state)
{
    assert_prints(run("eval", "--predictions", "p.csv"),
                  PARTS("p.csv, all\n61 examples, 3 labels", "ece_class_wise", "mean_energy", "chance", "#"));
    double value[EBM_METRICS];
    json_t *e = json_of(run("eval", "--predictions", "p.csv", "--json", "--bins", "15", "--temperature", "2"));
    assert_ok(ebm_metrics(&seeds[0].rows, 2, 15, value));
    check_number(e, "nll", value[EBM_NLL]);
    check_number(e, "ece_top_label", value[EBM_ECE_TOP_LABEL]);
    assert_true(number(e, "ece_top_label_floor_p") > 0);
    assert_null(json_object_get(e, "smooth_ece"));
    assert_string_equal(json_string_value(json_array_get(json_object_get(e, "predictions"), 0)), "p.csv");
    const json_t *rows = json_object_get(e, "reliability");
    assert_int_equal(json_array_size(rows), 10);
    for (size_t b = 0; b < 10; b++) {
        const json_t *row = json_array_get(rows, b);
        assert_int_equal(json_is_null(json_object_get(row, "chance_low")), number(row, "count") == 0);
    }
    json_decref(e);
    e = json_of(run("eval", "--predictions", "p.csv", "--json", "--split", "first-half"));
    assert_int_equal((int)number(e, "examples"), COUNT / 2);
    json_decref(e);
}

static void full_measures_everything(void **state)
{
    assert_prints(
        run("eval", "--predictions", "counts.csv", "--ood_predictions", "other.csv", "--bootstrap_samples", "20"),
        PARTS("61 examples", "more on calibration", "smooth_ece", "answer the surest", "right from wrong",
              "in from out", "\nenergy ", "with annotators", "entropy_spearman"));
    double error[EBM_MISCALIBRATIONS];
    json_t *e = json_of(run("eval", "--predictions", "p.csv", "--full", "--json", "--bootstrap_samples", "0"));
    assert_ok(ebm_miscalibration_measure(&seeds[0].rows, 1, 20, error));
    for (int k = 0; k < EBM_MISCALIBRATIONS; k++)
        check_number(e, ebm_miscalibration_name((ebm_miscalibration)k), error[k]);
    assert_true(number(e, "smooth_ece_floor") > 0 && number(e, "aurc_energy") >= 0);
    assert_true(number(e, "accuracy") > 0); // once, from the short table
    assert_null(json_object_get(e, "smooth_ece_low"));
    assert_null(json_object_get(e, "human_kl"));
    assert_null(json_object_get(e, "ood_auroc_entropy"));
    json_decref(e);
}

static void probabilities_have_no_level(void **state)
{
    json_t *e =
        json_of(run("eval", "--predictions", "probabilities.csv", "--full", "--json", "--bootstrap_samples", "10"));
    check_close("nll", number(e, "nll"), -(log(0.75) + log(0.5) + log(0.875)) / 3, 1e-7); // ln p is kept as a float
    assert_true(number(e, "accuracy") == 1);                                              // a tie: the first label
    assert_null(json_object_get(e, "aurc_free_energy"));
    assert_true(number(e, "aurc_entropy") == 0);
    assert_true(json_is_null(json_object_get(e, "error_auroc_entropy"))); // there are no errors
    json_decref(e);
}

static void seeds_are_averaged(void **state)
{
    json_t *e = json_of(
        run("eval", "--predictions", "a0.jsonl", "a1.jsonl", "a2.jsonl", "--json", "--bootstrap_samples", "40"));
    double mean = 0, value[EBM_METRICS];
    for (int s = 0; s < SEEDS; s++) {
        assert_ok(ebm_metrics(&seeds[s].rows, 1, 20, value));
        mean += value[EBM_BRIER] / SEEDS;
    }
    check_number(e, "brier", mean);
    assert_true(number(e, "brier_low") < mean && number(e, "brier_high") > mean);
    assert_int_equal((int)number(e, "seeds"), SEEDS);
    assert_int_equal((int)number(e, "halves"), 1);
    assert_null(json_object_get(e, "reliability"));
    json_decref(e);
    assert_prints(run("eval", "--predictions", "a0.jsonl", "a1.jsonl", "--full", "--bootstrap_samples", "5"),
                  PARTS("a0.jsonl and 1 more, all", "2 seeds", "smooth_ece", "answer the surest"));
}

// Of all examples a brier score and NLL of the mean probabilities, written out.
static void seeds_make_an_ensemble(void **state)
{
    double brier = 0, nll = 0, *p[SEEDS];
    for (int s = 0; s < SEEDS; s++) assert_ok(ebm_probabilities_create(&seeds[s].rows, 1, p + s));
    for (int i = 0; i < COUNT; i++)
        for (int y = 0; y < LABEL_COUNT; y++) {
            const int at = i * LABEL_COUNT + y, hit = seeds[0].label[i] == y;
            const double mean = (p[0][at] + p[1][at] + p[2][at]) / SEEDS;
            brier += (mean - hit) * (mean - hit) / COUNT;
            if (hit) nll -= log(mean) / COUNT;
        }
    for (int s = 0; s < SEEDS; s++) free(p[s]);
    json_t *e = json_of(run("eval", "--predictions", "a0.jsonl", "a1.jsonl", "a2.jsonl", "--average_seeds", "--json",
                            "--bootstrap_samples", "0"));
    check_number(e, "brier", brier);
    check_number(e, "nll", nll);
    assert_true(json_is_true(json_object_get(e, "average_seeds")));
    assert_int_equal(json_array_size(json_object_get(e, "predictions")), SEEDS);
    assert_non_null(json_object_get(e, "reliability")); // one set of predictions
    json_decref(e);
    // Other texts are averaged as well, and the level of ln p says nothing.
    e = json_of(run("eval", "--predictions", "long.jsonl", "long.jsonl", "--average_seeds", "--bootstrap_samples", "0",
                    "--ood_predictions", "long.jsonl", "--json"));
    check_number(e, "ood_auroc_max_probability", 0.5);
    assert_null(json_object_get(e, "aurc_max_logit"));
    json_decref(e);
    e = json_of(run("eval", "--predictions", "a0.jsonl", "a1.jsonl", "a2.jsonl", "--average_seeds", "--baseline",
                    "b0.jsonl", "b1.jsonl", "--json", "--bootstrap_samples", "10"));
    check_number(e, "nll", nll);
    assert_int_equal((int)number(e, "seeds"), 1);
    assert_int_equal((int)number(json_object_get(e, "baseline"), "nll_low") >= 0, 1);
    json_decref(e);
}

// Each half at the temperature of the other; the mean of both.
static void halves_are_swapped(void **state)
{
    double mean = 0, plain = 0, value[EBM_METRICS];
    ebm_prediction_rows half[2];
    ebm_temperature fit;
    assert_ok(ebm_predictions_portion(&baseline[0].rows, EBM_PORTION_RANDOM_FIRST_HALF, 4, half));
    assert_ok(ebm_predictions_portion(&baseline[0].rows, EBM_PORTION_RANDOM_SECOND_HALF, 4, half + 1));
    for (int h = 0; h < 2; h++) {
        assert_ok(ebm_temperature_fit(&half[1 - h].rows, &fit));
        assert_ok(ebm_metrics(&half[h].rows, fit.temperature, 20, value));
        mean += value[EBM_NLL] / 2;
        assert_ok(ebm_metrics(&half[h].rows, 1, 20, value));
        plain += value[EBM_NLL] / 2;
    }
    json_t *e = json_of(run("eval", "--predictions", "b0.jsonl", "--swap_halves", "random", "--fit_temperature",
                            "--seed", "4", "--json", "--bootstrap_samples", "10"));
    check_number(e, "nll", mean);
    assert_int_equal((int)number(e, "halves"), 2);
    assert_int_equal((int)number(e, "examples"), COUNT - 1);
    assert_string_equal(string(e, "swap_halves"), "random");
    json_decref(e);
    e = json_of(run("eval", "--predictions", "b0.jsonl", "--swap_halves", "random", "--seed", "4", "--json",
                    "--bootstrap_samples", "0"));
    check_number(e, "nll", plain);
    json_decref(e);
    for (int h = 0; h < 2; h++) ebm_prediction_rows_free(half + h);
}

static void a_baseline_is_subtracted(void **state)
{
    json_t *e = json_of(run("eval", "--predictions", "a0.jsonl", "a1.jsonl", "a2.jsonl", "--baseline", "b0.jsonl",
                            "b1.jsonl", "b2.jsonl", "--json", "--bootstrap_samples", "99"));
    const json_t *other = json_object_get(e, "baseline"), *difference = json_object_get(e, "difference");
    check_number(difference, "nll", number(e, "nll") - number(other, "nll"));
    assert_true(number(difference, "nll_high") < 0); // logits three times too large
    check_close("p", number(difference, "nll_p"), 2.0 / 100, 1e-9);
    assert_int_equal(json_array_size(json_object_get(other, "predictions")), SEEDS);
    json_decref(e);
    assert_prints(run("eval", "--predictions", "a0.jsonl", "--baseline", "b0.jsonl", "--bootstrap_samples", "9"),
                  PARTS("baseline: b0.jsonl", "less the baseline", "change", "nll"));
}

static void wrong_predictions(void **state)
{
    assert_bad("--model_name_or_path or --predictions: expected one of them", "eval");
    assert_bad("--predictions cannot be given with --model_name_or_path", "eval", "--predictions", "p.csv",
               "--model_name_or_path", ".");
    assert_bad("cannot be given with --predictions", "eval", "--predictions", "p.csv", "--test_file", "p.csv");
    assert_bad("--calibrated cannot be given with --predictions", "eval", "--predictions", "p.csv", "--calibrated");
    assert_bad("--ood_file needs --model_name_or_path", "eval", "--predictions", "p.csv", "--ood_file", "p.csv");
    assert_bad("--average_seeds needs --predictions", "eval", "--model_name_or_path", ".", "--average_seeds");
    assert_bad("--ensemble cannot be given with --predictions", "eval", "--predictions", "p.csv", "--ensemble", ".");
    assert_bad("--mc_dropout cannot be given with --predictions", "eval", "--predictions", "p.csv", "--mc_dropout",
               "3");
    assert_bad("--average_seeds: run 2: 61 examples with 3 labels expected as in the first, found 1", "eval",
               "--predictions", "a0.jsonl", "long.jsonl", "--average_seeds");
    assert_bad("--average_seeds: run 2: example 0: label", "eval", "--predictions", "long.jsonl", "longer.jsonl",
               "--average_seeds");
    assert_bad("--baseline: --average_seeds: run 2", "eval", "--predictions", "a0.jsonl", "--baseline", "b0.jsonl",
               "long.jsonl", "--average_seeds");
    assert_bad("--fit_temperature needs --swap_halves", "eval", "--predictions", "p.csv", "--fit_temperature");
    assert_bad("--split cannot be given with --swap_halves", "eval", "--predictions", "p.csv", "--swap_halves", "file",
               "--split", "first-half");
    assert_bad("run 2: 61 examples with 3 labels expected as in the first, found 1", "eval", "--predictions",
               "a0.jsonl", "long.jsonl");
    assert_bad("baseline: run 1: 61 examples", "eval", "--predictions", "a0.jsonl", "--baseline", "long.jsonl");
    assert_bad("--baseline: none.jsonl", "eval", "--predictions", "a0.jsonl", "--baseline", "none.jsonl");
    assert_bad("--ood_predictions: one file, or one for each of the 3", "eval", "--predictions", "a0.jsonl", "a1.jsonl",
               "a2.jsonl", "--ood_predictions", "a0.jsonl", "a1.jsonl");
    assert_bad("probabilities.csv: logits expected, as in a0.jsonl", "eval", "--predictions", "a0.jsonl",
               "--ood_predictions", "probabilities.csv");
    assert_bad("split first-half: 2 to", "eval", "--predictions", "long.jsonl", "--swap_halves", "file");
    assert_bad("p.json: a name ending in", "eval", "--predictions", "p.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_file_is_a_table_and_a_diagram),
        cmocka_unit_test(full_measures_everything),
        cmocka_unit_test(probabilities_have_no_level),
        cmocka_unit_test(seeds_are_averaged),
        cmocka_unit_test(seeds_make_an_ensemble),
        cmocka_unit_test(halves_are_swapped),
        cmocka_unit_test(a_baseline_is_subtracted),
        cmocka_unit_test(wrong_predictions),
    };
    return cmocka_run_group_tests_name("eval_predictions", tests, make_files, free_all);
}
