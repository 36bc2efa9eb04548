// --mc_dropout and --ensemble of ebmcl predict, eval and calibrate: against means of what the models say alone; what a
// calibrator that was fitted on such a mean is for; what is refused.
#include <math.h>

#include "command.h"
#include "predictor.h"
#include "tiny_model.h"

static const char *const NAMES[] = {"negative", "positive"}, *const TURNED[] = {"positive", "negative"},
                         *const OTHERS[] = {"dull", "fine"};

static const struct {
    const char *name;
    ebm_model_info info;
    const char *const *labels;
    uint64_t seed;
} MODELS[] = {
    {"a", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}, NAMES, 7},
    {"b", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}, NAMES, 8},
    {"turned", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}, TURNED, 9},
    {"others", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}, OTHERS, 9},
    {"numbered", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}, NULL, 10},
    {"numbered2", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}, NULL, 11},
    {"hidden",
     {.objective = EBM_OBJECTIVE_JOINT,
      .energy = EBM_ENERGY_HIDDEN,
      .noise_ratio = 1,
      .nce_weight = 1.0f,
      .max_tokens = 32},
     NAMES,
     12},
    {"hidden2",
     {.objective = EBM_OBJECTIVE_JOINT,
      .energy = EBM_ENERGY_HIDDEN,
      .noise_ratio = 1,
      .nce_weight = 1.0f,
      .max_tokens = 32},
     NAMES,
     13},
    {"scalar",
     {.objective = EBM_OBJECTIVE_JOINT,
      .energy = EBM_ENERGY_SCALAR,
      .noise_ratio = 1,
      .nce_weight = 1.0f,
      .max_tokens = 32},
     NAMES,
     14},
    {"sure", {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32}, NAMES, 15},
};

static void put_out_dropout(const char *model)
{
    char *directory = in_folder(folder, model), *path = in_folder(directory, "config.json");
    json_t *config = json_load_file(path, 0, NULL);
    assert_non_null(config);
    json_object_set_new(config, "hidden_dropout_prob", json_real(0));
    json_object_set_new(config, "attention_probs_dropout_prob", json_real(0));
    json_object_set_new(config, "classifier_dropout", json_real(0));
    assert_int_equal(json_dump_file(config, path, 0), 0);
    json_decref(config);
    free(path);
    free(directory);
}

static ebm_device *device;

static int make_files(void **state)
{
    if (!mkdtemp(folder)) return -1;
    assert_ok(ebm_device_open(NULL, &device));
    for (size_t i = 0; i < sizeof MODELS / sizeof *MODELS; i++) {
        char *path = in_folder(folder, MODELS[i].name);
        make_seeded_model(device, path, &MODELS[i].info, MODELS[i].labels, MODELS[i].seed);
        free(path);
    }
    put_out_dropout("sure");
    put_texts("dev.tsv", "sentence\tlabel", NAMES);
    return 0;
}

static int free_all(void **state)
{
    ebm_device_free(device);
    return remove_files(state);
}

// Probabilities of label "positive", and energies, NaN where there are none.
typedef struct {
    double positive[ROWS], energy[ROWS];
} said;

// What a run of predict wrote.
static said read_said(ran r)
{
    said s;
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
    char *text = get("out.jsonl"), *rest = text;
    for (int i = 0; i < ROWS; i++) {
        json_t *row = line_of(&rest);
        s.positive[i] = at(row, "probabilities", 1);
        // The logits are those of the probabilities, so that other tools' softmax gives them too.
        const double f0 = at(row, "logits", 0), f1 = at(row, "logits", 1);
        assert_true(fabs(1 / (1 + exp(f0 - f1)) - s.positive[i]) < 1e-6);
        const json_t *energy = json_object_get(row, "energy");
        s.energy[i] = energy ? json_number_value(energy) : (double)NAN;
        json_decref(row);
    }
    free(text);
    return s;
}
#define SAID(...)                                                                                                      \
    read_said(run("predict", "--test_file", "dev.tsv", "--output_file", "out.jsonl", "--token_budget", "128",          \
                  "--model_name_or_path", __VA_ARGS__))

// What a model says by the library, in this process. passes 0: one without dropout; as_passes: by
// ebm_predictor_average.
typedef struct {
    const char *model;
    size_t passes, budget;
    uint64_t seed;
    bool as_passes;
} question;

static void ask_average(ebm_predictor *predictor, const ebm_dataset *texts, const question *q, float *logits,
                        float *energy)
{
    static const int32_t order[] = {0, 1};
    const ebm_predictor_passes passes = {q->passes, 0, q->seed, true, order};
    ebm_average *average = NULL;
    assert_ok(ebm_average_create(ROWS, 2, &average));
    assert_ok(ebm_predictor_average(predictor, texts, &passes, average));
    assert_int_equal(ebm_average_members(average), q->passes ? q->passes : 1);
    assert_ok(ebm_average_logits(average, logits));
    if (ebm_average_has_energy(average)) ebm_average_energy(average, energy);
    ebm_average_free(average);
}

static said ask(const question *q)
{
    said s;
    float logits[ROWS * 2], energy[ROWS];
    char *directory = in_folder(folder, q->model);
    ebm_predictor *predictor = NULL;
    ebm_dataset *texts = NULL;
    assert_ok(ebm_dataset_create(NULL, &texts));
    for (int i = 0; i < ROWS; i++) assert_ok(ebm_dataset_add(texts, TEXTS[i], NULL, -1, 0));
    assert_ok(ebm_predictor_open(device, directory, q->budget ? q->budget : 128, &predictor));
    const bool has_energy = ebm_predictor_has_energy(predictor);
    const size_t positive = strcmp(ebm_predictor_config(predictor)->labels[0], "positive") != 0;
    if (q->as_passes)
        ask_average(predictor, texts, q, logits, energy);
    else
        assert_ok(ebm_predictor_dataset(predictor, texts, 0, logits, has_energy ? energy : NULL));
    for (size_t i = 0; i < ROWS; i++) {
        s.positive[i] = 1 / (1 + exp((double)(logits[2 * i + 1 - positive] - logits[2 * i + positive])));
        s.energy[i] = has_energy ? (double)energy[i] : (double)NAN;
    }
    ebm_predictor_free(predictor);
    ebm_dataset_free(texts);
    free(directory);
    return s;
}
#define ASK(...) ask(&(question){__VA_ARGS__})

static double furthest(const said *a, const said *b)
{
    double most = 0;
    for (int i = 0; i < ROWS; i++) most = fmax(most, fabs(a->positive[i] - b->positive[i]));
    return most;
}

static void ensembles_average_probabilities(void **state)
{
    const said a = ASK("a", .passes = 0), b = ASK("b", .passes = 0), turned = ASK("turned", .passes = 0),
               all = SAID("a", "--ensemble", "b", "turned");
    assert_true(furthest(&a, &b) > 0.01 && furthest(&a, &turned) > 0.01);
    for (int i = 0; i < ROWS; i++) {
        const double mean = (a.positive[i] + b.positive[i] + turned.positive[i]) / 3;
        if (fabs(all.positive[i] - mean) > 1e-6) fail_msg("text %d: %.9g, the mean is %.9g", i, all.positive[i], mean);
    }
}

static void energies_of_one_form_are_averaged(void **state)
{
    const said one = ASK("hidden", .passes = 0), two = ASK("hidden2", .passes = 0),
               both = SAID("hidden", "--ensemble", "hidden2");
    for (int i = 0; i < ROWS; i++) assert_true(fabs(both.energy[i] - (one.energy[i] + two.energy[i]) / 2) < 1e-5);
    ran r = run("predict", "--model_name_or_path", "hidden", "--ensemble", "scalar", "--test_file", "dev.tsv",
                "--output_file", "out.jsonl");
    assert_non_null(strstr(r.err, "energies are left out"));
    const said mixed = read_said(r);
    assert_true(isnan(mixed.energy[0]));
}

// The means of 1, 2 and 3 passes are prefixes of one series; what each pass adds is a probability, and another one.
static void passes_are_averaged(void **state)
{
    const said none = ASK("a", .passes = 0), plain = ASK("a", .passes = 0, .as_passes = true),
               one = ASK("a", .passes = 1, .as_passes = true), two = ASK("a", .passes = 2, .as_passes = true),
               three = ASK("a", .passes = 3, .as_passes = true);
    said second, third;
    for (int i = 0; i < ROWS; i++) {
        second.positive[i] = 2 * two.positive[i] - one.positive[i];
        third.positive[i] = 3 * three.positive[i] - 2 * two.positive[i];
        assert_true(second.positive[i] > 0 && second.positive[i] < 1);
        assert_true(third.positive[i] > 0 && third.positive[i] < 1);
    }
    assert_true(furthest(&none, &plain) < 1e-6);
    assert_true(furthest(&none, &one) > 0.01);
    assert_true(furthest(&one, &second) > 0.01);
    assert_true(furthest(&second, &third) > 0.01);
    const said energies = ASK("scalar", .passes = 2, .as_passes = true), without = ASK("scalar", .passes = 0);
    assert_true(fabs(energies.energy[0] - without.energy[0]) > 1e-6);
}

// Batches of two texts, or all in one: the same masks.
static void passes_do_not_depend_on_packing(void **state)
{
    const said wide = ASK("a", .passes = 2, .as_passes = true),
               narrow = ASK("a", .passes = 2, .budget = 16, .as_passes = true),
               again = ASK("a", .passes = 2, .as_passes = true),
               other = ASK("a", .passes = 2, .seed = 5, .as_passes = true);
    assert_true(furthest(&wide, &narrow) < 1e-5);
    assert_true(furthest(&wide, &again) == 0);
    assert_true(furthest(&wide, &other) > 0.01);
}

// Of models that only number their labels.
static void both_at_once(void **state)
{
    const said one = ASK("numbered", .passes = 2, .seed = 3, .as_passes = true),
               two = ASK("numbered2", .passes = 2, .seed = 3, .as_passes = true);
    ran r = run("predict", "--model_name_or_path", "numbered", "--mc_dropout", "2", "--mc_dropout_seed", "3",
                "--ensemble", "numbered2", "--test_file", "dev.tsv", "--output_file", "out.jsonl");
    assert_non_null(strstr(r.err, "probabilities: the mean of 2 models (with numbered2), 2 passes with dropout each"));
    const said both = read_said(r);
    for (int i = 0; i < ROWS; i++) assert_true(fabs(both.positive[i] - (one.positive[i] + two.positive[i]) / 2) < 1e-6);
}

#define FIT(...)                                                                                                       \
    json_of(run("calibrate", "--token_budget", "128", "--validation_file", "dev.tsv", "--json",                        \
                "--model_name_or_path", "a", __VA_ARGS__))
#define EVAL(...)                                                                                                      \
    "eval", "--test_file", "dev.tsv", "--bootstrap_samples", "0", "--json", "--token_budget", "128",                   \
        "--model_name_or_path", "a", __VA_ARGS__

static void assert_card(const char *part)
{
    char *card = get("a/README.md");
    if (!strstr(card, part)) fail_msg("\"%s\" is not in the card: %s", part, card);
    free(card);
}

static void calibrators_are_for_what_they_were_fitted_on(void **state)
{
    put("a/README.md", "# a\n\n<!-- ebmcl: temperature -->\n<!-- ebmcl: end of temperature -->\n");
    json_t *fit = FIT("--mc_dropout", "3"), *e = json_of(run(EVAL("--calibrated", "--mc_dropout", "3")));
    assert_int_equal((int)number(fit, "mc_dropout"), 3);
    assert_int_equal((int)number(e, "mc_dropout"), 3);
    assert_true(fabs(number(fit, "nll_after") - number(e, "nll")) < 1e-6);
    json_decref(fit);
    json_decref(e);
    assert_card("is for, the mean of 3 passes with dropout");
    assert_card("`ebmcl predict --calibrated --mc_dropout 3` applies it");
    assert_card("torch.softmax(logits, -1)");
    assert_bad("a/calibration.json: it was fitted on the mean of 3 passes with dropout, and this is one model without"
               " dropout",
               EVAL("--calibrated"));
    assert_bad("and this is the mean of 4 passes", EVAL("--calibrated", "--mc_dropout", "4"));
    assert_bad("it was fitted on the mean of 3 passes", "predict", "--model_name_or_path", "a", "--test_file",
               "dev.tsv", "--output_file", "none.jsonl", "--calibrated");

    fit = FIT("--method", "vector", "--ensemble", "b", "turned");
    e = json_of(run(EVAL("--calibrated", "--ensemble", "turned", "b", "--full")));
    assert_int_equal(json_array_size(json_object_get(fit, "ensemble")), 2);
    assert_true(fabs(number(fit, "nll_after") - number(e, "nll")) < 1e-6);
    assert_string_equal(string(e, "calibration"), "vector");
    assert_null(json_object_get(e, "aurc_max_logit")); // the level of ln p says nothing
    json_decref(fit);
    json_decref(e);
    assert_card("mean of 3 models (with b, turned)");
    assert_bad("it was fitted on the mean of 3 models (with b, turned), and this is the mean of 2 models (with b)",
               EVAL("--calibrated", "--ensemble", "b"));

    put("a/calibration.json", "{\"temperature\": 1.5, \"nll_before\": 1, \"nll_after\": 1, \"examples\": 9}");
    assert_bad("it was fitted on one model without dropout, and this is the mean of 3 passes with dropout",
               EVAL("--calibrated", "--mc_dropout", "3"));
}

static void what_is_refused(void **state)
{
    assert_bad(
        "--ensemble: others: its labels are \"dull\", \"fine\", those of the first model \"negative\", \"positive\"",
        EVAL("--ensemble", "b", "others"));
    assert_bad("--ensemble: numbered: its labels are \"LABEL_0\"", EVAL("--ensemble", "numbered"));
    assert_bad("--ensemble: nowhere", EVAL("--ensemble", "nowhere"));
    assert_bad("sure: the model has no dropout", "eval", "--model_name_or_path", "sure", "--test_file", "dev.tsv",
               "--mc_dropout", "2");
    assert_bad("--ensemble: sure: the model has no dropout", EVAL("--mc_dropout", "2", "--ensemble", "sure"));
    assert_bad("--fold_temperature cannot be given with --mc_dropout", "calibrate", "--model_name_or_path", "a",
               "--validation_file", "dev.tsv", "--mc_dropout", "2", "--fold_temperature", "--output_dir", "folded");
    assert_bad("--fold_calibrator cannot be given with --ensemble", "calibrate", "--model_name_or_path", "a",
               "--validation_file", "dev.tsv", "--ensemble", "b", "--fold_calibrator", "--output_dir", "folded");
    assert_bad("--mc_dropout", EVAL("--mc_dropout", "-1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ensembles_average_probabilities),
        cmocka_unit_test(energies_of_one_form_are_averaged),
        cmocka_unit_test(passes_are_averaged),
        cmocka_unit_test(passes_do_not_depend_on_packing),
        cmocka_unit_test(both_at_once),
        cmocka_unit_test(calibrators_are_for_what_they_were_fitted_on),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests_name("ensemble", tests, make_files, free_all);
}
