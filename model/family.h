// The model families: which there are, by the model_type of their config.json. What makes one different from another is
// one table, family.c (its columns: family_traits.h); FAMILIES.md beside it says how to add a family.
#ifndef EBM_FAMILY_H
#define EBM_FAMILY_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_FAMILY_BERT,
    EBM_FAMILY_ROBERTA,
    EBM_FAMILY_GPT2,
    EBM_FAMILY_DISTILBERT,
    EBM_FAMILY_ELECTRA,
    EBM_FAMILY_XLM_ROBERTA,
    EBM_FAMILY_MODERNBERT,
    EBM_FAMILIES
} ebm_family;

// The vector of a sequence that a head works on: its first token's, or the mean of all its tokens'.
typedef enum { EBM_POOLING_FIRST, EBM_POOLING_MEAN } ebm_pooling;

const char *ebm_family_name(ebm_family family);             // its model_type: "bert", "xlm-roberta", ...
bool ebm_family_find(const char *name, ebm_family *family); // by model_type
bool ebm_family_is_encoder(ebm_family family);              // else a decoder: GPT-2
// The names for a sentence, "bert", "roberta", ... in quotes; written to `text`, which is returned.
const char *ebm_family_list(bool encoders_only, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
