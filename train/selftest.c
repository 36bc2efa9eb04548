#include "selftest.h"

#include <math.h>
#include <stdlib.h>

#include "encoded.h"
#include "grammar.h"
#include "optimizer.h"
#include "random.h"
#include "step.h"
#include "timing.h"

enum { LAYERS = 2, HIDDEN = 64, BATCH = 16, NOISE = 2, LONGEST = 32, SEED = 20240607, STEPS = EBM_SELFTEST_STEPS };
enum { TEXTS = STEPS * BATCH, ROWS = BATCH * (1 + NOISE), FIXED = 2 }; // FIXED: [CLS] and [SEP] keep their places
static const double RATE = 1e-3;

typedef struct {
    ebm_device *device;
    ebm_grammar *grammar;
    ebm_dataset *texts;
    ebm_tokenizer *tokenizer;
    ebm_encoded *encoded;
    ebm_config *config;
    ebm_classifier *classifier;
    ebm_arena *arena;
    ebm_step *step;
    ebm_optimizer *optimizer;
    ebm_sequence sequences[ROWS];
    int32_t noise_ids[BATCH * NOISE][LONGEST];
} training;

static void free_training(training *t)
{
    ebm_optimizer_free(t->optimizer);
    ebm_step_free(t->step);
    ebm_classifier_free(t->classifier);
    ebm_arena_free(t->arena);
    ebm_config_free(t->config);
    ebm_encoded_free(t->encoded);
    ebm_tokenizer_free(t->tokenizer);
    ebm_dataset_free(t->texts);
    ebm_grammar_free(t->grammar);
}

static ebm_status make_texts(training *t)
{
    size_t words = 0;
    EBM_TRY(ebm_grammar_create(&t->grammar));
    EBM_TRY(ebm_grammar_dataset(t->grammar, SEED, 0, TEXTS, &t->texts));
    const char *const *word = ebm_grammar_words(t->grammar, &words);
    EBM_TRY(ebm_tokenizer_from_words(word, words, true, &t->tokenizer));
    return ebm_encoded_create(t->texts, t->tokenizer, LONGEST, &t->encoded);
}

static ebm_status make_model(training *t)
{
    const ebm_limits limits = {.tokens = ROWS * LONGEST, .sequences = ROWS, .training = true};
    const ebm_adamw adamw = {0.9, 0.999, 1e-8, 0.1, 1.0};
    const ebm_classifier_settings model = {.limits = limits, .has_energy = true, .energy = EBM_ENERGY_HIDDEN};
    const ebm_step_settings step = {.objective = EBM_OBJECTIVE_JOINT,
                                    .nce_data = EBM_NCE_SHARED,
                                    .noise_ratio = NOISE,
                                    .nce_weight = 1,
                                    .limits = limits};
    const ebm_labels *labels = ebm_dataset_labels(t->texts);
    EBM_TRY(ebm_config_default_bert(LAYERS, HIDDEN, ebm_tokenizer_size(t->tokenizer), LONGEST, &t->config));
    EBM_TRY(ebm_config_set_labels(t->config, labels->names, labels->count));
    EBM_TRY(ebm_classifier_create(t->device, t->config, &model, &t->classifier));
    t->arena = ebm_arena_create(t->device, "step");
    if (!t->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a step");
    EBM_TRY(ebm_step_create(t->device, t->classifier, &step, t->arena, &t->step));
    return ebm_optimizer_create(t->device, ebm_classifier_parameters(t->classifier), &adamw, t->arena, &t->optimizer);
}

static ebm_status allocate(training *t, uint64_t *bytes)
{
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS + 1];
    size_t count = ebm_classifier_arenas(t->classifier, arenas);
    arenas[count++] = t->arena;
    *bytes = 0;
    for (size_t i = 0; i < count; i++) *bytes += ebm_arena_bytes(arenas[i]);
    EBM_TRY(ebm_arena_plan(t->device, arenas, count, "choose another --device"));
    EBM_TRY(ebm_classifier_allocate(t->classifier));
    EBM_TRY(ebm_arena_allocate(t->arena));
    return ebm_parameters_init(ebm_classifier_parameters(t->classifier), SEED);
}

// Noise: the texts with their words in another order. No model draws it: a sample that rounding changes would change
// all losses behind it.
static ebm_sequence shuffle(training *t, ebm_sequence text, size_t step, size_t index)
{
    uint32_t order[LONGEST];
    ebm_random stream = ebm_random_stream(SEED, (uint32_t)(step * BATCH * NOISE + index), EBM_SITE_SHUFFLE_NCE);
    const size_t words = text.count > FIXED ? text.count - FIXED : 0;
    for (size_t i = 0; i < words; i++) order[i] = (uint32_t)i;
    ebm_random_shuffle(&stream, order, words);
    for (size_t i = 0; i < text.count; i++)
        t->noise_ids[index][i] = i == 0 || i > words ? text.ids[i] : text.ids[1 + order[i - 1]];
    return (ebm_sequence){t->noise_ids[index], NULL, text.count};
}

static ebm_status run_step(training *t, size_t step, ebm_selftest_training *result)
{
    for (size_t i = 0; i < BATCH; i++) t->sequences[i] = ebm_encoded_sequence(t->encoded, step * BATCH + i);
    for (size_t i = 0; i < BATCH * NOISE; i++) t->sequences[BATCH + i] = shuffle(t, t->sequences[i / NOISE], step, i);
    const ebm_step_texts texts = {.labelled = t->sequences,
                                  .noise = t->sequences + BATCH,
                                  .labels = ebm_encoded_labels(t->encoded) + step * BATCH,
                                  .labelled_count = BATCH,
                                  .noise_count = BATCH * NOISE};
    const ebm_run run = {.training = true, .seed = SEED, .step = (uint32_t)step};
    ebm_step_result losses;
    double norm = 0;
    EBM_TRY(ebm_step_gradients(t->step, &texts, &run, &losses));
    EBM_TRY(ebm_optimizer_step(t->optimizer, RATE, step + 1, true));
    EBM_TRY(ebm_optimizer_norm(t->optimizer, &norm));
    result->cross_entropy[step] = losses.cross_entropy;
    result->nce[step] = losses.nce;
    return ebm_ok();
}

static ebm_status run_steps(training *t, ebm_selftest_training *result)
{
    const double start = ebm_now();
    for (size_t step = 0; step < STEPS; step++) {
        const double step_start = ebm_now();
        EBM_TRY(ebm_in(run_step(t, step, result), "step %zu", step + 1));
        result->last_seconds = ebm_now() - step_start;
    }
    result->seconds = ebm_now() - start;
    return ebm_ok();
}

ebm_status ebm_selftest_train(ebm_device *device, ebm_selftest_training *result)
{
    training *t = calloc(1, sizeof *t);
    ebm_status status = ebm_ok();
    *result = (ebm_selftest_training){0};
    if (!t) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a training");
    t->device = device;
    EBM_CHECK(make_texts(t), end);
    EBM_CHECK(make_model(t), end);
    EBM_CHECK(allocate(t, &result->memory_bytes), end);
    status = run_steps(t, result);
end:
    free_training(t);
    free(t);
    return status;
}

// By the CPU form of 16 lanes, PoCL 3.1 on x86-64. The other two forms differ by 2.4e-7 at most, in any step: losses
// are summed in float. Other devices may round otherwise in every operation; a hundred times that is allowed.
const ebm_selftest_training ebm_selftest_recorded = {
    .cross_entropy = {1.105390191, 1.091070175, 1.091174245, 1.099131107, 1.097122669, 1.087765098, 1.092567682,
                      1.090981483, 1.101694822, 1.102122784, 1.095465660, 1.086014390},
    .nce = {2.344197571, 2.310388088, 2.272351623, 2.238252580, 2.207237959, 2.176606894, 2.145943046, 2.125347733,
            2.091984153, 2.067391992, 2.044640720, 2.012285411},
};
const double EBM_SELFTEST_TOLERANCE = 2.4e-5;

static double error_at(double found, double recorded)
{
    const double share = fabs(found - recorded) / EBM_SELFTEST_TOLERANCE;
    return share >= 0 ? share : (double)HUGE_VAL; // not a number is wrong
}

double ebm_selftest_error(const ebm_selftest_training *found)
{
    double worst = 0;
    for (size_t i = 0; i < STEPS; i++) {
        worst = fmax(worst, error_at(found->cross_entropy[i], ebm_selftest_recorded.cross_entropy[i]));
        worst = fmax(worst, error_at(found->nce[i], ebm_selftest_recorded.nce[i]));
    }
    return worst;
}
