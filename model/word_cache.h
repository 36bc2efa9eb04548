// Words met before and their ids. A fixed number of places, the places of a word found by its bytes; the bytes
// themselves are compared, so an answer is never another word's. Words of up to 15 bytes and 4 ids, which most are,
// take half a cache line; those of up to 31 bytes and 24 ids two; what is longer has no place.
//
//     const ebm_word_key key = ebm_word_key_of(word, bytes);          // bytes <= EBM_WORD_BYTES
//     if (ebm_word_cache_append(&cache, &key, &ids)) return true;
//     ...
//     ebm_word_cache_put(&cache, &key, ids.ids + before, ids.count - before);
//
// Words are read as integers, so EBM_WORD_PADDING bytes behind their text must be readable: see ebm_word_pad.
#ifndef EBM_WORD_CACHE_H
#define EBM_WORD_CACHE_H

#include "eight_bytes.h"
#include "id_list.h"
#include "utf8.h"

#define EBM_WORD_PADDING 32
#define EBM_WORD_BYTES 31 // of the longest word with a place
#define EBM_WORD_IDS 24
#define EBM_SHORT_WORD_BYTES 15
#define EBM_SHORT_WORD_IDS 4
#define EBM_SHORT_WORD_BITS 14 // two words a place
#define EBM_LONG_WORD_BITS 13

// The word's bytes, zeros, and in the last byte (of the second part for short words) how many they are: part[1] is
// never 0 for a short word, nor part[3] for another.
typedef struct {
    uint64_t part[4];
} ebm_word_key;

// The highest byte of ids[0] is the number of ids, which are less than EBM_VOCABULARY_LIMIT.
typedef struct {
    uint64_t key[2];
    uint32_t ids[EBM_SHORT_WORD_IDS];
} ebm_short_word;
typedef struct {
    uint64_t key[4];
    uint32_t ids[EBM_WORD_IDS];
} ebm_long_word;

typedef struct {
    ebm_short_word (*shorts)[2]; // the second of a place is the one to be forgotten next
    ebm_long_word *longs;
} ebm_word_cache;

bool ebm_word_cache_prepare(ebm_word_cache *cache); // makes a zeroed one usable; false when out of memory
void ebm_word_cache_free(ebm_word_cache *cache);    // zeroed again

// Puts both texts into the buffer (replaced), with zeros behind them that `size` does not count. False when out of
// memory.
bool ebm_word_pad(ebm_bytes *buffer, const char *before, size_t before_bytes, const char *text, size_t bytes);

ebm_word_key ebm_word_key_of(const char *word, size_t bytes);
// False when the word is not there. There must be room for EBM_WORD_IDS ids.
bool ebm_word_cache_append(ebm_word_cache *cache, const ebm_word_key *key, ebm_id_list *ids);
// Adds a word that is not there; one of too many ids is left out.
void ebm_word_cache_put(ebm_word_cache *cache, const ebm_word_key *key, const int32_t *ids, size_t count);

static inline size_t ebm_short_word_place(uint64_t low, uint64_t high)
{
    return (size_t)((low ^ high * 0x9E3779B97F4A7C15u) * 0xD6E8FEB86659FD93u >> (64 - EBM_SHORT_WORD_BITS));
}

// The usual case of ebm_word_cache_append in line: the latest short word of a place.
static inline bool ebm_word_cache_append_short(ebm_word_cache *cache, const char *word, size_t bytes, ebm_id_list *ids)
{
    static const char window[32] = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    if (bytes > EBM_SHORT_WORD_BYTES) return false;
    const uint64_t low = ebm_load_eight(word) & ebm_load_eight(window + 16 - bytes);
    const uint64_t high = (ebm_load_eight(word + 8) & ebm_load_eight(window + 24 - bytes)) | (uint64_t)bytes << 56;
    const ebm_short_word *found = &cache->shorts[ebm_short_word_place(low, high)][0];
    if (((found->key[0] ^ low) | (found->key[1] ^ high)) != 0) return false;
    int32_t *end = ids->ids + ids->count;
    memcpy(end, found->ids, sizeof found->ids); // whole, for that is faster than counting
    *end = (int32_t)(found->ids[0] & 0xFFFFFF);
    ids->count += found->ids[0] >> 24;
    return true;
}

#endif
