#include "unigram.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "trie.h"
#include "word_cache.h"

#define UNKNOWN_PENALTY 10.0 // sentencepiece's kUnkPenalty

struct ebm_unigram {
    ebm_trie trie; // values: ids
    double *scores;
    double unknown_score;
    int32_t unknown;
    int32_t id_of_byte[256]; // -1: none, or no fallback
};

// The best way to the end of a byte: the token that ends there and where it starts.
#define NOWHERE UINT32_MAX
typedef struct ebm_unigram_node {
    double score;
    uint32_t start; // NOWHERE: no way leads here
    int32_t id;
} node;

static ebm_status copy_tokens(ebm_unigram *u, const ebm_vocabulary *vocabulary, const double *scores, size_t count)
{
    ebm_trie_entry *entries = calloc(count ? count : 1, sizeof *entries);
    u->scores = calloc(count ? count : 1, sizeof *u->scores);
    ebm_status status = ebm_ok();
    if (!entries || !u->scores) status = ebm_fail(EBM_ERROR_MEMORY, "out of memory for %zu tokens", count);
    EBM_CHECK(status, end);
    double least = HUGE_VAL;
    for (size_t i = 0; i < count; i++) {
        entries[i].value = (int32_t)i;
        entries[i].text = ebm_vocabulary_text(vocabulary, (int32_t)i, &entries[i].bytes);
        if (!entries[i].text) status = ebm_fail(EBM_ERROR_INPUT, "the vocabulary has no token %zu of %zu", i, count);
        EBM_CHECK(status, end);
        if (!isfinite(scores[i]))
            status = ebm_fail(EBM_ERROR_INPUT, "token %zu (\"%.80s\"): expected a finite score, found %g", i,
                              entries[i].text, scores[i]);
        EBM_CHECK(status, end);
        u->scores[i] = scores[i];
        if (scores[i] < least) least = scores[i];
    }
    u->unknown_score = least - UNKNOWN_PENALTY;
    status = ebm_trie_build(&u->trie, entries, count);
end:
    free(entries);
    return status;
}

ebm_status ebm_unigram_create(const ebm_vocabulary *vocabulary, const double *scores, size_t count, int32_t unknown,
                              bool byte_fallback, ebm_unigram **out)
{
    ebm_status status = ebm_ok();
    if (count > EBM_VOCABULARY_LIMIT || unknown < -1 || (unknown >= 0 && (size_t)unknown >= count))
        return ebm_fail(EBM_ERROR_INPUT, "the unknown token is %d, of %zu tokens", (int)unknown, count);
    ebm_unigram *u = calloc(1, sizeof *u);
    if (!u) return ebm_fail(EBM_ERROR_MEMORY, "out of memory for %zu tokens", count);
    u->unknown = unknown;
    EBM_CHECK(copy_tokens(u, vocabulary, scores, count), fail);
    for (unsigned byte = 0; byte < 256; byte++) {
        char name[8];
        const int length = snprintf(name, sizeof name, "<0x%02X>", byte);
        u->id_of_byte[byte] = byte_fallback ? ebm_trie_find(&u->trie, name, (size_t)length) : -1;
    }
    *out = u;
    return status;
fail:
    ebm_unigram_free(u);
    return status;
}

void ebm_unigram_free(ebm_unigram *u)
{
    if (!u) return;
    ebm_trie_free(&u->trie);
    free(u->scores);
    free(u);
}

void ebm_unigram_scratch_free(ebm_unigram_scratch *s)
{
    free(s->nodes);
    ebm_word_cache_free(&s->cache);
    *s = (ebm_unigram_scratch){0};
}

static bool reserve(ebm_unigram_scratch *s, size_t count)
{
    if (count <= s->capacity) return true;
    const size_t capacity = count < 512 ? 1024 : 2 * count;
    node *nodes = capacity >= NOWHERE ? NULL : malloc(capacity * sizeof *nodes);
    if (!nodes) return false;
    free(s->nodes);
    s->nodes = nodes;
    s->capacity = capacity;
    return true;
}

// Of equal sums the one that was found first stays.
static inline void offer(node *end, double score, size_t start, int32_t id)
{
    if (end->start != NOWHERE && !(score > end->score)) return;
    *end = (node){.score = score, .start = (uint32_t)start, .id = id};
}

// All tokens that start at a byte; whether one of them is just the character there, `length` bytes.
static bool offer_tokens(const ebm_unigram *u, const char *text, size_t bytes, size_t start, size_t length, node *nodes)
{
    const double here = nodes[start].score;
    bool single = false;
    uint32_t at = EBM_TRIE_ROOT;
    for (size_t i = start; i < bytes; i++) {
        at = ebm_trie_step(&u->trie, at, text[i]);
        if (!at) break;
        const int32_t id = u->trie.units[at].value;
        if (id < 0) continue;
        offer(&nodes[i + 1], u->scores[id] + here, start, id);
        single = single || i + 1 - start == length;
    }
    return single;
}

static ebm_status no_unknown(const char *text, size_t at)
{
    size_t i = at;
    return ebm_fail(EBM_ERROR_INPUT, "the character U+%04X at byte %zu is no token, and there is no unknown token",
                    (unsigned)ebm_utf8_next(text, &i), at);
}

static ebm_status search(const ebm_unigram *u, const char *text, size_t bytes, node *nodes)
{
    nodes[0].score = 0;
    for (size_t i = 1; i <= bytes; i++) nodes[i].start = NOWHERE;
    for (size_t start = 0, next = 0; start < bytes; start = next) {
        ebm_utf8_next(text, &next);
        if (offer_tokens(u, text, bytes, start, next - start, nodes)) continue;
        const double score = u->unknown_score + nodes[start].score;
        if (nodes[next].start != NOWHERE && !(score > nodes[next].score)) continue;
        if (u->unknown < 0) return no_unknown(text, start);
        offer(&nodes[next], score, start, u->unknown);
    }
    return ebm_ok();
}

// Turns the way round: from then on `start` of a node is the end of the token after it. The first token's end.
static size_t reverse(node *nodes, size_t bytes)
{
    uint32_t following = NOWHERE;
    size_t end = bytes, first = bytes;
    while (end > 0) {
        const uint32_t start = nodes[end].start;
        nodes[end].start = following;
        following = (uint32_t)end;
        first = end;
        end = start;
    }
    return first;
}

// Unknown characters, all that stand together: together they may be a token after all (one of a low score, or the
// unknown token written out).
static bool put_unknown(const ebm_unigram *u, const char *text, size_t bytes, ebm_id_list *ids)
{
    const int32_t id = ebm_trie_find(&u->trie, text, bytes);
    if (id >= 0) return ebm_id_list_append(ids, id);
    for (size_t i = 0; i < bytes; i++)
        if (u->id_of_byte[(unsigned char)text[i]] < 0) return ebm_id_list_append(ids, u->unknown);
    if (!ebm_id_list_reserve(ids, bytes)) return false;
    for (size_t i = 0; i < bytes; i++) ids->ids[ids->count++] = u->id_of_byte[(unsigned char)text[i]];
    return true;
}

static bool put_way(const ebm_unigram *u, const char *text, size_t bytes, node *nodes, ebm_id_list *ids)
{
    size_t end = reverse(nodes, bytes), start = 0;
    while (start < bytes) {
        if (nodes[end].id != u->unknown) {
            if (!ebm_id_list_append(ids, nodes[end].id)) return false;
        } else {
            while (end < bytes && nodes[nodes[end].start].id == u->unknown) end = nodes[end].start;
            if (!put_unknown(u, text + start, end - start, ids)) return false;
        }
        start = end;
        end = nodes[end].start;
    }
    return true;
}

ebm_status ebm_unigram_encode(const ebm_unigram *u, const char *text, size_t bytes, ebm_unigram_scratch *s,
                              ebm_id_list *ids)
{
    if (bytes == 0) return ebm_ok();
    if (!ebm_word_cache_prepare(&s->cache) || !ebm_id_list_reserve(ids, EBM_WORD_IDS) || !reserve(s, bytes + 1))
        return ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of %zu bytes", bytes);
    const bool is_word = bytes <= EBM_WORD_BYTES;
    const ebm_word_key key = is_word ? ebm_word_key_of(text, bytes) : (ebm_word_key){{0}};
    if (is_word && ebm_word_cache_append(&s->cache, &key, ids)) return ebm_ok();
    const size_t before = ids->count;
    EBM_TRY(search(u, text, bytes, s->nodes));
    const bool ok = put_way(u, text, bytes, s->nodes, ids);
    if (ok && is_word) ebm_word_cache_put(&s->cache, &key, ids->ids + before, ids->count - before);
    if (ok) return ebm_ok();
    ids->count = before;
    return ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of %zu bytes", bytes);
}
