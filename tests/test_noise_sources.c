// The program with every source of noise: what it trains from it, writes of it, records and refuses.
#include <math.h>

#include "check.h"

#include "command.h"
#include "dataset.h"
#include "tiny_model.h"

static const char MLM[] = FIXTURES "/models/mlm-bert";

static int make_files(void **state)
{
    static const char *const names[] = {"negative", "positive"};
    make_folder_with_model("model", names);
    put_texts("train.tsv", "sentence\tlabel", names);
    put("unlabelled.tsv", "sentence\nthe film is good\na dull plot\n");
    put("others.tsv", "sentence\tlabel\nthe film is good\tyes\na dull plot\tno\n");
    put("pairs.tsv",
        "sentence1\tsentence2\tlabel\nthe film is good\tnot bad at all\tyes\na dull plot\tit was bad\tno\n");
    put("corpus.txt", "\n\nwarm and cold and very dull\n \nthe film is good .\nbut the cast was not\n");
    return 0;
}

#define sample(...) run("noise", "sample", "--num", "20", "--json", __VA_ARGS__)
#define train(name, ...)                                                                                               \
    run("train", "--model_name_or_path", "model", "--train_file", "train.tsv", "--validation_file", "train.tsv",       \
        "--max_seq_length", "16", "--max_steps", "4", "--per_device_train_batch_size", "4", "--objective", "joint",    \
        "--token_budget", "256", "--output_dir", name, __VA_ARGS__)

static json_t *settings_in(const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "%s/training_args.json", name);
    char *text = get(path);
    json_t *settings = json_loads(text, 0, NULL);
    assert_non_null(settings);
    free(text);
    return settings;
}

// A finished run has a log in which data and noise are told apart, and says what the noise was.
static json_t *settings_of(ran r, const char *name)
{
    char path[64];
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    free_ran(&r);
    snprintf(path, sizeof path, "%s/trainer_log.jsonl", name);
    char *log = get(path);
    if (!strstr(log, "told_apart")) fail_msg("told apart? %s", log);
    free(log);
    return settings_in(name);
}

// Refused after the device was opened: exit code 2 and the sentence among what was said before.
static void expect_refusal(const char *part, ran r)
{
    if (r.code != 2 || !strstr(r.err, part)) fail_msg("exit code %d, expected \"%s\": %s", r.code, part, r.err);
    free_ran(&r);
}

// 120 texts: of every text both labels, or the label that a word of it says.
static void put_many(const char *name, bool learnable)
{
    char *path = in_folder(folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("sentence\tlabel\n", file);
    for (int i = 0; i < 120; i++)
        fprintf(file, "the %s is %s .\t%s\n", i % 3 ? "film" : "plot", i % 2 ? "good" : "bad",
                (learnable ? i : i / 2) % 2 ? "positive" : "negative");
    fclose(file);
    free(path);
}

#define train_many(name, texts, ...)                                                                                   \
    run("train", "--model_name_or_path", "model", "--train_file", texts, "--validation_file", texts,                   \
        "--max_seq_length", "16", "--per_device_train_batch_size", "24", "--token_budget", "256", "--output_dir",      \
        name, __VA_ARGS__)

static void guessing_is_told(void **state)
{
    put_many("random.tsv", false);
    put_many("learnable.tsv", true);
    ran r = train_many("guess", "random.tsv", "--max_steps", "2", "--objective", "joint", "--noise_source", "shuffle");
    if (r.code != 0 || !strstr(r.err, "(Matthews) is 0.000, of 120 texts chance alone gives up to 0.183; NCE")) {
        fail_msg("%s", r.err);
    }
    assert_non_null(strstr(r.err, "NCE may hold them back: try a smaller --nce_weight or more steps"));
    free_ran(&r);
    r = train_many("guess1", "random.tsv", "--max_steps", "2", "--objective", "joint", "--noise_source", "shuffle",
                   "--nce_warmup_ratio", "0.5");
    assert_non_null(strstr(r.err, "try --nce_warmup_ratio 1, a smaller --nce_weight or more steps"));
    free_ran(&r);
    r = train_many("guess2", "random.tsv", "--max_steps", "2");
    if (r.code != 0 || !strstr(r.err, "try more steps or another --learning_rate")) fail_msg("%s", r.err);
    free_ran(&r);
    r = train_many("learns", "learnable.tsv", "--max_steps", "40", "--learning_rate", "5e-3");
    if (r.code != 0 || strstr(r.err, "guessing")) fail_msg("%s", r.err);
    free_ran(&r);
}

// The losses a joint run has by itself, each until it is said; and what it says of them. Five steps are one pass.
static void joint_losses(void **state)
{
    static const struct {
        const char *steps, *option, *value;
        double gamma, weight, warmup;
        const char *told;
    } RUNS[] = {
        {"20", "--seed", "1", 3, 0.3, 1,
         "focal loss with gamma 3; between data and noise NCE, its weight grows to 0.3"},
        {"10", "--nce_weight", "1", 1, 1, 1,
         "focal loss with gamma 1; between data and noise NCE, its weight grows to 1"},
        {"5", "--nce_warmup_ratio", "0", 0, 0.3, 0,
         "losses: cross-entropy; between data and noise NCE, its weight is 0.3"},
        {"2", "--energy_loss", "margin", 0, 0.3, 1, "between data and noise a margin, its weight grows to 0.3"},
        {"10", "--label_smoothing_factor", "0.1", 0, 0.3, 1, "losses: label smoothing 0.1; "},
        {"10", "--mixup_alpha", "0.4", 0, 0.3, 1, "losses: cross-entropy; "},
        {"10", "--focal_gamma", "0", 0, 0.3, 1, "(as published: --focal_gamma 0 --nce_weight 1 --nce_warmup_ratio 0)"},
        {"11", "--focal_gamma", "auto", 1.2, 0.3, 1, "losses: focal loss with gamma 1.2; "}};
    put_many("learnable.tsv", true);
    for (size_t i = 0; i < sizeof RUNS / sizeof *RUNS; i++) {
        char name[32];
        snprintf(name, sizeof name, "losses%zu", i);
        ran r = train_many(name, "learnable.tsv", "--max_steps", RUNS[i].steps, "--objective", "joint",
                           "--noise_source", "shuffle", "--no_report", RUNS[i].option, RUNS[i].value);
        if (r.code != 0 || !strstr(r.err, RUNS[i].told)) fail_msg("\"%s\" is not in %s", RUNS[i].told, r.err);
        json_t *set = settings_of(r, name);
        assert_float_equal(number(set, "focal_gamma"), RUNS[i].gamma, 1e-6);
        assert_true(number(set, "nce_weight") == RUNS[i].weight && number(set, "nce_warmup_ratio") == RUNS[i].warmup);
        json_decref(set);
    }
    ran r = train_many("published", "learnable.tsv", "--max_steps", "2", "--objective", "joint", "--noise_source",
                       "shuffle", "--no_report", "--focal_gamma", "0", "--nce_weight", "1", "--nce_warmup_ratio", "0");
    assert_non_null(strstr(r.err, "losses: cross-entropy; between data and noise NCE, its weight is 1\n"));
    free_ran(&r);
}

// Without noise gamma is found when asked for: 1.5 passes.
static void gamma_of_passes(void **state)
{
    put_many("learnable.tsv", true);
    ran r = train_many("passes", "learnable.tsv", "--num_train_epochs", "1.5", "--focal_gamma", "auto", "--no_report");
    if (r.code != 0 || !strstr(r.err, "losses: focal loss with gamma 0.5\n")) fail_msg("%s", r.err);
    free_ran(&r);
    json_t *set = settings_in("passes");
    assert_true(number(set, "focal_gamma") == 0.5);
    json_decref(set);
    assert_bad("expected a number from 0 to 100 or auto, found \"some\"", "train", "--model_name_or_path", "model",
               "--train_file", "learnable.tsv", "--output_dir", "new", "--focal_gamma", "some");
    assert_bad("mixup", "train", "--model_name_or_path", "model", "--train_file", "learnable.tsv", "--output_dir",
               "new", "--focal_gamma", "auto", "--mixup_alpha", "0.4");
}

// A model that has learnt labels which the validation texts do not have is sure and wrong in half of them.
static void calibration_is_told(void **state)
{
    put_many("random.tsv", false);
    put_many("learnable.tsv", true);
#define train_wrong(name, ...)                                                                                         \
    run("train", "--model_name_or_path", "model", "--train_file", "learnable.tsv", "--validation_file", "random.tsv",  \
        "--max_seq_length", "16", "--per_device_train_batch_size", "24", "--max_steps", "40", "--learning_rate",       \
        "5e-3", "--keep_last_model", "--token_budget", "256", "--no_report", "--output_dir", name, __VA_ARGS__)
    ran r = train_wrong("sure", "--seed", "3");
    double sure = 0, right = 0, ece = 0, floor = 0;
    const char *line = strstr(r.err, "calibration, 120 texts");
    assert_non_null(line);
    assert_int_equal(sscanf(line,
                            "calibration, 120 texts: predicted labels have a probability of %lf on average, %lf of them"
                            " are right; class-wise ECE %lf, of a calibrated model %lf",
                            &sure, &right, &ece, &floor),
                     4);
    assert_true(sure > 0.8 && fabs(right - 0.5) < 1e-9 && fabs(ece - (sure - right)) < 0.05 && floor < ece / 2);
    assert_non_null(strstr(r.err, "its probabilities are too high: `ebmcl calibrate` fits a temperature"));
    assert_non_null(strstr(r.err, "--focal_gamma auto or joint training"));
    free_ran(&r);
    r = train_wrong("focal", "--focal_gamma", "1");
    assert_non_null(strstr(r.err, "its probabilities are too high"));
    assert_null(strstr(r.err, "--focal_gamma auto"));
    free_ran(&r);
    r = train_wrong("mixed", "--mixup_alpha", "0.01");
    assert_non_null(strstr(r.err, "its probabilities are too high"));
    assert_null(strstr(r.err, "--focal_gamma auto")); // which is refused beside mixup
    free_ran(&r);
    // Of texts that have both labels a model learns that it cannot know them.
    r = train_many("even", "random.tsv", "--max_steps", "60", "--learning_rate", "3e-3", "--keep_last_model",
                   "--no_report");
    assert_non_null(strstr(r.err, "calibration, 120 texts"));
    assert_null(strstr(r.err, "its probabilities are too"));
    free_ran(&r);
}

static void expect_lines(const char *name, size_t count)
{
    char *text = get(name);
    size_t lines = 0;
    for (const char *c = text; *c; c++) lines += *c == '\n';
    assert_int_equal(lines, count);
    free(text);
}

static void shuffled_texts(void **state)
{
    json_t *result = json_of(sample("--noise_source", "shuffle", "--train_file", "train.tsv", "--out", "s.txt"));
    assert_int_equal((int)number(result, "texts"), 20);
    assert_true(number(result, "generated") >= 20);
    json_decref(result);
    expect_lines("s.txt", 20);
    json_t *set = settings_of(train("shuffled", "--shuffle_ngram", "2", "--save_steps", "3"), "shuffled");
    assert_string_equal(string(set, "noise_source"), "shuffle");
    assert_int_equal((int)number(set, "shuffle_ngram"), 2);
    json_decref(set);
    // A resumed run keeps its noise.
    expect_refusal("noise_source was \"shuffled texts, longest 16, shuffle_ngram 2, seed 42\", now it is",
                   train("shuffled", "--noise_source", "shuffle", "--save_steps", "3", "--resume_from_checkpoint",
                         "shuffled/checkpoint-3"));
    // Two by two for a task of pairs.
    json_decref(json_of(sample("--noise_file", "s.txt", "--train_file", "pairs.tsv", "--out", "p.txt")));
    char *text = get("p.txt");
    assert_non_null(strstr(text, EBM_PAIR_SEPARATOR));
    free(text);
}

static void plain_text(void **state)
{
    ran r = train("corpus", "--noise_file", "corpus.txt");
    const char part[] = "noise file: 2 texts of 24 bytes (training texts: 15), without 1 equal to training texts";
    if (!strstr(r.err, part)) fail_msg("expected \"%s\": %s", part, r.err);
    json_decref(settings_of(r, "corpus"));
}

static void filled_texts(void **state)
{
    json_decref(json_of(sample("--noise_mlm", MLM, "--train_file", "train.tsv", "--out", "f.txt", "--mask_probability",
                               "0.6", "--top_k", "5")));
    expect_lines("f.txt", 20);
    json_t *set = settings_of(train("filled", "--noise_mlm", MLM, "--mask_probability", "0.6"), "filled");
    assert_string_equal(string(set, "noise_source"), "mlm");
    json_decref(set);
    assert_bad("no masked-language-model head", "noise", "sample", "--noise_mlm", "model", "--train_file", "train.tsv",
               "--out", "none.txt");
}

static void expect_record(const char *path, const char *objective, size_t labels)
{
    char *text = get(path);
    json_t *record = json_loads(text, 0, NULL);
    assert_string_equal(string(record, "objective"), objective);
    assert_int_equal(json_array_size(json_object_get(record, "labels")), labels);
    json_decref(record);
    free(text);
}

// A model told labels records it; whoever samples from it needs labels that it knows, and may not ask for masks.
static void labelled_models(void **state)
{
    ran r = run("noise", "train", "--encoder", "model", "--layers", "1", "--train_file", "train.tsv", "--held_out", "0",
                "--max_steps", "2", "--token_budget", "512", "--noise_objective", "label", "--output_dir", "n-label");
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
    expect_record("n-label/noise.json", "label", 2);
    json_t *set = settings_of(train("with_label", "--noise_model", "n-label"), "with_label");
    assert_true(number(set, "mask_probability") == 1);
    json_decref(set);
    expect_refusal("trained with objective label, which shows it no masked text",
                   sample("--noise_model", "n-label", "--train_file", "train.tsv", "--mask_probability", "0.4", "--out",
                          "none.txt"));
    assert_bad("label", "noise", "sample", "--noise_model", "n-label", "--train_file", "unlabelled.tsv", "--out",
               "none.txt");
    expect_refusal("text of line 2: the noise model needs a label it knows, found \"yes\"",
                   sample("--noise_model", "n-label", "--train_file", "others.tsv", "--out", "none.txt"));
    assert_bad("label", "noise", "train", "--encoder", "model", "--train_file", "unlabelled.tsv", "--noise_objective",
               "label", "--output_dir", "none");
}

// What a model was trained to write is recorded, and said where the task's texts are of the other kind.
static void the_other_kind_is_told(void **state)
{
    static const char part[] =
        "warning: n-pairs was trained on pairs of texts, the task's are single texts: little of its "
        "noise will be like them";
    ran r = run("noise", "train", "--encoder", "model", "--layers", "1", "--train_file", "pairs.tsv", "--held_out", "0",
                "--max_steps", "2", "--token_budget", "512", "--output_dir", "n-pairs");
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
    char *record = get("n-pairs/noise.json");
    if (!strstr(record, "\"texts\": \"pairs\"")) fail_msg("%s", record);
    free(record);
    r = train("other-kind", "--noise_model", "n-pairs");
    if (!strstr(r.err, part)) fail_msg("expected \"%s\": %s", part, r.err);
    free_ran(&r);
    r = run("noise", "sample", "--noise_model", "n-pairs", "--train_file", "pairs.tsv", "--num", "2", "--out", "p.txt");
    if (strstr(r.err, "was trained on")) fail_msg("%s", r.err);
    free_ran(&r);
}

static void sources_are_one(void **state)
{
#define assert_bad_source(part, ...)                                                                                   \
    assert_bad(part, "noise", "sample", "--train_file", "train.tsv", "--out", "none.txt", __VA_ARGS__)
    assert_bad_source("noise is needed: give --noise_model, --noise_mlm or --noise_file", "--seed", "1");
    assert_bad_source("one source, but --noise_model and --noise_mlm were given", "--noise_model", "model",
                      "--noise_mlm", "model");
    assert_bad_source("--noise_source mlm needs --noise_mlm", "--noise_source", "mlm");
    assert_bad_source("--noise_source shuffle takes no --noise_file", "--noise_source", "shuffle", "--noise_file",
                      "corpus.txt");
    assert_bad_source("--shuffle_ngram is for --noise_source shuffle, not file", "--noise_file", "corpus.txt",
                      "--shuffle_ngram", "3");
    assert_bad_source("--noise_source", "--noise_source", "magic");
    assert_bad_source("nothing to shuffle", "--noise_source", "shuffle", "--shuffle_ngram", "9");
    assert_bad("did you mean --objective joint", "train", "--model_name_or_path", "model", "--train_file", "train.tsv",
               "--noise_source", "shuffle", "--output_dir", "none");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shuffled_texts),         cmocka_unit_test(plain_text),      cmocka_unit_test(filled_texts),
        cmocka_unit_test(labelled_models),        cmocka_unit_test(sources_are_one), cmocka_unit_test(guessing_is_told),
        cmocka_unit_test(calibration_is_told),    cmocka_unit_test(joint_losses),    cmocka_unit_test(gamma_of_passes),
        cmocka_unit_test(the_other_kind_is_told),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
