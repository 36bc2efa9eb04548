#include "step_benchmark.h"

#include <stdlib.h>

#include "optimizer.h"
#include "random.h"
#include "timing.h"

// Small, so that random texts with random labels do not drive the weights to where nothing is finite.
static const double RATE = 1e-5;

struct ebm_step_benchmark {
    ebm_device *device;
    ebm_step_benchmark_settings set;
    ebm_classifier *classifier;
    ebm_arena *arena;
    ebm_step *step;
    ebm_optimizer *optimizer;
    ebm_step_texts texts;
    ebm_sequence *sequences; // labelled, data, noise
    int32_t *ids, *labels;
    size_t rows, tokens, done;
    ebm_random draws; // of texts
};

static bool is_joint(const ebm_step_benchmark *b) { return b->set.objective == EBM_OBJECTIVE_JOINT; }

// Other texts for every step, as training has; noise has the lengths of texts.
static void draw_texts(ebm_step_benchmark *b)
{
    const uint32_t count = (uint32_t)ebm_encoded_count(b->set.texts);
    b->tokens = 0;
    for (size_t i = 0; i < b->rows; i++) {
        b->sequences[i] = ebm_encoded_sequence(b->set.texts, ebm_random_below(&b->draws, count));
        b->tokens += b->sequences[i].count;
    }
}

static size_t longest_text(const ebm_step_benchmark *b)
{
    return b->set.texts ? ebm_encoded_longest(b->set.texts) : b->set.sequence_length;
}

static ebm_status make_texts(ebm_step_benchmark *b, const ebm_config *config)
{
    const size_t B = b->set.batch_size, length = b->set.texts ? 0 : b->set.sequence_length;
    const size_t data = is_joint(b) && b->set.nce_data == EBM_NCE_SEPARATE ? B : 0;
    const size_t noise = is_joint(b) ? B * (size_t)b->set.noise_ratio : 0;
    ebm_random random = ebm_random_stream(b->set.seed, 0, EBM_SITE_BENCHMARK);
    b->rows = B + data + noise;
    b->sequences = calloc(b->rows, sizeof *b->sequences);
    b->ids = calloc(b->rows * length + 1, sizeof *b->ids);
    b->labels = calloc(B, sizeof *b->labels);
    if (!b->sequences || !b->ids || !b->labels)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu texts of %zu tokens", b->rows, length);
    for (size_t i = 0; i < b->rows * length; i++)
        b->ids[i] = (int32_t)ebm_random_below(&random, (uint32_t)config->vocabulary);
    for (size_t i = 0; i < B; i++) b->labels[i] = (int32_t)ebm_random_below(&random, (uint32_t)config->label_count);
    for (size_t i = 0; i < b->rows; i++) b->sequences[i] = (ebm_sequence){b->ids + i * length, NULL, length};
    b->tokens = b->rows * length;
    b->draws = ebm_random_stream(b->set.seed, 3, EBM_SITE_BENCHMARK);
    b->texts = (ebm_step_texts){
        .labelled = b->sequences,
        .data = b->sequences + B,
        .noise = b->sequences + B + data,
        .labels = b->labels,
        .labelled_count = B,
        .data_count = data,
        .noise_count = noise,
    };
    return ebm_ok();
}

static ebm_status create_model(ebm_step_benchmark *b, const ebm_config *config)
{
    const ebm_adamw adamw = {0.9, 0.999, 1e-8, 0.1, 1.0};
    const size_t all = b->rows * longest_text(b), budget = b->set.token_budget;
    const ebm_limits limits = {budget > 0 && budget < all ? budget : all, b->rows, true};
    const ebm_classifier_settings model = {.limits = limits,
                                           .has_energy = is_joint(b),
                                           .energy = b->set.energy,
                                           .fp16_activations = b->set.fp16_activations};
    const ebm_step_settings step = {.objective = b->set.objective,
                                    .nce_data = b->set.nce_data,
                                    .noise_ratio = b->set.noise_ratio,
                                    .nce_weight = 1.0f,
                                    .limits = limits};
    EBM_TRY(ebm_classifier_create(b->device, config, &model, &b->classifier));
    b->arena = ebm_arena_create(b->device, "step");
    if (!b->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a step");
    EBM_TRY(ebm_step_create(b->device, b->classifier, &step, b->arena, &b->step));
    return ebm_optimizer_create(b->device, ebm_classifier_parameters(b->classifier), &adamw, b->arena, &b->optimizer);
}

ebm_status ebm_step_benchmark_create(ebm_device *device, const ebm_config *config,
                                     const ebm_step_benchmark_settings *settings, ebm_step_benchmark **out)
{
    *out = NULL;
    if (settings->texts && ebm_encoded_count(settings->texts) == 0)
        return ebm_fail(EBM_ERROR_INPUT, "a step of texts needs one at least");
    if (!settings->texts && settings->sequence_length > ebm_config_max_tokens(config))
        return ebm_fail(EBM_ERROR_INPUT, "texts of %zu tokens, but the model has positions for %zu",
                        settings->sequence_length, ebm_config_max_tokens(config));
    ebm_step_benchmark *b = calloc(1, sizeof *b);
    if (!b) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a benchmark");
    ebm_status status = ebm_ok();
    b->device = device;
    b->set = *settings;
    EBM_CHECK(make_texts(b, config), fail);
    EBM_CHECK(create_model(b, config), fail);
    *out = b;
    return status;
fail:
    ebm_step_benchmark_free(b);
    return status;
}

void ebm_step_benchmark_free(ebm_step_benchmark *b)
{
    if (!b) return;
    ebm_optimizer_free(b->optimizer);
    ebm_step_free(b->step);
    ebm_classifier_free(b->classifier);
    ebm_arena_free(b->arena);
    free(b->sequences);
    free(b->ids);
    free(b->labels);
    free(b);
}

size_t ebm_step_benchmark_arenas(ebm_step_benchmark *b, ebm_arena *arenas[EBM_STEP_BENCHMARK_ARENAS])
{
    const size_t count = ebm_classifier_arenas(b->classifier, arenas);
    arenas[count] = b->arena;
    return count + 1;
}

ebm_status ebm_step_benchmark_allocate(ebm_step_benchmark *b, const char *directory)
{
    EBM_TRY(ebm_classifier_allocate(b->classifier));
    EBM_TRY(ebm_arena_allocate(b->arena));
    if (directory) EBM_TRY(ebm_classifier_load(b->classifier, directory, NULL));
    return ebm_parameters_init_missing(ebm_classifier_parameters(b->classifier), b->set.seed);
}

ebm_status ebm_step_benchmark_step(ebm_step_benchmark *b, double *seconds, size_t *tokens)
{
    if (b->set.texts) draw_texts(b);
    const ebm_run run = {.training = true, .seed = b->set.seed, .step = (uint32_t)b->done};
    ebm_step_result result;
    double norm;
    const double start = ebm_now();
    EBM_TRY(ebm_step_gradients(b->step, &b->texts, &run, &result));
    EBM_TRY(ebm_optimizer_step(b->optimizer, RATE, ++b->done, true));
    EBM_TRY(ebm_optimizer_norm(b->optimizer, &norm));
    EBM_TRY(ebm_device_finish(b->device));
    *seconds = ebm_now() - start;
    *tokens = b->tokens;
    return ebm_ok();
}
