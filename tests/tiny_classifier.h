// The tiny encoders of fixtures/models with everything a training step needs, and the fixture's texts.
#ifndef EBM_TESTS_TINY_CLASSIFIER_H
#define EBM_TESTS_TINY_CLASSIFIER_H

#include "expected.h"
#include "optimizer.h"
#include "step.h"

// As in make_model_fixtures.py: 3 labelled texts, 3 of NCE's data, K for each of those of noise, in this order.
enum { TINY_LABELLED = 3, TINY_ROWS = 30, TINY_TOKENS = 246 };
enum { TRAIN_STEPS = 10 };

// The folders of fixtures/models: every family, ELECTRA with and without a projection of its embeddings, ModernBERT
// without and with biases, with cls and mean pooling.
extern const char *const TINY_FAMILIES[];
extern const size_t TINY_FAMILY_COUNT;

typedef struct {
    const char *family; // its folder
    bool joint;
    ebm_energy_kind energy;
    int noise_ratio;
    ebm_nce_data nce_data;
    size_t tokens;                        // budget; 0: all rows fit
    float dropout;                        // of all kinds
    float mlm_weight, hidden_norm_weight; // mlm_weight above 0: with a head for it, not in the files
    ebm_mixup mixup;
    const uint8_t *hard; // of the labelled texts
    bool fp16_activations;
    bool shortened; // labelled texts to 6 tokens, the others to one
} tiny_settings;

typedef struct {
    tiny_settings set;
    ebm_safetensors *expected;
    ebm_config *config;
    ebm_classifier *classifier;
    ebm_parameters *parameters;
    ebm_arena *arena;
    ebm_step *step;
    ebm_optimizer *optimizer;
    int32_t *ids, *types, *labels;
    ebm_sequence rows[TINY_ROWS];
} tiny;

void tiny_open(tiny *t, const tiny_settings *settings); // weights loaded
void tiny_free(tiny *t);
ebm_step_texts tiny_texts(const tiny *t);
size_t tiny_tokens(const tiny *t); // of all rows
// Forward and backward of all texts; training as `run` says.
ebm_step_result tiny_gradients(tiny *t, const ebm_run *run);
// TRAIN_STEPS steps with the fixture's schedule; losses and norms may be NULL.
void tiny_train(tiny *t, double losses[TRAIN_STEPS], double norms[TRAIN_STEPS]);
// Rows [first, first + count) in one batch; logits (count, labels) and, with an energy, energies (count) to be free()d.
void tiny_predict(tiny *t, size_t first, size_t count, float **logits, float **energy);

#endif
