// A small random BERT classifier as a model directory, for tests that run the program on files.
#ifndef EBM_TESTS_TINY_MODEL_H
#define EBM_TESTS_TINY_MODEL_H

#include "check.h"
#include "classifier.h"
#include "command.h"
#include "file.h"
#include "model_directory.h"

static const char *const TINY_WORDS[] = {"the", "a",    "film", "plot", "cast", "is",  "was", "not", "very", "good",
                                         "bad", "dull", "fine", "warm", "cold", "and", "but", ".",   ","};
enum { TINY_WORD_COUNT = sizeof TINY_WORDS / sizeof *TINY_WORDS, TINY_HIDDEN = 32, TINY_POSITIONS = 40 };

// Random weights give all texts nearly the same logits: larger ones in the heads make predictions differ.
static inline void widen(ebm_device *device, ebm_classifier *classifier, const char *name)
{
    ebm_parameter *p = ebm_parameters_find(ebm_classifier_parameters(classifier), name);
    assert_non_null(p);
    const size_t count = p->rows * p->columns;
    float *values = malloc(count * sizeof *values);
    assert_ok(ebm_slice_read(device, p->tensor->weight, p->first, count, values));
    for (size_t i = 0; i < count; i++) values[i] *= 20.0f;
    assert_ok(ebm_slice_write(device, p->tensor->weight, p->first, count, values));
    free(values);
}

// labels: two names, or NULL for LABEL_0 and LABEL_1.
static inline void make_seeded_model(ebm_device *device, const char *directory, const ebm_model_info *info,
                                     const char *const *labels, uint64_t seed)
{
    ebm_tokenizer *tokenizer = NULL;
    ebm_config *config = NULL;
    ebm_classifier *classifier = NULL;
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS];
    const ebm_classifier_settings settings = {
        .limits = {64, 8, false}, .has_energy = info->objective == EBM_OBJECTIVE_JOINT, .energy = info->energy};
    assert_ok(ebm_tokenizer_from_words(TINY_WORDS, TINY_WORD_COUNT, true, &tokenizer));
    assert_ok(ebm_config_default_bert(2, TINY_HIDDEN, ebm_tokenizer_size(tokenizer), TINY_POSITIONS, &config));
    if (labels) assert_ok(ebm_config_set_labels(config, labels, 2));
    assert_ok(ebm_classifier_create(device, config, &settings, &classifier));
    assert_ok(ebm_arena_plan(device, arenas, ebm_classifier_arenas(classifier, arenas), "-"));
    assert_ok(ebm_classifier_allocate(classifier));
    assert_ok(ebm_parameters_init(ebm_classifier_parameters(classifier), seed));
    widen(device, classifier, "bert.pooler.dense.weight");
    widen(device, classifier, "classifier.weight");
    assert_ok(ebm_directory_make(directory));
    assert_ok(ebm_model_directory_write(directory, classifier, tokenizer, info));
    ebm_classifier_free(classifier);
    ebm_config_free(config);
    ebm_tokenizer_free(tokenizer);
}

static inline void make_tiny_model(ebm_device *device, const char *directory, const ebm_model_info *info,
                                   const char *const *labels)
{
    make_seeded_model(device, directory, info, labels, 7);
}

// The same in the folder of command.h.
static inline void make_model_in(ebm_device *device, const char *name, const ebm_model_info *info,
                                 const char *const *labels)
{
    char *path = in_folder(folder, name);
    make_tiny_model(device, path, info, labels);
    free(path);
}

// A group's setup: the folder, and in it a model by cross-entropy of this name.
static inline void make_folder_with_model(const char *name, const char *const *labels)
{
    const ebm_model_info ce = {.objective = EBM_OBJECTIVE_CE, .max_tokens = 32};
    ebm_device *device = NULL;
    assert_non_null(mkdtemp(folder));
    assert_ok(ebm_device_open(NULL, &device));
    make_model_in(device, name, &ce, labels);
    ebm_device_free(device);
}

#endif
