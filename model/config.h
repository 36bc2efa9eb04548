// A model's config.json: sizes and settings of the families, the task's labels, and everything else in the file
// kept as it was, to be written back.
//
//     ebm_config *config = NULL;
//     EBM_TRY(ebm_config_load("roberta-base", &config));
//     const char *labels[] = {"unacceptable", "acceptable"};
//     EBM_CHECK(ebm_config_set_labels(config, labels, 2), end);
//     EBM_CHECK(ebm_config_save(config, "out"), end);            // end: ebm_config_free(config)
#ifndef EBM_CONFIG_H
#define EBM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "family.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_MAX_LAYERS = 1000 };

// Checked on loading and saving: all sizes above 0, hidden = heads * head size, hidden, embedding and head size
// multiples of 16, head size at most 128, ids below the vocabulary, probabilities in [0, 1).
typedef struct {
    ebm_family family;
    size_t hidden, layers, heads, intermediate;
    size_t embedding; // width of the embeddings: hidden but for ELECTRA
    size_t vocabulary;
    size_t max_positions;   // rows of the position table; ModernBERT: tokens of the longest sequence
    size_t position_offset; // position id of a sequence's first token: RoBERTa pad_id + 1, else 0
    size_t type_vocabulary; // rows of the type table; 0 for families without
    ebm_pooling pooling;    // of the heads
    float layer_norm_eps;
    float hidden_dropout;           // after attention and feed-forward (GPT-2: resid_pdrop); ModernBERT: mlp_dropout
    float attention_dropout;        // on the attention probabilities; ModernBERT: after attention too
    float embedding_dropout;        // encoders: the same as hidden_dropout; GPT-2, ModernBERT: a key of its own
    float classifier_dropout;       // in the heads; hidden_dropout (DistilBERT: 0.2) where the file has null or nothing
    int32_t pad_id, bos_id, eos_id; // -1: none
    // Which layers have a bias (a norm: a shift). All of them, but for ModernBERT, where these are settings.
    struct {
        bool attention, mlp, norm, classifier;
    } bias;
    // ModernBERT only: which layers attend locally, to how many tokens on each side (local_attention / 2), and the
    // bases of the rotary frequencies.
    bool local_layers[EBM_MAX_LAYERS];
    size_t window;
    double global_theta, local_theta;
    size_t label_count;    // 2 where the file says nothing; 0 for GPT-2
    char **labels;         // names in id order, owned; change them by ebm_config_set_labels
    struct json_t *source; // what was read, owned; unknown keys are carried over on saving
} ebm_config;

// Reads and checks "<directory>/config.json". Errors name file, key, expected and found. A model for regression or
// several labels a text (problem_type) is EBM_ERROR_UNSUPPORTED.
ebm_status ebm_config_load(const char *directory, ebm_config **config);
void ebm_config_free(ebm_config *config); // NULL is accepted

// Writes "<directory>/config.json" (the directory must exist) as transformers reads it: architectures (an encoder's
// ...ForSequenceClassification, GPT2LMHeadModel), all keys of the fields above, id2label, label2id, problem_type
// single_label_classification for the encoders, and what `source` held besides.
ebm_status ebm_config_save(const ebm_config *config, const char *directory);

// Models from scratch, with the originals' defaults for the rest: intermediate 4 * hidden, dropout 0.1, heads of 64
// (of 32 where 64 does not divide hidden, else of 16). hidden must be a multiple of 16.
ebm_status ebm_config_default_gpt2(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                   ebm_config **config);
ebm_status ebm_config_default_bert(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                   ebm_config **config);
ebm_status ebm_config_default_roberta(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                      ebm_config **config);
// As answerdotai/ModernBERT-base has it: no biases, no dropout, local attention in two layers of three.
ebm_status ebm_config_default_modernbert(size_t layers, size_t hidden, size_t vocabulary, size_t max_positions,
                                         ebm_config **config);
ebm_status ebm_config_copy(const ebm_config *config, ebm_config **copy);

// Copies the names. At least one label, none twice, UTF-8 without control characters.
ebm_status ebm_config_set_labels(ebm_config *config, const char *const *labels, size_t count);
// The id of a label's name, or -1.
int32_t ebm_config_label_id(const ebm_config *config, const char *label);

// What ebm_config_load checks, for a config made or changed by hand; `where` starts the sentence.
ebm_status ebm_config_check(const ebm_config *config, const char *where);

size_t ebm_config_head_size(const ebm_config *config);  // hidden / heads
size_t ebm_config_max_tokens(const ebm_config *config); // longest sequence: max_positions - position_offset

#ifdef __cplusplus
}
#endif
#endif
