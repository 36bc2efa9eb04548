#include "small_run.h"

#include <stdio.h>

#include "check.h"
#include "device_internal.h"
#include "folder.h"
#include "gemm_internal.h"

small_settings small_ce(const char *output_dir)
{
    const small_settings settings = {
        .trainer = {.step = {.objective = EBM_OBJECTIVE_CE,
                             .noise_ratio = 1,
                             .nce_weight = 1,
                             .limits = {.tokens = 2048, .sequences = 160, .training = true}},
                    .batch_size = SMALL_BATCH,
                    .epochs = 3,
                    .warmup_ratio = 0.1,
                    .learning_rate = 2e-3,
                    .adamw = {0.9, 0.999, 1e-8, 0.1, 1.0},
                    .seed = 11,
                    .logging_steps = 4,
                    .metric = EBM_NLL, // falls at nearly every evaluation: accuracy is soon 1
                    .output_dir = output_dir},
        .texts = SMALL_TRAIN,
        .noise_texts = 150,
        .max_tokens = 32,
        .dropout = 0.1f,
    };
    return settings;
}

small_settings small_joint(const char *output_dir, small_noise noise, const char *noise_directory)
{
    small_settings settings = small_ce(output_dir);
    settings.trainer.step.objective = EBM_OBJECTIVE_JOINT;
    settings.trainer.step.noise_ratio = 2;
    settings.energy = EBM_ENERGY_HIDDEN;
    settings.noise = noise;
    settings.noise_directory = noise_directory;
    return settings;
}

static void on_progress(void *context, const ebm_progress *progress)
{
    small_run *r = context;
    r->last = *progress;
    r->steps++;
    if (progress->step == r->stop_after) r->stop = 1;
}

static void on_evaluated(void *context, const ebm_trainer_evaluation *evaluation)
{
    small_run *r = context;
    r->last_evaluation = *evaluation;
    r->evaluations++;
}

static void on_saved(void *context, const char *directory)
{
    small_run *r = context;
    r->saves++;
    snprintf(r->saved, sizeof r->saved, "%s", directory);
}

static void make_texts(small_run *r, const small_settings *s)
{
    r->tokenizer = small_tokenizer(s->noise == SMALL_NOISE_MAPPED); // as the noise model's, or one word short of it
    r->train_texts = small_texts(s->kind, s->texts, 1);
    assert_ok(ebm_encoded_create(r->train_texts, r->tokenizer, s->max_tokens, &r->train));
    if (s->no_validation) return;
    r->validation_texts = small_texts(s->kind, SMALL_VALIDATION, 2);
    assert_ok(ebm_encoded_create(r->validation_texts, r->tokenizer, s->max_tokens, &r->validation));
}

static void make_model(small_run *r, const small_settings *s)
{
    static const char *const labels[] = {"bad", "good"};
    const ebm_classifier_settings settings = {.limits = s->trainer.step.limits,
                                              .has_energy = s->noise != SMALL_NOISE_NONE,
                                              .energy = s->energy,
                                              .fp16_activations = s->trainer.half.on,
                                              .mlm_rows = s->trainer.mlm_rows};
    assert_ok(ebm_config_default_bert(2, 32, ebm_tokenizer_size(r->tokenizer), 64, &r->config));
    r->config->heads = 2;
    r->config->hidden_dropout = r->config->embedding_dropout = s->dropout;
    r->config->attention_dropout = r->config->classifier_dropout = s->dropout;
    assert_ok(ebm_config_set_labels(r->config, labels, 2));
    assert_ok(ebm_classifier_create(r->device, r->config, &settings, &r->classifier));
}

static void make_noise(small_run *r, const small_settings *s)
{
    if (s->noise == SMALL_NOISE_NONE) return;
    if (s->noise == SMALL_NOISE_MAPPED || s->noise == SMALL_NOISE_ENCODED) {
        small_stream_open(&r->noise, r->device, s->noise_directory, r->train_texts, r->tokenizer, s->trainer.seed,
                          NULL);
        return;
    }
    r->noise_texts = s->noise == SMALL_NOISE_EASY ? small_easy_noise(s->kind, s->noise_texts, 3)
                                                  : small_texts(s->kind, s->noise_texts, 3);
    assert_ok(
        ebm_noise_stream_from_texts(r->noise_texts, r->tokenizer, s->max_tokens, s->trainer.seed, &r->noise.stream));
}

static void make_trainer(small_run *r, const small_settings *s)
{
    ebm_trainer_settings settings = s->trainer;
    settings.stop = &r->stop;
    settings.listener = (ebm_trainer_listener){r, on_progress, on_evaluated, on_saved};
    const ebm_trainer_inputs inputs = {
        .device = r->device,
        .classifier = r->classifier,
        .tokenizer = r->tokenizer,
        .train = r->train,
        .validation = r->validation,
        .noise = r->noise.stream,
        .info = {settings.step.objective, s->energy, settings.step.noise_ratio, settings.step.nce_weight, s->max_tokens,
                 0, ""},
    };
    assert_ok(ebm_trainer_create(&inputs, &settings, &r->trainer));
}

static void allocate(small_run *r, const small_settings *s)
{
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS + EBM_NOISE_MODEL_ARENAS + 2];
    size_t count = ebm_classifier_arenas(r->classifier, arenas);
    arenas[count++] = ebm_trainer_arena(r->trainer);
    if (r->noise.model) count += small_stream_arenas(&r->noise, arenas + count);
    assert_ok(ebm_arena_plan(r->device, arenas, count, ""));
    assert_ok(ebm_classifier_allocate(r->classifier));
    assert_ok(ebm_arena_allocate(ebm_trainer_arena(r->trainer)));
    if (r->noise.model) small_stream_allocate(&r->noise);
    assert_ok(ebm_parameters_init(ebm_classifier_parameters(r->classifier), s->trainer.seed));
}

void small_run_open(small_run *r, ebm_device *device, const small_settings *s)
{
    *r = (small_run){.device = device, .stop_after = s->stop_after};
    make_texts(r, s);
    make_model(r, s);
    make_noise(r, s);
    make_trainer(r, s);
    allocate(r, s);
}

// CLBlast's temporary memory was planned for: no product needed more.
static void check_temporary(const ebm_device *device)
{
    if (device->gemm) assert_int_equal(device->gemm->temporary_bytes, device->gemm->temporary_planned);
}

void small_run_free(small_run *r)
{
    check_temporary(r->device);
    ebm_trainer_free(r->trainer);
    small_stream_free(&r->noise);
    ebm_dataset_free(r->noise_texts);
    ebm_classifier_free(r->classifier);
    ebm_config_free(r->config);
    ebm_encoded_free(r->train);
    ebm_encoded_free(r->validation);
    ebm_dataset_free(r->train_texts);
    ebm_dataset_free(r->validation_texts);
    ebm_tokenizer_free(r->tokenizer);
}

void small_run_to_the_end(small_run *run, ebm_device *device, const small_settings *settings)
{
    small_run_open(run, device, settings);
    assert_ok(ebm_trainer_run(run->trainer));
}

char *small_run_and_stop(ebm_device *device, small_settings settings, uint64_t step)
{
    small_run run;
    char name[64];
    settings.stop_after = step;
    snprintf(name, sizeof name, "checkpoint-%d", (int)step);
    char *checkpoint = in_folder(settings.trainer.output_dir, name);
    small_run_open(&run, device, &settings);
    assert_fails(ebm_trainer_run(run.trainer), EBM_ERROR_INTERRUPTED, checkpoint);
    assert_true(ebm_directory_exists(checkpoint));
    assert_string_equal(run.saved, name);
    small_run_free(&run);
    return checkpoint;
}
