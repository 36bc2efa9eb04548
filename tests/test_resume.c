// Stopping and resuming: the bits of an uninterrupted run, whatever the noise; and what is refused.
#include <unistd.h>

#include "gemm.h"
#include "on_device.h"
#include "run_files.h"
#include "small_run.h"

enum { STOP = 7, TOTAL = 15 }; // in the second epoch, between two lines of the log (steps 4 and 8)

static char *noise_model; // directory

static int set_up(void **state)
{
    void *folder = NULL;
    open_device(state);
    if (make_own_folder(&folder) != 0) return -1;
    noise_model = folder;
    small_noise_model_make(device, SMALL_SINGLE, true, noise_model);
    return 0;
}

static int tear_down(void **state)
{
    void *folder = noise_model;
    const int failed = remove_own_folder(&folder);
    close_device(state);
    return failed;
}

static void assert_same_best(const small_run *a, const small_run *b)
{
    ebm_trainer_evaluation x, y;
    assert_true(ebm_trainer_best(a->trainer, &x));
    assert_true(ebm_trainer_best(b->trainer, &y));
    assert_int_equal(x.step, y.step);
    for (ebm_metric m = 0; m < EBM_METRICS; m++) assert_memory_equal(&x.value[m], &y.value[m], sizeof x.value[m]);
    assert_int_equal(x.has_noise, y.has_noise);
    if (!x.has_noise) return;
    assert_true(x.told_apart == y.told_apart && x.auroc == y.auroc && x.mean_exp == y.mean_exp);
    assert_true(x.effective == y.effective && x.effective_share == y.effective_share && x.effective_share <= 1);
}

// The one event file of a run.
static char *read_events(const char *folder, size_t *size)
{
    char *runs = in_folder(folder, "runs");
    assert_int_equal(entries_of(runs), 1);
    DIR *directory = opendir(runs);
    struct dirent *entry;
    char *bytes = NULL;
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.') bytes = read_whole(runs, entry->d_name, size);
    closedir(directory);
    free(runs);
    return bytes;
}

// The same records, but for times and speeds, which change no lengths.
static void assert_same_events(const char *folder_a, const char *folder_b)
{
    size_t size_a = 0, size_b = 0;
    char *a = read_events(folder_a, &size_a), *b = read_events(folder_b, &size_b);
    assert_true(size_a > 1000);
    assert_int_equal(size_a, size_b);
    for (size_t at = 0; at < size_a; at += 16 + (unsigned char)a[at] + 256u * (unsigned char)a[at + 1])
        assert_memory_equal(a + at, b + at, 12);
    free(a);
    free(b);
}

static void check_resume(const char *folder, small_settings settings, uint64_t stop)
{
    char *whole = make_folder(folder, "whole"), *parts = make_folder(folder, "parts");
    small_run uninterrupted, resumed;
    settings.trainer.output_dir = whole;
    small_run_open(&uninterrupted, device, &settings);
    assert_ok(ebm_trainer_run(uninterrupted.trainer));

    settings.trainer.output_dir = parts;
    char *checkpoint = small_run_and_stop(device, settings, stop);
    small_run_open(&resumed, device, &settings);
    assert_ok(ebm_trainer_resume(resumed.trainer, checkpoint));
    assert_string_equal(ebm_trainer_resume_note(resumed.trainer), "");
    assert_ok(ebm_trainer_run(resumed.trainer));
    assert_int_equal(resumed.steps, TOTAL - stop);

    assert_same_file(whole, parts, "model.safetensors");
    assert_same_log(whole, parts);
    if (settings.trainer.tensorboard) assert_same_events(whole, parts);
    if (settings.trainer.step.mlm_weight > 0) assert_same_file(whole, parts, "mlm_head.safetensors");
    assert_same_best(&uninterrupted, &resumed);
    if (settings.energy == EBM_ENERGY_SCALAR && settings.noise != SMALL_NOISE_NONE)
        assert_same_file(whole, parts, "energy.safetensors");
    small_run_free(&uninterrupted);
    small_run_free(&resumed);
    free(checkpoint);
    free(whole);
    free(parts);
}

static void cross_entropy_resumes_bit_for_bit(void **state)
{
    small_settings settings = small_ce(NULL);
    settings.trainer.tensorboard = true;
    check_resume(*state, settings, STOP);
}

static small_settings regularised(void)
{
    small_settings settings = small_ce(NULL);
    settings.trainer.step.mlm_weight = 0.5f;
    settings.trainer.step.hidden_norm_weight = 0.01f;
    settings.trainer.mlm_probability = 0.15;
    settings.trainer.mlm_rows = 2048;
    return settings;
}

static void expect_refusal(small_settings settings, const char *checkpoint, const char *part);

static void regularised_training_resumes_bit_for_bit(void **state)
{
    small_settings settings = regularised();
    check_resume(*state, settings, STOP);
    char *folder = in_folder(*state, "whole");
    json_t *log = read_log(folder);
    assert_true(json_is_real(json_object_get(json_array_get(log, 0), "mlm_loss")));
    assert_true(json_is_real(json_object_get(json_array_get(log, 0), "hidden_norm")));
    json_decref(log);
    free(folder);
    settings.trainer.output_dir = *state;
    char *checkpoint = small_run_and_stop(device, settings, 2);
    settings.trainer.mlm_probability = 0.3;
    expect_refusal(settings, checkpoint, "mlm_probability was 0.1");
    settings.trainer.step.mlm_weight = 0;
    expect_refusal(settings, checkpoint, "mlm_weight was 0.5, now it is false");
    free(checkpoint);
}

static void it_resumes_at_the_end_of_an_epoch(void **state)
{
    check_resume(*state, small_ce(NULL), SMALL_STEPS_PER_EPOCH);
}

static void joint_training_with_a_file_resumes_bit_for_bit(void **state)
{
    small_settings settings = small_joint(NULL, SMALL_NOISE_EASY, NULL);
    settings.energy = EBM_ENERGY_SCALAR;
    settings.trainer.nce_warmup_ratio = 0.8; // still growing where it stops
    check_resume(*state, settings, STOP);
}

// PosCal compares with the predictions of earlier steps, which the checkpoint must hold.
static void other_losses_resume_bit_for_bit(void **state)
{
    small_settings settings = small_joint(NULL, SMALL_NOISE_EASY, NULL);
    settings.trainer.step.label_loss = (ebm_label_loss){0.1f, 1, 0.1f, 0.5f};
    settings.trainer.step.energy_margin = 2;
    check_resume(*state, settings, STOP);
}

// Margins and parts of texts must come from the checkpoint: STOP lies in the second epoch, whose partners the first
// one's margins choose, and the third needs those of both. At the end of an epoch the parts are still to be made.
static void mixup_resumes_bit_for_bit(void **state)
{
    char *within = make_folder(*state, "within"), *end = make_folder(*state, "end");
    small_settings settings = small_joint(NULL, SMALL_NOISE_EASY, NULL);
    settings.trainer.step.mixup = (ebm_mixup){0.4f, EBM_MIXUP_AUM};
    check_resume(within, settings, STOP);
    settings = small_ce(NULL);
    settings.trainer.step.mixup = (ebm_mixup){0.4f, EBM_MIXUP_AUM};
    settings.trainer.step.limits.tokens = 60;
    check_resume(end, settings, SMALL_STEPS_PER_EPOCH);
    free(within);
    free(end);
}

// The same with a data batch of its own order, and the held-out noise drawn again: it is the stream's beginning.
static void joint_training_with_mapped_noise_resumes_bit_for_bit(void **state)
{
    check_resume(*state, small_joint(NULL, SMALL_NOISE_MAPPED, noise_model), STOP);
}

static void joint_training_with_encoded_noise_resumes_bit_for_bit(void **state)
{
    small_settings settings = small_joint(NULL, SMALL_NOISE_ENCODED, noise_model);
    settings.trainer.step.nce_data = EBM_NCE_SHARED;
    settings.energy = EBM_ENERGY_SHARP_HIDDEN;
    check_resume(*state, settings, STOP);
}

// Stopped twice: the second checkpoint is of the resumed run, and the first one is gone.
static void it_can_be_stopped_again(void **state)
{
    char *whole = make_folder(*state, "whole"), *parts = make_folder(*state, "parts");
    small_settings settings = small_ce(whole);
    small_run run;
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_run(run.trainer));
    small_run_free(&run);

    settings.trainer.output_dir = parts;
    char *first = small_run_and_stop(device, settings, 3), *second = in_folder(parts, "checkpoint-9");
    settings.stop_after = 9;
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, first));
    assert_fails(ebm_trainer_run(run.trainer), EBM_ERROR_INTERRUPTED, second);
    small_run_free(&run);
    assert_false(ebm_directory_exists(first));

    settings.stop_after = 0;
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, second));
    assert_ok(ebm_trainer_run(run.trainer));
    small_run_free(&run);
    assert_same_file(whole, parts, "model.safetensors");
    assert_same_log(whole, parts);
    free(first);
    free(second);
    free(whole);
    free(parts);
}

// As a killed process leaves it: a checkpoint of step 6, a log and a best model that are further, a line cut short.
static void a_killed_run_is_done_again_from_its_checkpoint(void **state)
{
    char *whole = make_folder(*state, "whole"), *parts = make_folder(*state, "parts");
    small_settings settings = small_ce(whole);
    small_run run;
    settings.trainer.logging_steps = 1;
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_run(run.trainer));
    small_run_free(&run);

    settings.trainer.output_dir = parts;
    char *checkpoint = small_run_and_stop(device, settings, 6), *kept = in_folder(*state, "kept");
    assert_int_equal(rename(checkpoint, kept), 0);
    settings.stop_after = 12;
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, kept));
    assert_fails(ebm_trainer_run(run.trainer), EBM_ERROR_INTERRUPTED, "step 12");
    small_run_free(&run);
    char *log = in_folder(parts, "trainer_log.jsonl");
    FILE *file = fopen(log, "a");
    assert_true(file && fputs("{\"step\": 3, \"lo", file) >= 0 && fclose(file) == 0);

    settings.stop_after = 0;
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, kept));
    assert_ok(ebm_trainer_run(run.trainer));
    small_run_free(&run);
    assert_same_file(whole, parts, "model.safetensors");
    assert_same_log(whole, parts);
    free(log);
    free(kept);
    free(checkpoint);
    free(whole);
    free(parts);
}

// The plain products are nobody's default.
static void other_products_are_told(void **state)
{
    small_settings settings = small_ce(*state);
    char *checkpoint = small_run_and_stop(device, settings, 2), expected[200];
    ebm_device *other = NULL;
    small_run run;
    snprintf(expected, sizeof expected, "resumed: products were %s", ebm_gemm_backend(device));
    assert_int_equal(setenv("EBMCL_GEMM", "plain", 1), 0);
    assert_ok(ebm_device_open(getenv("EBMCL_DEVICE"), &other));
    assert_ok(ebm_gemm_prepare(other));
    assert_int_equal(unsetenv("EBMCL_GEMM"), 0);
    small_run_open(&run, other, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, checkpoint));
    const char *note = ebm_trainer_resume_note(run.trainer);
    if (strncmp(note, expected, strlen(expected)) != 0 || !strstr(note, ", now plain: the result will not have"))
        fail_msg("%s", note);
    small_run_free(&run);
    ebm_device_free(other);
    free(checkpoint);
}

static void expect_refusal(small_settings settings, const char *checkpoint, const char *part)
{
    small_run run;
    small_run_open(&run, device, &settings);
    assert_fails(ebm_trainer_resume(run.trainer, checkpoint), EBM_ERROR_INPUT, part);
    small_run_free(&run);
}

static void margins_are_needed_to_resume(void **state)
{
    small_settings settings = small_ce(*state);
    settings.trainer.step.mixup = (ebm_mixup){0.4f, EBM_MIXUP_AUM};
    char *checkpoint = small_run_and_stop(device, settings, STOP), *path = in_folder(checkpoint, "margins.safetensors");
    assert_int_equal(truncate(path, 100), 0);
    expect_refusal(settings, checkpoint, "margins.safetensors");
    free(path);
    free(checkpoint);
}

static void changed_settings_are_refused_by_name(void **state)
{
    small_settings set = small_joint(*state, SMALL_NOISE_EASY, noise_model), other;
    char *checkpoint = small_run_and_stop(device, set, 6);
#define REFUSED(change, name) (other = set, other.change, expect_refusal(other, checkpoint, name))
    REFUSED(trainer.seed = 12, "seed was 11, now it is 12");
    REFUSED(trainer.batch_size = 15, "per_device_train_batch_size was 16");
    REFUSED(trainer.epochs = 1, "total_steps was 15, now it is 5");
    REFUSED(trainer.max_steps = 4, "total_steps was 15, now it is 4");
    REFUSED(trainer.learning_rate = 1e-3, "learning_rate");
    REFUSED(trainer.warmup_ratio = 0.2, "warmup_steps was 2, now it is 3");
    REFUSED(trainer.adamw.weight_decay = 0, "weight_decay");
    REFUSED(trainer.adamw.beta1 = 0.8, "adam_beta1");
    REFUSED(trainer.eval_steps = 3, "eval_steps was");
    REFUSED(trainer.keep_last = true, "keep_last_model was");
    REFUSED(trainer.step.label_loss.smoothing = 0.1f,
            "label_loss was \"cross-entropy\", now it is \"label smoothing 0.1");
    REFUSED(trainer.step.mixup = ((ebm_mixup){0.4f, EBM_MIXUP_RANDOM}),
            "mixup was false, now it is \"mixup with alpha 0.4\"");
    REFUSED(trainer.step.energy_margin = 1, "energy_margin was 0.0, now it is 1.0");
    REFUSED(trainer.step.limits.tokens = 300, "token_budget was");
    REFUSED(trainer.adamw.beta2 = 0.99, "adam_beta2");
    REFUSED(trainer.adamw.epsilon = 1e-6, "adam_epsilon");
    REFUSED(trainer.adamw.max_norm = 0, "max_grad_norm");
    REFUSED(trainer.metric = EBM_ACCURACY, "metric_for_best_model was \"nll\", now it is \"accuracy\"");
    REFUSED(trainer.step.nce_data = EBM_NCE_SHARED, "nce_data was \"separate\", now it is \"shared\"");
    REFUSED(trainer.step.nce_weight = 0.5f, "nce_weight was 1.0, now it is 0.5");
    REFUSED(trainer.nce_warmup_ratio = 0.5, "nce_warmup_ratio was 0.0, now it is 0.5");
    REFUSED(trainer.step.noise_ratio = 3, "noise_ratio was 2, now it is 3");
    REFUSED(trainer.step.hidden_norm_weight = 0.5f, "hidden_norm_weight was false, now it is 0.5");
    REFUSED(energy = EBM_ENERGY_SHARP_HIDDEN, "energy was \"hidden\"");
    REFUSED(texts = 71, "training_texts was 70, now it is 71");
    REFUSED(max_tokens = 5, "training_tokens");
    REFUSED(noise = SMALL_NOISE_ENCODED, "noise was \"noise texts come from a file\"");
    other = set;
    other.noise = SMALL_NOISE_NONE;
    other.trainer.step.objective = EBM_OBJECTIVE_CE;
    expect_refusal(other, checkpoint, "objective was \"joint\", now it is \"ce\"");
    expect_refusal(set, *state, "trainer_state.json");
#undef REFUSED
    free(checkpoint);
}

// The run would end with the best model so far, which is not there.
static void another_output_directory_is_refused(void **state)
{
    small_settings settings = small_ce(make_folder(*state, "one"));
    char *checkpoint = small_run_and_stop(device, settings, STOP),
         *one = (char *)(uintptr_t)settings.trainer.output_dir;
    settings.trainer.output_dir = make_folder(*state, "other");
    expect_refusal(settings, checkpoint, "other/best");
    free((char *)(uintptr_t)settings.trainer.output_dir);
    free(one);
    free(checkpoint);
}

// The refusal is one line that names the file, and the file is as it was.
static void expect_spoilt(const small_settings *settings, const char *checkpoint, const char *name, const void *bytes,
                          size_t size, const char *part)
{
    size_t left = 0;
    char *path = in_folder(checkpoint, name);
    const int entries = entries_of(checkpoint);
    small_run run;
    put_file(path, bytes, size);
    small_run_open(&run, device, settings);
    const ebm_status status = ebm_trainer_resume(run.trainer, checkpoint);
    if (status.code != EBM_ERROR_INPUT || !strstr(status.message, part) || !strstr(status.message, name) ||
        strchr(status.message, '\n'))
        fail_msg("%s of %zu bytes: expected a line with \"%s\", got code %d and \"%s\"", name, size, part,
                 (int)status.code, status.message);
    small_run_free(&run);
    assert_int_equal(entries_of(checkpoint), entries);
    char *after = read_whole(checkpoint, name, &left);
    assert_int_equal(left, size);
    assert_memory_equal(after, bytes, size);
    free(after);
    free(path);
}

static void truncated_files_are_refused_by_name(void **state)
{
    static const char *const names[] = {"trainer_state.json", "model.safetensors", "energy.safetensors",
                                        "optimizer_moment1.safetensors", "optimizer_moment2.safetensors"};
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    settings.energy = EBM_ENERGY_SCALAR;
    char *checkpoint = small_run_and_stop(device, settings, STOP);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t size = 0;
        char *bytes = read_whole(checkpoint, names[i], &size), *path = in_folder(checkpoint, names[i]);
        const size_t cuts[] = {0, 5, size / 2, size - 1};
        for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++)
            expect_spoilt(&settings, checkpoint, names[i], bytes, cuts[c], names[i]);
        put_file(path, bytes, size);
        free(path);
        free(bytes);
    }
    small_run run;
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, checkpoint)); // whole again
    small_run_free(&run);
    free(checkpoint);
}

static void missing_files_are_refused_by_name(void **state)
{
    static const char *const names[] = {"trainer_state.json", "model.safetensors", "optimizer_moment1.safetensors",
                                        "optimizer_moment2.safetensors"};
    small_settings settings = small_ce(*state);
    char *checkpoint = small_run_and_stop(device, settings, STOP), *aside = in_folder(*state, "aside");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *path = in_folder(checkpoint, names[i]);
        assert_int_equal(rename(path, aside), 0);
        expect_refusal(settings, checkpoint, names[i]);
        assert_int_equal(rename(aside, path), 0);
        free(path);
    }
    expect_refusal(settings, "/nowhere/checkpoint-7", "/nowhere/checkpoint-7");
    free(aside);
    free(checkpoint);
}

// Every key of the state in turn taken away, and of a wrong type.
static void a_state_of_another_form_is_refused_by_key(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    char *checkpoint = small_run_and_stop(device, settings, STOP), *path = in_folder(checkpoint, "trainer_state.json"),
         *text;
    static const struct {
        const char *key, *value; // value NULL: the key is missing
    } cases[] = {{"global_step", NULL},
                 {"global_step", "\"7\""},
                 {"global_step", "-1"},
                 {"global_step", "16"},
                 {"global_step", "7.5"},
                 {"noise_position", NULL},
                 {"noise_position", "[]"},
                 {"noise_position", "-3"},
                 {"order", NULL},
                 {"order", "[0, 70]"},
                 {"order", "[\"0\", 1]"},
                 {"order", "[0]"},
                 {"order", "7"},
                 {"order", "[-1, 0]"},
                 {"nce_order", NULL},
                 {"nce_order", "[0, \"x\"]"},
                 {"log_window", NULL},
                 {"log_window", "[1, 2]"},
                 {"log_window", "{}"},
                 {"best", NULL},
                 {"best", "3"},
                 {"best", "{\"step\": \"a\"}"},
                 {"best", "{\"step\": 5, \"nll\": \"a\"}"},
                 {"best", "{\"step\": 5, \"told_apart\": 1}"},
                 {"settings", "[]"}};
    json_t *sound = json_load_file(path, 0, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *json = json_deep_copy(sound);
        if (cases[i].value)
            json_object_set_new(json, cases[i].key, json_loads(cases[i].value, JSON_DECODE_ANY, NULL));
        else
            json_object_del(json, cases[i].key);
        text = json_dumps(json, 0);
        expect_spoilt(&settings, checkpoint, "trainer_state.json", text, strlen(text),
                      strcmp(cases[i].key, "settings") == 0 ? "not there" : cases[i].key);
        free(text);
        json_decref(json);
    }
    expect_spoilt(&settings, checkpoint, "trainer_state.json", "[]", 2, "an object expected");
    json_decref(sound);
    free(path);
    free(checkpoint);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(cross_entropy_resumes_bit_for_bit),
        in_own_folder(regularised_training_resumes_bit_for_bit),
        in_own_folder(it_resumes_at_the_end_of_an_epoch),
        in_own_folder(joint_training_with_a_file_resumes_bit_for_bit),
        in_own_folder(other_losses_resume_bit_for_bit),
        in_own_folder(mixup_resumes_bit_for_bit),
        in_own_folder(margins_are_needed_to_resume),
        in_own_folder(joint_training_with_mapped_noise_resumes_bit_for_bit),
        in_own_folder(joint_training_with_encoded_noise_resumes_bit_for_bit),
        in_own_folder(it_can_be_stopped_again),
        in_own_folder(a_killed_run_is_done_again_from_its_checkpoint),
        in_own_folder(other_products_are_told),
        in_own_folder(changed_settings_are_refused_by_name),
        in_own_folder(another_output_directory_is_refused),
        in_own_folder(truncated_files_are_refused_by_name),
        in_own_folder(missing_files_are_refused_by_name),
        in_own_folder(a_state_of_another_form_is_refused_by_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
