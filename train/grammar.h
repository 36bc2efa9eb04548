// Short texts from a probabilistic grammar whose p(label | text) is known exactly: what a calibrated model should say.
//
//     ebm_grammar *grammar = NULL;
//     EBM_TRY(ebm_grammar_create(&grammar));
//     EBM_CHECK(ebm_grammar_dataset(grammar, seed, 0, 1000, &train), end);
//     double truth[EBM_GRAMMAR_LABELS];
//     ebm_grammar_posterior(grammar, "the soup at the station was cold", truth);
//
// A text is made by drawing a label, a template for that label, and a word for each open place of the template; all
// three distributions are in grammar.c. Bayes' theorem turns them round. Words and templates lean towards a label
// without belonging to it, so many texts are ambiguous and the best possible accuracy is far from 1.
#ifndef EBM_GRAMMAR_H
#define EBM_GRAMMAR_H

#include <stdbool.h>

#include "dataset.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_GRAMMAR_LABELS = 3 }; // complaint, praise, question

typedef struct ebm_grammar ebm_grammar;

ebm_status ebm_grammar_create(ebm_grammar **grammar);
void ebm_grammar_free(ebm_grammar *grammar); // NULL is accepted

// All words of all texts, each once, lower case; borrowed.
const char *const *ebm_grammar_words(const ebm_grammar *grammar, size_t *count);

// `count` labelled texts, independently drawn (a text may come twice). `part` gives independent sets for one seed:
// training, validation, test. The same arguments give the same texts.
ebm_status ebm_grammar_dataset(const ebm_grammar *grammar, uint64_t seed, uint32_t part, size_t count,
                               ebm_dataset **dataset);

// p(label | text), all ways to make the text summed; false when the grammar cannot make it.
bool ebm_grammar_posterior(const ebm_grammar *grammar, const char *text, double posterior[EBM_GRAMMAR_LABELS]);

#ifdef __cplusplus
}
#endif
#endif
