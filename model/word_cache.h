// The tokens of frequent short words. One entry a slot: a word that comes later takes the place of another.
//
//     ebm_cached_word *slot = bytes <= EBM_CACHED_BYTES ? ebm_word_cache_slot(cache, word, bytes) : NULL;
//     if (slot && ebm_word_cache_holds(slot, word, bytes)) use(slot->ids, slot->count);
#ifndef EBM_WORD_CACHE_H
#define EBM_WORD_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define EBM_WORD_CACHE_SLOTS ((size_t)1 << 14) // a power of two; 64 bytes each
#define EBM_CACHED_BYTES 30
#define EBM_CACHED_IDS 8

typedef struct ebm_cached_word {
    unsigned char bytes; // 0: empty
    unsigned char count;
    char text[EBM_CACHED_BYTES];
    int32_t ids[EBM_CACHED_IDS];
} ebm_cached_word;

static inline ebm_cached_word *ebm_word_cache_slot(ebm_cached_word *cache, const char *word, size_t bytes)
{
    uint64_t hash = bytes * 0x9E3779B97F4A7C15u;
    for (size_t i = 0; i < bytes; i += 8) {
        uint64_t part = 0;
        memcpy(&part, word + i, bytes - i < 8 ? bytes - i : 8);
        hash = (hash ^ part) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 32;
    }
    return &cache[hash & (EBM_WORD_CACHE_SLOTS - 1)];
}

static inline bool ebm_word_cache_holds(const ebm_cached_word *slot, const char *word, size_t bytes)
{
    return slot->bytes == bytes && memcmp(slot->text, word, bytes) == 0;
}

static inline void ebm_word_cache_put(ebm_cached_word *slot, const char *word, size_t bytes, const int32_t *ids,
                                      size_t count)
{
    if (count > EBM_CACHED_IDS) return;
    slot->bytes = (unsigned char)bytes;
    slot->count = (unsigned char)count;
    memcpy(slot->text, word, bytes);
    memcpy(slot->ids, ids, count * sizeof *ids);
}

#endif
