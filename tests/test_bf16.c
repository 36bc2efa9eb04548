// Training with products in bf16: what it reaches, same bits again and after a stop, and that a run keeps its
// precision.
#include "bf16.h"
#include "gemm.h"
#include "on_device.h"
#include "run_files.h"
#include "small_run.h"

enum { STOP = 7 };

static int open_in_bf16(void **state)
{
    open_device(state);
    assert_ok(ebm_gemm_set_precision(device, EBM_BF16));
    return 0;
}

// As in fp32 (test_trainer.c).
static void an_easy_task_is_learnt(void **state)
{
    small_settings settings = small_ce(*state);
    small_run run;
    ebm_trainer_evaluation best;
    settings.trainer.epochs = 16;
    small_run_to_the_end(&run, device, &settings);
    assert_true(ebm_trainer_best(run.trainer, &best));
    if (!(best.value[EBM_ACCURACY] > 0.95)) fail_msg("accuracy %g", best.value[EBM_ACCURACY]);
    if (!(run.last.loss < 0.2)) fail_msg("loss %g", run.last.loss);
    small_run_free(&run);
}

static void easy_noise_is_told_apart(void **state)
{
    small_settings settings = small_joint(*state, SMALL_NOISE_EASY, NULL);
    small_run run;
    settings.trainer.epochs = 14;
    settings.trainer.learning_rate = 4e-3;
    small_run_to_the_end(&run, device, &settings);
    const ebm_trainer_evaluation *e = &run.last_evaluation;
    if (!(e->told_apart > 0.9 && e->auroc > 0.9)) fail_msg("told apart %g, AUROC %g", e->told_apart, e->auroc);
    small_run_free(&run);
}

// The second run is stopped and resumed; the third is in fp32 and must differ, or nothing was rounded.
static void a_resumed_run_has_the_same_bits(void **state)
{
    char *whole = make_folder(*state, "whole"), *parts = make_folder(*state, "parts"),
         *fp32 = make_folder(*state, "fp32");
    small_settings settings = small_joint(whole, SMALL_NOISE_EASY, NULL);
    small_run run;
    small_run_to_the_end(&run, device, &settings);
    small_run_free(&run);
    settings.trainer.output_dir = parts;
    char *checkpoint = small_run_and_stop(device, settings, STOP);
    small_run_open(&run, device, &settings);
    assert_ok(ebm_trainer_resume(run.trainer, checkpoint));
    assert_ok(ebm_trainer_run(run.trainer));
    small_run_free(&run);
    assert_same_file(whole, parts, "model.safetensors");
    assert_same_log(whole, parts);

    assert_ok(ebm_gemm_set_precision(device, EBM_FP32));
    settings.trainer.output_dir = fp32;
    small_run_to_the_end(&run, device, &settings);
    small_run_free(&run);
    assert_ok(ebm_gemm_set_precision(device, EBM_BF16));
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

static void resume_in(ebm_precision precision, const small_settings *settings, const char *checkpoint, const char *part)
{
    small_run run;
    assert_ok(ebm_gemm_set_precision(device, precision));
    small_run_open(&run, device, settings);
    const ebm_status status = ebm_trainer_resume(run.trainer, checkpoint);
    if (part)
        assert_fails(status, EBM_ERROR_INPUT, part);
    else
        assert_ok(status);
    small_run_free(&run);
    assert_ok(ebm_gemm_set_precision(device, EBM_BF16));
}

// As a version without bf16 wrote it.
static void take_out_precision(const char *checkpoint)
{
    char *path = in_folder(checkpoint, "trainer_state.json");
    json_t *state = json_load_file(path, 0, NULL);
    assert_non_null(state);
    assert_int_equal(json_object_del(json_object_get(state, "settings"), "bf16"), 0);
    assert_int_equal(json_dump_file(state, path, 0), 0);
    json_decref(state);
    free(path);
}

static void a_run_keeps_its_precision(void **state)
{
    small_settings settings = small_ce(make_folder(*state, "bf16"));
    char *one = (char *)(uintptr_t)settings.trainer.output_dir,
         *checkpoint = small_run_and_stop(device, settings, STOP);
    resume_in(EBM_FP32, &settings, checkpoint, "bf16 was true, now it is false; a resumed run keeps its settings");
    resume_in(EBM_BF16, &settings, checkpoint, NULL);
    free(checkpoint);
    free(one);

    settings.trainer.output_dir = one = make_folder(*state, "fp32");
    assert_ok(ebm_gemm_set_precision(device, EBM_FP32));
    checkpoint = small_run_and_stop(device, settings, STOP);
    resume_in(EBM_BF16, &settings, checkpoint, "bf16 was false, now it is true");
    resume_in(EBM_FP32, &settings, checkpoint, NULL);
    take_out_precision(checkpoint);
    resume_in(EBM_BF16, &settings, checkpoint, "bf16 was not there, now it is true");
    resume_in(EBM_FP32, &settings, checkpoint, NULL);
    free(checkpoint);
    free(one);
}

static volatile sig_atomic_t stop_noise;
static void on_noise_progress(void *context, const ebm_noise_progress *progress)
{
    (void)context;
    stop_noise = progress->step == 3;
}

static ebm_status train_noise(const ebm_noise_trainer_settings *settings, const ebm_noise_phase *phase,
                              const ebm_dataset *texts, const ebm_dataset *held_out, const char *checkpoint,
                              ebm_noise_evaluation *best)
{
    small_noise_training n;
    small_noise_training_open(&n, device, small_tokenizer(false), texts, held_out, settings);
    if (checkpoint) assert_ok(ebm_noise_trainer_resume(n.trainer, checkpoint));
    const ebm_status status = ebm_noise_trainer_run(n.trainer, n.texts, n.held_out, phase, best);
    small_noise_training_free(&n);
    return status;
}

// Near the texts' entropy, as in fp32 (test_noise_trainer.c).
static void a_noise_model_is_learnt(void **state)
{
    (void)state;
    ebm_noise_trainer_settings settings = small_noise_settings();
    const ebm_noise_phase phase = {.batch_size = 32, .learning_rate = 1e-2, .max_steps = 150, .warmup_ratio = 0.1};
    ebm_dataset *texts = small_texts(SMALL_SINGLE, 1500, 1), *held_out = small_texts(SMALL_SINGLE, 200, 2);
    ebm_noise_evaluation best;
    settings.objective = EBM_NOISE_PLAIN;
    assert_ok(train_noise(&settings, &phase, texts, held_out, NULL, &best));
    if (!(best.perplexity > 4.6 && best.perplexity < 5.6)) fail_msg("perplexity %g", best.perplexity);
    ebm_dataset_free(texts);
    ebm_dataset_free(held_out);
}

static void a_noise_models_run_keeps_its_precision(void **state)
{
    ebm_noise_trainer_settings settings = small_noise_settings();
    const ebm_noise_phase phase = {.batch_size = 16, .learning_rate = 1e-2, .epochs = 4};
    ebm_dataset *texts = small_texts(SMALL_SINGLE, 70, 1);
    char *checkpoint = in_folder(*state, "checkpoint-3");
    settings.output_dir = *state;
    settings.stop = &stop_noise;
    settings.listener.progress = on_noise_progress;
    assert_fails(train_noise(&settings, &phase, texts, NULL, NULL, NULL), EBM_ERROR_INTERRUPTED, "checkpoint-3");
    assert_ok(ebm_gemm_set_precision(device, EBM_FP32));
    assert_fails(train_noise(&settings, &phase, texts, NULL, checkpoint, NULL), EBM_ERROR_INPUT,
                 "bf16 was true, now it is false");
    assert_ok(ebm_gemm_set_precision(device, EBM_BF16));
    assert_ok(train_noise(&settings, &phase, texts, NULL, checkpoint, NULL));
    free(checkpoint);
    ebm_dataset_free(texts);
}

// Nothing here to test where it cannot be had; what is said then is tested with the products (test_gemm.c).
static bool is_to_be_skipped(void)
{
    open_device(NULL);
    const ebm_status status = ebm_gemm_set_precision(device, EBM_BF16);
    const bool skipped = status.code != EBM_OK && !should_do_bf16(device);
    if (skipped) printf("skipped: %s\n", status.message);
    close_device(NULL);
    return skipped;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(an_easy_task_is_learnt),          in_own_folder(easy_noise_is_told_apart),
        in_own_folder(a_resumed_run_has_the_same_bits), in_own_folder(a_run_keeps_its_precision),
        cmocka_unit_test(a_noise_model_is_learnt),      in_own_folder(a_noise_models_run_keeps_its_precision),
    };
    if (is_to_be_skipped()) return SKIPPED;
    return cmocka_run_group_tests(tests, open_in_bf16, close_device);
}
