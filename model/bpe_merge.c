// One word: its bytes' tokens in a linked list, possible merges in a heap; n log n in the word's bytes.
#include <stdlib.h>
#include <string.h>

#include "bpe_internal.h"

typedef struct ebm_bpe_symbol {
    int32_t id;             // -1: merged into the one before
    int32_t previous, next; // -1: none
} ebm_bpe_symbol;

typedef struct ebm_bpe_pair {
    uint32_t rank;
    int32_t left; // index of a symbol
    int32_t result;
} ebm_bpe_pair;

static bool comes_before(ebm_bpe_pair a, ebm_bpe_pair b)
{
    return a.rank != b.rank ? a.rank < b.rank : a.left < b.left;
}

static void heap_push(ebm_bpe_pair *heap, size_t *count, ebm_bpe_pair pair)
{
    size_t i = (*count)++;
    for (; i > 0 && comes_before(pair, heap[(i - 1) / 2]); i = (i - 1) / 2) heap[i] = heap[(i - 1) / 2];
    heap[i] = pair;
}

static ebm_bpe_pair heap_pop(ebm_bpe_pair *heap, size_t *count)
{
    const ebm_bpe_pair top = heap[0], last = heap[--*count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < *count; i = child) {
        if (child + 1 < *count && comes_before(heap[child + 1], heap[child])) child++;
        if (!comes_before(heap[child], last)) break;
        heap[i] = heap[child];
    }
    heap[i] = last;
    return top;
}

static void push_pair(const ebm_bpe *bpe, ebm_bpe_scratch *s, size_t *count, int32_t left)
{
    const int32_t right = left < 0 ? -1 : s->symbols[left].next;
    if (right < 0) return;
    const ebm_bpe_merge *merge = ebm_bpe_merge_slot(bpe, s->symbols[left].id, s->symbols[right].id);
    if (merge->result >= 0)
        heap_push(s->heap, count, (ebm_bpe_pair){.rank = merge->rank, .left = left, .result = merge->result});
}

// Each merge removes a symbol and adds at most two pairs to the first bytes - 1: 3 * bytes pairs are enough.
static bool reserve(ebm_bpe_scratch *s, size_t bytes)
{
    if (bytes > INT32_MAX / 8) return false;
    if (bytes > s->symbol_capacity) {
        void *symbols = realloc(s->symbols, 2 * bytes * sizeof *s->symbols);
        if (!symbols) return false;
        s->symbols = symbols;
        s->symbol_capacity = 2 * bytes;
    }
    if (3 * bytes > s->heap_capacity) {
        void *heap = realloc(s->heap, 6 * bytes * sizeof *s->heap);
        if (!heap) return false;
        s->heap = heap;
        s->heap_capacity = 6 * bytes;
    }
    return true;
}

static int32_t fill_symbols(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_symbol *symbols)
{
    int32_t count = 0;
    for (size_t i = 0; i < bytes; i++) {
        const int32_t id = bpe->id_of_byte[(unsigned char)word[i]];
        if (id < 0) continue;
        symbols[count] = (ebm_bpe_symbol){.id = id, .previous = count - 1, .next = count + 1};
        count++;
    }
    if (count > 0) symbols[count - 1].next = -1;
    return count;
}

static void merge_all(const ebm_bpe *bpe, ebm_bpe_scratch *s, int32_t symbol_count)
{
    ebm_bpe_symbol *symbols = s->symbols;
    size_t count = 0;
    for (int32_t i = 0; i < symbol_count; i++) push_pair(bpe, s, &count, i);
    while (count > 0) {
        const ebm_bpe_pair pair = heap_pop(s->heap, &count);
        ebm_bpe_symbol *left = &symbols[pair.left];
        if (left->id < 0 || left->next < 0) continue;
        ebm_bpe_symbol *right = &symbols[left->next];
        // Either side may have been merged since the pair was pushed.
        const ebm_bpe_merge *merge = ebm_bpe_merge_slot(bpe, left->id, right->id);
        if (merge->result != pair.result) continue;
        left->id = pair.result;
        left->next = right->next;
        right->id = -1;
        if (left->next >= 0) symbols[left->next].previous = pair.left;
        push_pair(bpe, s, &count, left->previous);
        push_pair(bpe, s, &count, pair.left);
    }
}

static bool encode_anew(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *s, ebm_id_list *ids)
{
    if (!reserve(s, bytes)) return false;
    const int32_t count = fill_symbols(bpe, word, bytes, s->symbols);
    merge_all(bpe, s, count);
    for (int32_t i = count > 0 ? 0 : -1; i >= 0; i = s->symbols[i].next)
        if (!ebm_id_list_append(ids, s->symbols[i].id)) return false;
    return true;
}

ebm_status ebm_bpe_encode_symbols(const ebm_bpe *bpe, const int32_t *tokens, size_t count, ebm_bpe_scratch *s,
                                  ebm_id_list *ids)
{
    bool ok = count == 0 || reserve(s, count);
    const int32_t last = ok ? (int32_t)count - 1 : -1;
    for (int32_t i = 0; i <= last; i++)
        s->symbols[i] = (ebm_bpe_symbol){.id = tokens[i], .previous = i - 1, .next = i < last ? i + 1 : -1};
    if (last >= 0) merge_all(bpe, s, last + 1);
    for (int32_t i = last >= 0 ? 0 : -1; ok && i >= 0; i = s->symbols[i].next)
        ok = ebm_id_list_append(ids, s->symbols[i].id);
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a word of %zu parts", count);
}

// NULL: the word is too long to be remembered, or there is no memory to do so.
static ebm_bpe_word *cached(ebm_bpe_scratch *s, const char *word, size_t bytes)
{
    if (!s->cache) s->cache = calloc(EBM_BPE_CACHE_WORDS, sizeof *s->cache);
    if (!s->cache || bytes > EBM_BPE_CACHED_BYTES) return NULL;
    uint64_t hash = bytes * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t part = 0;
        memcpy(&part, word + i, bytes - i < 8 ? bytes - i : 8);
        hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return &s->cache[hash & (EBM_BPE_CACHE_WORDS - 1)];
}

ebm_status ebm_bpe_encode_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *s, ebm_id_list *ids)
{
    ebm_bpe_word *entry = cached(s, word, bytes);
    bool ok = true;
    if (entry && entry->bytes == bytes && memcmp(entry->text, word, bytes) == 0) {
        ok = ebm_id_list_reserve(ids, entry->count);
        for (size_t i = 0; ok && i < entry->count; i++) ids->ids[ids->count++] = entry->ids[i];
    } else {
        const size_t before = ids->count;
        ok = encode_anew(bpe, word, bytes, s, ids);
        const size_t count = ids->count - before;
        if (ok && entry && count > 0 && count <= EBM_BPE_CACHED_IDS) {
            entry->bytes = (unsigned char)bytes;
            entry->count = (unsigned char)count;
            memcpy(entry->text, word, bytes);
            memcpy(entry->ids, ids->ids + before, count * sizeof *entry->ids);
        }
    }
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a word of %zu bytes", bytes);
}

static int byte_of_character(uint32_t c)
{
    if ((c >= 33 && c <= 126) || (c >= 161 && c <= 172) || (c >= 174 && c <= 255)) return (int)c;
    if (c < 256 || c >= 256 + 68) return -1; // 68 bytes do not stand for themselves
    c -= 256;
    return c < 33 ? (int)c : c < 67 ? (int)c - 33 + 127 : 173;
}

bool ebm_bpe_decode(const char *token, size_t bytes, ebm_bytes *text)
{
    const size_t before = text->size;
    if (!ebm_bytes_reserve(text, bytes)) return false;
    for (size_t i = 0; i < bytes;) {
        const int byte = byte_of_character(ebm_utf8_next(token, &i));
        if (byte < 0) {
            text->size = before;
            return ebm_bytes_append(text, token, bytes);
        }
        text->bytes[text->size++] = (char)byte;
    }
    return true;
}
