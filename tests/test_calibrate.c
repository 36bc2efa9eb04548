// ebmcl calibrate --method: every calibrator fitted, stored, used by eval and predict and told by the model card; those
// that can be folded; the comparison of all; what is refused.
#include <math.h>

#include "calibrator.h"
#include "command.h"
#include "tiny_model.h"

static const char *const NAMES[] = {"negative", "positive"};

static const struct {
    const char *name;
    ebm_model_info info;
} MODELS[] = {
    {"ce", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}},
    {"hidden", {EBM_OBJECTIVE_JOINT, EBM_ENERGY_HIDDEN, 1, 1.0f, 32, 0, ""}},
    {"scalar", {EBM_OBJECTIVE_JOINT, EBM_ENERGY_SCALAR, 1, 1.0f, 32, 0, ""}},
};

static int make_files(void **state)
{
    ebm_device *device = NULL;
    if (!mkdtemp(folder)) return -1;
    assert_ok(ebm_device_open(NULL, &device));
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
        make_model_in(device, MODELS[i].name, &MODELS[i].info, NAMES);
    }
    ebm_device_free(device);
    put_texts("dev.tsv", "sentence\tlabel", NAMES);
    return 0;
}

static json_t *evaluation_of(const char *model, bool calibrated)
{
    return json_of(run("eval", "--model_name_or_path", model, "--test_file", "dev.tsv", "--bootstrap_samples", "0",
                       "--json", calibrated ? "--calibrated" : NULL));
}

static json_t *calibrate(const char *model, const char *method)
{
    json_t *fit = json_of(
        run("calibrate", "--model_name_or_path", model, "--validation_file", "dev.tsv", "--method", method, "--json"));
    assert_string_equal(string(fit, "method"), method);
    return fit;
}

// Of each text: probabilities that sum to 1, the larger one the label's; the logits stay the model's.
static void check_predictions(json_t *const before[ROWS])
{
    char *text = get("after.jsonl"), *rest = text;
    for (int i = 0; i < ROWS; i++) {
        json_t *row = line_of(&rest);
        const double p0 = at(row, "probabilities", 0), p1 = at(row, "probabilities", 1);
        assert_true(fabs(p0 + p1 - 1) < 1e-6 && p0 >= 0 && p1 >= 0);
        assert_int_equal((int)number(row, "label_id"), p1 > p0);
        for (size_t y = 0; y < 2; y++) assert_true(at(row, "logits", y) == at(before[i], "logits", y));
        json_decref(row);
    }
    free(text);
}

static void predict(const char *model, const char *file, bool calibrated)
{
    ran r = run("predict", "--model_name_or_path", model, "--test_file", "dev.tsv", "--output_file", file,
                calibrated ? "--calibrated" : NULL);
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
}

static void read_rows(const char *file, json_t *row[ROWS])
{
    char *text = get(file), *rest = text;
    for (int i = 0; i < ROWS; i++) row[i] = line_of(&rest);
    free(text);
}

static void every_method_is_stored_and_used(void **state)
{
    json_t *before[ROWS], *plain = evaluation_of("ce", false);
    predict("ce", "before.jsonl", false);
    read_rows("before.jsonl", before);
    for (int k = 0; k < EBM_CALIBRATORS; k++) {
        const char *method = ebm_calibrator_name((ebm_calibrator_kind)k);
        json_t *fit = calibrate("ce", method), *e = evaluation_of("ce", true);
        assert_true(fabs(number(fit, "nll_before") - number(plain, "nll")) < 1e-9);
        if (!(fabs(number(fit, "nll_after") - number(e, "nll")) < 1e-6))
            fail_msg("%s: NLL %g fitted, %g evaluated", method, number(fit, "nll_after"), number(e, "nll"));
        assert_non_null(strstr(string(fit, "note"), "fitted on 12 examples only"));
        const bool temperature = k <= EBM_CALIBRATOR_TEMPERATURE_ECE;
        assert_int_equal(json_object_get(fit, "temperature") != NULL, temperature);
        if (temperature)
            assert_null(json_object_get(e, "calibration"));
        else
            assert_string_equal(string(e, "calibration"), method);
        predict("ce", "after.jsonl", true);
        check_predictions(before);
        json_decref(fit);
        json_decref(e);
    }
    for (int i = 0; i < ROWS; i++) json_decref(before[i]);
    json_decref(plain);
}

static void results_are_told(void **state)
{
    assert_prints(run("calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--method", "matrix"),
                  PARTS("matrix, regularization ", " from 12 examples (dev.tsv, all)", "NLL ", "note: fitted on 12",
                        "stored in ce/calibration.json"));
    assert_prints(run("eval", "--model_name_or_path", "ce", "--test_file", "dev.tsv", "--calibrated"),
                  PARTS("calibrated: matrix"));
    assert_prints(
        run("calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--method", "temperature-ece"),
        PARTS(" by ECE from 12 examples"));
    json_t *summary = json_of(run("predict", "--model_name_or_path", "ce", "--test_file", "dev.tsv", "--output_file",
                                  "out.jsonl", "--calibrated", "--json"));
    assert_null(json_object_get(summary, "calibration")); // a temperature has its own key
    json_decref(summary);
    json_decref(calibrate("ce", "beta"));
    summary = json_of(run("predict", "--model_name_or_path", "ce", "--test_file", "dev.tsv", "--output_file",
                          "out.jsonl", "--calibrated", "--json"));
    assert_string_equal(string(summary, "calibration"), "beta");
    assert_true(number(summary, "temperature") == 1);
    json_decref(summary);
}

static void all_are_compared_and_none_stored(void **state)
{
    json_decref(calibrate("ce", "platt"));
    char *stored = get("ce/calibration.json"), *after = NULL;
    json_t *c = json_of(run("calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--method",
                            "all", "--split", "random-second-half", "--seed", "5", "--json"));
    const json_t *rows = json_object_get(c, "calibrators");
    assert_string_equal(string(c, "fitted_on"), "random-second-half");
    assert_string_equal(string(c, "judged_on"), "random-first-half");
    assert_true(number(c, "fit_examples") == ROWS / 2 && number(c, "judge_examples") == ROWS / 2);
    assert_int_equal(json_array_size(rows), EBM_CALIBRATORS + 1);
    for (size_t r = 0; r < json_array_size(rows); r++) {
        const json_t *row = json_array_get(rows, r);
        assert_string_equal(string(row, "method"), r == 0 ? "none" : ebm_calibrator_name((ebm_calibrator_kind)(r - 1)));
        assert_true(number(row, "nll") >= 0 && number(row, "brier") >= 0 && number(row, "ece_class_wise") >= 0);
    }
    json_decref(c);
    // The row of a method is what fitting it on one half and evaluating on the other gives.
    c = json_of(
        run("calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--method", "all", "--json"));
    json_decref(json_of(run("calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--method",
                            "isotonic", "--split", "first-half", "--json")));
    json_t *e = json_of(run("eval", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--calibrated",
                            "--split", "second-half", "--bootstrap_samples", "0", "--json"));
    const json_t *row = json_array_get(json_object_get(c, "calibrators"), EBM_CALIBRATOR_ISOTONIC + 1);
    assert_true(number(row, "nll") == number(e, "nll"));
    assert_true(number(row, "ece_class_wise") == number(e, "ece_class_wise"));
    json_decref(e);
    json_decref(c);
    put("ce/calibration.json", stored);
    assert_prints(run("calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--method", "all"),
                  PARTS("fitted on first-half (6 examples), judged on second-half (6)", "\nnone ", "\nplatt ",
                        "\nensemble-temperature ", "floor"));
    after = get("ce/calibration.json");
    assert_string_equal(stored, after);
    free(stored);
    free(after);
}

// The copy's plain softmax is the original's calibrated one; what is left to apply is nothing; energies stay.
static void check_folded(const char *model, const char *method)
{
    json_t *plain[ROWS], *folded[ROWS], *again[ROWS];
    json_decref(calibrate(model, method));
    predict(model, "plain.jsonl", true);
    json_t *fit =
        json_of(run("calibrate", "--model_name_or_path", model, "--validation_file", "dev.tsv", "--method", method,
                    "--fold_calibrator", "--output_dir", "folded", "--overwrite_output_dir", "--json"));
    assert_true(json_is_true(json_object_get(fit, "folded")));
    predict("folded", "folded.jsonl", false);
    predict("folded", "again.jsonl", true);
    read_rows("plain.jsonl", plain);
    read_rows("folded.jsonl", folded);
    read_rows("again.jsonl", again);
    for (int i = 0; i < ROWS; i++) {
        for (size_t y = 0; y < 2; y++) {
            const double want = at(plain[i], "probabilities", y), found = at(folded[i], "probabilities", y);
            if (!(fabs(want - found) < 2e-5)) // the last layer's floats, times factors of some dozens
                fail_msg("%s %s: row %d: %g, folded %g", model, method, i, want, found);
            assert_true(found == at(again[i], "probabilities", y));
        }
        if (json_object_get(plain[i], "energy"))
            assert_true(fabs(number(plain[i], "energy") - number(folded[i], "energy")) < 1e-6);
        json_decref(plain[i]);
        json_decref(folded[i]);
        json_decref(again[i]);
    }
    json_decref(fit);
}

static void affine_ones_are_folded(void **state)
{
    check_folded("ce", "vector");
    char *card = get("folded/README.md");
    assert_non_null(strstr(card, "It is ce with a calibrator folded into its last layer"));
    assert_non_null(strstr(card, "hold a calibrator, `vector`"));
    assert_non_null(strstr(card, "with the calibrator in the weights"));
    free(card);
    json_decref(calibrate("folded", "platt")); // what is left, beside it
    card = get("folded/README.md");
    assert_non_null(strstr(card, "A calibrator, `platt`, lies in `calibration.json`"));
    free(card);
    check_folded("ce", "matrix");
    check_folded("scalar", "matrix");
    check_folded("ce", "temperature-ece");
    check_folded("hidden", "temperature");
}

#define assert_bad_fold(part, ...)                                                                                     \
    assert_bad(part, "calibrate", "--validation_file", "dev.tsv", "--output_dir", "new", __VA_ARGS__)

static void what_is_refused(void **state)
{
    for (int k = EBM_CALIBRATOR_PLATT; k < EBM_CALIBRATORS; k++)
        assert_bad_fold("--fold_calibrator: a last layer can hold temperature, temperature-ece, vector or matrix",
                        "--model_name_or_path", "ce", "--fold_calibrator", "--method",
                        ebm_calibrator_name((ebm_calibrator_kind)k));
    assert_bad_fold("not --method all", "--model_name_or_path", "ce", "--fold_temperature", "--method", "all");
    assert_bad_fold("--method vector takes --fold_calibrator", "--model_name_or_path", "ce", "--fold_temperature",
                    "--method", "vector");
    assert_bad_fold("--output_dir is for --fold_temperature and --fold_calibrator", "--model_name_or_path", "ce");
    assert_bad_fold("hidden: its hidden energy is a function of the logits", "--model_name_or_path", "hidden",
                    "--fold_calibrator", "--method", "matrix");
    assert_bad("--fold_calibrator needs --output_dir", "calibrate", "--model_name_or_path", "ce", "--validation_file",
               "dev.tsv", "--fold_calibrator", "--method", "vector");
    assert_bad("--method", "calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--method",
               "plat");
    assert_bad("--calibrator_bins", "calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv",
               "--calibrator_bins", "0");
    put("one.tsv", "sentence\tlabel\nthe film\tpositive\n");
    assert_bad("half", "calibrate", "--model_name_or_path", "ce", "--validation_file", "one.tsv", "--method", "all");
}

static void broken_files_are_named(void **state)
{
    put("ce/calibration.json", "{\"method\": \"platt\", \"labels\": 2}");
    assert_bad("ce/calibration.json: a number expected at \"examples\"", "eval", "--model_name_or_path", "ce",
               "--test_file", "dev.tsv", "--calibrated");
    put("ce/calibration.json",
        "{\"method\": \"vector\", \"labels\": 3, \"examples\": 9, \"absent\": 0, \"nll_before\": 1, \"nll_after\": 1,"
        " \"regularization\": 0, \"parts\": [{\"scale\": [1, 1, 1], \"bias\": [0, 0, 0]}]}");
    assert_bad("ce/calibration.json: it was fitted with 3 labels, the model has 2", "predict", "--model_name_or_path",
               "ce", "--test_file", "dev.tsv", "--calibrated", "--output_file", "none.jsonl");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_method_is_stored_and_used),
        cmocka_unit_test(results_are_told),
        cmocka_unit_test(all_are_compared_and_none_stored),
        cmocka_unit_test(affine_ones_are_folded),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(broken_files_are_named),
    };
    return cmocka_run_group_tests_name("calibrate", tests, make_files, remove_files);
}
