// Tokens that are found in a text before it is cut into words: special tokens and those a user added.
//
//     ebm_added_tokens tokens = {0};
//     EBM_TRY(ebm_added_tokens_put(&tokens, (ebm_added_token){.text = "<mask>", .bytes = 6, .id = 4, .lstrip = true}));
//     EBM_TRY(ebm_added_tokens_index(&tokens));
//     for (ebm_added_match match = {0}; ebm_added_tokens_next(&tokens, text, bytes, &match);) ...
//
// Source: tokenizers/src/tokenizer/added_vocabulary.rs (leftmost longest match; lstrip and rstrip take the spaces
// beside a token into it; single_word refuses a match beside a letter).
#ifndef EBM_ADDED_TOKENS_H
#define EBM_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "vocabulary.h"

typedef struct {
    const char *text; // copied by put
    size_t bytes;
    const char *sought; // what is looked for, if that is not the text: the text normalised. Copied by put
    size_t sought_bytes;
    int32_t id;
    bool lstrip, rstrip, single_word;
    bool normalized; // looked for after normalisation, not before
    bool special;    // left out by a decoder that skips special tokens
    bool hidden;     // never looked for in texts
} ebm_added_token;

typedef struct {
    ebm_added_token *tokens;
    size_t count, capacity;
    bool split_special;      // special tokens written out in a text are not taken for such
    ebm_vocabulary contents; // text to index
    int32_t *index_of_id;    // by id; -1: none
    size_t id_limit;         // largest id + 1
    // By `normalized`: the tokens in order of their first byte, longest first, and where each first byte begins.
    struct ebm_added_order {
        struct ebm_sought_token {
            const char *text;
            size_t bytes;
            int32_t index;
        } * tokens;
        size_t count;
        uint32_t begin[257];
        uint8_t pairs[8192]; // bits of first two bytes; of a one-byte token, all second ones
        int only;            // the one first byte of all; -1: there are several
    } sets[2];
} ebm_added_tokens;

// A token of the same text is replaced, and keeps its place. Its id must be no other token's.
ebm_status ebm_added_tokens_put(ebm_added_tokens *tokens, ebm_added_token token);
// After putting tokens or changing their flags, before looking for them.
ebm_status ebm_added_tokens_index(ebm_added_tokens *tokens);
void ebm_added_tokens_free(ebm_added_tokens *tokens);

// NULL: none.
ebm_added_token *ebm_added_tokens_find(const ebm_added_tokens *tokens, int32_t id);
ebm_added_token *ebm_added_tokens_find_text(const ebm_added_tokens *tokens, const char *text, size_t bytes);

// Scanning state: zeroed but for `normalized`.
typedef struct {
    bool normalized;   // which of the two sets is looked for
    size_t at;         // where to look on
    size_t covered;    // end of what was given out
    size_t start, end; // the match found, stripped spaces included; may begin before the last one's spaces end
    int32_t id;
} ebm_added_match;

// The next match at or after match->at; false: there is none.
bool ebm_added_tokens_next(const ebm_added_tokens *tokens, const char *text, size_t bytes, ebm_added_match *match);

#endif
