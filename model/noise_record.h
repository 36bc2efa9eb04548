// What noise.json beside a noise model's weights says: which tokens have a role, how the model was trained, and the
// labels it knows. Read and written by noise_model.c.
#ifndef EBM_NOISE_RECORD_H
#define EBM_NOISE_RECORD_H

#include "noise_model.h"

typedef struct {
    ebm_noise_roles roles;
    ebm_noise_training training;
    char **labels; // roles.label_count names, in the order of their tokens
} ebm_noise_record;

// Roles, training and labels of "<directory>/noise.json"; *found = false and nothing is changed where there is none.
ebm_status ebm_noise_record_read(const char *directory, const ebm_tokenizer *tokenizer, ebm_noise_record *record,
                                 bool *found);
ebm_status ebm_noise_record_write(const ebm_noise_record *record, const ebm_tokenizer *tokenizer,
                                  const char *directory);
// Roles for a vocabulary nothing was recorded of: tokens it has, or new ones at its end.
ebm_status ebm_noise_record_assign(ebm_tokenizer *tokenizer, ebm_noise_roles *roles);
// The labels <LABEL_0>, <LABEL_1>, ... stand for: new tokens at the vocabulary's end; where the record has labels
// already, each of these must be among them.
ebm_status ebm_noise_record_add_labels(ebm_noise_record *record, ebm_tokenizer *tokenizer, const char *const *names,
                                       size_t count);
void ebm_noise_record_free(ebm_noise_record *record); // zeroed is accepted

#endif
