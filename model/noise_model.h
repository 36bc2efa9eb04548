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
// start, padding or end of text); missing ones are added at the vocabulary's end as <M>, <SEP>, <BOS>, <END>.
typedef struct {
    int32_t mask, separator, start, end;
} ebm_noise_roles;

typedef struct ebm_noise_model ebm_noise_model;

// Longest sequences: prefix (masked text) and all of [prefix] [start] [text] [end].
enum { EBM_NOISE_MAX_PREFIX = 128, EBM_NOISE_MAX_TOKENS = 256 };

// From a GPT-2 directory, ebmcl's own or another's: roles it lacks are added as new rows of the embedding.
ebm_status ebm_noise_model_open(ebm_device *device, const char *directory, const ebm_decoder_settings *settings,
                                ebm_noise_model **model);
// From scratch over a tokenizer's vocabulary; takes the tokenizer over (also when it fails).
ebm_status ebm_noise_model_create(ebm_device *device, ebm_tokenizer *tokenizer, size_t layers, size_t hidden,
                                  const ebm_decoder_settings *settings, uint64_t seed, ebm_noise_model **model);
// All dropouts of a model from scratch; before it is used.
void ebm_noise_model_set_dropout(ebm_noise_model *model, float probability);
void ebm_noise_model_free(ebm_noise_model *model); // NULL is accepted

enum { EBM_NOISE_MODEL_ARENAS = 5 };
size_t ebm_noise_model_arenas(ebm_noise_model *model, ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS]);
ebm_status ebm_noise_model_allocate(ebm_noise_model *model);
// Fills the tied embedding from an encoder's word embeddings: rows of tokens that both vocabularies have, columns must
// be equal in number. *matched: how many rows were filled. After ebm_noise_model_allocate.
ebm_status ebm_noise_model_init_embeddings(ebm_noise_model *model, const char *encoder_directory, size_t *matched);

// config.json, model.safetensors, tokenizer files and noise.json (the roles) into an existing directory.
ebm_status ebm_noise_model_save(ebm_noise_model *model, const char *directory);

ebm_device *ebm_noise_model_device(ebm_noise_model *model);
ebm_decoder *ebm_noise_model_decoder(ebm_noise_model *model); // borrowed, like all below
ebm_parameters *ebm_noise_model_parameters(ebm_noise_model *model);
const ebm_tokenizer *ebm_noise_model_tokenizer(const ebm_noise_model *model);
const ebm_config *ebm_noise_model_config(const ebm_noise_model *model);
ebm_noise_roles ebm_noise_model_roles(const ebm_noise_model *model);

#ifdef __cplusplus
}
#endif
#endif
