#include "added_tokens.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "bert_unicode.h"
#include "utf8.h"

void ebm_added_tokens_index(ebm_added_tokens *tokens)
{
    memset(tokens->first_byte, 0, sizeof tokens->first_byte);
    memset(tokens->any, 0, sizeof tokens->any);
    for (size_t i = 0; i < tokens->count; i++) {
        const ebm_added_token *token = &tokens->tokens[i];
        if (token->hidden || token->bytes == 0) continue;
        tokens->first_byte[token->normalized][(unsigned char)token->text[0]] = true;
        tokens->any[token->normalized] = true;
    }
}

ebm_added_token *ebm_added_tokens_find(const ebm_added_tokens *tokens, int32_t id)
{
    for (size_t i = 0; i < tokens->count; i++)
        if (tokens->tokens[i].id == id) return &tokens->tokens[i];
    return NULL;
}

static void token_free(ebm_added_token *token)
{
    char *text;
    memcpy(&text, &token->text, sizeof text); // ours, though borrowers see it const
    free(text);
}

ebm_status ebm_added_tokens_put(ebm_added_tokens *tokens, ebm_added_token token)
{
    char *text = malloc(token.bytes + 1);
    if (!text) return ebm_fail(EBM_ERROR_MEMORY, "out of memory for an added token");
    memcpy(text, token.text, token.bytes);
    text[token.bytes] = 0;
    token.text = text;
    ebm_added_token *old = ebm_added_tokens_find(tokens, token.id);
    if (old) {
        token_free(old);
        *old = token;
    } else {
        if (tokens->count == tokens->capacity) {
            const size_t capacity = tokens->capacity ? 2 * tokens->capacity : 16;
            ebm_added_token *grown = realloc(tokens->tokens, capacity * sizeof *grown);
            if (!grown) {
                free(text);
                return ebm_fail(EBM_ERROR_MEMORY, "out of memory for an added token");
            }
            tokens->tokens = grown;
            tokens->capacity = capacity;
        }
        tokens->tokens[tokens->count++] = token;
    }
    ebm_added_tokens_index(tokens);
    return ebm_ok();
}

void ebm_added_tokens_free(ebm_added_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++) token_free(&tokens->tokens[i]);
    free(tokens->tokens);
    *tokens = (ebm_added_tokens){0};
}

static const ebm_added_token *longest_at(const ebm_added_tokens *tokens, bool normalized, const char *text,
                                         size_t bytes)
{
    const ebm_added_token *best = NULL;
    for (size_t i = 0; i < tokens->count; i++) {
        const ebm_added_token *token = &tokens->tokens[i];
        if (token->hidden || token->normalized != normalized || token->bytes == 0 || token->bytes > bytes) continue;
        if (best && best->bytes >= token->bytes) continue;
        if (memcmp(text, token->text, token->bytes) == 0) best = token;
    }
    return best;
}

// \w of the regex crate: Alphabetic, marks, decimal digits, connector punctuation, join controls.
static bool is_word_character(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9);
    }
}

static uint32_t character_before(const char *text, size_t end, size_t *start)
{
    size_t i = end - 1;
    while (i > 0 && ((unsigned char)text[i] & 0xC0) == 0x80) i--;
    *start = i;
    return ebm_utf8_next(text, &i);
}

static bool stands_alone(const char *text, size_t bytes, size_t start, size_t end)
{
    size_t i = 0;
    if (start > 0 && is_word_character(character_before(text, start, &i))) return false;
    i = end;
    return end == bytes || !is_word_character(ebm_utf8_next(text, &i));
}

static void take_spaces(const ebm_added_token *token, const char *text, size_t bytes, ebm_added_match *match)
{
    size_t i;
    while (token->lstrip && match->start > match->covered &&
           ebm_bert_is_space(character_before(text, match->start, &i)))
        match->start = i;
    while (token->rstrip && match->end < bytes && (i = match->end, ebm_bert_is_space(ebm_utf8_next(text, &i))))
        match->end = i;
}

bool ebm_added_tokens_next(const ebm_added_tokens *tokens, const char *text, size_t bytes, ebm_added_match *match)
{
    if (!tokens->any[match->normalized]) return false;
    const bool *first_byte = tokens->first_byte[match->normalized];
    for (size_t i = match->at; i < bytes; i++) {
        if (!first_byte[(unsigned char)text[i]]) continue;
        const ebm_added_token *token = longest_at(tokens, match->normalized, text + i, bytes - i);
        if (!token) continue;
        match->start = i;
        match->end = i + token->bytes;
        if (token->single_word && !stands_alone(text, bytes, match->start, match->end)) {
            i = match->end - 1;
            continue;
        }
        take_spaces(token, text, bytes, match);
        match->id = token->id;
        match->at = match->covered = match->end;
        return true;
    }
    match->at = bytes;
    return false;
}
