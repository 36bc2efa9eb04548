// The quick start, a few steps of it: what it prints and what it leaves, to be used by the other commands.
#include <jansson.h>
#include <math.h>

#include "folder.h"
#include "program.h"

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *json = json_loads(text, 0, &error);
    if (!json) fail_msg("not JSON: %s\n%s", error.text, text);
    return json;
}

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("\"%s\" is not a number", key);
    return json_number_value(value);
}

static void check_evaluation(const json_t *e)
{
    assert_true(number(e, "accuracy") > 0.2 && number(e, "accuracy") < 0.8); // the best possible is about .65
    assert_true(number(e, "nll") > 0.7 && isfinite(number(e, "nll")));       // the best possible is about .78
    assert_true(number(e, "ece_class_wise") >= 0 && number(e, "ece_class_wise_floor") > 0);
    assert_true(number(e, "kl_from_truth") >= 0);
}

static json_t *run_quickstart(const char *folder, const char *seed)
{
    ran r = run_program(folder,
                        (const char *const[]){"quickstart", "--max_steps", "3", "--json", "--overwrite_output_dir",
                                              "--seed", seed, NULL},
                        NULL);
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    json_t *json = parse(r.out);
    free_ran(&r);
    return json;
}

static void it_reports_and_leaves_models(void **state)
{
    static const char *const files[] = {"data/train.tsv",
                                        "data/validation.tsv",
                                        "data/test.tsv",
                                        "results.json",
                                        "noise/noise.json",
                                        "noise/model.safetensors",
                                        "cross-entropy/model.safetensors",
                                        "cross-entropy-half/vocab.txt",
                                        "joint/config.json",
                                        "joint/ebmcl.json",
                                        "joint/calibration.json",
                                        "joint/trainer_log.jsonl"};
    static const char *const models[] = {"cross_entropy", "cross_entropy_half", "joint"};
    json_t *json = run_quickstart(*state, "42");
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char name[128];
        snprintf(name, sizeof name, "ebmcl-quickstart/%s", files[i]);
        char *path = in_folder(*state, name);
        if (!ebm_file_exists(path)) fail_msg("%s is missing", name);
        free(path);
    }
    assert_int_equal(entries_of(*state), 1);
    assert_true(number(json, "noise_perplexity") > 1);
    check_evaluation(json_object_get(json, "true_posterior"));
    for (size_t i = 0; i < 3; i++) {
        const json_t *model = json_object_get(json, models[i]);
        const json_t *raw = json_object_get(model, "raw"), *scaled = json_object_get(model, "scaled");
        check_evaluation(raw);
        check_evaluation(scaled);
        assert_true(number(model, "temperature") > 0);
        assert_true(number(raw, "accuracy") == number(scaled, "accuracy"));
        assert_true(number(raw, "nll") > number(json_object_get(json, "true_posterior"), "nll"));
    }

    // The other commands read what it left, and measure the same.
    ran r =
        run_program(*state,
                    (const char *const[]){"eval", "--model_name_or_path", "ebmcl-quickstart/joint", "--test_file",
                                          "ebmcl-quickstart/data/test.tsv", "--bootstrap_samples", "0", "--json", NULL},
                    NULL);
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    json_t *again = parse(r.out);
    const json_t *raw = json_object_get(json_object_get(json, "joint"), "raw");
    assert_true(fabs(number(again, "accuracy") - number(raw, "accuracy")) < 1e-3);
    assert_true(fabs(number(again, "nll") - number(raw, "nll")) < 1e-5); // other packed batches, so other roundings
    json_decref(again);
    free_ran(&r);
    json_decref(json);
}

static void the_same_seed_gives_the_same_numbers(void **state)
{
    json_t *run[3] = {run_quickstart(*state, "7"), run_quickstart(*state, "7"), run_quickstart(*state, "8")};
    for (int i = 0; i < 3; i++) json_object_del(run[i], "seconds");
    assert_true(json_equal(run[0], run[1]));
    assert_false(json_equal(run[0], run[2]));
    for (int i = 0; i < 3; i++) json_decref(run[i]);
}

static void a_folder_in_use_is_left_alone(void **state)
{
    char *path = in_folder(*state, "used"), *file = in_folder(*state, "used/file");
    assert_ok(ebm_directory_make(path));
    put_file(file, "mine", 4);
    ran r = run_program(*state, (const char *const[]){"quickstart", "--output_dir", "used", NULL}, NULL);
    assert_int_equal(r.code, 2);
    assert_non_null(strstr(r.err, "used is in use"));
    assert_string_equal(r.out, "");
    assert_true(ebm_file_exists(file));
    assert_int_equal(entries_of(*state), 1);
    free_ran(&r);
    free(path), free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(it_reports_and_leaves_models),
        in_own_folder(the_same_seed_gives_the_same_numbers),
        in_own_folder(a_folder_in_use_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
