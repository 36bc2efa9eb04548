// --fp16_activations of the program: what a run says and writes, with --bf16 too, and what is refused.
#include "bf16.h"
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
        "--max_seq_length", "16", "--token_budget", "1024", "--logging_steps", "1", "--max_steps", "3",                \
        "--validation_file", "train.tsv", __VA_ARGS__

// MiB of the encoder's activations, as the program prints its plan.
static double planned(const ran *r)
{
    static const char *const NAME = "encoder activations and gradients ";
    const char *at = strstr(r->err, NAME);
    assert_non_null(at);
    return atof(at + strlen(NAME));
}

static void a_run_says_what_it_does(void **state)
{
    ran plain = run(TRAIN("--output_dir", "plain", "--json"));
    ran half = run(TRAIN("--output_dir", "half", "--fp16_activations", "--fp16_initial_scale", "65536", "--json"));
    if (plain.code != 0 || half.code != 0) fail_msg("%s%s", plain.err, half.err);
    assert_true(planned(&half) < planned(&plain));
    assert_null(strstr(plain.err, "activations in half"));
    if (!strstr(half.err, "step 1: activations in half are scaled by 32768 from now on (1 steps skipped so far)"))
        fail_msg("%s", half.err);
    assert_file_has("half/trainer_log.jsonl", "\"half_scale\":32768.0,\"skipped_steps\":1,");
    assert_file_has("half/training_args.json", "\"fp16_activations\": true");
    assert_file_has("half/train_results.json", "\"activations\": \"fp16\"");
    assert_file_has("half/README.md", "in single precision, activations stored as halves for the backward pass.");
    assert_file_has("plain/README.md", "in single precision.");
    free_ran(&plain);
    free_ran(&half);
}

static void products_in_bf16_go_with_it(void **state)
{
    ebm_device *device = NULL;
    assert_ok(ebm_device_open(NULL, &device));
    const bool can = should_do_bf16(device);
    ebm_device_free(device);
    if (!can) return;
    ran r = run(TRAIN("--output_dir", "both", "--fp16_activations", "--bf16"));
    if (r.code != 0) fail_msg("%s", r.err);
    free_ran(&r);
    assert_file_has("both/README.md", "products of matrices in bf16, all else in single precision, activations stored"
                                      " as halves for the backward pass.");
}

static void a_step_is_timed_with_it(void **state)
{
    json_t *step = json_of(run("bench", "step", "--model_name_or_path", "base", "--batch_size", "4",
                               "--sequence_length", "8", "--repeats", "1", "--fp16_activations", "--json"));
    assert_true(json_is_true(json_object_get(step, "fp16_activations")));
    json_decref(step);
}

static void what_is_refused(void **state)
{
    assert_bad("--fp16_initial_scale is for --fp16_activations, which was not given",
               TRAIN("--output_dir", "new", "--fp16_initial_scale", "2"));
    assert_bad(
        "--fp16_initial_scale: the first scale of activations in half: a power of two from 2^-8 to 2^16 expected,"
        " found 3",
        TRAIN("--output_dir", "new", "--fp16_activations", "--fp16_initial_scale", "3"));
    assert_bad("--fp16_initial_scale", TRAIN("--output_dir", "new", "--fp16_activations", "--fp16_initial_scale", "0"));
    assert_bad("--fp16_initial_scale",
               TRAIN("--output_dir", "new", "--fp16_activations", "--fp16_initial_scale", "131072"));
    assert_bad("--fp16_activations", "noise", "train", "--fp16_activations"); // GPT-2 has no such storage
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_says_what_it_does),
        cmocka_unit_test(products_in_bf16_go_with_it),
        cmocka_unit_test(a_step_is_timed_with_it),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests_name("fp16", tests, make_files, remove_files);
}
