// ebmcl train by several processes: the losses of one, the same bits again, checkpoints for any number, one line for an
// error on any of them, and a stop that all hear of. Run through mpirun (MPIEXEC); the program itself is EBMCL.
#include <math.h>

#include "run_files.h" // before command.h, which has a variable of the name of its arguments

#include "command.h"
#include "tiny_model.h"

static const char *const NAMES[] = {"negative", "positive"};
static const char MLM[] = FIXTURES "/models/mlm-bert";

static int make_files(void **state)
{
    // As root, in a container, and with more ranks than processors; other MPIs than OpenMPI do not read these.
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    setenv("OMPI_MCA_rmaps_base_oversubscribe", "1", 1);
    make_folder_with_model("base", NAMES);
    put_texts("train.tsv", "sentence\tlabel", NAMES);
    put("noise.txt",
        "good film the is\nwas cold very not a\nplot . . dull\nthe the\nbut and bad warm fine , film cast\n"
        "is is good\nfine not a cast\n");
    return 0;
}

#define TRAIN(...)                                                                                                     \
    EBMCL, "train", "--model_name_or_path", "base", "--train_file", "train.tsv", "--validation_file", "train.tsv",     \
        "--per_device_train_batch_size", "5", "--max_seq_length", "16", "--learning_rate", "1e-3", "--token_budget",   \
        "64", "--logging_steps", "1", "--eval_steps", "100", "--no_report", "--output_dir", __VA_ARGS__

static void assert_trains(ran r)
{
    if (r.code != 0) fail_msg("exit code %d: %s", r.code, r.err);
    free_ran(&r);
}

static json_t *log_of(const char *name)
{
    char *path = in_folder(folder, name);
    json_t *log = read_log_without_times(path);
    free(path);
    return log;
}

// The largest difference of a logged number of both runs, of numbers of the size of 1.
static double distance(const char *name_a, const char *name_b)
{
    json_t *a = log_of(name_a), *b = log_of(name_b), *line, *value;
    const char *key;
    double most = 0;
    size_t i;
    assert_int_equal(json_array_size(a), json_array_size(b));
    assert_true(json_array_size(a) >= 7);
    json_array_foreach(a, i, line)
    {
        json_object_foreach(line, key, value)
        {
            const json_t *other = json_object_get(json_array_get(b, i), key);
            if (json_is_boolean(value)) continue;
            assert_true(json_is_number(value) && json_is_number(other));
            const double d = fabs(json_number_value(value) - json_number_value(other));
            if (d > most) most = d;
        }
    }
    json_decref(a);
    json_decref(b);
    return most;
}

// What one process logs, but for the order of sums. A sum of n terms in another order differs by about n eps / 2 of it:
// n is at most the tokens of a step, 200, eps 1.2e-7, the numbers are of the size of 1 to 10: 1e-4 at most in one step.
// AdamW makes of it a difference of the weights of the same share of the rate, 1e-3 (but for weights whose gradient is
// nothing but rounding, which the loss does not feel), so that ten steps hardly add to it.
static const double NEAR = 1e-4;

static void assert_near(const char *a, const char *b)
{
    const double d = distance(a, b);
    if (!(d <= NEAR)) fail_msg("%s and %s differ by %g", a, b, d);
}

// The log and the weights of a finished run.
static void keep(const char *name, const char *copy)
{
    char *from = in_folder(folder, name), *to = make_folder(folder, copy);
    copy_file(from, to, "trainer_log.jsonl");
    copy_file(from, to, "model.safetensors");
    free(from);
    free(to);
}

static void assert_same_run(const char *a, const char *b)
{
    char *path_a = in_folder(folder, a), *path_b = in_folder(folder, b);
    assert_same_log(path_a, path_b);
    assert_same_file(path_a, path_b, "model.safetensors");
    free(path_a);
    free(path_b);
}

// The last batch of an epoch has two texts for three ranks.
static void cross_entropy_as_one_process(void **state)
{
    assert_trains(run("-n", "1", TRAIN("ce-1", "--max_steps", "6")));
    assert_trains(run("-n", "3", TRAIN("ce-3", "--max_steps", "6")));
    assert_near("ce-1", "ce-3");
}

// A scale at which all overflow at first: every rank sees it in the gradients they share, skips the same steps and
// halves the same scale. Halves of the first step that counts are the same; then weights differ as above, by far less
// than a half's rounding.
static void halves_as_one_process(void **state)
{
#define HALVES "--max_steps", "8", "--fp16_activations", "--fp16_initial_scale", "65536"
    assert_trains(run("-n", "1", TRAIN("half-1", HALVES)));
    assert_trains(run("-n", "3", TRAIN("half-3", HALVES)));
    assert_near("half-1", "half-3");
    json_t *log = log_of("half-3");
    const json_t *last = json_array_get(log, 7);
    const double scale = json_number_value(json_object_get(last, "half_scale"));
    if (!(scale > 0 && scale < 65536)) fail_msg("the scale is %g at the end", scale);
    assert_true(json_is_number(json_object_get(last, "grad_norm"))); // and steps were made
    json_decref(log);
}

#define ALL_LOSSES                                                                                                     \
    "--max_steps", "10", "--objective", "joint", "--noise_ratio", "2", "--noise_file", "noise.txt", "--mlm_weight",    \
        "0.5", "--mlm_probability", "0.3", "--hidden_norm_weight", "0.01"
#define RESUMED "--save_steps", "6", "--resume_from_checkpoint", "all-2/checkpoint-6"

static void all_losses_as_one_process(void **state)
{
    assert_trains(run("-n", "1", TRAIN("all-1", ALL_LOSSES)));
    assert_trains(run("-n", "2", TRAIN("all-2", ALL_LOSSES, "--save_steps", "6")));
    assert_near("all-1", "all-2");
    // By as many ranks the same bits, which shows as well that a run has the same bits again; by others the same
    // losses.
    keep("all-2", "kept");
    assert_trains(run("-n", "2", TRAIN("all-2", ALL_LOSSES, RESUMED)));
    assert_same_run("kept", "all-2");
    assert_trains(run("-n", "3", TRAIN("all-2", ALL_LOSSES, RESUMED)));
    assert_near("all-1", "all-2");
}

// Each rank makes noise of its own, so that the losses are others than those of one process; its place is kept.
static void noise_of_each_rank(void **state)
{
#define OWN "--max_steps", "8", "--objective", "joint", "--noise_mlm", MLM, "--save_steps", "5"
    assert_trains(run("-n", "2", TRAIN("own", OWN)));
    keep("own", "own-kept");
    assert_trains(run("-n", "2", TRAIN("own", OWN, "--resume_from_checkpoint", "own/checkpoint-5")));
    assert_same_run("own-kept", "own");
    char *text = get("own/checkpoint-5/trainer_state.json");
    json_t *state_then = json_loads(text, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(state_then, "noise_positions")), 2);
    json_decref(state_then);
    free(text);
}

// ---- errors

static size_t lines_of_program(const char *err)
{
    size_t count = 0;
    for (const char *at = err; (at = strstr(at, "ebmcl: ")); at++) count += at == err || at[-1] == '\n';
    return count;
}

static void assert_one_line(const char *part, ran r)
{
    if (r.code == 0 || !strstr(r.err, part)) fail_msg("exit code %d, expected \"%s\": %s", r.code, part, r.err);
    if (lines_of_program(r.err) != 1) fail_msg("expected one line of the program: %s", r.err);
    if (r.out[0]) fail_msg("standard output holds: %s", r.out);
    free_ran(&r);
}

static void assert_not_there(const char *name)
{
    char *path = in_folder(folder, name);
    assert_false(ebm_directory_exists(path));
    free(path);
}

static void errors_are_said_once(void **state)
{
    assert_one_line("ebmcl: unknown option --nonsense", run("-n", "2", TRAIN("new", "--nonsense", "1")));
    assert_one_line("ebmcl: nowhere.tsv: ", run("-n", "3", EBMCL, "train", "--model_name_or_path", "base",
                                                "--train_file", "nowhere.tsv", "--output_dir", "new"));
    assert_one_line("ebmcl: mixup is for one process", run("-n", "2", TRAIN("new", "--mixup_alpha", "0.4")));
    assert_one_line("ebmcl: ebmcl noise train is for one process, mpirun or srun has started 2",
                    run("-n", "2", EBMCL, "noise", "train", "--encoder", "base", "--train_file", "train.tsv",
                        "--output_dir", "new"));
    assert_not_there("new");
}

// Found while all still prepare; and in the first step, while the others wait for this rank.
static void an_error_of_one_rank_ends_all(void **state)
{
    assert_one_line("ebmcl: rank 1: EBMCL_LANES: expected 8 or 16, found '7'",
                    run("-n", "1", TRAIN("new"), ":", "-n", "1", "-x", "EBMCL_LANES=7", TRAIN("new")));
    assert_not_there("new");
    char *broken = make_folder(folder, "kernels");
    put("kernels/adamw.cl", "__kernel void broken(\n");
    assert_one_line("ebmcl: rank 1: step 1: ", run("-n", "1", TRAIN("cut"), ":", "-n", "1", "-x",
                                                   "EBMCL_KERNEL_DIR=kernels", "-x", "EBMCL_CHECK=off", TRAIN("cut")));
    free(broken);
}

// Told to one rank, heard by all: a checkpoint, and one line. The shell becomes the program, and its child the
// messenger.
static void a_stop_of_one_rank_stops_all(void **state)
{
    static const char tell[] =
        "(until [ -s stopped/trainer_log.jsonl ]; do sleep 0.05; done; kill -TERM $$) & exec \"$@\"";
    put("stopped.json", "{\"model_name_or_path\": \"base\", \"train_file\": \"train.tsv\", \"output_dir\": \"stopped\","
                        " \"max_seq_length\": 16, \"token_budget\": 64, \"per_device_train_batch_size\": 5,"
                        " \"logging_steps\": 1, \"save_steps\": 0, \"max_steps\": 1000000}");
    ran r = run("-n", "1", EBMCL, "train", "stopped.json", ":", "-n", "1", "sh", "-c", tell, "sh", EBMCL, "train",
                "stopped.json");
    const char *said = strstr(r.err, "ebmcl: stopped after step ");
    if (!said) fail_msg("exit code %d: %s", r.code, r.err);
    char checkpoint[64];
    snprintf(checkpoint, sizeof checkpoint, "stopped/checkpoint-%d", atoi(said + strlen("ebmcl: stopped after step ")));
    char *path = in_folder(folder, checkpoint);
    assert_true(ebm_directory_exists(path));
    free(path);
    assert_one_line(checkpoint, r);
}

// The cells of a comparison are divided among the processes, and each training is one of its own.
static void a_comparison_divides_its_cells(void **state)
{
    put("compare.json", "{\"model_name_or_path\": \"base\", \"seeds\": [1, 2], \"options\": {\"max_steps\": 1,"
                        " \"max_seq_length\": 16, \"token_budget\": 64}, \"tasks\": [{\"name\": \"films\","
                        " \"train_file\": \"train.tsv\", \"validation_file\": \"train.tsv\"}],"
                        " \"methods\": [{\"name\": \"CE\"}]}");
    assert_trains(run("-n", "2", EBMCL, "compare", "--comparison", "compare.json", "--output_dir", "compared"));
    for (int seed = 1; seed <= 2; seed++) {
        char name[64];
        snprintf(name, sizeof name, "compared/cells/films/CE/seed-%d/log.txt", seed);
        char *log = get(name);
        assert_null(strstr(log, "ranks: "));
        assert_non_null(strstr(log, "model written to"));
        free(log);
    }
}

static void not_started_by_mpi(void **state)
{
    setenv("PMI_RANK", "0", 1);
    setenv("PMI_SIZE", "2", 1);
    assert_one_line("has started 2 processes, of which the MPI that ebmcl is built with sees 1",
                    run("-n", "1", TRAIN("new")));
    unsetenv("PMI_RANK");
    unsetenv("PMI_SIZE");
    assert_not_there("new");
}

int main(void)
{
    if (!HAS_MPI || access(PROGRAM, X_OK) != 0) {
        fprintf(stderr, "skipped: %s\n", HAS_MPI ? "there is no mpirun" : "this ebmcl is built without MPI");
        return 77;
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cross_entropy_as_one_process), cmocka_unit_test(halves_as_one_process),
        cmocka_unit_test(all_losses_as_one_process),    cmocka_unit_test(noise_of_each_rank),
        cmocka_unit_test(errors_are_said_once),         cmocka_unit_test(an_error_of_one_rank_ends_all),
        cmocka_unit_test(a_stop_of_one_rank_stops_all), cmocka_unit_test(a_comparison_divides_its_cells),
        cmocka_unit_test(not_started_by_mpi),
    };
    return cmocka_run_group_tests_name("ranks", tests, make_files, remove_files);
}
