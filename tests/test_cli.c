// The program's commands that do not train: what they print, and that every wrong input ends in one line, exit code 2
// and an untouched folder.
#include "bf16.h"
#include "check.h"

#include <math.h>

#include "command.h"
#include "tiny_model.h"

static int make_files(void **state)
{
    static const char *const names[] = {"negative", "positive"}, *const reversed[] = {"Positive", "Negative"},
                             *const ids[] = {"0", "1"};
    const ebm_model_info ce = {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32};
    const ebm_model_info hidden = {EBM_OBJECTIVE_JOINT, EBM_ENERGY_HIDDEN, 1, 1.0f, 32, 0, ""};
    const ebm_model_info scalar = {EBM_OBJECTIVE_JOINT, EBM_ENERGY_SCALAR, 1, 1.0f, 32, 0, ""};
    ebm_device *device = NULL;
    if (!mkdtemp(folder)) return -1;
    assert_ok(ebm_device_open(NULL, &device));
    make_model_in(device, "model", &ce, names);
    make_model_in(device, "reversed", &ce, reversed);
    make_model_in(device, "numbered", &ce, NULL);
    make_model_in(device, "hidden", &hidden, names);
    make_model_in(device, "scalar", &scalar, names);
    ebm_device_free(device);
    put_texts("dev.tsv", "sentence\tlabel", names);
    put_texts("ids.tsv", "sentence\tlabel", ids);
    char *glue = in_folder(folder, "SST-2");
    assert_ok(ebm_directory_make(glue));
    free(glue);
    put_texts("SST-2/dev.tsv", "sentence\tlabel", ids);
    put("SST-2/test.tsv", "index\tsentence\n0\tthe film is good .\n1\tdull\n2\tvery cold\n");
    return 0;
}

// ---- what commands print

static void every_command_has_help(void **state)
{
    assert_prints(run("--help"), PARTS("usage: ebmcl", "train", "calibrate"));
    assert_prints(run("--version"), PARTS("ebmcl "));
    assert_prints(run("train", "--help"), PARTS("--learning_rate", "--resume_from_checkpoint"));
    assert_prints(run("eval", "--help"), PARTS("--model_name_or_path", "--split", "--calibrated"));
    assert_prints(run("calibrate", "--help"), PARTS("--split"));
    assert_prints(run("predict", "-h"), PARTS("--output_file", "--format"));
    assert_prints(run("devices", "--help"), PARTS("--json"));
    assert_prints(run("noise", "train", "--help"), PARTS("--noise_objective"));
    assert_prints(run("noise", "sample", "--help"), PARTS("--num"));
}

static void devices_are_listed_and_checked(void **state)
{
    json_t *object = json_of(run("devices", "--json", "--check"));
    const json_t *list = json_object_get(object, "devices");
    size_t defaults = 0;
    assert_true(json_array_size(list) > 0);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *device = json_array_get(list, i);
        assert_int_equal((int)number(device, "index"), (int)i);
        assert_true(number(device, "compute_units") > 0 && number(device, "memory_bytes") > 0);
        assert_string_equal(string(device, "check"), "ok");
        assert_true(number(device, "max_group_items") > 0 && number(device, "alignment_bytes") > 0);
        const json_t *bf16 = json_object_get(device, "bf16");
        assert_true(bf16 && (json_is_null(bf16) || strncmp(json_string_value(bf16), "A", 1) == 0));
        assert_true(json_is_boolean(json_object_get(device, "fp64")) && strstr(string(device, "kernels"), "form"));
        defaults += json_is_true(json_object_get(device, "default"));
    }
    assert_int_equal(defaults, 1);
    const char *bf16 = json_string_value(json_object_get(json_array_get(list, 0), "bf16"));
    if (bf16) assert_prints(run("devices"), PARTS("products with --bf16 by ", bf16));
    json_decref(object);
    assert_prints(run("devices"), PARTS("0 *", "units", "limits: work-groups of ", "supports: fp16 ", "; check: ok"));
}

static void evaluation_has_a_table_and_a_diagram(void **state)
{
    assert_prints(run("eval", "--model_name_or_path", "model", "--validation_file", "dev.tsv"),
                  PARTS("dev.tsv, all", "12 examples", "accuracy", "ece_class_wise", "ece_top_label", "nll", "#"));
}

static void evaluation_is_one_json_object(void **state)
{
    json_t *e = json_of(run("eval", "--model-name-or-path", "model", "--validation-file", "dev.tsv", "--json"));
    static const char *const keys[] = {"accuracy",       "accuracy_low", "accuracy_high", "nll",
                                       "brier",          "f1",           "matthews",      "ece_top_label",
                                       "ece_class_wise", "ece_pooled",   "bins",          "ece_class_wise_floor"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) assert_true(isfinite(number(e, keys[i])));
    assert_int_equal((int)number(e, "examples"), ROWS);
    assert_null(json_object_get(e, "mean_energy"));
    assert_int_equal(json_array_size(json_object_get(e, "reliability")), 10);
    json_decref(e);
    json_t *bare = json_of(run("eval", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--json",
                               "--bootstrap_samples", "0", "--bins", "5", "--split", "second-half"));
    assert_int_equal((int)number(bare, "examples"), ROWS / 2);
    assert_int_equal((int)number(bare, "bins"), 5);
    assert_null(json_object_get(bare, "accuracy_low"));
    json_decref(bare);
}

static double accuracy_of(const char *model, const char *option, const char *value)
{
    json_t *e = json_of(run("eval", "--model_name_or_path", model, "--task_name", "sst2", option, value, "--json"));
    const double accuracy = number(e, "accuracy");
    json_decref(e);
    return accuracy;
}

// The same weights under swapped names are right where the others are wrong.
static void labels_are_matched_by_name(void **state)
{
    const double accuracy = accuracy_of("model", "--data_dir", ".");
    assert_true(accuracy > 0 && accuracy < 1);
    assert_true(accuracy_of("numbered", "--data_dir", "SST-2") == accuracy);
    assert_true(accuracy_of("numbered", "--validation_file", "dev.tsv") == accuracy);
    assert_true(fabs(accuracy_of("reversed", "--data_dir", ".") - (1 - accuracy)) < 1e-12);
    json_t *ids = json_of(run("eval", "--model_name_or_path", "numbered", "--test_file", "ids.tsv", "--json"));
    assert_true(number(ids, "accuracy") == accuracy);
    json_decref(ids);
}

// Checks a row of two labels against its own logits and returns -ln p(truth).
static double check_row(const json_t *row, int index, double temperature)
{
    const double f0 = at(row, "logits", 0), f1 = at(row, "logits", 1);
    const double p1 = 1 / (1 + exp((f0 - f1) / temperature));
    const char *label = string(row, "label");
    assert_int_equal((int)number(row, "index"), index);
    assert_true(fabs(at(row, "probabilities", 1) - p1) < 1e-6); // written as float
    assert_true(fabs(at(row, "probabilities", 0) - (1 - p1)) < 1e-6);
    assert_string_equal(label, p1 > 0.5 ? "positive" : "negative");
    return -log(LABELS[index] ? p1 : 1 - p1);
}

// eval's numbers follow from predict's rows.
static void predictions_and_evaluation_agree(void **state)
{
    json_t *summary = json_of(run("predict", "--model_name_or_path", "hidden", "--test_file", "dev.tsv",
                                  "--output_file", "out.jsonl", "--temperature", "0.5", "--json"));
    assert_int_equal((int)number(summary, "examples"), ROWS);
    json_t *e = json_of(
        run("eval", "--model_name_or_path", "hidden", "--test_file", "dev.tsv", "--temperature", "0.5", "--json"));
    char *text = get("out.jsonl"), *rest = text;
    double nll = 0, energy = 0, hits = 0;
    for (int i = 0; i < ROWS; i++) {
        json_t *row = line_of(&rest);
        const double f0 = at(row, "logits", 0), f1 = at(row, "logits", 1), own = number(row, "energy");
        nll += check_row(row, i, 0.5) / ROWS;
        hits += (f1 > f0) == (LABELS[i] == 1);
        energy += own / ROWS;
        assert_true(fabs(own + log(exp(f0) + exp(f1))) < 1e-5); // hidden: E = -logsumexp f, float of size 1
        json_decref(row);
    }
    assert_int_equal(*rest, 0);
    assert_true(fabs(nll - number(e, "nll")) < 1e-6);
    assert_true(fabs(hits / ROWS - number(e, "accuracy")) < 1e-12);
    assert_true(fabs(energy - number(e, "mean_energy")) < 1e-5);
    free(text);
    json_decref(e);
    json_decref(summary);
}

// What predict writes is read back, with the truth from the texts' own file, as if the model had been run.
static void written_predictions_are_measured_alike(void **state)
{
    json_t *summary = json_of(run("predict", "--model_name_or_path", "hidden", "--test_file", "dev.tsv",
                                  "--output_file", "own.jsonl", "--json"));
    json_t *read = json_of(run("eval", "--predictions", "own.jsonl", "--labels_file", "ids.tsv", "--full",
                               "--bootstrap_samples", "20", "--json"));
    json_t *ran_now = json_of(run("eval", "--model_name_or_path", "hidden", "--test_file", "dev.tsv", "--full",
                                  "--bootstrap_samples", "20", "--json"));
    static const char *const keys[] = {"accuracy",    "nll",        "ece_top_label_high", "mean_energy",
                                       "aurc_energy", "smooth_ece", "brier_low",          "mce_floor"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_true(fabs(number(read, keys[i]) - number(ran_now, keys[i])) < 1e-9);
    json_decref(summary);
    json_decref(read);
    json_decref(ran_now);
    assert_bad("own.jsonl: true labels expected from another file", "eval", "--predictions", "own.jsonl");
}

// Total variation by hand: half the text's annotators are of the label's mind, or all.
static void annotators_are_columns_of_the_texts(void **state)
{
    put("votes.tsv", "sentence\tlabel\tone\ttwo\nthe film is good .\tpositive\tpositive\tnegative\n"
                     "dull\tnegative\tnegative\t-\nvery cold\tnegative\tnegative\tnegative\n");
    static const double share[] = {0.5, 0, 0}; // of positive
    json_t *e = json_of(run("eval", "--model_name_or_path", "model", "--test_file", "votes.tsv", "--annotator_columns",
                            "one", "two", "--bootstrap_samples", "0", "--json"));
    json_t *rows = json_of(run("predict", "--model_name_or_path", "model", "--test_file", "votes.tsv", "--output_file",
                               "votes.jsonl", "--json"));
    char *text = get("votes.jsonl"), *rest = text;
    double distance = 0;
    for (int i = 0; i < 3; i++) {
        json_t *row = line_of(&rest);
        distance += fabs(at(row, "probabilities", 1) - share[i]) / 3;
        json_decref(row);
    }
    assert_true(fabs(number(e, "human_total_variation") - distance) < 1e-6);
    assert_true(isfinite(number(e, "human_cross_entropy")));
    free(text);
    json_decref(rows);
    json_decref(e);
    // Labels in another order, under names that are alike.
    json_t *other = json_of(run("eval", "--model_name_or_path", "reversed", "--test_file", "votes.tsv",
                                "--annotator_columns", "one", "two", "--bootstrap_samples", "0", "--json"));
    const double swapped = number(other, "human_total_variation");
    assert_true(fabs(swapped - distance) > 1e-3 && swapped >= 0 && swapped <= 1);
    json_decref(other);
    put("votes2.tsv", "sentence\tlabel\tone\ngood\tpositive\tpositive\nbad\tnegative\tmixed\n");
    assert_bad("line 3: an annotator's label \"mixed\": expected one of the model's, \"negative\", \"positive\"",
               "eval", "--model_name_or_path", "model", "--test_file", "votes2.tsv", "--annotator_columns", "one");
    assert_bad("expected a column who, found", "eval", "--model_name_or_path", "model", "--test_file", "votes.tsv",
               "--annotator_columns", "who");
    assert_bad("--annotator_columns needs --model_name_or_path", "eval", "--predictions", "own.jsonl",
               "--annotator_columns", "one");
}

// The same texts as in and out of distribution cannot be told apart.
static void other_texts_are_told_apart(void **state)
{
    json_t *e = json_of(run("eval", "--model_name_or_path", "hidden", "--test_file", "dev.tsv", "--ood_file", "dev.tsv",
                            "--bootstrap_samples", "0", "--json"));
    assert_true(number(e, "ood_auroc_energy") == 0.5 && number(e, "ood_auroc_max_probability") == 0.5);
    json_decref(e);
    assert_prints(run("eval", "--model_name_or_path", "hidden", "--test_file", "dev.tsv", "--swap_halves", "file",
                      "--bootstrap_samples", "5"),
                  PARTS("dev.tsv", "12 examples, 2 labels, 1 seed, mean of both halves"));
}

static void a_scalar_energy_is_there_too(void **state)
{
    json_t *e = json_of(run("eval", "--model_name_or_path", "scalar", "--test_file", "dev.tsv", "--json"));
    assert_true(isfinite(number(e, "mean_energy")));
    json_decref(e);
}

static void submissions_are_in_the_tasks_order(void **state)
{
    json_t *summary = json_of(run("predict", "--model_name_or_path", "model", "--task_name", "sst2", "--data_dir", ".",
                                  "--output_file", "plain.tsv", "--format", "glue", "--json"));
    assert_string_equal(string(summary, "format"), "glue");
    json_decref(summary);
    ran r = run("predict", "--model_name_or_path", "reversed", "--task_name", "SST-2", "--data_dir", ".",
                "--output_file", "swapped.tsv", "--format", "glue");
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    assert_string_equal(r.out, "");
    free_ran(&r);
    char *plain = get("plain.tsv"), *swapped = get("swapped.tsv");
    assert_int_equal(strncmp(plain, "index\tprediction\n0\t", 19), 0);
    assert_int_equal(strlen(plain), strlen("index\tprediction\n0\t0\n1\t0\n2\t0\n"));
    for (size_t i = strlen("index\tprediction\n"); plain[i]; i += strlen("0\t0\n")) {
        assert_true(plain[i + 2] == '0' || plain[i + 2] == '1');
        assert_int_equal(plain[i + 2] - '0', 1 - (swapped[i + 2] - '0'));
    }
    free(plain);
    free(swapped);
}

static void a_temperature_is_fitted_stored_and_used(void **state)
{
    json_t *fit = json_of(run("calibrate", "--model_name_or_path", "reversed", "--validation_file", "dev.tsv",
                              "--task_name", "sst2", "--split", "first-half", "--json"));
    const double temperature = number(fit, "temperature");
    assert_true(number(fit, "nll_after") <= number(fit, "nll_before"));
    assert_int_equal((int)number(fit, "examples"), ROWS / 2);
    assert_non_null(strstr(string(fit, "fitted_on"), "dev.tsv, first-half"));
    assert_non_null(strstr(string(fit, "note"), "6 examples"));
    char *text = get("reversed/calibration.json");
    json_t *stored = json_loads(text, 0, NULL);
    assert_true(fabs(number(stored, "temperature") - temperature) < 1e-8 * temperature);
    json_t *e = json_of(run("eval", "--model_name_or_path", "reversed", "--task_name", "sst2", "--validation_file",
                            "dev.tsv", "--split", "first-half", "--calibrated", "--json"));
    assert_true(fabs(number(e, "nll") - number(fit, "nll_after")) < 1e-8);
    assert_true(fabs(number(e, "temperature") - temperature) < 1e-8 * temperature);
    json_decref(e);
    json_decref(stored);
    json_decref(fit);
    free(text);
    assert_prints(run("calibrate", "--model_name_or_path", "reversed", "--validation_file", "dev.tsv", "--task_name",
                      "sst2", "--split", "random-first-half", "--seed", "3"),
                  PARTS("temperature", "NLL", "note: ", "calibration.json"));
}

// ---- products in bf16

static json_t *logits_of(const char *precision)
{
    json_t *list = json_array(),
           *summary = json_of(run("predict", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--output_file",
                                  "out.jsonl", "--bf16", precision, "--json"));
    char *text = get("out.jsonl"), *rest = text;
    for (int i = 0; i < ROWS; i++) {
        json_t *row = line_of(&rest);
        json_array_append(list, json_object_get(row, "logits"));
        json_decref(row);
    }
    free(text);
    json_decref(summary);
    return list;
}

// Rounding two factors changes a product by 2^-7 at most, so logits change, but by little.
static void check_logits(void)
{
    json_t *fp32 = logits_of("false"), *bf16 = logits_of("true");
    double largest = 0;
    for (size_t i = 0; i < ROWS; i++)
        for (size_t y = 0; y < 2; y++) {
            const double x = json_number_value(json_array_get(json_array_get(fp32, i), y));
            const double rounded = json_number_value(json_array_get(json_array_get(bf16, i), y));
            largest = fmax(largest, fabs(x - rounded) / (1 + fabs(x)));
        }
    if (!(largest > 0 && largest < 0.05)) fail_msg("logits differ by up to %g", largest);
    json_decref(fp32);
    json_decref(bf16);
}

static void check_benchmarks(void)
{
    json_t *step = json_of(run("bench", "step", "--model_name_or_path", "model", "--batch_size", "8",
                               "--sequence_length", "8", "--repeats", "1", "--bf16", "--json"));
    assert_string_equal(string(step, "precision"), "bf16");
    json_decref(step);
    json_t *noise = json_of(run("bench", "noise", "--random", "--layers", "1", "--hidden", "32", "--vocabulary", "64",
                                "--slots", "4", "--new_tokens", "8", "--repeats", "1", "--bf16", "--json"));
    assert_string_equal(string(noise, "precision"), "bf16");
    json_decref(noise);
}

static void products_in_bf16(void **state)
{
    ebm_device *device = NULL;
    assert_ok(ebm_device_open(NULL, &device));
    const bool can = should_do_bf16(device);
    ebm_device_free(device);
    if (can) {
        check_logits();
        check_benchmarks();
    } else {
        printf("skipped: no AVX512-BF16 on this device\n");
        assert_bad("--bf16: products in bf16 need", "eval", "--model_name_or_path", "model", "--test_file", "dev.tsv",
                   "--bf16");
    }
    setenv("EBMCL_KERNELS", "gpu", 1);
    setenv("EBMCL_CHECK", "off", 1); // on a CPU it would take longer than all the rest, and say so
    assert_bad("--bf16: products in bf16 need the CPU kernels", "eval", "--model_name_or_path", "model", "--test_file",
               "dev.tsv", "--bf16");
    unsetenv("EBMCL_KERNELS");
    unsetenv("EBMCL_CHECK");
}

// ---- what is wrong

#define assert_bad_texts(part, name)                                                                                   \
    assert_bad(part, "eval", "--model_name_or_path", "model", "--validation_file", name)
#define assert_bad_model(part, name) assert_bad(part, "eval", "--model_name_or_path", name, "--test_file", "dev.tsv")

static void wrong_arguments(void **state)
{
    assert_bad("unknown command 'evla'; did you mean 'eval'?", "evla");
    assert_bad("unknown option --model_name_or_pth, the nearest is --model_name_or_path", "eval", "--model_name_or_pth",
               "model");
    assert_bad("unknown option --output_fil, the nearest is --output_file", "predict", "--output-fil", "x");
    assert_bad("model_name_or_path", "eval", "--test_file", "dev.tsv");
    assert_bad("output_file", "predict", "--model_name_or_path", "model", "--test_file", "dev.tsv");
    assert_bad("texts are needed", "eval", "--model_name_or_path", "model");
    assert_bad("texts are needed", "calibrate", "--model_name_or_path", "model", "--task_name", "sst2");
    assert_bad("--validation_file and --test_file are both given", "eval", "--model_name_or_path", "model",
               "--test_file", "dev.tsv", "--validation_file", "dev.tsv");
    assert_bad("--temperature and --calibrated are both given", "eval", "--model_name_or_path", "model", "--test_file",
               "dev.tsv", "--temperature", "1", "--calibrated");
    assert_bad("calibration.json", "predict", "--model_name_or_path", "model", "--test_file", "dev.tsv",
               "--output_file", "none.jsonl", "--calibrated");
    assert_bad("--temperature", "eval", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--temperature",
               "0");
    assert_bad("first-half", "eval", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--split", "third");
    assert_bad("--max_seq_length 41: expected 8 to 40", "eval", "--model_name_or_path", "model", "--test_file",
               "dev.tsv", "--max_seq_length", "41");
    assert_bad("tokens", "eval", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--token_budget", "4");
    assert_bad("matches no device", "eval", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--device",
               "no such device");
    assert_bad("--format glue needs --task_name", "predict", "--model_name_or_path", "model", "--test_file", "dev.tsv",
               "--output_file", "none.tsv", "--format", "glue");
    assert_bad("nosuchtask", "eval", "--model_name_or_path", "model", "--task_name", "nosuchtask", "--data_dir", ".");
}

static void wrong_texts(void **state)
{
    put("empty.tsv", "");
    put("header.tsv", "sentence\tlabel\n");
    put("label.tsv", "sentence\tlabel\nthe film\tpositive\na plot\tmaybe\n");
    put("unlabelled.tsv", "sentence\tlabel\nthe film\tpositive\na plot\t\n");
    put("bytes.tsv", "sentence\tlabel\nthe film\tpositive\nb\xe4"
                     "d\tnegative\n");
    put("columns.tsv", "sentence\tlabel\nthe film\tpositive\textra\n");
    put("names.tsv", "words\tkind\nthe film\tpositive\n");
    put("broken.jsonl", "{\"sentence\": \"the film\", \"label\": \"positive\"}\n{\"sentence\": \n");
    put("kind.xml", "<a/>");
    put("broken.tsv.gz", "\x1f\x8b\x08\x00 not gzip");
    assert_bad_texts("nowhere.tsv", "nowhere.tsv");
    assert_bad_texts("model", "model");
    assert_bad_texts("empty.tsv", "empty.tsv");
    assert_bad_texts("header.tsv", "header.tsv");
    assert_bad_texts("label.tsv:3: ", "label.tsv");
    assert_bad_texts("maybe", "label.tsv");
    assert_bad_texts("unlabelled.tsv:3: ", "unlabelled.tsv");
    assert_bad_texts("bytes.tsv:3: ", "bytes.tsv");
    assert_bad_texts("UTF-8", "bytes.tsv");
    assert_bad_texts("columns.tsv:2: ", "columns.tsv");
    assert_bad_texts("names.tsv", "names.tsv");
    assert_bad_texts("broken.jsonl:2: ", "broken.jsonl");
    assert_bad_texts("kind.xml", "kind.xml");
    assert_bad_texts("broken.tsv.gz", "broken.tsv.gz");
    assert_bad("label", "eval", "--model_name_or_path", "model", "--task_name", "sst2", "--test_file",
               "SST-2/test.tsv");
    assert_bad("RTE", "predict", "--model_name_or_path", "numbered", "--task_name", "rte", "--data_dir", ".",
               "--output_file", "none.jsonl");
}

#define assert_bad_training(part, ...)                                                                                 \
    assert_bad(part, "train", "--model_name_or_path", "model", "--max_seq_length", "16", "--max_steps", "1",           \
               __VA_ARGS__)

static void wrong_trainings(void **state)
{
    assert_bad_training("unknown option --learning_rat, the nearest is --learning_rate", "--learning_rat", "1");
    assert_bad_training("training texts are needed", "--output_dir", "new");
    assert_bad_training("label.tsv:3: ", "--train_file", "dev.tsv", "--validation_file", "label.tsv", "--output_dir",
                        "new");
    assert_bad_training("model is in use", "--train_file", "dev.tsv", "--output_dir", "model");
    assert_bad_training("dev.tsv: expected a directory, found a file", "--train_file", "dev.tsv", "--output_dir",
                        "dev.tsv/new");
    assert_bad_training("--objective joint: noise is needed", "--train_file", "dev.tsv", "--output_dir", "new",
                        "--objective", "joint");
    assert_bad_training("nowhere.txt", "--train_file", "dev.tsv", "--output_dir", "new", "--objective", "joint",
                        "--noise_file", "nowhere.txt");
    assert_bad_training("mixup by area under the margin needs an alpha", "--train_file", "dev.tsv", "--output_dir",
                        "new", "--mixup", "aum");
    assert_bad_training("needs more than one epoch", "--train_file", "dev.tsv", "--output_dir", "new", "--mixup", "aum",
                        "--mixup_alpha", "0.4");
    assert_bad_training("mixup is trained by cross-entropy alone", "--train_file", "dev.tsv", "--output_dir", "new",
                        "--mixup_alpha", "0.4", "--focal_gamma", "2");
    assert_bad_training("--mixup_alpha", "--train_file", "dev.tsv", "--output_dir", "new", "--mixup_alpha", "-1");
    assert_bad_training("nce_data separate", "--train_file", "dev.tsv", "--output_dir", "new", "--objective", "joint",
                        "--noise_file", "dev.tsv", "--nce_data", "shared", "--mixup_alpha", "0.4");
    assert_bad("nowhere: no such directory", "noise", "sample", "--noise_model", "nowhere", "--train_file", "dev.tsv",
               "--num", "1", "--out", "new.txt");
}

static void copy_model(const char *name)
{
    static const char *const files[] = {"config.json",           "model.safetensors",       "vocab.txt",
                                        "tokenizer_config.json", "special_tokens_map.json", "ebmcl.json"};
    char *to = in_folder(folder, name);
    assert_ok(ebm_directory_make(to));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *from = in_folder(folder, "model"), *source = in_folder(from, files[i]), *target = in_folder(to, files[i]);
        assert_ok(ebm_file_copy(source, target));
        free(from);
        free(source);
        free(target);
    }
    free(to);
}

// A copy of the model with the first `from` in one of its files replaced; to = NULL: the file cut there.
static void copy_changed(const char *name, const char *file, const char *from, const char *to)
{
    copy_model(name);
    char *directory = in_folder(folder, name), *path = in_folder(directory, file), *text = NULL, *changed = NULL;
    assert_ok(ebm_file_read(path, 1 << 20, &text, NULL));
    assert_non_null(strstr(text, from));
    const int before = (int)(strstr(text, from) - text);
    const char *after = to ? text + before + strlen(from) : "";
    assert_true(asprintf(&changed, "%.*s%s%s", before, text, to ? to : "", after) >= 0);
    put_file(path, changed, strlen(changed));
    free(directory);
    free(path);
    free(text);
    free(changed);
}

static void cut_weights(const char *name, off_t bytes)
{
    char path[512];
    copy_model(name);
    snprintf(path, sizeof path, "%s/%s/model.safetensors", folder, name);
    assert_int_equal(truncate(path, bytes), 0);
}

static void remove_from(const char *name, const char *file)
{
    char path[512];
    copy_model(name);
    snprintf(path, sizeof path, "%s/%s/%s", folder, name, file);
    assert_int_equal(unlink(path), 0);
}

static void wrong_models(void **state)
{
    cut_weights("cut", 5000);
    cut_weights("cut_header", 100);
    cut_weights("no_bytes", 0);
    remove_from("no_weights", "model.safetensors");
    remove_from("no_config", "config.json");
    remove_from("no_vocabulary", "vocab.txt");
    copy_changed("no_key", "config.json", "\"hidden_size\"", "\"hidden_sighs\"");
    copy_changed("wrong_shape", "config.json", "\"intermediate_size\": 128", "\"intermediate_size\": 144");
    copy_changed("broken_config", "config.json", "\"hidden_size\"", NULL);
    copy_changed("wrong_info", "ebmcl.json", "\"ce\"", "\"cd\"");
    copy_changed("more_words", "vocab.txt", "film\n", "film\nmore\nwords\n");
    copy_changed("bad_words", "vocab.txt", "film\n", "fi\xffm\n");
    assert_bad_model("--model_name_or_path: nothing: no such directory", "nothing");
    assert_bad_model("hf download nothing", "nothing");
    assert_bad_model("dev.tsv/config.json", "dev.tsv");
    assert_bad_model("cut/model.safetensors", "cut");
    assert_bad_model("cut_header/model.safetensors", "cut_header");
    assert_bad_model("no_bytes/model.safetensors", "no_bytes");
    assert_bad_model("no_weights", "no_weights");
    assert_bad_model("no_config/config.json", "no_config");
    assert_bad_model("no_vocabulary", "no_vocabulary");
    assert_bad_model("hidden_size", "no_key");
    assert_bad_model("encoder.layer.0.intermediate.dense", "wrong_shape");
    assert_bad_model("broken_config/config.json:", "broken_config");
    assert_bad_model("wrong_info/ebmcl.json", "wrong_info");
    assert_bad_model("26 tokens, the model's vocabulary 24", "more_words"); // 5 special tokens, 19 words, 2 more
    assert_bad_model("bad_words/vocab.txt", "bad_words");
}

// Every option that names a model takes it from the hub's cache too; the cache is the folder itself here.
static void models_of_the_hubs_cache(void **state)
{
    static const char *const COMMANDS[][8] = {
        {"train", "--model_name_or_path", "org/gone", "--train_file", "dev.tsv", "--output_dir", "new"},
        {"train", "--noise_model", "org/gone", "--model_name_or_path", "model", "--output_dir", "new"},
        {"eval", "--model_name_or_path", "org/gone"},
        {"predict", "--model_name_or_path", "org/gone", "--output_file", "new.jsonl"},
        {"calibrate", "--model_name_or_path", "org/gone"},
        {"noise", "train", "--model_name_or_path", "org/gone", "--output_dir", "new"},
        {"noise", "train", "--encoder", "org/gone", "--output_dir", "new"},
        {"noise", "train", "--init_embeddings_from", "org/gone", "--output_dir", "new"},
        {"noise", "sample", "--noise_model", "org/gone", "--out", "new.txt"},
        {"bench", "gemm", "--model_name_or_path", "org/gone"},
        {"bench", "kernels", "--model_name_or_path", "org/gone"},
        {"bench", "step", "--model_name_or_path", "org/gone"},
        {"bench", "eval", "--model_name_or_path", "org/gone"},
        {"bench", "noise", "--noise_model", "org/gone"},
    };
    const char *old = getenv("HF_HUB_CACHE");
    char *kept = old ? strdup(old) : NULL, *link = in_folder(folder, "models--org--film/snapshots/"
                                                                     "1111111111111111111111111111111111111111");
    char *parent = in_folder(folder, "models--org--film/snapshots"),
         *refs = in_folder(folder, "models--org--film/refs");
    assert_int_equal(setenv("HF_HUB_CACHE", folder, 1), 0);
    assert_ok(ebm_directory_make(parent));
    assert_ok(ebm_directory_make(refs));
    assert_int_equal(symlink("../../model", link), 0);
    put("models--org--film/refs/main", "1111111111111111111111111111111111111111");
    json_t *cached = json_of(run("eval", "--model_name_or_path", "org/film", "--test_file", "dev.tsv", "--json"));
    json_t *local = json_of(run("eval", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--json"));
    assert_true(number(cached, "nll") == number(local, "nll"));
    assert_string_equal(string(cached, "model_name_or_path"), link);
    json_decref(cached);
    json_decref(local);
    for (size_t i = 0; i < sizeof COMMANDS / sizeof *COMMANDS; i++) {
        assert_bad_with("org/gone: no such directory, and the model is not in the hub's cache /tmp", COMMANDS[i], NULL);
        assert_bad_with("hf download org/gone", COMMANDS[i], NULL);
    }
    if (kept)
        setenv("HF_HUB_CACHE", kept, 1);
    else
        unsetenv("HF_HUB_CACHE");
    free(kept), free(link), free(parent), free(refs);
}

static void models_for_something_else(void **state)
{
    copy_changed("other", "config.json", "\"bert\"", "\"t5\"");
    assert_bad_model("t5", "other");
    assert_bad("the model's labels are \"negative\", \"positive\", those of task cola are", "eval",
               "--model_name_or_path", "model", "--task_name", "cola", "--test_file", "dev.tsv");
    assert_bad("those of task mnli are", "eval", "--model_name_or_path", "numbered", "--task_name", "mnli",
               "--test_file", "dev.tsv");
    char *gpt2 = in_folder(folder, "gpt2");
    ebm_config *config = NULL;
    assert_ok(ebm_config_default_gpt2(1, 32, 64, 32, &config));
    assert_ok(ebm_directory_make(gpt2));
    assert_ok(ebm_config_save(config, gpt2));
    ebm_config_free(config);
    free(gpt2);
    assert_bad_model("expected a model of type \"bert\", \"roberta\"", "gpt2");
}

#define assert_bad_output(part, path)                                                                                  \
    assert_bad(part, "predict", "--model_name_or_path", "model", "--test_file", "dev.tsv", "--output_file", path)

static void outputs_that_cannot_be_written(void **state)
{
    struct stat full;
    assert_bad_output("Not a directory", "dev.tsv/out.jsonl");
    assert_bad_output("No such file or directory", "nowhere/out.jsonl");
    assert_bad_output("found a directory", "model");
    assert_bad_output("/dev/full: expected a file", "/dev/full");
    assert_int_equal(stat("/dev/full", &full), 0);
    assert_true(S_ISCHR(full.st_mode)); // root could have replaced it
    ran r = run_program(folder, PARTS("devices", "--json"), &(run_with){.stdout_to = "/dev/full"});
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "standard output"));
    free_ran(&r);
}

static void repeat_texts(const char *name, int times)
{
    char *path = in_folder(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("sentence\n", file);
    for (int i = 0; i < times; i++) fprintf(file, "%s\n", TEXTS[i % ROWS]);
    assert_int_equal(fclose(file), 0);
    free(path);
}

// A limit on the size of files is the nearest thing to a full disk that needs no rights. It lies above what PoCL writes
// while it looks into its cache and below the predictions, of at least 100 bytes each.
static void a_full_disk(void **state)
{
    enum { TIMES = 30000, LIMIT = 3000000 };
    const char *const arguments[] = {"predict",  "--model_name_or_path", "model",      "--test_file",
                                     "many.tsv", "--output_file",        "full.jsonl", NULL};
    repeat_texts("many.tsv", TIMES);
    ran r = run_program(folder, arguments, NULL); // kernels are built and cached now
    assert_int_equal(r.code, 0);
    free_ran(&r);
    char *path = in_folder(folder, "full.jsonl");
    assert_int_equal(unlink(path), 0);
    free(path);
    assert_bad_with("full.jsonl: cannot write", arguments, &(run_with){.file_bytes = LIMIT});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_help),
        cmocka_unit_test(devices_are_listed_and_checked),
        cmocka_unit_test(evaluation_has_a_table_and_a_diagram),
        cmocka_unit_test(evaluation_is_one_json_object),
        cmocka_unit_test(labels_are_matched_by_name),
        cmocka_unit_test(predictions_and_evaluation_agree),
        cmocka_unit_test(written_predictions_are_measured_alike),
        cmocka_unit_test(annotators_are_columns_of_the_texts),
        cmocka_unit_test(other_texts_are_told_apart),
        cmocka_unit_test(a_scalar_energy_is_there_too),
        cmocka_unit_test(submissions_are_in_the_tasks_order),
        cmocka_unit_test(a_temperature_is_fitted_stored_and_used),
        cmocka_unit_test(products_in_bf16),
        cmocka_unit_test(wrong_arguments),
        cmocka_unit_test(wrong_texts),
        cmocka_unit_test(wrong_trainings),
        cmocka_unit_test(wrong_models),
        cmocka_unit_test(models_of_the_hubs_cache),
        cmocka_unit_test(models_for_something_else),
        cmocka_unit_test(outputs_that_cannot_be_written),
        cmocka_unit_test(a_full_disk),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
