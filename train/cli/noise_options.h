// Where the noise of `ebmcl train` and `ebmcl noise sample` comes from: one set of options for both.
#ifndef EBM_NOISE_OPTIONS_H
#define EBM_NOISE_OPTIONS_H

#include <stdint.h>

#include "options.h"

typedef enum {
    EBM_SOURCE_MODEL,   // --noise_model: sampled by an autoregressive model
    EBM_SOURCE_MLM,     // --noise_mlm: training texts, tokens filled in anew by a masked language model
    EBM_SOURCE_SHUFFLE, // training texts, their words in random order
    EBM_SOURCE_FILE,    // --noise_file
} ebm_source;

typedef struct {
    int source; // ebm_source once resolved
    const char *model, *mlm, *file;
    double mask, temperature;
    int64_t top_k;
    size_t slots, ngram;
    bool mask_is_given; // else the model's own counts
} ebm_noise_options;

extern const char *const EBM_SOURCES[]; // names in the order of ebm_source

// clang-format off
#define EBM_NOISE_OPTIONS(type, member)                                                                                \
    {"noise_source", EBM_OPTION_ENUM, offsetof(type, member.source), NULL,                                             \
     "A noise model, training texts with tokens filled in anew or with their words shuffled, or a file; default: "     \
     "what the options below say",                                                                                     \
     0, 0, false, EBM_SOURCES, false},                                                                                 \
        {"noise_model", EBM_OPTION_MODEL, offsetof(type, member.model), NULL,                                          \
         "The noise model to stream from; it says itself what it is shown of a text", 0, 0, false, NULL, false},       \
        {"noise_mlm", EBM_OPTION_MODEL, offsetof(type, member.mlm), NULL,                                              \
         "Masked language model (BERT, RoBERTa, ... with its head) that fills in tokens of training texts", 0, 0,      \
         false, NULL, false},                                                                                          \
        {"noise_file", EBM_OPTION_STRING, offsetof(type, member.file), NULL,                                           \
         "Noise texts, one a line, pairs as A <SEP> B or on two lines each", 0, 0, false, NULL, false},                \
        {"shuffle_ngram", EBM_OPTION_SIZE, offsetof(type, member.ngram), "1",                                          \
         "Shuffled texts: blocks of so many words stay together", 1, 1000, false, NULL, false},                        \
        {"mask_probability", EBM_OPTION_FLOAT, offsetof(type, member.mask), "0.4",                                     \
         "Share of a text's tokens that the model is not shown (M); default: what a noise model was trained with", 0,  \
         1, false, NULL, false},                                                                                       \
        {"top_k", EBM_OPTION_INT, offsetof(type, member.top_k), "20",                                                  \
         "Noise is sampled from so many tokens; 0: all", 0, 64, false, NULL, false},                                   \
        {"temperature", EBM_OPTION_FLOAT, offsetof(type, member.temperature), "1", "Of noise sampling", 0, 100, true,  \
         NULL, false},                                                                                                 \
        {"noise_slots", EBM_OPTION_SIZE, offsetof(type, member.slots), "128", "Noise texts generated at a time", 1,    \
         4096, false, NULL, false}
// clang-format on

// Whether any option says where noise comes from.
bool ebm_noise_options_any(const ebm_noise_options *set);
// Finds the source where it is not named, and checks that what it needs is there and what belongs to others is not.
ebm_status ebm_noise_options_resolve(ebm_noise_options *set, const ebm_options *given);
// The file or directory that noise comes from, or "shuffled training texts".
const char *ebm_noise_options_origin(const ebm_noise_options *set);

#endif
