#include "eval_benchmark.h"

#include <stdlib.h>

#include "predict.h"
#include "predictor.h"
#include "timing.h"

struct ebm_eval_benchmark {
    ebm_device *device;
    const ebm_tokenizer *tokenizer;
    ebm_eval_benchmark_settings set;
    size_t labels;
    ebm_classifier *classifier;
    ebm_arena *arena;
    ebm_packing *packing;
};

static ebm_status create_model(ebm_eval_benchmark *b, const ebm_config *config)
{
    const ebm_classifier_settings model = {.limits = ebm_predictor_limits(config, b->set.token_budget)};
    EBM_TRY(ebm_classifier_create(b->device, config, &model, &b->classifier));
    b->arena = ebm_arena_create(b->device, "batches");
    if (!b->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a batch");
    return ebm_packing_create(b->device, config, &model.limits, b->arena, &b->packing);
}

ebm_status ebm_eval_benchmark_create(ebm_device *device, const ebm_config *config, const ebm_tokenizer *tokenizer,
                                     const ebm_eval_benchmark_settings *settings, ebm_eval_benchmark **out)
{
    *out = NULL;
    ebm_eval_benchmark *b = calloc(1, sizeof *b);
    if (!b) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a benchmark");
    b->device = device;
    b->tokenizer = tokenizer;
    b->set = *settings;
    b->labels = config->label_count;
    const ebm_status status = create_model(b, config);
    if (status.code == EBM_OK)
        *out = b;
    else
        ebm_eval_benchmark_free(b);
    return status;
}

void ebm_eval_benchmark_free(ebm_eval_benchmark *b)
{
    if (!b) return;
    ebm_packing_free(b->packing);
    ebm_classifier_free(b->classifier);
    ebm_arena_free(b->arena);
    free(b);
}

size_t ebm_eval_benchmark_arenas(ebm_eval_benchmark *b, ebm_arena *arenas[EBM_EVAL_BENCHMARK_ARENAS])
{
    const size_t count = ebm_classifier_arenas(b->classifier, arenas);
    arenas[count] = b->arena;
    return count + 1;
}

ebm_status ebm_eval_benchmark_allocate(ebm_eval_benchmark *b, const char *directory)
{
    EBM_TRY(ebm_classifier_allocate(b->classifier));
    EBM_TRY(ebm_arena_allocate(b->arena));
    if (directory) EBM_TRY(ebm_classifier_load(b->classifier, directory, NULL));
    return ebm_parameters_init_missing(ebm_classifier_parameters(b->classifier), b->set.seed);
}

ebm_status ebm_eval_benchmark_pass(ebm_eval_benchmark *b, const ebm_dataset *texts, ebm_eval_pass *pass)
{
    ebm_encoded *encoded = NULL;
    float *logits = calloc(ebm_dataset_count(texts) * b->labels, sizeof *logits);
    if (!logits) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for the logits");
    const double start = ebm_now();
    ebm_status status = ebm_encoded_create(texts, b->tokenizer, b->set.max_length, &encoded);
    const double middle = ebm_now();
    if (status.code == EBM_OK) status = ebm_predict(b->device, b->classifier, b->packing, encoded, logits, NULL);
    pass->encode = middle - start;
    pass->predict = ebm_now() - middle;
    if (status.code == EBM_OK) pass->tokens = ebm_encoded_tokens(encoded);
    ebm_encoded_free(encoded);
    free(logits);
    return status;
}
