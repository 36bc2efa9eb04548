// BERT's tokenizer: cleaning, lower case, accents, spaces around Chinese characters, splitting at spaces and
// punctuation, then the longest pieces first from the left of each word ("##" before all but the first).
//
//     ebm_wordpiece w = {.vocabulary = &v, .unknown = 100, .lower_case = true, .strip_accents = true,
//                        .space_chinese = true};
//     ebm_wordpiece_scratch s = {0};
//     EBM_TRY(ebm_wordpiece_normalize(&w, text, bytes, &s));
//     EBM_TRY(ebm_wordpiece_encode(&w, s.text.bytes, s.text.size, &ids));
//     ebm_wordpiece_scratch_free(&s);
//
// Source: google-research/bert tokenization.py, and what the tokenizers library makes of it (it uses the character
// classes of Unicode 8, and so does this: see bert_unicode.h).
#ifndef EBM_WORDPIECE_H
#define EBM_WORDPIECE_H

#include "id_list.h"
#include "status.h"
#include "vocabulary.h"

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

typedef struct {
    ebm_bytes text;    // the normalised text
    uint32_t *waiting; // marks to be put in canonical order
    size_t waiting_count, waiting_capacity;
} ebm_wordpiece_scratch;
void ebm_wordpiece_scratch_free(ebm_wordpiece_scratch *scratch);

// Valid UTF-8 in, scratch->text out (replaced). EBM_ERROR_MEMORY only.
ebm_status ebm_wordpiece_normalize(const ebm_wordpiece *wordpiece, const char *text, size_t bytes,
                                   ebm_wordpiece_scratch *scratch);

// Appends the ids of normalised text. EBM_ERROR_MEMORY only.
ebm_status ebm_wordpiece_encode(const ebm_wordpiece *wordpiece, const char *text, size_t bytes, ebm_id_list *ids);

// Appends the text of one token as the decoder of the tokenizers library does: "##" is dropped, other tokens get a
// space before them, but not in front of . ? ! , n't 'm 's 've 're. False when out of memory.
bool ebm_wordpiece_decode(const char *token, size_t bytes, bool first, ebm_bytes *text);

#ifdef __cplusplus
}
#endif
#endif
