// ebmcl train --mlm_weight, --hidden_norm_weight: a short run, what it writes and says; what is refused.
#include "command.h"
#include "tiny_model.h"

static const char *const NAMES[] = {"negative", "positive"};

static int make_files(void **state)
{
    make_folder_with_model("base", NAMES);
    put_texts("train.tsv", "sentence\tlabel", NAMES);
    return 0;
}

#define TRAIN(...)                                                                                                     \
    "train", "--model_name_or_path", "base", "--train_file", "train.tsv", "--per_device_train_batch_size", "6",        \
        "--max_seq_length", "16", "--token_budget", "128", "--logging_steps", "1", __VA_ARGS__

static void a_run_tells_what_its_loss_was(void **state)
{
    ran r = run(TRAIN("--output_dir", "out", "--max_steps", "4", "--validation_file", "train.tsv", "--mlm_weight",
                      "0.5", "--mlm_probability", "0.25", "--hidden_norm_weight", "0.01"));
    if (r.code != 0) fail_msg("%s", r.err);
    assert_non_null(strstr(r.err, "cls.predictions.bias")); // new: this checkpoint had no such head
    free_ran(&r);
    char *log = get("out/trainer_log.jsonl"), *rest = log;
    for (int step = 1; step <= 2; step++) { // before the first evaluation
        json_t *line = line_of(&rest);
        const double loss =
            number(line, "cross_entropy") + 0.5 * number(line, "mlm_loss") + 0.01 * number(line, "hidden_norm");
        assert_true(number(line, "mlm_loss") > 1 && number(line, "hidden_norm") > 1);
        if (!(loss - number(line, "loss") < 1e-6 && number(line, "loss") - loss < 1e-6))
            fail_msg("step %d: loss %g, its terms make %g", step, number(line, "loss"), loss);
        json_decref(line);
    }
    free(log);
    assert_file_has("out/ebmcl.json",
                    "\"method\": \"masked language modelling 0.5 (25 % of tokens), hidden norm penalty 0.01\"");
    assert_file_has("out/training_args.json", "\"mlm_weight\": 0.5");
    assert_file_has("out/README.md", "masked language modelling 0.5 (25 % of tokens), hidden norm penalty 0.01");
    char *head = in_folder(folder, "out/mlm_head.safetensors");
    assert_true(ebm_file_exists(head));
    free(head);
    // The model is a classifier as any other; a second training goes on with the head.
    json_decref(json_of(run("eval", "--model_name_or_path", "out", "--test_file", "train.tsv", "--bootstrap_samples",
                            "0", "--token_budget", "128", "--json")));
    r = run("train", "--model_name_or_path", "out", "--train_file", "train.tsv", "--output_dir", "again",
            "--max_seq_length", "16", "--max_steps", "1", "--mlm_weight", "1", "--token_budget", "128");
    if (r.code != 0) fail_msg("%s", r.err);
    assert_null(strstr(r.err, "cls.predictions"));
    free_ran(&r);
}

static void what_is_refused(void **state)
{
    assert_bad("--mlm_weight", TRAIN("--output_dir", "new", "--mlm_weight", "-1"));
    assert_bad("--mlm_probability", TRAIN("--output_dir", "new", "--mlm_weight", "1", "--mlm_probability", "0"));
    assert_bad("--mlm_probability is for --mlm_weight, which is 0",
               TRAIN("--output_dir", "new", "--mlm_probability", "0.2"));
    assert_bad("--hidden_norm_weight", TRAIN("--output_dir", "new", "--hidden_norm_weight", "x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_tells_what_its_loss_was),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests_name("regularised", tests, make_files, remove_files);
}
