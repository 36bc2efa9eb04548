// BERT's tokenizer: cleaning, lower case, accents, spaces around Chinese characters, splitting at spaces and
// punctuation, then the longest pieces first from the left of each word ("##" before all but the first).
//
//     ebm_wordpiece w = {.vocabulary = &v, .unknown = 100, .lower_case = true, .strip_accents = true,
//                        .space_chinese = true};
//     ebm_wordpiece_scratch s = {0};
//     EBM_CHECK(ebm_wordpiece_encode_text(&w, text, bytes, &s, &ids), end);    // end: ebm_wordpiece_scratch_free
// or, to look at the text between the two steps,
//     EBM_CHECK(ebm_wordpiece_normalize(&w, text, bytes, &s), end);
//     EBM_CHECK(ebm_wordpiece_encode(&w, s.text.bytes, s.text.size, &ids), end);
//
// Source: google-research/bert tokenization.py, and what the tokenizers library makes of it (it uses the character
// classes of Unicode 8, and so does this: see bert_unicode.h).
#ifndef EBM_WORDPIECE_H
#define EBM_WORDPIECE_H

#include "id_list.h"
#include "status.h"
#include "vocabulary.h"
#include "word_cache.h"

#ifdef __cplusplus
extern "C" {
#endif

// A word of more characters becomes one unknown token.
#define EBM_WORDPIECE_LONGEST_WORD 100

typedef struct {
    const ebm_vocabulary *vocabulary; // borrowed
    int32_t unknown;
    bool lower_case, strip_accents, space_chinese;
} ebm_wordpiece;

// What one caller needs; remembers what words and characters became, and forgets it for another ebm_wordpiece.
typedef struct {
    ebm_bytes text;    // the normalised text
    uint32_t *waiting; // marks to be put in canonical order
    size_t waiting_count, waiting_capacity;
    struct ebm_wordpiece_character *characters;
    unsigned characters_how;
    ebm_bytes padded;
    ebm_word_cache cache;
    ebm_wordpiece cache_of; // what the words in the cache were encoded with, and the vocabulary's version
    uint64_t cache_version;
} ebm_wordpiece_scratch;
void ebm_wordpiece_scratch_free(ebm_wordpiece_scratch *scratch);

// Valid UTF-8 in, scratch->text out (replaced). EBM_ERROR_MEMORY only.
ebm_status ebm_wordpiece_normalize(const ebm_wordpiece *wordpiece, const char *text, size_t bytes,
                                   ebm_wordpiece_scratch *scratch);

// Appends the ids of normalised text. EBM_ERROR_MEMORY only.
ebm_status ebm_wordpiece_encode(const ebm_wordpiece *wordpiece, const char *text, size_t bytes, ebm_id_list *ids);

// Both, word by word, without doing words anew that were met before: the same ids, several times as fast.
ebm_status ebm_wordpiece_encode_text(const ebm_wordpiece *wordpiece, const char *text, size_t bytes,
                                     ebm_wordpiece_scratch *scratch, ebm_id_list *ids);

#ifdef __cplusplus
}
#endif
#endif
