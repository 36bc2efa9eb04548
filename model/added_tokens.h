// Tokens that are found in a text before it is normalised or split: special tokens and those a user added.
//
//     ebm_added_tokens tokens = {0};
//     EBM_TRY(ebm_added_tokens_put(&tokens, (ebm_added_token){.text = "<mask>", .bytes = 6, .id = 4, .lstrip = true}));
//     for (size_t at = 0; ebm_added_tokens_next(&tokens, text, bytes, &at, &match);) ...
//
// Source: tokenizers/src/tokenizer/added_vocabulary.rs (leftmost longest match; lstrip and rstrip take the spaces
// beside a token into it; single_word refuses a match beside a letter).
#ifndef EBM_ADDED_TOKENS_H
#define EBM_ADDED_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct {
    const char *text; // copied by put
    size_t bytes;
    int32_t id;
    bool lstrip, rstrip, single_word;
    bool normalized; // looked for after normalisation, not before
    bool special;    // left out by a decoder that skips special tokens
    bool hidden;     // never looked for in texts
} ebm_added_token;

typedef struct {
    ebm_added_token *tokens;
    size_t count, capacity;
    bool first_byte[2][256]; // by normalized: bytes some token begins with
    bool any[2];
} ebm_added_tokens;

// A token of the same id is replaced.
ebm_status ebm_added_tokens_put(ebm_added_tokens *tokens, ebm_added_token token);
ebm_added_token *ebm_added_tokens_find(const ebm_added_tokens *tokens, int32_t id); // NULL: none
void ebm_added_tokens_index(ebm_added_tokens *tokens);                              // after changing a token's flags
void ebm_added_tokens_free(ebm_added_tokens *tokens);

// Scanning state: zeroed but for `normalized`.
typedef struct {
    bool normalized;   // which of the two sets is looked for
    size_t at;         // where to look on
    size_t covered;    // end of what was given out
    size_t start, end; // the match found, stripped spaces included
    int32_t id;
} ebm_added_match;

// The next match at or after match->at; false: there is none.
bool ebm_added_tokens_next(const ebm_added_tokens *tokens, const char *text, size_t bytes, ebm_added_match *match);

#endif
