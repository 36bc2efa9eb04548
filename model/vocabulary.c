#include "vocabulary.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define NO_TEXT UINT32_MAX

// FNV-1a over the text's bytes, so that the hashes of all beginnings of a text cost one pass; its low bits alone mix
// badly.
#define HASH_OF_NOTHING 0xCBF29CE484222325u
static uint64_t hash_step(uint64_t hash, char byte) { return (hash ^ (unsigned char)byte) * 0x100000001B3u; }
static uint64_t mix(uint64_t hash) { return (hash ^ hash >> 32) * 0x9E3779B97F4A7C15u; }
static size_t slot_of(const ebm_vocabulary *v, uint64_t mixed) { return (size_t)(mixed >> 20) & (v->slot_count - 1); }
static uint32_t part_of(uint64_t mixed) { return (uint32_t)(mixed >> 44 ^ mixed << 12); }

static uint64_t hash_of(const char *text, size_t bytes)
{
    uint64_t hash = HASH_OF_NOTHING;
    for (size_t i = 0; i < bytes; i++) hash = hash_step(hash, text[i]);
    return hash;
}

// The id of prefix + text, whose hash is given.
static int32_t find_hashed(const ebm_vocabulary *v, uint64_t hash, const char *prefix, size_t prefix_bytes,
                           const char *text, size_t bytes)
{
    const uint64_t mixed = mix(hash);
    for (size_t slot = slot_of(v, mixed);; slot = (slot + 1) & (v->slot_count - 1)) {
        const int32_t id = v->slots[slot].id;
        if (id < 0) return -1;
        if (v->slots[slot].hash_part != part_of(mixed) || v->bytes[id] != prefix_bytes + bytes) continue;
        const char *found = v->texts.bytes + v->start[id];
        if (memcmp(found, prefix, prefix_bytes) == 0 && memcmp(found + prefix_bytes, text, bytes) == 0) return id;
    }
}

int32_t ebm_vocabulary_find(const ebm_vocabulary *v, const char *text, size_t bytes)
{
    return v->slot_count == 0 ? -1 : find_hashed(v, hash_of(text, bytes), "", 0, text, bytes);
}

// Most lengths need not be tried: for the first BEGINNING bytes, behind no prefix and behind one of two bytes ("##"), a
// bit says for each length whether there is such a token (or one of another text with the same hash). The last bit is
// for all greater lengths.
#define BEGINNING 3
#define LENGTHS ((size_t)1 << 13)
#define LAST_BIT 63
static uint64_t *lengths_of(const ebm_vocabulary *v, uint64_t hash_of_beginning)
{
    return &v->lengths[mix(hash_of_beginning) >> 51];
}

static void note_lengths(ebm_vocabulary *v, const char *text, size_t bytes)
{
    for (size_t prefix = 0; prefix <= 2 && bytes >= prefix + BEGINNING; prefix += 2) {
        const size_t length = bytes - prefix < LAST_BIT ? bytes - prefix : LAST_BIT;
        *lengths_of(v, hash_of(text, prefix + BEGINNING)) |= (uint64_t)1 << length;
    }
}

// From there on all lengths are tried, in their order: tokens as long as that are rare.
static int32_t longest_of_great(const ebm_vocabulary *v, uint64_t hash, const char *prefix, const char *text,
                                size_t limit, size_t *matched)
{
    const size_t prefix_bytes = strlen(prefix);
    int32_t longest = -1;
    for (size_t n = LAST_BIT; n <= limit; n++) {
        hash = hash_step(hash, text[n - 1]);
        const int32_t id = find_hashed(v, hash, prefix, prefix_bytes, text, n);
        if (id < 0) continue;
        longest = id;
        *matched = n;
    }
    return longest;
}

int32_t ebm_vocabulary_longest(const ebm_vocabulary *v, const char *prefix, const char *text, size_t bytes,
                               size_t *matched)
{
    const size_t prefix_bytes = strlen(prefix);
    const size_t most = v->longest > prefix_bytes ? v->longest - prefix_bytes : 0, limit = bytes < most ? bytes : most;
    uint64_t hashes[LAST_BIT], lengths = UINT64_MAX;
    size_t n = 1;
    hashes[0] = hash_of(prefix, prefix_bytes);
    for (; n <= limit && n < LAST_BIT && lengths >> n != 0; n++) {
        hashes[n] = hash_step(hashes[n - 1], text[n - 1]);
        if (n == BEGINNING && (prefix_bytes == 0 || prefix_bytes == 2)) lengths = *lengths_of(v, hashes[n]) | 6;
    }
    if (n == LAST_BIT && n <= limit && lengths >> n != 0) {
        const int32_t id = longest_of_great(v, hashes[n - 1], prefix, text, limit, matched);
        if (id >= 0) return id;
    }
    while (--n > 0) {
        if (!(lengths >> n & 1)) continue;
        const int32_t id = find_hashed(v, hashes[n], prefix, prefix_bytes, text, n);
        if (id >= 0) return *matched = n, id;
    }
    return -1;
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
    const uint64_t mixed = mix(hash_of(text, v->bytes[id]));
    size_t slot = slot_of(v, mixed);
    for (; v->slots[slot].id >= 0; slot = (slot + 1) & (v->slot_count - 1)) {
        const int32_t other = v->slots[slot].id;
        if (v->bytes[other] == v->bytes[id] && memcmp(v->texts.bytes + v->start[other], text, v->bytes[id]) == 0) {
            v->slots[slot].id = id;
            return;
        }
    }
    v->slots[slot] = (ebm_vocabulary_slot){id, part_of(mixed)};
    v->used++;
    note_lengths(v, text, v->bytes[id]);
}

static bool grow_slots(ebm_vocabulary *v)
{
    if (!v->lengths) v->lengths = calloc(LENGTHS, sizeof *v->lengths);
    if (!v->lengths) return false;
    if (v->used * 2 < v->slot_count) return true;
    const size_t old_count = v->slot_count, count = old_count ? old_count * 2 : 1024;
    ebm_vocabulary_slot *old = v->slots, *slots = malloc(count * sizeof *slots);
    if (!slots) return false;
    memset(slots, 0xFF, count * sizeof *slots);
    v->slots = slots;
    v->slot_count = count;
    v->used = 0;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].id >= 0) insert(v, old[i].id);
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
    static atomic_uint_fast64_t versions;
    v->version = atomic_fetch_add_explicit(&versions, 1, memory_order_relaxed) + 1;
    return ebm_ok();
}

void ebm_vocabulary_free(ebm_vocabulary *v)
{
    ebm_bytes_free(&v->texts);
    free(v->start);
    free(v->bytes);
    free(v->slots);
    free(v->lengths);
    *v = (ebm_vocabulary){0};
}
