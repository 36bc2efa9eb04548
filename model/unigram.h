// SentencePiece's Unigram: a text is cut into the tokens whose scores (log probabilities) have the greatest sum, equal
// to the tokenizers library.
//
//     ebm_unigram *unigram = NULL;
//     EBM_TRY(ebm_unigram_create(&vocabulary, scores, vocabulary.size, 0, false, &unigram));
//     ebm_unigram_scratch s = {0};
//     EBM_CHECK(ebm_unigram_encode(unigram, word, bytes, &s, &ids), end); // end: ebm_unigram_scratch_free, ..._free
//
// Source: Kudo, Subword Regularization, ACL 2018, section 3.2; the search with one best way to each byte is that of
// sentencepiece's EncodeOptimized, on which the tokenizers library's (and its order of equal sums) is modelled.
#ifndef EBM_UNIGRAM_H
#define EBM_UNIGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "id_list.h"
#include "status.h"
#include "vocabulary.h"
#include "word_cache.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_unigram ebm_unigram;

// Tokens 0 to count - 1 of the vocabulary with their scores; both are copied, so that the vocabulary may grow or go.
// Of tokens with the same text the last one counts. `unknown` stands for characters that are no token, neighbours
// together, at 10 below the least score; with byte_fallback they become the tokens <0x00> to <0xFF> of their bytes
// where all of them are there. EBM_ERROR_INPUT for a token without text, a score that is not finite, `unknown` outside
// the tokens.
ebm_status ebm_unigram_create(const ebm_vocabulary *vocabulary, const double *scores, size_t count,
                              int32_t unknown /* -1: none */, bool byte_fallback, ebm_unigram **unigram);
void ebm_unigram_free(ebm_unigram *unigram); // NULL is accepted

// What one caller needs while encoding; remembers the tokens of frequent words. For one unigram at a time: free it
// before using it with another.
typedef struct {
    struct ebm_unigram_node *nodes; // one a byte
    size_t capacity;
    ebm_word_cache cache;
} ebm_unigram_scratch;
void ebm_unigram_scratch_free(ebm_unigram_scratch *scratch); // zeroed is accepted, and what is left

// Appends the ids of valid UTF-8; time grows with bytes times the longest token at most. EBM_ERROR_INPUT for a
// character that is no token when there is no unknown token: the list is then left as it was.
ebm_status ebm_unigram_encode(const ebm_unigram *unigram, const char *text, size_t bytes, ebm_unigram_scratch *scratch,
                              ebm_id_list *ids);

#ifdef __cplusplus
}
#endif
#endif
