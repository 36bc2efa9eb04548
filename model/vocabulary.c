#include "vocabulary.h"

#include <stdlib.h>
#include <string.h>

#define NO_TEXT UINT32_MAX

// FNV's low bits alone mix badly.
static size_t slot_of(const ebm_vocabulary *v, uint64_t hash)
{
    return (size_t)((hash ^ hash >> 32) * 0x9E3779B97F4A7C15u >> 20) & (v->slot_count - 1);
}

static uint64_t hash_of(const char *text, size_t bytes)
{
    uint64_t hash = EBM_VOCABULARY_HASH;
    for (size_t i = 0; i < bytes; i++) hash = ebm_vocabulary_hash_step(hash, text[i]);
    return hash;
}

int32_t ebm_vocabulary_find_hashed(const ebm_vocabulary *v, uint64_t hash, const char *prefix, size_t prefix_bytes,
                                   const char *text, size_t bytes)
{
    if (v->slot_count == 0) return -1;
    for (size_t slot = slot_of(v, hash);; slot = (slot + 1) & (v->slot_count - 1)) {
        const int32_t id = v->slots[slot];
        if (id < 0) return -1;
        const char *found = v->texts.bytes + v->start[id];
        if (v->bytes[id] == prefix_bytes + bytes && memcmp(found, prefix, prefix_bytes) == 0 &&
            memcmp(found + prefix_bytes, text, bytes) == 0)
            return id;
    }
}

int32_t ebm_vocabulary_find(const ebm_vocabulary *v, const char *text, size_t bytes)
{
    return ebm_vocabulary_find_hashed(v, hash_of(text, bytes), "", 0, text, bytes);
}

const char *ebm_vocabulary_text(const ebm_vocabulary *v, int32_t id, size_t *bytes)
{
    if (id < 0 || (size_t)id >= v->size || v->start[id] == NO_TEXT) return NULL;
    if (bytes) *bytes = v->bytes[id];
    return v->texts.bytes + v->start[id];
}

static void insert(ebm_vocabulary *v, int32_t id)
{
    const char *text = v->texts.bytes + v->start[id];
    size_t slot = slot_of(v, hash_of(text, v->bytes[id]));
    for (; v->slots[slot] >= 0; slot = (slot + 1) & (v->slot_count - 1)) {
        const int32_t other = v->slots[slot];
        if (v->bytes[other] == v->bytes[id] && memcmp(v->texts.bytes + v->start[other], text, v->bytes[id]) == 0) {
            v->slots[slot] = id;
            return;
        }
    }
    v->slots[slot] = id;
    v->used++;
}

static bool grow_slots(ebm_vocabulary *v)
{
    if (v->used * 2 < v->slot_count) return true;
    const size_t old_count = v->slot_count, count = old_count ? old_count * 2 : 1024;
    int32_t *old = v->slots, *slots = malloc(count * sizeof *slots);
    if (!slots) return false;
    memset(slots, 0xFF, count * sizeof *slots);
    v->slots = slots;
    v->slot_count = count;
    v->used = 0;
    for (size_t i = 0; i < old_count; i++)
        if (old[i] >= 0) insert(v, old[i]);
    free(old);
    return true;
}

static bool grow_ids(ebm_vocabulary *v, size_t size)
{
    if (size > v->id_capacity) {
        const size_t capacity = size < 1024 ? 1024 : size * 2;
        uint32_t *start = realloc(v->start, capacity * sizeof *start);
        if (!start) return false;
        v->start = start;
        uint32_t *bytes = realloc(v->bytes, capacity * sizeof *bytes);
        if (!bytes) return false;
        v->bytes = bytes;
        v->id_capacity = capacity;
    }
    for (; v->size < size; v->size++) v->start[v->size] = NO_TEXT;
    return true;
}

ebm_status ebm_vocabulary_put(ebm_vocabulary *v, int64_t id, const char *text, size_t bytes)
{
    if (id < 0 || (uint64_t)id >= EBM_VOCABULARY_LIMIT)
        return ebm_fail(EBM_ERROR_INPUT, "the token \"%.*s\" has the id %lld; expected 0 to %zu",
                        bytes > 80 ? 80 : (int)bytes, text, (long long)id, EBM_VOCABULARY_LIMIT - 1);
    if (ebm_vocabulary_text(v, (int32_t)id, NULL))
        return ebm_fail(EBM_ERROR_INPUT, "the tokens \"%.80s\" and \"%.*s\" have the same id %lld",
                        ebm_vocabulary_text(v, (int32_t)id, NULL), bytes > 80 ? 80 : (int)bytes, text, (long long)id);
    if (bytes >= NO_TEXT - v->texts.size - 1)
        return ebm_fail(EBM_ERROR_INPUT, "the vocabulary's tokens have more than %u bytes together", NO_TEXT);
    const size_t start = v->texts.size;
    if (!grow_ids(v, (size_t)id + 1) || !grow_slots(v) || !ebm_bytes_reserve(&v->texts, bytes + 1))
        return ebm_fail(EBM_ERROR_MEMORY, "out of memory for a vocabulary of %zu tokens", v->size);
    ebm_bytes_append(&v->texts, text, bytes);
    ebm_bytes_append(&v->texts, "", 1);
    v->start[id] = (uint32_t)start;
    v->bytes[id] = (uint32_t)bytes;
    if (bytes > v->longest) v->longest = bytes;
    insert(v, (int32_t)id);
    return ebm_ok();
}

void ebm_vocabulary_free(ebm_vocabulary *v)
{
    ebm_bytes_free(&v->texts);
    free(v->start);
    free(v->bytes);
    free(v->slots);
    *v = (ebm_vocabulary){0};
}
