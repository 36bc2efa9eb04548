// The columns of the table in family.c: everything in which one family differs from another, as data. A family whose
// arithmetic is another one's is a row and nothing else; for one with arithmetic of its own see encoder_form.h.
#ifndef EBM_FAMILY_TRAITS_H
#define EBM_FAMILY_TRAITS_H

#include <stdint.h>

#include "family.h"
#include "head.h"

typedef struct ebm_encoder_form ebm_encoder_form;
typedef struct ebm_config_form ebm_config_form;

// Names of keys in config.json. NULL: the family has no such key, its default stands.
typedef struct {
    const char *hidden, *layers, *heads, *intermediate, *positions, *types, *embedding;
    const char *epsilon, *activation, *pooling;
    const char *hidden_dropout, *attention_dropout, *embedding_dropout, *classifier_dropout;
} ebm_family_keys;

// What transformers takes for keys the file does not have (or has null for).
typedef struct {
    size_t types;             // rows of the type table
    size_t embedding;         // width of the embeddings; 0: the hidden size
    float epsilon;            // of LayerNorm
    float dropout;            // hidden, attention and embedding dropout
    float classifier_dropout; // below 0: the hidden dropout
    int32_t pad, bos, eos;    // -1: none
} ebm_family_defaults;

// Names of tensors in the checkpoint, without ".weight" and ".bias". `prefix` stands before all of them (the names of
// the head are whole); files of a bare encoder lack it. NULL: the family has no such tensor.
typedef struct {
    const char *prefix;                                  // with its point: "bert."
    const char *word, *position, *type, *norm, *project; // embeddings; project: from their width to the hidden size
    const char *layer;                                   // layer l: "<prefix><layer>.<l>." and one of the following
    const char *query, *key, *value, *qkv, *out, *norm1, *up, *down, *norm2; // qkv: the three in one tensor
    const char *final_norm;                                                  // after all layers
} ebm_family_names;

typedef struct {
    const char *type, *architecture; // model_type and architectures in config.json
    const ebm_encoder_form *encoder; // its arithmetic; NULL: not an encoder
    const char *const *activations;  // accepted in config.json, NULL-terminated; the first is written when absent
    const ebm_config_form *config;   // keys of config.json that only this family has; NULL: none
    ebm_family_keys keys;
    ebm_family_defaults defaults;
    ebm_family_names names;
    ebm_head_form head;
    bool positions_after_pad;        // a sequence's first position id is pad_token_id + 1, else 0
    bool no_dropout_after_attention; // the hidden dropout is left out between attention and its residual
} ebm_family_traits;

const ebm_family_traits *ebm_family_traits_of(ebm_family family);

#endif
