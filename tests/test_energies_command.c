// ebmcl energies on files: its numbers follow from those of other commands, what it writes, and what it refuses.
#include <math.h>

#include "command.h"
#include "tiny_model.h"

enum { NOISE = 9 };
static const char NOISE_TEXTS[] =
    "film the is good\nbad bad cold\nthe the cast\nplot very\na film , dull\nwarm is was\n"
    "not and but\n. , .\ncold film was good\n";

static const char OTHER_TEXTS[] = "sentence\nvery very very\nthe\ncold . cold\n";

static int make_files(void **state)
{
    static const char *const names[] = {"negative", "positive"};
    const ebm_model_info ce = {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32};
    const ebm_model_info hidden = {EBM_OBJECTIVE_JOINT, EBM_ENERGY_HIDDEN, 4, 1.0f, 32, 0, ""};
    ebm_device *device = NULL;
    (void)state;
    if (!mkdtemp(folder)) return -1;
    assert_ok(ebm_device_open(NULL, &device));
    make_model_in(device, "model", &ce, names);
    make_model_in(device, "hidden", &hidden, names);
    ebm_device_free(device);
    put_texts("dev.tsv", "sentence\tlabel", names);
    put("noise.txt", NOISE_TEXTS);
    put("odd.tsv", OTHER_TEXTS);
    put("pairs.tsv", "sentence1\tsentence2\tlabel\nthe film\tis good\t1\nbad\tcold plot\t0\n");
    put("pairs.txt", "the <SEP> film\ngood bad <SEP> was\n");
    return 0;
}

#define ENERGIES(model) "energies", "--model_name_or_path", model, "--test_file", "dev.tsv"

static const json_t *set_at(const json_t *object, size_t index)
{
    const json_t *set = json_array_get(json_object_get(object, "sets"), index);
    assert_non_null(set);
    return set;
}

// Energies of a file's texts, as ebmcl predict writes them; of a model without one -logsumexp of its logits.
static size_t predicted_energies(const char *model, const char *file, double *energy)
{
    json_t *summary = json_of(
        run("predict", "--model_name_or_path", model, "--test_file", file, "--output_file", "rows.jsonl", "--json"));
    const size_t count = (size_t)number(summary, "examples");
    char *text = get("rows.jsonl"), *rest = text;
    for (size_t i = 0; i < count; i++) {
        json_t *row = line_of(&rest);
        energy[i] = -log(exp(at(row, "logits", 0)) + exp(at(row, "logits", 1)));
        json_decref(row);
    }
    free(text);
    json_decref(summary);
    return count;
}

static double mean_of(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) sum += values[i];
    return sum / (double)count;
}

// Data, noise and the others in one table.
static void put_all_texts(void)
{
    char *path = in_folder(folder, "all.tsv");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "sentence\n");
    for (int i = 0; i < ROWS; i++) fprintf(file, "%s\n", TEXTS[i]);
    fprintf(file, "%s%s", NOISE_TEXTS, strchr(OTHER_TEXTS, '\n') + 1);
    fclose(file);
    free(path);
}

// With and without an energy of its own, and with the noise either way.
static void numbers_follow_from_predictions(void **state)
{
    (void)state;
    put_all_texts();
    for (int c = 0; c < 2; c++) {
        const char *model = c ? "hidden" : "model";
        double all[ROWS + NOISE + 3], z = 0, squares = 0, posterior = 0;
        const double *data = all, *noise = all + ROWS, *odd = noise + NOISE;
        assert_int_equal(predicted_energies(model, "all.tsv", all), ROWS + NOISE + 3);
        json_t *e = json_of(run(ENERGIES(model), "--noise_file", "noise.txt", "--ood_files", "odd.tsv", "--json"));
        const json_t *weights = json_object_get(e, "weights");
        for (int i = 0; i < NOISE; i++) {
            z += exp(-noise[i]) / NOISE;
            squares += exp(-2 * noise[i]) / NOISE;
        }
        const double K = c ? 4 : 1;
        for (int i = 0; i < ROWS; i++) posterior += 1 / (1 + K * exp(data[i])) / ROWS;
        assert_true(number(e, "noise_ratio") == K);
        assert_string_equal(string(e, "energy"), c ? "hidden" : "free energy of its logits");
        assert_int_equal(json_array_size(json_object_get(e, "sets")), 3);
        assert_string_equal(string(set_at(e, 1), "name"), "noise");
        assert_string_equal(string(set_at(e, 2), "name"), "odd.tsv");
        assert_true(fabs(number(set_at(e, 0), "mean") - mean_of(data, ROWS)) < 1e-5);
        assert_true(fabs(number(set_at(e, 1), "mean") - mean_of(noise, NOISE)) < 1e-5);
        assert_true(fabs(number(set_at(e, 2), "mean") - mean_of(odd, 3)) < 1e-5);
        assert_true(fabs(number(set_at(e, 0), "posterior") - posterior) < 1e-5);
        assert_true(fabs(number(weights, "z") / z - 1) < 1e-4);
        assert_true(fabs(number(weights, "effective_sample_share") - z * z / squares) < 1e-4);
        json_decref(e);
    }
}

// What eval measures of the same texts is the same number.
static void detection_is_the_evaluations(void **state)
{
    (void)state;
    json_t *e = json_of(run(ENERGIES("hidden"), "--ood_files", "odd.tsv", "--noise_source", "shuffle", "--train_file",
                            "dev.tsv", "--noise_samples", "6", "--json"));
    json_t *full = json_of(run("eval", "--model_name_or_path", "hidden", "--test_file", "dev.tsv", "--ood_file",
                               "odd.tsv", "--bootstrap_samples", "0", "--json"));
    static const char *const scores[] = {"energy", "max_probability", "entropy", "max_logit"};
    for (size_t i = 0; i < 4; i++) {
        char key[64];
        const json_t *d = json_object_get(json_object_get(set_at(e, 2), "told_apart"), scores[i]);
        snprintf(key, sizeof key, "ood_auroc_%s", scores[i]);
        assert_true(fabs(number(d, "auroc") - number(full, key)) < 1e-9);
    }
    assert_true(number(set_at(e, 1), "texts") == 6);
    json_decref(full);
    json_decref(e);
}

static void histograms_and_examples_are_complete(void **state)
{
    (void)state;
    json_t *e = json_of(run(ENERGIES("hidden"), "--noise_file", "noise.txt", "--noise_samples", "5", "--examples", "4",
                            "--bin_width", "0.25", "--bootstrap_samples", "0", "--json"));
    const size_t edges = json_array_size(json_object_get(e, "edges"));
    for (size_t s = 0; s < 2; s++) {
        const json_t *set = set_at(e, s), *lowest = json_object_get(set, "lowest");
        const json_t *highest = json_object_get(set, "highest"), *quantiles = json_object_get(set, "quantiles");
        double total = 0;
        assert_int_equal(json_array_size(json_object_get(set, "counts")), edges - 1);
        for (size_t b = 0; b + 1 < edges; b++) total += at(set, "counts", b);
        assert_true(total == number(set, "texts") && total == (s ? 5 : ROWS));
        assert_int_equal(json_array_size(lowest), 4);
        assert_true(number(json_array_get(lowest, 0), "energy") == number(quantiles, "min"));
        assert_true(number(json_array_get(highest, 3), "energy") == number(quantiles, "max"));
        assert_null(json_object_get(json_object_get(set, "entropy"), "pearson_interval"));
    }
    assert_true(fabs(at(e, "edges", 1) - at(e, "edges", 0) - 0.25) < 1e-12);
    json_decref(e);
    assert_prints(run(ENERGIES("hidden"), "--noise_file", "noise.txt", "--ood_files", "odd.tsv"),
                  PARTS("hidden, hidden, K = 4", "histograms", "data (12)", "noise (9)", "###", "Pearson", "Spearman",
                        "AUROC", "effective sample size", "quasi-rejection", "accepted at beta", "lowest and highest"));
}

static size_t lines_of(const char *text)
{
    size_t lines = 0;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

// The file holds what was accepted, each a line of the noise, the same with every run.
static void accepted_texts_are_written(void **state)
{
    (void)state;
    char *before = NULL;
    for (int turn = 0; turn < 2; turn++) {
        json_t *e = json_of(run(ENERGIES("hidden"), "--noise_file", "noise.txt", "--betas", "0.001", "1", "1000",
                                "--samples_beta", turn ? "1" : "1.0", "--samples_file", "accepted.txt", "--seed", "3",
                                "--json"));
        const json_t *list = json_object_get(e, "rejection"), *accepted = json_object_get(e, "accepted");
        char *text = get("accepted.txt");
        assert_int_equal(json_array_size(list), 3);
        assert_true(number(json_array_get(list, 1), "accepted") == number(accepted, "texts"));
        assert_int_equal(lines_of(text), (size_t)number(accepted, "texts"));
        for (char *rest = text, *line; (line = strsep(&rest, "\n")) && rest;)
            assert_non_null(strstr(NOISE_TEXTS, line));
        free(text);
        text = get("accepted.txt");
        if (turn) assert_string_equal(text, before);
        free(before);
        before = text;
        json_decref(e);
    }
    free(before);
    json_t *pairs =
        json_of(run("energies", "--model_name_or_path", "hidden", "--test_file", "pairs.tsv", "--noise_file",
                    "pairs.txt", "--samples_beta", "1e-9", "--samples_file", "pairs.out", "--json"));
    char *text = get("pairs.out");
    assert_string_equal(text, "the <SEP> film\ngood bad <SEP> was\n");
    free(text);
    json_decref(pairs);
}

static void wrong_input_is_refused(void **state)
{
    (void)state;
    assert_bad("noise comes from one source", ENERGIES("hidden"), "--noise_file", "noise.txt", "--noise_model",
               "./model");
    assert_bad("--validation_file and --test_file", ENERGIES("hidden"), "--validation_file", "dev.tsv");
    assert_bad("texts are needed", "energies", "--model_name_or_path", "hidden");
    assert_bad("--samples_file needs", ENERGIES("hidden"), "--samples_file", "x.txt");
    assert_bad("--betas: a number above 0 expected, found 'x'", ENERGIES("hidden"), "--noise_file", "noise.txt",
               "--betas", "1", "x");
    assert_bad("noise is made from training texts", ENERGIES("hidden"), "--noise_source", "shuffle");
    assert_bad("--bin_width: width of bins", ENERGIES("hidden"), "--bin_width", "1e-9");
    assert_bad("--judge: ", ENERGIES("hidden"), "--judge", "./model");
    assert_bad("no-folder/x.txt", ENERGIES("hidden"), "--noise_file", "noise.txt", "--samples_file", "no-folder/x.txt");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_follow_from_predictions),
        cmocka_unit_test(detection_is_the_evaluations),
        cmocka_unit_test(histograms_and_examples_are_complete),
        cmocka_unit_test(accepted_texts_are_written),
        cmocka_unit_test(wrong_input_is_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
