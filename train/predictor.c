#include "predictor.h"

#include <stdlib.h>

#include "checked_device.h"
#include "encoded.h"
#include "predict.h"
#include "scores.h"

enum { DEFAULT_BUDGET = 8192 };

struct ebm_predictor {
    ebm_device *device;
    ebm_config *config;
    ebm_tokenizer *tokenizer;
    ebm_model_info info;
    ebm_classifier *classifier;
    ebm_load_report report;
    ebm_arena *arena; // of the batch
    ebm_packing *packing;
};

ebm_limits ebm_predictor_limits(const ebm_config *config, size_t budget)
{
    const size_t longest = ebm_config_max_tokens(config);
    if (budget == 0) budget = DEFAULT_BUDGET > longest ? DEFAULT_BUDGET : longest;
    const ebm_limits limits = {.tokens = budget, .sequences = budget / 4 + 1, .training = false};
    return limits;
}

static ebm_status create_model(ebm_predictor *p, size_t budget)
{
    const ebm_classifier_settings settings = {
        .limits = ebm_predictor_limits(p->config, budget),
        .has_energy = ebm_predictor_has_energy(p),
        .energy = p->info.energy,
    };
    EBM_TRY(ebm_classifier_create(p->device, p->config, &settings, &p->classifier));
    p->arena = ebm_arena_create(p->device, "batches");
    if (!p->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a batch");
    return ebm_packing_create(p->device, p->config, &settings.limits, p->arena, &p->packing);
}

static ebm_status allocate(ebm_predictor *p)
{
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS + 1];
    size_t count = ebm_classifier_arenas(p->classifier, arenas);
    arenas[count++] = p->arena;
    EBM_TRY(ebm_arena_plan(p->device, arenas, count, "take a smaller token budget"));
    EBM_TRY(ebm_arena_allocate(p->arena));
    return ebm_classifier_allocate(p->classifier);
}

static ebm_status load(ebm_predictor *p, const char *directory)
{
    EBM_TRY(ebm_classifier_load(p->classifier, directory, &p->report));
    if (!p->report.created[0]) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT,
                    "%s: tensor %s is missing; this model is not trained to classify (ebmcl train does it)", directory,
                    p->report.created[0]);
}

// Fewer tokens than rows are fine: embeddings are often rounded up.
static ebm_status check_vocabulary(const ebm_predictor *p, const char *directory)
{
    if (ebm_tokenizer_size(p->tokenizer) <= p->config->vocabulary) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: the tokenizer has %zu tokens, the model's vocabulary %zu", directory,
                    ebm_tokenizer_size(p->tokenizer), p->config->vocabulary);
}

ebm_status ebm_predictor_open(ebm_device *device, const char *directory, size_t token_budget, ebm_predictor **out)
{
    *out = NULL;
    ebm_predictor *p = calloc(1, sizeof *p);
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a predictor");
    ebm_status status = ebm_ok();
    p->device = device;
    EBM_CHECK(ebm_config_load(directory, &p->config), fail);
    EBM_CHECK(ebm_tokenizer_load(directory, &p->tokenizer), fail);
    EBM_CHECK(ebm_model_directory_info(directory, &p->info), fail);
    EBM_CHECK(check_vocabulary(p, directory), fail);
    EBM_CHECK(ebm_device_must_be_right(device), fail);
    EBM_CHECK(create_model(p, token_budget), fail);
    EBM_CHECK(allocate(p), fail);
    EBM_CHECK(load(p, directory), fail);
    *out = p;
    return status;
fail:
    ebm_predictor_free(p);
    return status;
}

void ebm_predictor_free(ebm_predictor *p)
{
    if (!p) return;
    ebm_classifier_free(p->classifier);
    ebm_load_report_free(&p->report);
    ebm_packing_free(p->packing);
    ebm_arena_free(p->arena);
    ebm_tokenizer_free(p->tokenizer);
    ebm_config_free(p->config);
    free(p);
}

const ebm_config *ebm_predictor_config(const ebm_predictor *p) { return p->config; }
const ebm_tokenizer *ebm_predictor_tokenizer(const ebm_predictor *p) { return p->tokenizer; }
ebm_model_info ebm_predictor_info(const ebm_predictor *p) { return p->info; }
char *const *ebm_predictor_ignored(const ebm_predictor *p) { return p->report.ignored; }
bool ebm_predictor_has_energy(const ebm_predictor *p) { return p->info.objective == EBM_OBJECTIVE_JOINT; }

ebm_status ebm_predictor_fold_temperature(ebm_predictor *p, double temperature)
{
    EBM_TRY(ebm_temperature_check(temperature));
    EBM_TRY(ebm_classifier_fold_temperature(p->classifier, temperature));
    const double before = p->info.logits_divided_by > 0 ? p->info.logits_divided_by : 1;
    p->info.logits_divided_by = before * temperature;
    return ebm_ok();
}

ebm_status ebm_predictor_fold_affine(ebm_predictor *p, const double *map, const double *offset)
{
    return ebm_classifier_fold_affine(p->classifier, map, offset);
}

ebm_status ebm_predictor_save(ebm_predictor *p, const char *directory)
{
    return ebm_model_directory_write(directory, p->classifier, p->tokenizer, &p->info);
}

// The classifier computes hidden and sharp-hidden energies from its logits; those of a folded model are too small.
static void restore_energies(const ebm_predictor *p, const float *logits, size_t count, float *energy)
{
    const size_t labels = p->config->label_count;
    if (!energy || p->info.energy == EBM_ENERGY_SCALAR || p->info.logits_divided_by <= 0) return;
    for (size_t i = 0; i < count; i++)
        energy[i] = (float)ebm_energy_of_logits(p->info.energy, logits + i * labels, labels, p->info.logits_divided_by);
}

static ebm_status encode(const ebm_predictor *p, const ebm_dataset *dataset, size_t max_length, ebm_encoded **encoded)
{
    const size_t longest = ebm_config_max_tokens(p->config);
    if (max_length == 0) max_length = p->info.max_tokens ? p->info.max_tokens : longest;
    if (max_length > longest) max_length = longest;
    return ebm_encoded_create(dataset, p->tokenizer, max_length, encoded);
}

ebm_status ebm_predictor_dataset(ebm_predictor *p, const ebm_dataset *dataset, size_t max_length, float *logits,
                                 float *energy)
{
    if (energy && !ebm_predictor_has_energy(p))
        return ebm_fail(EBM_ERROR_INPUT, "a model trained by cross-entropy alone has no energy");
    ebm_encoded *encoded = NULL;
    EBM_TRY(encode(p, dataset, max_length, &encoded));
    const ebm_status status = ebm_predict(p->device, p->classifier, p->packing, encoded, logits, energy);
    if (status.code == EBM_OK) restore_energies(p, logits, ebm_dataset_count(dataset), energy);
    ebm_encoded_free(encoded);
    return status;
}

static ebm_status check_dropout(const ebm_config *c)
{
    if (c->hidden_dropout > 0 || c->attention_dropout > 0 || c->embedding_dropout > 0 || c->classifier_dropout > 0)
        return ebm_ok();
    return ebm_fail(
        EBM_ERROR_INPUT,
        "the model has no dropout, every probability in its config.json is 0: all passes would be the same");
}

// Number `pass` of those with dropout, or the only one without.
static ebm_status add_pass(ebm_predictor *p, const ebm_encoded *encoded, const ebm_predictor_passes *set, size_t pass,
                           float *logits, float *energy, ebm_average *average)
{
    if (set->passes == 0)
        EBM_TRY(ebm_predict(p->device, p->classifier, p->packing, encoded, logits, energy));
    else
        EBM_TRY(ebm_predict_with_dropout(p->device, p->classifier, p->packing, encoded, set->seed, (uint32_t)pass,
                                         logits, energy));
    restore_energies(p, logits, ebm_encoded_count(encoded), energy);
    return ebm_average_add(average, logits, energy, set->order);
}

ebm_status ebm_predictor_average(ebm_predictor *p, const ebm_dataset *dataset, const ebm_predictor_passes *set,
                                 ebm_average *average)
{
    const size_t count = ebm_dataset_count(dataset);
    const bool has_energy = set->with_energy && ebm_predictor_has_energy(p);
    ebm_encoded *encoded = NULL;
    float *logits = NULL;
    if (set->passes > 0) EBM_TRY(check_dropout(p->config));
    EBM_TRY(encode(p, dataset, set->max_length, &encoded));
    ebm_status status = ebm_ok();
    logits = calloc(count * (p->config->label_count + 1) + 1, sizeof *logits);
    if (!logits) status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for predictions of %zu texts", count);
    float *energy = has_energy && logits ? logits + count * p->config->label_count : NULL;
    for (size_t pass = 0; status.code == EBM_OK && pass < (set->passes ? set->passes : 1); pass++)
        status = add_pass(p, encoded, set, pass, logits, energy, average);
    free(logits);
    ebm_encoded_free(encoded);
    return status;
}

ebm_status ebm_predictor_text(ebm_predictor *p, const char *first, const char *second, float *logits, float *energy)
{
    ebm_dataset *one = NULL;
    EBM_TRY(ebm_dataset_create(NULL, &one));
    ebm_status status = ebm_dataset_add(one, first, second, -1, 0);
    if (status.code == EBM_OK) status = ebm_predictor_dataset(p, one, 0, logits, energy);
    ebm_dataset_free(one);
    return status;
}
