// Noise from the training texts themselves: the words of a text in random order, or blocks of `ngram` words in a row as
// in Sinha et al. 2021 ("Masked Language Modeling and the Distributional Hypothesis: Order Word Matters Pre-training
// for Little"). Parts of a pair are shuffled each by itself.
//
// A word is what stands between blanks, so the pieces a tokenizer cuts it into stay together and a text has the same
// tokens (but for what the tokenizer makes of a word at the beginning); no tokenizer is needed to make the texts, and
// what is written reads back as it was. Texts without blanks cannot be shuffled.
#ifndef EBM_NOISE_SHUFFLE_H
#define EBM_NOISE_SHUFFLE_H

#include "noise_stream.h"
#include "text_set.h"

typedef struct ebm_noise_shuffle ebm_noise_shuffle;

// `training` is borrowed. ngram > 0; of longer texts, and of longer parts of a pair, the first most_words are taken.
ebm_status ebm_noise_shuffle_create(const ebm_dataset *training, size_t ngram, size_t most_words, uint64_t seed,
                                    ebm_noise_shuffle **shuffle);
void ebm_noise_shuffle_free(ebm_noise_shuffle *shuffle); // NULL is accepted

// Text `number`, a function of it, the data set and the seed: a random row (with replacement), its words (blocks) in an
// order drawn evenly from all. text_b is NULL where rows are no pairs. Borrowed until the next call.
ebm_status ebm_noise_shuffle_make(ebm_noise_shuffle *shuffle, uint64_t number, const char **text_a,
                                  const char **text_b);
// The next text that no training text is equal to, from *number on, which ends behind it; adds to generated and
// duplicates. EBM_ERROR_INPUT when there is hardly any.
ebm_status ebm_noise_shuffle_next(ebm_noise_shuffle *shuffle, uint64_t *number, ebm_noise_statistics *statistics,
                                  const char **text_a, const char **text_b);

#endif
