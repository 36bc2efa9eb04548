// ebmcl calibrate --fold_temperature: a copy of the model whose softmax alone is calibrated, the same energies, and
// what is refused.
#include <math.h>

#include "command.h"
#include "tiny_model.h"

static const char *const NAMES[] = {"negative", "positive"};

// By kind of model: cross-entropy alone, and each energy.
static const struct {
    const char *name, *folded;
    ebm_model_info info;
} MODELS[] = {
    {"ce", "ce-folded", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}},
    {"hidden", "hidden-folded", {EBM_OBJECTIVE_JOINT, EBM_ENERGY_HIDDEN, 1, 1.0f, 32, 0, ""}},
    {"sharp", "sharp-folded", {EBM_OBJECTIVE_JOINT, EBM_ENERGY_SHARP_HIDDEN, 1, 1.0f, 32, 0, ""}},
    {"scalar", "scalar-folded", {EBM_OBJECTIVE_JOINT, EBM_ENERGY_SCALAR, 1, 1.0f, 32, 0, ""}},
};
enum { MODEL_COUNT = sizeof MODELS / sizeof *MODELS };

// A random model is right about half of the texts, and the best temperature is none. So the labels are its own answers,
// three of the twelve turned round: then it lies inside the bounds. The models differ in their energies only.
static void put_labels(void)
{
    put_texts("dev.tsv", "sentence\tlabel", NAMES);
    ran r = run("predict", "--model_name_or_path", "ce", "--test_file", "dev.tsv", "--output_file", "answers.jsonl");
    assert_int_equal(r.code, 0);
    char *answers = get("answers.jsonl"), *rest = answers, *path = in_folder(folder, "dev.tsv");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("sentence\tlabel\n", file);
    for (int i = 0; i < ROWS; i++) {
        json_t *row = line_of(&rest);
        const int answer = (int)number(row, "label_id");
        fprintf(file, "%s\t%s\n", TEXTS[i], NAMES[i % 4 == 1 ? 1 - answer : answer]);
        json_decref(row);
    }
    assert_int_equal(fclose(file), 0);
    free(path);
    free(answers);
    free_ran(&r);
}

static int make_files(void **state)
{
    ebm_device *device = NULL;
    if (!mkdtemp(folder)) return -1;
    assert_ok(ebm_device_open(NULL, &device));
    for (size_t i = 0; i < MODEL_COUNT; i++) { make_model_in(device, MODELS[i].name, &MODELS[i].info, NAMES); }
    ebm_device_free(device);
    put_labels();
    return 0;
}

static double fold(const char *model, const char *to)
{
    json_t *fit = json_of(run("calibrate", "--model_name_or_path", model, "--validation_file", "dev.tsv",
                              "--fold_temperature", "--output_dir", to, "--json"));
    const double temperature = number(fit, "temperature");
    assert_string_equal(string(fit, "output_dir"), to);
    json_decref(fit);
    return temperature;
}

static void predict(const char *model, double temperature, const char *file)
{
    char text[40];
    snprintf(text, sizeof text, "%.17g", temperature);
    ran r = run("predict", "--model_name_or_path", model, "--test_file", "dev.tsv", "--temperature", text,
                "--output_file", file);
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
}

// Probabilities to 1e-6, the same labels; energies to a float's rounding: they are of size 1.
static void assert_same_predictions(const char *plain_file, const char *folded_file, double temperature)
{
    char *plain = get(plain_file), *folded = get(folded_file), *a = plain, *b = folded;
    for (int i = 0; i < ROWS; i++) {
        json_t *x = line_of(&a), *y = line_of(&b);
        assert_string_equal(string(x, "label"), string(y, "label"));
        for (size_t k = 0; k < 2; k++) {
            assert_true(fabs(at(x, "probabilities", k) - at(y, "probabilities", k)) < 1e-6);
            assert_true(fabs(at(x, "logits", k) - temperature * at(y, "logits", k)) < 1e-5);
        }
        assert_int_equal(json_object_get(x, "energy") != NULL, json_object_get(y, "energy") != NULL);
        if (json_object_get(x, "energy")) assert_true(fabs(number(x, "energy") - number(y, "energy")) < 1e-5);
        json_decref(x);
        json_decref(y);
    }
    assert_int_equal(*a, 0);
    assert_int_equal(*b, 0);
    free(plain);
    free(folded);
}

static json_t *read_json(const char *name)
{
    char *text = get(name);
    json_t *object = json_loads(text, 0, NULL);
    assert_non_null(object);
    free(text);
    return object;
}

static void softmax_alone_is_calibrated(void **state)
{
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        const double temperature = fold(MODELS[i].name, MODELS[i].folded);
        assert_true(fabs(temperature - 1) > 0.05); // else nothing would be shown
        char *calibration = NULL;
        assert_true(asprintf(&calibration, "%s/%s/calibration.json", folder, MODELS[i].name) > 0);
        assert_false(ebm_file_exists(calibration)); // the model itself stays as it is
        predict(MODELS[i].name, temperature, "plain.jsonl");
        predict(MODELS[i].folded, 1, "folded.jsonl");
        assert_same_predictions("plain.jsonl", "folded.jsonl", temperature);
        free(calibration);
    }
}

// After softmax_alone_is_calibrated.
static void files_say_what_was_done(void **state)
{
    for (size_t i = 0; i < MODEL_COUNT; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s/calibration.json", MODELS[i].folded);
        json_t *calibration = read_json(name);
        snprintf(name, sizeof name, "%s/ebmcl.json", MODELS[i].folded);
        json_t *info = read_json(name);
        const double temperature = number(calibration, "folded_temperature");
        assert_true(number(calibration, "temperature") == 1);
        assert_true(number(info, "logits_divided_by") == temperature);
        assert_string_equal(string(calibration, "fitted_on"), "dev.tsv, all");
        json_decref(info);
        json_decref(calibration);
    }
}

// What is left to fit is 1, and --calibrated changes nothing; folded once more, energies are still right.
static void a_folded_model_is_calibrated(void **state)
{
    json_t *again = json_of(run("calibrate", "--model_name_or_path", "hidden-folded", "--validation_file", "dev.tsv",
                                "--split", "first-half", "--fold_temperature", "--output_dir", "twice", "--json"));
    const double second = number(again, "temperature");
    json_decref(again);
    json_t *info = read_json("hidden-folded/ebmcl.json"), *twice = read_json("twice/ebmcl.json");
    const double first = number(info, "logits_divided_by");
    assert_true(fabs(number(twice, "logits_divided_by") - first * second) < 1e-8 * first * second);
    predict("hidden", first * second, "plain.jsonl");
    predict("twice", 1, "folded.jsonl");
    assert_same_predictions("plain.jsonl", "folded.jsonl", first * second);
    json_decref(info);
    json_decref(twice);

    json_t *e = json_of(run("eval", "--model_name_or_path", "hidden-folded", "--test_file", "dev.tsv", "--calibrated",
                            "--bootstrap_samples", "0", "--json"));
    assert_true(number(e, "temperature") == 1);
    json_decref(e);
    json_t *fit =
        json_of(run("calibrate", "--model_name_or_path", "hidden-folded", "--validation_file", "dev.tsv", "--json"));
    assert_true(fabs(number(fit, "temperature") - 1) < 1e-5);
    assert_true(number(fit, "nll_before") - number(fit, "nll_after") < 1e-9);
    json_decref(fit);
}

static void an_existing_directory_is_replaced_when_asked(void **state)
{
    char *old = in_folder(folder, "old");
    assert_ok(ebm_directory_make(old));
    put("old/notes.txt", "mine");
    assert_bad("old is in use", "calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv",
               "--fold_temperature", "--output_dir", "old");
    assert_prints(run("calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", "--fold_temperature",
                      "--output_dir", "old", "--overwrite_output_dir"),
                  PARTS("temperature", "weights was written to old"));
    char *notes = in_folder(old, "notes.txt");
    assert_false(ebm_file_exists(notes));
    free(notes);
    free(old);
}

#define assert_bad_fold(part, ...)                                                                                     \
    assert_bad(part, "calibrate", "--model_name_or_path", "ce", "--validation_file", "dev.tsv", __VA_ARGS__)

static void what_is_refused(void **state)
{
    put("ce/ebmcl.json", "{\"objective\": \"ce\", \"logits_divided_by\": 0}");
    assert_bad("ce/ebmcl.json: \"logits_divided_by\" must be a number above 0", "eval", "--model_name_or_path", "ce",
               "--test_file", "dev.tsv");
    put("ce/ebmcl.json", "{\"objective\": \"ce\", \"max_seq_length\": 32}");
    assert_bad_fold("--fold_temperature needs --output_dir", "--fold_temperature");
    assert_bad_fold("--output_dir is for --fold_temperature", "--output_dir", "new");
    assert_bad_fold("ce/. is the model's own directory", "--fold_temperature", "--output_dir", "ce/.",
                    "--overwrite_output_dir");
    assert_bad_fold("dev.tsv/new", "--fold_temperature", "--output_dir", "dev.tsv/new");
    assert_bad_fold("nowhere/new", "--fold_temperature", "--output_dir", "nowhere/new");
    assert_bad_fold("/proc/new", "--fold_temperature", "--output_dir", "/proc/new"); // where root cannot write either
    assert_bad("nothing: no such directory", "calibrate", "--model_name_or_path", "nothing", "--validation_file",
               "dev.tsv", "--fold_temperature", "--output_dir", "new");
    put("label.tsv", "sentence\tlabel\nthe film\tpositive\na plot\tmaybe\n");
    assert_bad("label.tsv:3: ", "calibrate", "--model_name_or_path", "ce", "--validation_file", "label.tsv",
               "--fold_temperature", "--output_dir", "new");
}

static void broken_temperatures(void **state)
{
    static const struct {
        const char *text, *part;
    } BAD[] = {
        {"{\"temperature\": ", "ce/calibration.json:1: not JSON"},
        {"{\"temperature\": 0, \"nll_before\": 1, \"nll_after\": 1, \"examples\": 1}", "temperature: a number from"},
        {"{\"temperature\": 1, \"nll_before\": 1, \"nll_after\": 1, \"examples\": 1, \"folded_temperature\": -2}",
         "folded_temperature: temperature: a number from 1e-6 to 1e6 expected, found -2"},
        {"{\"temperature\": 1, \"nll_before\": 1, \"nll_after\": 1, \"examples\": 1, \"folded_temperature\": \"2\"}",
         "a number expected at \"folded_temperature\""},
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        put("ce/calibration.json", BAD[i].text);
        assert_bad(BAD[i].part, "predict", "--model_name_or_path", "ce", "--test_file", "dev.tsv", "--calibrated",
                   "--output_file", "none.jsonl");
    }
}

// calibration.json beside the model: a place that cannot be written is found before the model runs.
static void a_model_that_cannot_be_written_beside(void **state)
{
    char *path = in_folder(folder, "sharp/calibration.json");
    assert_ok(ebm_directory_make(path));
    assert_bad("sharp/calibration.json: expected a file, found a directory", "calibrate", "--model_name_or_path",
               "sharp", "--validation_file", "dev.tsv");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(softmax_alone_is_calibrated),
        cmocka_unit_test(files_say_what_was_done),
        cmocka_unit_test(a_folded_model_is_calibrated),
        cmocka_unit_test(an_existing_directory_is_replaced_when_asked),
        cmocka_unit_test(what_is_refused),
        cmocka_unit_test(broken_temperatures),
        cmocka_unit_test(a_model_that_cannot_be_written_beside),
    };
    return cmocka_run_group_tests_name("folded model", tests, make_files, remove_files);
}
