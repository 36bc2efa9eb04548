#include "word_cache.h"

#include <stdlib.h>

bool ebm_word_cache_prepare(ebm_word_cache *cache)
{
    if (!cache->shorts) cache->shorts = calloc((size_t)1 << EBM_SHORT_WORD_BITS, sizeof *cache->shorts);
    if (!cache->longs) cache->longs = calloc((size_t)1 << EBM_LONG_WORD_BITS, sizeof *cache->longs);
    return cache->shorts && cache->longs;
}

void ebm_word_cache_free(ebm_word_cache *cache)
{
    free(cache->shorts);
    free(cache->longs);
    *cache = (ebm_word_cache){0};
}

bool ebm_word_pad(ebm_bytes *buffer, const char *before, size_t before_bytes, const char *text, size_t bytes)
{
    buffer->size = 0;
    if (bytes > SIZE_MAX / 4 || !ebm_bytes_reserve(buffer, before_bytes + bytes + EBM_WORD_PADDING)) return false;
    memcpy(buffer->bytes, before, before_bytes);
    if (bytes > 0) memcpy(buffer->bytes + before_bytes, text, bytes);
    buffer->size = before_bytes + bytes;
    memset(buffer->bytes + buffer->size, 0, EBM_WORD_PADDING);
    return true;
}

ebm_word_key ebm_word_key_of(const char *word, size_t bytes)
{
    char copy[32] = {0};
    memcpy(copy, word, bytes);
    copy[bytes <= EBM_SHORT_WORD_BYTES ? 15 : 31] = (char)bytes;
    ebm_word_key key;
    for (size_t i = 0; i < 4; i++) key.part[i] = ebm_load_eight(copy + 8 * i);
    return key;
}

static ebm_short_word *short_place(const ebm_word_cache *cache, const ebm_word_key *key)
{
    return cache->shorts[ebm_short_word_place(key->part[0], key->part[1])];
}

static ebm_long_word *long_place(const ebm_word_cache *cache, const ebm_word_key *key)
{
    uint64_t hash = key->part[0] * 0x9E3779B97F4A7C15u;
    for (size_t i = 1; i < 4; i++) hash = (hash ^ hash >> 32 ^ key->part[i]) * 0xD6E8FEB86659FD93u;
    return &cache->longs[hash >> (64 - EBM_LONG_WORD_BITS)];
}

static const uint32_t *find_short(ebm_word_cache *cache, const ebm_word_key *key)
{
    ebm_short_word *place = short_place(cache, key);
    if (memcmp(place[0].key, key->part, sizeof place[0].key) == 0) return place[0].ids;
    if (memcmp(place[1].key, key->part, sizeof place[1].key) != 0) return NULL;
    const ebm_short_word found = place[1];
    place[1] = place[0];
    place[0] = found;
    return place[0].ids;
}

static bool is_short(const ebm_word_key *key) { return key->part[3] == 0; }

bool ebm_word_cache_append(ebm_word_cache *cache, const ebm_word_key *key, ebm_id_list *ids)
{
    const uint32_t *found = is_short(key) ? find_short(cache, key) : NULL;
    if (!found) {
        const ebm_long_word *word = long_place(cache, key);
        if (memcmp(word->key, key->part, sizeof word->key) != 0) return false;
        found = word->ids;
    }
    const size_t count = found[0] >> 24;
    for (size_t i = 0; i < count; i++) ids->ids[ids->count + i] = (int32_t)(found[i] & 0xFFFFFF);
    ids->count += count;
    return true;
}

static void copy_ids(uint32_t *to, const int32_t *ids, size_t count)
{
    to[0] = 0;
    if (count > 0) memcpy(to, ids, count * sizeof *ids);
    to[0] |= (uint32_t)count << 24;
}

void ebm_word_cache_put(ebm_word_cache *cache, const ebm_word_key *key, const int32_t *ids, size_t count)
{
    if (is_short(key) && count <= EBM_SHORT_WORD_IDS) {
        ebm_short_word *word = short_place(cache, key) + 1;
        memcpy(word->key, key->part, sizeof word->key);
        copy_ids(word->ids, ids, count);
    } else if (count <= EBM_WORD_IDS) {
        ebm_long_word *word = long_place(cache, key);
        memcpy(word->key, key->part, sizeof word->key);
        copy_ids(word->ids, ids, count);
    }
}
