#include <stdlib.h>

#include "file.h"
#include "model_source.h"
#include "noise_trainer.h"
#include "order.h"
#include "program.h"
#include "progress.h"
#include "quickstart.h"

enum { LAYERS = 2, HIDDEN = 128, BATCH = 32, NOISE_SLOTS = 64 };
static const ebm_adamw ADAMW = {0.9, 0.999, 1e-8, 0.1, 1.0};

static ebm_status make_tokenizer(const quickstart *q, ebm_tokenizer **tokenizer)
{
    size_t count = 0;
    const char *const *words = ebm_grammar_words(q->grammar, &count);
    return ebm_tokenizer_from_words(words, count, true, tokenizer);
}

// A directory in the output directory: "<directory>/<name>", made, for the caller to free().
static ebm_status make_directory(const quickstart *q, const char *name, char **path)
{
    *path = ebm_path_join(q->directory, name);
    return ebm_directory_make(*path);
}

// --- noise model -----------------------------------------------------------------------------------------------------

typedef struct {
    ebm_noise_model *model;
    ebm_noise_trainer *trainer;
    ebm_noise_texts *train, *held_out;
    char *path;
} noise_run;

static ebm_status create_noise(quickstart *q, noise_run *r)
{
    const ebm_limits limits = {.tokens = 4096, .sequences = 2 * BATCH, .training = true};
    const ebm_decoder_settings decoder = {.limits = limits};
    const ebm_noise_trainer_settings settings = {
        .mask_probability = 0.4f,
        .adamw = ADAMW,
        .seed = (uint64_t)q->set.seed,
        .limits = limits,
        .stop = ebm_program_stop_flag(),
        .listener = ebm_program_noise_listener(),
    };
    ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS + 1];
    ebm_tokenizer *tokenizer = NULL;
    EBM_TRY(make_tokenizer(q, &tokenizer));
    EBM_TRY(ebm_noise_model_create(q->device, tokenizer, LAYERS, HIDDEN, &decoder, settings.seed, &r->model));
    EBM_TRY(ebm_noise_trainer_create(r->model, &settings, &r->trainer));
    size_t count = ebm_noise_model_arenas(r->model, arenas);
    arenas[count++] = ebm_noise_trainer_arena(r->trainer);
    EBM_TRY(ebm_arena_plan(q->device, arenas, count, "choose another --device"));
    EBM_TRY(ebm_noise_model_allocate(r->model));
    return ebm_arena_allocate(ebm_noise_trainer_arena(r->trainer));
}

static ebm_status run_noise(quickstart *q, noise_run *r)
{
    const ebm_noise_phase phase = {.batch_size = BATCH,
                                   .learning_rate = 5e-4,
                                   .epochs = 8,
                                   .max_steps = q->set.max_steps,
                                   .warmup_ratio = 0.06,
                                   .patience = 2};
    const ebm_tokenizer *tokenizer = ebm_noise_model_tokenizer(r->model);
    const ebm_noise_roles roles = ebm_noise_model_roles(r->model);
    ebm_noise_evaluation best = {0};
    EBM_TRY(ebm_noise_texts_create(q->data[QUICKSTART_TRAIN], tokenizer, roles, &r->train));
    EBM_TRY(ebm_noise_texts_create(q->data[QUICKSTART_VALIDATION], tokenizer, roles, &r->held_out));
    EBM_TRY(ebm_noise_trainer_run(r->trainer, r->train, r->held_out, &phase, &best));
    q->perplexity = best.perplexity;
    return ebm_ok();
}

ebm_status quickstart_train_noise(quickstart *q)
{
    noise_run r = {0};
    ebm_status status = ebm_ok();
    EBM_CHECK(create_noise(q, &r), end);
    EBM_CHECK(run_noise(q, &r), end);
    EBM_CHECK(make_directory(q, QUICKSTART_NOISE, &r.path), end);
    status = ebm_noise_model_save(r.model, r.path);
end:
    ebm_noise_texts_free(r.train);
    ebm_noise_texts_free(r.held_out);
    ebm_noise_trainer_free(r.trainer);
    ebm_noise_model_free(r.model);
    free(r.path);
    return status;
}

// --- classifiers -----------------------------------------------------------------------------------------------------

typedef struct {
    const quickstart_model *model;
    ebm_config *config;
    ebm_tokenizer *tokenizer;
    ebm_encoded *train;
    ebm_program_noise noise;
    ebm_classifier *classifier;
    ebm_trainer *trainer;
    char *path, *noise_path;
} classifier_run;

static void free_classifier(classifier_run *r)
{
    ebm_trainer_free(r->trainer);
    ebm_program_noise_free(&r->noise);
    ebm_classifier_free(r->classifier);
    ebm_encoded_free(r->train);
    ebm_tokenizer_free(r->tokenizer);
    ebm_config_free(r->config);
    free(r->path);
    free(r->noise_path);
}

static ebm_status prepare_texts(quickstart *q, classifier_run *r)
{
    const ebm_labels *labels = ebm_dataset_labels(q->data[QUICKSTART_TRAIN]);
    EBM_TRY(make_tokenizer(q, &r->tokenizer));
    EBM_TRY(
        ebm_config_default_bert(LAYERS, HIDDEN, ebm_tokenizer_size(r->tokenizer), QUICKSTART_MAX_LENGTH, &r->config));
    EBM_TRY(ebm_config_set_labels(r->config, labels->names, labels->count));
    return ebm_encoded_create(q->data[QUICKSTART_TRAIN], r->tokenizer, QUICKSTART_MAX_LENGTH, &r->train);
}

static ebm_status open_noise(quickstart *q, classifier_run *r)
{
    r->noise_path = ebm_path_join(q->directory, QUICKSTART_NOISE);
    const ebm_noise_options set = {
        .source = EBM_SOURCE_MODEL, .model = r->noise_path, .temperature = 1, .top_k = 20, .slots = NOISE_SLOTS};
    const ebm_program_noise_settings settings = {
        .set = &set,
        .training = q->data[QUICKSTART_TRAIN],
        .encoder = r->tokenizer,
        .max_length = QUICKSTART_MAX_LENGTH,
        .seed = (uint64_t)q->set.seed,
    };
    return ebm_program_noise_open(q->device, &settings, &r->noise);
}

static ebm_status create_trainer(quickstart *q, classifier_run *r, const ebm_step_settings *step)
{
    const ebm_trainer_settings settings = {
        .step = *step,
        .batch_size = BATCH,
        .epochs = r->model->epochs,
        .max_steps = q->set.max_steps,
        .nce_warmup_ratio = 1,
        .warmup_ratio = 0.2, // from random weights a short one leaves some seeds' joint runs behind
        .learning_rate = 1e-3,
        .adamw = ADAMW,
        .seed = (uint64_t)q->set.seed,
        .logging_steps = 10,
        .output_dir = r->path,
        .stop = ebm_program_stop_flag(),
        .listener = ebm_program_trainer_listener(),
    };
    const ebm_trainer_inputs inputs = {
        .device = q->device,
        .classifier = r->classifier,
        .tokenizer = r->tokenizer,
        .train = r->train,
        .noise = r->noise.stream,
        .info = {.objective = r->model->objective,
                 .energy = EBM_ENERGY_HIDDEN,
                 .noise_ratio = step->noise_ratio,
                 .nce_weight = step->nce_weight,
                 .max_tokens = QUICKSTART_MAX_LENGTH},
    };
    return ebm_trainer_create(&inputs, &settings, &r->trainer);
}

static ebm_status create_classifier(quickstart *q, classifier_run *r)
{
    const bool joint = r->model->objective == EBM_OBJECTIVE_JOINT;
    const size_t texts = ebm_dataset_count(q->data[QUICKSTART_TRAIN]);
    const double passes = ebm_order_passes(texts, BATCH, q->set.max_steps, r->model->epochs);
    const ebm_step_settings step = {
        .objective = r->model->objective,
        .nce_data = EBM_NCE_SHARED,
        .noise_ratio = 1,
        .nce_weight = 0.3f, // grows, and beside focal loss: as ebmcl train has it
        .label_loss = {.focal_gamma = joint ? ebm_focal_gamma_of_passes(passes) : 0},
        .limits = {.tokens = 2048, .sequences = 2048 / 3, .training = true}, // [CLS] word [SEP] is the shortest text
    };
    const ebm_classifier_settings settings = {.limits = step.limits, .has_energy = joint, .energy = EBM_ENERGY_HIDDEN};
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS + EBM_PROGRAM_NOISE_ARENAS + 1];
    EBM_TRY(ebm_classifier_create(q->device, r->config, &settings, &r->classifier));
    if (joint) EBM_TRY(open_noise(q, r));
    EBM_TRY(create_trainer(q, r, &step));
    size_t count = ebm_classifier_arenas(r->classifier, arenas);
    arenas[count++] = ebm_trainer_arena(r->trainer);
    if (joint) count += ebm_program_noise_arenas(&r->noise, arenas + count);
    EBM_TRY(ebm_arena_plan(q->device, arenas, count, "choose another --device"));
    EBM_TRY(ebm_classifier_allocate(r->classifier));
    EBM_TRY(ebm_arena_allocate(ebm_trainer_arena(r->trainer)));
    if (joint) EBM_TRY(ebm_program_noise_allocate(&r->noise));
    return ebm_parameters_init(ebm_classifier_parameters(r->classifier), (uint64_t)q->set.seed);
}

// Without a validation set: the weights after the last epoch are the result, and the validation texts are left for the
// temperature alone.
ebm_status quickstart_train_classifier(quickstart *q, const quickstart_model *model)
{
    classifier_run r = {.model = model};
    ebm_status status = ebm_ok();
    EBM_CHECK(make_directory(q, model->directory, &r.path), end);
    EBM_CHECK(prepare_texts(q, &r), end);
    EBM_CHECK(create_classifier(q, &r), end);
    status = ebm_trainer_run(r.trainer);
end:
    free_classifier(&r);
    return status;
}
