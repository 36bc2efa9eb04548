// The noise model: GPT-2 over a tokenizer's vocabulary with four tokens that have a role (METHOD section 3).
//
//     EBM_TRY(ebm_noise_model_open(device, "noise", &settings, &model));   // a directory; plans its memory
//     ... ebm_noise_model_arenas planned with the others ...
//     EBM_CHECK(ebm_noise_model_allocate(model), end);                     // allocates, loads or draws the weights
#ifndef EBM_NOISE_MODEL_H
#define EBM_NOISE_MODEL_H

#include "decoder.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

// Ids in the noise model's vocabulary. Tokens the tokenizer has are used for their role (mask, separator, classifier or
// start, padding or end of text); missing ones are added at the vocabulary's end as <M>, <SEP>, <BOS>, <END>. A model
// that is told labels has a token for each, one after the other: <LABEL_0>, <LABEL_1>, ...
typedef struct {
    int32_t mask, separator, start, end;
    int32_t first_label; // with labels
    size_t label_count;  // 0: none
} ebm_noise_roles;

// What stands before the start token while a model is trained and sampled (METHOD section 3). Only the text behind it
// is predicted.
typedef enum {
    EBM_NOISE_MASKED,       // [masked text]             P_N(x | masked x), "partial2full" in the published code
    EBM_NOISE_PLAIN,        //                           P_N(x): an ordinary language model
    EBM_NOISE_LABEL,        // [label]                   P_N(x | y)
    EBM_NOISE_LABEL_MASKED, // [label] [masked text]     P_N(x | y, masked x)
    EBM_NOISE_OBJECTIVES
} ebm_noise_objective;
const char *ebm_noise_objective_name(ebm_noise_objective objective); // "masked", "plain", "label", "label-masked"
bool ebm_noise_objective_by_name(const char *name, ebm_noise_objective *objective); // false: no such name
bool ebm_noise_objective_has_mask(ebm_noise_objective objective);
bool ebm_noise_objective_has_label(ebm_noise_objective objective);

// What a model was trained to write. Unknown: nothing says so.
typedef enum { EBM_NOISE_OF_UNKNOWN, EBM_NOISE_OF_SINGLE, EBM_NOISE_OF_PAIRS, EBM_NOISE_KINDS } ebm_noise_kind;

// How a model was trained, kept in noise.json. Not recorded: somebody else's GPT-2, or a model from before this was
// written down; it is taken for one with masked prefixes.
typedef struct {
    ebm_noise_objective objective;
    float mask_probability; // M
    ebm_noise_kind kind;
    bool is_recorded;
} ebm_noise_training;

typedef struct ebm_noise_model ebm_noise_model;

// Longest sequences: prefix (masked text) and all of [prefix] [start] [text] [end].
enum { EBM_NOISE_MAX_PREFIX = 128, EBM_NOISE_MAX_TOKENS = 256 };

// From a GPT-2 directory, ebmcl's own or another's: roles it lacks are added as new rows of the embedding.
ebm_status ebm_noise_model_open(ebm_device *device, const char *directory, const ebm_decoder_settings *settings,
                                ebm_noise_model **model);
// From scratch over a tokenizer's vocabulary; takes the tokenizer over (also when it fails).
ebm_status ebm_noise_model_create(ebm_device *device, ebm_tokenizer *tokenizer, size_t layers, size_t hidden,
                                  const ebm_decoder_settings *settings, uint64_t seed, ebm_noise_model **model);
// The same with labels, which get tokens of their own where the model has none yet; else each must be one it knows.
ebm_status ebm_noise_model_open_labelled(ebm_device *device, const char *directory, const char *const *labels,
                                         size_t label_count, const ebm_decoder_settings *settings,
                                         ebm_noise_model **model);
ebm_status ebm_noise_model_create_labelled(ebm_device *device, ebm_tokenizer *tokenizer, size_t layers, size_t hidden,
                                           const char *const *labels, size_t label_count,
                                           const ebm_decoder_settings *settings, uint64_t seed,
                                           ebm_noise_model **model);
// What noise.json says of a model's training, without opening the model.
ebm_status ebm_noise_training_read(const char *directory, const ebm_tokenizer *tokenizer, ebm_noise_training *training);
// All dropouts of a model from scratch; before it is used.
void ebm_noise_model_set_dropout(ebm_noise_model *model, float probability);
void ebm_noise_model_free(ebm_noise_model *model); // NULL is accepted

enum { EBM_NOISE_MODEL_ARENAS = 6 };
size_t ebm_noise_model_arenas(ebm_noise_model *model, ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS]);
ebm_status ebm_noise_model_allocate(ebm_noise_model *model);
// Fills the tied embedding from an encoder's word embeddings: rows of tokens that both vocabularies have, columns must
// be equal in number. *matched: how many rows were filled. After ebm_noise_model_allocate.
ebm_status ebm_noise_model_init_embeddings(ebm_noise_model *model, const char *encoder_directory, size_t *matched);

// config.json, model.safetensors, tokenizer files and noise.json (roles, training, labels) into an existing directory.
ebm_status ebm_noise_model_save(ebm_noise_model *model, const char *directory);

ebm_device *ebm_noise_model_device(ebm_noise_model *model);
ebm_decoder *ebm_noise_model_decoder(ebm_noise_model *model); // borrowed, like all below
ebm_parameters *ebm_noise_model_parameters(ebm_noise_model *model);
const ebm_tokenizer *ebm_noise_model_tokenizer(const ebm_noise_model *model);
const ebm_config *ebm_noise_model_config(const ebm_noise_model *model);
ebm_noise_roles ebm_noise_model_roles(const ebm_noise_model *model);
ebm_noise_training ebm_noise_model_training(const ebm_noise_model *model);
// What is recorded from now on. EBM_ERROR_INPUT for an objective with labels where the model has none.
ebm_status ebm_noise_model_set_training(ebm_noise_model *model, ebm_noise_objective objective, float mask_probability,
                                        ebm_noise_kind kind);
int32_t ebm_noise_model_label(const ebm_noise_model *model, const char *name); // its token; -1: not one of its labels

#ifdef __cplusplus
}
#endif
#endif
