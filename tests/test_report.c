// What a run leaves for people to look at.
#include <math.h>

#include "command.h"
#include "example_file.h"
#include "tiny_model.h"

// A name that would be markup.
static const char *const NAMES[] = {"<script>alert(1)</script>", "good & \"fine\""};

static void train(const char *output_dir, const char *objective, const char *option, const char *value)
{
    char *encoder = in_folder(folder, "encoder"), *output = in_folder(folder, output_dir);
    const bool joint = strcmp(objective, "joint") == 0;
    json_t *result =
        json_of(run("train", "--model_name_or_path", encoder, "--train_file", "train.tsv", "--validation_file",
                    "train.tsv", "--max_seq_length", "16", "--max_steps", "4", "--eval_steps", "2", "--logging_steps",
                    "1", "--save_steps", "0", "--learning_rate", "1e-3", "--objective", objective, option, value,
                    "--output_dir", output, "--json", joint ? "--noise_file" : NULL, "noise.txt"));
    json_decref(result);
    free(encoder);
    free(output);
}

static int make_files(void **state)
{
    const ebm_model_info info = {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32};
    ebm_device *device = NULL;
    if (!mkdtemp(folder)) return -1;
    assert_ok(ebm_device_open(NULL, &device));
    make_model_in(device, "encoder", &info, NAMES);
    ebm_device_free(device);
    put_texts("train.tsv", "sentence\tlabel", NAMES);
    put("noise.txt", "the bad is good\ncold cast the was\nplot a dull but\nfine and warm\n");
    train("ce", "ce", "--seed", "1");
    train("joint", "joint", "--metric_for_best_model", "nll");
    return 0;
}

static ebm_examples read_examples(const char *name, bool needs_labels)
{
    char *path = in_folder(folder, name);
    ebm_examples e;
    assert_ok(ebm_examples_read(path, needs_labels, &e));
    free(path);
    return e;
}

static void check_same_numbers(const char *model)
{
    char *path = NULL;
    assert_true(asprintf(&path, "%s/%s", model, EBM_EVAL_PREDICTIONS) > 0);
    json_t *of_model = json_of(run("eval", "--model_name_or_path", model, "--validation_file", "train.tsv", "--json"));
    json_t *of_file = json_of(run("eval", "--predictions", path, "--json"));
    static const char *const names[] = {"accuracy",        "f1", "nll", "nll_low", "brier", "ece_class_wise",
                                        "ece_pooled_floor"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        assert_true(number(of_model, names[i]) == number(of_file, names[i]));
    json_decref(of_model);
    json_decref(of_file);
    free(path);
}

static void a_run_leaves_its_predictions(void **state)
{
    check_same_numbers("ce");
    check_same_numbers("joint");
    ebm_examples ce = read_examples("ce/" EBM_EVAL_PREDICTIONS, true);
    ebm_examples joint = read_examples("joint/" EBM_EVAL_PREDICTIONS, true);
    assert_null(ce.read.energy);
    assert_non_null(joint.read.energy);
    assert_int_equal(ce.read.rows.count, ROWS);
    for (size_t i = 0; i < ROWS; i++) assert_string_equal(ce.text[i], TEXTS[i]);
    for (size_t i = 0; i < ROWS; i++) assert_string_equal(ce.names[ce.read.label[i]], NAMES[LABELS[i]]);
    ebm_examples_free(&ce);
    ebm_examples_free(&joint);
    assert_false(ebm_file_exists("ce/" EBM_NOISE_PREDICTIONS));
}

// Two of the four texts of the file are held out; the tokenizer knows all words.
static void a_joint_run_leaves_those_of_noise(void **state)
{
    ebm_examples noise = read_examples("joint/" EBM_NOISE_PREDICTIONS, false);
    char *texts = get("noise.txt");
    assert_int_equal(noise.read.rows.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(noise.text[i][0] && strstr(texts, noise.text[i]));
        assert_null(noise.text_pair[i]);
        const double f[2] = {(double)noise.read.logits[2 * i], (double)noise.read.logits[2 * i + 1]};
        const double largest = fmax(f[0], f[1]), energy = -largest - log(exp(f[0] - largest) + exp(f[1] - largest));
        // The hidden energy: -logsumexp f.
        assert_true(fabs((double)noise.read.energy[i] - energy) < 1e-4 * (1 + fabs(energy)));
    }
    free(texts);
    ebm_examples_free(&noise);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_leaves_its_predictions),
        cmocka_unit_test(a_joint_run_leaves_those_of_noise),
    };
    return cmocka_run_group_tests_name("report", tests, make_files, remove_files);
}
