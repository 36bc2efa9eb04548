// Training with activations as halves: what it reaches, the scale's back-off, same bits again and after a stop.
#include "half_scale.h"
#include "on_device.h"
#include "run_files.h"
#include "small_run.h"

enum { STOP = 7 };
// The small model's largest activations are between 2 and 4: 65536 and half of it are too much for them.
static const ebm_half_settings HALVES = {.on = true}, TOO_HIGH = {.on = true, .first = 65536};

// As in fp32 (test_trainer.c), from a scale that is right and from one that is far too high.
static void an_easy_task_is_learnt(void **state)
{
    const ebm_half_settings from[] = {HALVES, TOO_HIGH};
    const size_t runs = is_slow_form(device) ? 1 : 2;
    for (size_t i = 0; i < runs; i++) {
        small_settings settings = small_ce(make_folder(*state, i ? "high" : "one"));
        char *folder = (char *)(uintptr_t)settings.trainer.output_dir;
        small_run run;
        ebm_trainer_evaluation best;
        settings.trainer.epochs = 16;
        settings.trainer.half = from[i];
        small_run_to_the_end(&run, device, &settings);
        assert_true(ebm_trainer_best(run.trainer, &best));
        if (!(best.value[EBM_ACCURACY] > 0.95)) fail_msg("accuracy %g", best.value[EBM_ACCURACY]);
        if (!(run.last.loss < 0.2)) fail_msg("loss %g", run.last.loss);
        if (i == 0) assert_true(run.last.half_scale == 1 && run.last.skipped == 0);
        if (i == 1) assert_true(run.last.half_scale < 65536 && run.last.skipped > 0);
        if (i == 1) assert_true(run.last.half_scale == ldexp(65536, -(int)run.last.skipped));
        small_run_free(&run);
        free(folder);
    }
}

static void easy_noise_is_told_apart(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    settings.trainer.epochs = 14;
    settings.trainer.learning_rate = 4e-3;
    settings.trainer.half = HALVES;
    small_run_to_the_end(&run, device, &settings);
    const ebm_trainer_evaluation *e = &run.last_evaluation;
    if (!(e->told_apart > 0.9 && e->auroc > 0.9)) fail_msg("told apart %g, AUROC %g", e->told_apart, e->auroc);
    small_run_free(&run);
}

static void train_into(const char *folder, small_settings settings, ebm_progress *last)
{
    small_run run;
    settings.trainer.output_dir = folder;
    small_run_to_the_end(&run, device, &settings);
    *last = run.last;
    small_run_free(&run);
}

// A step that is skipped leaves the weights as they are: those of a run whose rate is 0.
static void a_skipped_step_changes_nothing(void **state)
{
    char *skipped = make_folder(*state, "skipped"), *still = make_folder(*state, "still");
    small_settings settings = small_ce(skipped);
    ebm_progress last;
    settings.no_validation = true;
    settings.trainer.max_steps = 2;
    settings.trainer.warmup_ratio = 0;
    settings.trainer.logging_steps = 1;
    settings.trainer.half = TOO_HIGH;
    train_into(skipped, settings, &last);
    assert_int_equal(last.skipped, 2);
    assert_true(last.half_scale == 16384 && last.half_changed);
    settings.trainer.learning_rate = 0;
    settings.trainer.half = (ebm_half_settings){0};
    train_into(still, settings, &last);
    assert_true(last.half_scale == 0 && last.skipped == 0);
    assert_same_file(skipped, still, "model.safetensors");

    json_t *log = read_log(skipped), *line;
    size_t i;
    assert_int_equal(json_array_size(log), 2);
    json_array_foreach(log, i, line)
    {
        assert_true(json_number_value(json_object_get(line, "half_scale")) == ldexp(65536, -(int)i - 1));
        assert_int_equal(json_integer_value(json_object_get(line, "skipped_steps")), (json_int_t)i + 1);
        assert_null(json_object_get(line, "grad_norm")); // it had none
        assert_true(json_is_number(json_object_get(line, "loss")));
    }
    json_decref(log);
    free(skipped);
    free(still);
}

// All weights after a run, for the caller to free().
static float *weights_after(const small_settings *settings, ebm_progress *last, size_t *count)
{
    small_run run;
    small_run_to_the_end(&run, device, settings);
    *last = run.last;
    ebm_parameters *parameters = ebm_classifier_parameters(run.classifier);
    float *all = NULL;
    *count = 0;
    for (size_t i = 0; i < ebm_parameters_tensor_count(parameters); i++) {
        const ebm_tensor *tensor = ebm_parameters_tensor_view(parameters, i);
        all = realloc(all, (*count + tensor->count) * sizeof *all);
        assert_non_null(all);
        assert_ok(ebm_slice_read(device, tensor->weight, 0, tensor->count, all + *count));
        *count += tensor->count;
    }
    small_run_free(&run);
    return all;
}

// Nor does AdamW count it. Its first update, from moments of 0, moves every weight by the rate or nearly so; as the
// n-th of a wrong count it would be by the rate times (1 - beta1) / (1 - beta1^n) sqrt((1 - beta2^n) / (1 - beta2)),
// 0.64 for n = 3.
static void a_skipped_step_is_not_counted(void **state)
{
    small_settings settings = small_ce(*state);
    ebm_progress last;
    size_t count;
    settings.no_validation = true;
    settings.trainer.adamw.weight_decay = 0;
    settings.trainer.warmup_ratio = 0;
    settings.trainer.max_steps = 2;
    settings.trainer.half = TOO_HIGH;
    float *before = weights_after(&settings, &last, &count);
    assert_int_equal(last.skipped, 2);
    settings.trainer.max_steps = 3; // the third step is good: the rate is the last third of the peak there
    float *after = weights_after(&settings, &last, &count);
    assert_true(last.skipped == 2 && last.step == 3);
    double most = 0;
    for (size_t i = 0; i < count; i++) most = fmax(most, fabs((double)after[i] - (double)before[i]));
    const double rate = settings.trainer.learning_rate / (double)last.step;
    if (!(fabs(most - rate) < 0.01 * rate)) fail_msg("moved by %g, expected the rate %g", most, rate);
    free(before);
    free(after);
}

static void assert_scale(const char *folder, ebm_half_settings half, double scale)
{
    small_settings settings = small_ce(folder);
    ebm_progress last;
    settings.no_validation = true;
    settings.trainer.max_steps = 7;
    settings.trainer.half = half;
    train_into(folder, settings, &last);
    if (last.half_scale != scale) fail_msg("expected a scale of %g, found %g", scale, last.half_scale);
    assert_int_equal(last.skipped, 0);
}

static void the_scale_comes_back_to_one(void **state)
{
    char *folder = make_folder(*state, "grows");
    assert_scale(folder, (ebm_half_settings){true, 0.125, 3}, 0.5); // 7 steps: twice 3, and one more
    assert_scale(folder, (ebm_half_settings){true, 0.5, 2}, 1);
    assert_scale(folder, (ebm_half_settings){true, 2, 2}, 2);
    assert_scale(folder, (ebm_half_settings){true, 0.5, 0}, 0.5); // after 2000 steps only
    free(folder);
}

static void the_scale_is_given_up_on(void **state)
{
    ebm_half_scale scale = ebm_half_scale_start(&HALVES);
    const ebm_status why = ebm_fail(EBM_ERROR_NONFINITE, "the norm of the gradients is not finite (inf)");
    for (int i = 1; i <= 8; i++) {
        assert_ok(ebm_half_scale_back_off(&scale, why));
        assert_true(scale.scale == ldexp(1, -i) && scale.skipped == (uint64_t)i);
    }
    assert_fails(ebm_half_scale_back_off(&scale, why), EBM_ERROR_NONFINITE,
                 "with activations in half, scaled by 2^-8: the norm of the gradients is not finite (inf)");
    static const double wrong[] = {3, -1, 0.3, 131072, 1.0 / 512, NAN, INFINITY};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        const ebm_half_settings settings = {.on = true, .first = wrong[i]};
        assert_fails(ebm_half_settings_check(&settings), EBM_ERROR_INPUT, "a power of two from 2^-8 to 2^16 expected");
    }
    assert_ok(ebm_half_settings_check(&(ebm_half_settings){.on = false, .first = 3}));
}

// Stopped after the scale has fallen from far too high, and in the middle of a line of the log.
static void a_resumed_run_has_the_same_bits(void **state)
{
    char *whole = make_folder(*state, "whole"), *parts = make_folder(*state, "parts"),
         *fp32 = make_folder(*state, "fp32");
    small_settings settings = small_joint(whole, SMALL_NOISE_EASY, NULL);
    ebm_progress last;
    small_run run;
    settings.trainer.half = TOO_HIGH;
    settings.trainer.half.interval = 3;
    train_into(whole, settings, &last);
    assert_true(last.skipped > 0);
    settings.trainer.output_dir = parts;
    char *checkpoint = small_run_and_stop(device, settings, STOP);
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, checkpoint));
    assert_ok(ebm_trainer_run(run.trainer));
    assert_int_equal(run.last.skipped, last.skipped);
    small_run_free(&run);
    assert_same_file(whole, parts, "model.safetensors");
    assert_same_log(whole, parts);

    settings.trainer.half = (ebm_half_settings){0};
    train_into(fp32, settings, &last);
    size_t size[2];
    char *a = read_whole(whole, "model.safetensors", &size[0]), *b = read_whole(fp32, "model.safetensors", &size[1]);
    assert_true(size[0] == size[1] && memcmp(a, b, size[0]) != 0);
    free(a);
    free(b);
    free(checkpoint);
    free(whole);
    free(parts);
    free(fp32);
}

static void refuse(small_settings settings, ebm_half_settings half, const char *checkpoint, const char *part)
{
    small_run run;
    settings.trainer.half = half;
    small_run_open(&run, device, &settings);
    assert_fails(ebm_trainer_resume(run.trainer, checkpoint), EBM_ERROR_INPUT, part);
    small_run_free(&run);
}

static void damage(const char *checkpoint, const char *key, json_t *value)
{
    char *path = in_folder(checkpoint, "trainer_state.json");
    json_t *state = json_load_file(path, 0, NULL);
    assert_non_null(state);
    assert_int_equal(json_object_set_new(json_object_get(state, "half_scale"), key, value), 0);
    assert_int_equal(json_dump_file(state, path, 0), 0);
    json_decref(state);
    free(path);
}

static void a_run_keeps_its_storage(void **state)
{
    small_settings settings = small_ce(make_folder(*state, "halves"));
    char *one = (char *)(uintptr_t)settings.trainer.output_dir;
    settings.trainer.half = HALVES;
    char *checkpoint = small_run_and_stop(device, settings, STOP);
    refuse(settings, (ebm_half_settings){0}, checkpoint, "fp16_activations was true, now it is false");
    refuse(settings, TOO_HIGH, checkpoint, "fp16_initial_scale was 1.0, now it is 65536.0");
    damage(checkpoint, "scale", json_real(3));
    refuse(settings, HALVES, checkpoint, "\"half_scale\" must have a scale (a power of two)");
    damage(checkpoint, "scale", json_real(0.5));
    damage(checkpoint, "skipped_steps", json_integer(8));
    refuse(settings, HALVES, checkpoint, "\"half_scale\" has skipped more steps than there were");
    damage(checkpoint, "skipped_steps", json_integer(1));
    damage(checkpoint, "skipped_in_window", json_integer(-1));
    refuse(settings, HALVES, checkpoint, "\"half_scale\" has skipped more steps than there were");
    free(checkpoint);
    free(one);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(an_easy_task_is_learnt),          in_own_folder(easy_noise_is_told_apart),
        in_own_folder(a_skipped_step_changes_nothing),  in_own_folder(a_skipped_step_is_not_counted),
        in_own_folder(the_scale_comes_back_to_one),     cmocka_unit_test(the_scale_is_given_up_on),
        in_own_folder(a_resumed_run_has_the_same_bits), in_own_folder(a_run_keeps_its_storage),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
