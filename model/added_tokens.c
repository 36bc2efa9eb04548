#include "added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "bert_unicode.h"
#include "unicode_class.h"
#include "utf8.h"

static void free_text(const char *text)
{
    char *ours;
    memcpy(&ours, &text, sizeof ours); // ours, though borrowers see it const
    free(ours);
}

static char *copy(const char *text, size_t bytes)
{
    char *made = malloc(bytes + 1);
    if (!made) return NULL;
    memcpy(made, text, bytes);
    made[bytes] = 0;
    return made;
}

void ebm_added_tokens_free(ebm_added_tokens *t)
{
    for (size_t i = 0; i < t->count; i++) {
        free_text(t->tokens[i].text);
        free_text(t->tokens[i].sought);
    }
    free(t->tokens);
    free(t->index_of_id);
    free(t->sets[0].tokens);
    free(t->sets[1].tokens);
    ebm_vocabulary_free(&t->contents);
    *t = (ebm_added_tokens){0};
}

ebm_added_token *ebm_added_tokens_find(const ebm_added_tokens *t, int32_t id)
{
    const bool known = id >= 0 && (size_t)id < t->id_limit && t->index_of_id[id] >= 0;
    return known ? &t->tokens[t->index_of_id[id]] : NULL;
}

ebm_added_token *ebm_added_tokens_find_text(const ebm_added_tokens *t, const char *text, size_t bytes)
{
    const int32_t index = ebm_vocabulary_find(&t->contents, text, bytes);
    return index >= 0 ? &t->tokens[index] : NULL;
}

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "out of memory for an added token"); }

static bool grow_ids(ebm_added_tokens *t, size_t limit)
{
    if (limit <= t->id_limit) return true;
    int32_t *grown = realloc(t->index_of_id, limit * sizeof *grown);
    if (!grown) return false;
    for (size_t i = t->id_limit; i < limit; i++) grown[i] = -1;
    t->index_of_id = grown;
    t->id_limit = limit;
    return true;
}

static ebm_status append(ebm_added_tokens *t, const ebm_added_token *token)
{
    const ebm_added_token *other = ebm_added_tokens_find(t, token->id);
    if (token->id < 0 || (size_t)token->id >= EBM_VOCABULARY_LIMIT)
        return ebm_fail(EBM_ERROR_INPUT, "the added token \"%.80s\" has the id %d; expected 0 to %zu", token->text,
                        (int)token->id, EBM_VOCABULARY_LIMIT - 1);
    if (other)
        return ebm_fail(EBM_ERROR_INPUT, "the added tokens \"%.80s\" and \"%.80s\" have the same id %d", other->text,
                        token->text, (int)token->id);
    if (t->count == t->capacity) {
        const size_t capacity = t->capacity ? 2 * t->capacity : 16;
        ebm_added_token *grown = realloc(t->tokens, capacity * sizeof *grown);
        if (!grown) return no_memory();
        t->tokens = grown;
        t->capacity = capacity;
    }
    if (!grow_ids(t, (size_t)token->id + 1)) return no_memory();
    EBM_TRY(ebm_vocabulary_put(&t->contents, (int64_t)t->count, token->text, token->bytes));
    t->index_of_id[token->id] = (int32_t)t->count;
    t->tokens[t->count++] = *token;
    return ebm_ok();
}

ebm_status ebm_added_tokens_put(ebm_added_tokens *t, ebm_added_token token)
{
    token.text = copy(token.text, token.bytes);
    if (token.sought) token.sought = copy(token.sought, token.sought_bytes);
    ebm_status status = token.text ? ebm_ok() : no_memory();
    ebm_added_token *old = token.text ? ebm_added_tokens_find_text(t, token.text, token.bytes) : NULL;
    if (status.code == EBM_OK && old) {
        token.id = old->id;
        const ebm_added_token gone = *old;
        *old = token;
        token = gone;
    } else if (status.code == EBM_OK) {
        status = append(t, &token);
        if (status.code == EBM_OK) return status;
    }
    free_text(token.text);
    free_text(token.sought);
    return status;
}

// --- looking for them -----------------------------------------------------------------------------------------------

typedef struct ebm_sought_token sought_token;

// By first byte, longest first; of equal ones the first that was put.
static int compare(const void *a, const void *b)
{
    const sought_token *x = a, *y = b;
    const unsigned char first = (unsigned char)x->text[0], other = (unsigned char)y->text[0];
    if (first != other) return first < other ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes > y->bytes ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

static void mark(struct ebm_added_order *set, const sought_token *token)
{
    const unsigned first = (unsigned char)token->text[0];
    const unsigned second = token->bytes > 1 ? (unsigned char)token->text[1] : 0;
    if (token->bytes == 1)
        memset(set->pairs + first * 32, 0xFF, 32);
    else
        set->pairs[first * 32 + second / 8] |= (uint8_t)(1U << (second % 8));
    set->begin[first + 1]++;
    set->only = set->only == -2 || set->only == (int)first ? (int)first : -1;
}

static bool fill(const ebm_added_tokens *t, bool normalized, struct ebm_added_order *set)
{
    sought_token *tokens = realloc(set->tokens, (t->count + 1) * sizeof *tokens);
    if (!tokens) return false;
    *set = (struct ebm_added_order){.tokens = tokens, .only = -2};
    for (size_t i = 0; i < t->count; i++) {
        const ebm_added_token *token = &t->tokens[i];
        const sought_token made = {token->sought ? token->sought : token->text,
                                   token->sought ? token->sought_bytes : token->bytes, (int32_t)i};
        if (token->hidden || token->normalized != normalized || made.bytes == 0) continue;
        tokens[set->count++] = made;
        mark(set, &made);
    }
    for (size_t i = 0; i < 256; i++) set->begin[i + 1] += set->begin[i];
    qsort(tokens, set->count, sizeof *tokens, compare);
    return true;
}

ebm_status ebm_added_tokens_index(ebm_added_tokens *t)
{
    return fill(t, false, &t->sets[0]) && fill(t, true, &t->sets[1]) ? ebm_ok() : no_memory();
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
    if (start > 0 && ebm_is_word(character_before(text, start, &i))) return false;
    i = end;
    return end == bytes || !ebm_is_word(ebm_utf8_next(text, &i));
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

// Where a token may begin, at or after `at`.
static size_t candidate(const struct ebm_added_order *set, const char *text, size_t bytes, size_t at)
{
    for (; at < bytes; at++) {
        if (set->only >= 0) {
            const char *found = memchr(text + at, set->only, bytes - at);
            if (!found) return bytes;
            at = (size_t)(found - text);
        }
        const unsigned first = (unsigned char)text[at];
        if (set->begin[first] == set->begin[first + 1]) continue;
        // A token of one byte has all its bits set.
        const unsigned second = at + 1 < bytes ? (unsigned char)text[at + 1] : 0;
        if (set->pairs[first * 32 + second / 8] >> (second % 8) & 1) return at;
    }
    return bytes;
}

static const sought_token *longest_at(const struct ebm_added_order *set, const char *text, size_t bytes)
{
    const unsigned first = (unsigned char)text[0];
    for (size_t i = set->begin[first]; i < set->begin[first + 1]; i++)
        if (set->tokens[i].bytes <= bytes && memcmp(text, set->tokens[i].text, set->tokens[i].bytes) == 0)
            return &set->tokens[i];
    return NULL;
}

bool ebm_added_tokens_next(const ebm_added_tokens *t, const char *text, size_t bytes, ebm_added_match *match)
{
    const struct ebm_added_order *set = &t->sets[match->normalized];
    if (set->count == 0) return false;
    for (size_t i = match->at; (i = candidate(set, text, bytes, i)) < bytes;) {
        const sought_token *found = longest_at(set, text + i, bytes - i);
        if (!found) {
            i++;
            continue;
        }
        const ebm_added_token *token = &t->tokens[found->index];
        match->start = i;
        match->end = i += found->bytes;
        if (t->split_special && token->special) continue;
        if (token->single_word && !stands_alone(text, bytes, match->start, match->end)) continue;
        take_spaces(token, text, bytes, match);
        match->id = token->id;
        match->at = i;
        match->covered = match->end;
        return true;
    }
    match->at = bytes;
    return false;
}
