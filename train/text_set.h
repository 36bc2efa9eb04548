// The texts of a data set, to be asked whether another text is one of them: the same words in the same order, in a pair
// in both of its parts. What blanks stand between words does not matter.
#ifndef EBM_TEXT_SET_H
#define EBM_TEXT_SET_H

#include "dataset.h"

typedef struct ebm_text_set ebm_text_set;

// The next word of a text from *at on: what stands between blanks (ASCII's). NULL at the end.
const char *ebm_next_word(const char *text, size_t *at, size_t *length);

ebm_status ebm_text_set_create(const ebm_dataset *dataset, ebm_text_set **set);              // borrows the data set
bool ebm_text_set_contains(const ebm_text_set *set, const char *text_a, const char *text_b); // text_b NULL: no pair
void ebm_text_set_free(ebm_text_set *set);                                                   // NULL is accepted

// A copy of the texts that are none of `others`; *dropped: how many are. EBM_ERROR_INPUT when nothing is left.
ebm_status ebm_dataset_without(const ebm_dataset *texts, const ebm_dataset *others, size_t *dropped,
                               ebm_dataset **left);

#endif
