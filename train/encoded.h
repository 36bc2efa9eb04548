// A data set as token sequences: every text encoded once, before training.
#ifndef EBM_ENCODED_H
#define EBM_ENCODED_H

#include "dataset.h"
#include "packing.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_encoded ebm_encoded;

// Texts and pairs with the family's special tokens, cut to max_length (longest first for pairs). Labels are copied.
ebm_status ebm_encoded_create(const ebm_dataset *dataset, const ebm_tokenizer *tokenizer, size_t max_length,
                              ebm_encoded **encoded);
void ebm_encoded_free(ebm_encoded *encoded); // NULL is accepted

size_t ebm_encoded_count(const ebm_encoded *encoded);
ebm_sequence ebm_encoded_sequence(const ebm_encoded *encoded, size_t index); // borrowed
const int32_t *ebm_encoded_labels(const ebm_encoded *encoded);               // count, -1 where unlabelled; borrowed
size_t ebm_encoded_tokens(const ebm_encoded *encoded);                       // of all sequences
size_t ebm_encoded_longest(const ebm_encoded *encoded);

#ifdef __cplusplus
}
#endif
#endif
