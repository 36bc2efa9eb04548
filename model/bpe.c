// The merge table, and the split of a text into words; bpe_merge.c and bpe_long.c do one word.
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bpe_internal.h"
#include "byte_level.h"

// encoder.py bytes_to_unicode: printable Latin-1 stands for itself, the others are counted up from U+0100.
uint32_t ebm_bpe_character_of_byte(unsigned byte)
{
    uint32_t next = 256;
    for (unsigned b = 0; b < 256; b++) {
        const bool itself = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == byte) return itself ? b : next;
        if (!itself) next++;
    }
    return next;
}

static void fill_bytes(ebm_bpe *bpe)
{
    for (unsigned b = 0; b < 256; b++) {
        char text[4];
        const size_t n = ebm_utf8_put(ebm_bpe_character_of_byte(b), text);
        bpe->id_of_byte[b] = ebm_vocabulary_find(bpe->vocabulary, text, n);
    }
}

static bool grow_slots(ebm_bpe *bpe)
{
    if (bpe->slots_used * 2 < bpe->slot_count) return true;
    const size_t old_count = bpe->slot_count, count = old_count ? 2 * old_count : 1024;
    ebm_bpe_slot *old = bpe->slots, *slots = malloc(count * sizeof *slots);
    if (!slots) return false;
    for (size_t i = 0; i < count; i++) slots[i].merge = EBM_BPE_NO_MERGE;
    bpe->slots = slots;
    bpe->slot_count = count;
    for (size_t i = 0; i < old_count; i++)
        if (old[i].merge != EBM_BPE_NO_MERGE)
            *ebm_bpe_find(bpe, (int32_t)(old[i].pair >> 32), (int32_t)(old[i].pair & INT32_MAX)) = old[i];
    free(old);
    return true;
}

// A pair that comes twice keeps its later rank, as in the tokenizers library.
static bool put_merge(ebm_bpe *bpe, const ebm_bpe_merge *merge)
{
    if (bpe->merge_count == bpe->merge_capacity) {
        const size_t capacity = bpe->merge_capacity ? 2 * bpe->merge_capacity : 1024;
        ebm_bpe_merge *merges = capacity < INT32_MAX ? realloc(bpe->merges, capacity * sizeof *merges) : NULL;
        if (!merges) return false;
        bpe->merges = merges;
        bpe->merge_capacity = capacity;
    }
    if (!grow_slots(bpe)) return false;
    const uint64_t rank = bpe->merge_count;
    ebm_bpe_slot *slot = ebm_bpe_find(bpe, merge->left, merge->right);
    if (slot->merge == EBM_BPE_NO_MERGE) bpe->slots_used++;
    slot->pair = (uint64_t)(uint32_t)merge->left << 32 | (uint32_t)merge->right;
    slot->merge = rank << 32 | (uint32_t)merge->result;
    bpe->merges[bpe->merge_count++] = *merge;
    return true;
}

static int32_t find_part(const ebm_bpe *bpe, const char *text, size_t bytes)
{
    return ebm_vocabulary_find(bpe->vocabulary, text, bytes);
}

static ebm_status not_there(const ebm_bpe_merge *merge, const char *left, size_t left_bytes, const char *right,
                            size_t right_bytes, const char *name)
{
    return ebm_fail(EBM_ERROR_INPUT, "%s: the merge \"%.*s %.*s\" %s is not in the vocabulary", name,
                    left_bytes > 40 ? 40 : (int)left_bytes, left, right_bytes > 40 ? 40 : (int)right_bytes, right,
                    merge->left < 0    ? "has a left part that"
                    : merge->right < 0 ? "has a right part that"
                                       : "gives a token that");
}

ebm_status ebm_bpe_add_merge(ebm_bpe *bpe, const char *left, size_t left_bytes, const char *right, size_t right_bytes,
                             const char *name)
{
    char *joined = malloc(left_bytes + right_bytes + 1);
    if (!joined) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    memcpy(joined, left, left_bytes);
    memcpy(joined + left_bytes, right, right_bytes);
    const ebm_bpe_merge merge = {.left = find_part(bpe, left, left_bytes),
                                 .right = find_part(bpe, right, right_bytes),
                                 .result = find_part(bpe, joined, left_bytes + right_bytes)};
    free(joined);
    if (merge.left < 0 || merge.right < 0 || merge.result < 0)
        return not_there(&merge, left, left_bytes, right, right_bytes, name);
    bpe->ordered = false;
    return put_merge(bpe, &merge) ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
}

// One "left right".
static ebm_status add_line(ebm_bpe *bpe, const char *text, size_t bytes, const char *name, size_t line)
{
    char where[256];
    snprintf(where, sizeof where, "%.200s:%zu", name, line);
    const char *space = memchr(text, ' ', bytes);
    const size_t left_bytes = space ? (size_t)(space - text) : 0;
    const size_t right_bytes = space ? bytes - left_bytes - 1 : 0;
    if (left_bytes == 0 || right_bytes == 0 || memchr(space + 1, ' ', right_bytes))
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected two tokens with one space between, found \"%.*s\"", where,
                        bytes > 80 ? 80 : (int)bytes, text);
    return ebm_bpe_add_merge(bpe, text, left_bytes, space + 1, right_bytes, where);
}

static ebm_status read_merges(ebm_bpe *bpe, const char *text, size_t bytes, const char *name)
{
    if (!grow_slots(bpe)) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    size_t line = 1;
    for (size_t start = 0; start < bytes; line++) {
        const char *newline = memchr(text + start, '\n', bytes - start);
        const size_t end = newline ? (size_t)(newline - text) : bytes;
        size_t length = end - start;
        if (length > 0 && text[end - 1] == '\r') length--;
        const bool version = length >= 8 && memcmp(text + start, "#version", 8) == 0;
        if (length > 0 && !version) EBM_TRY(add_line(bpe, text + start, length, name, line));
        start = end + 1;
    }
    return ebm_ok();
}

ebm_status ebm_bpe_order(ebm_bpe *bpe, const char *name)
{
    const size_t size = bpe->vocabulary->size;
    int32_t *made = malloc((size + 1) * sizeof *made); // by token: the last rank that makes it
    if (!made) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    memset(made, 0xFF, (size + 1) * sizeof *made);
    for (size_t i = 0; i < bpe->merge_count; i++) made[bpe->merges[i].result] = (int32_t)i;
    bpe->ordered = true;
    for (size_t i = 0; i < bpe->merge_count; i++)
        if (made[bpe->merges[i].left] >= (int32_t)i || made[bpe->merges[i].right] >= (int32_t)i) bpe->ordered = false;
    free(made);
    return ebm_ok();
}

ebm_status ebm_bpe_create(const ebm_vocabulary *vocabulary, const char *merges, size_t bytes, const char *name,
                          bool add_prefix_space, ebm_bpe **out)
{
    static atomic_uint_fast64_t serials;
    ebm_status status = ebm_ok();
    ebm_bpe *bpe = calloc(1, sizeof *bpe);
    if (!bpe) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory", name);
    bpe->serial = atomic_fetch_add(&serials, 1) + 1;
    bpe->vocabulary = vocabulary;
    bpe->add_prefix_space = add_prefix_space;
    fill_bytes(bpe);
    EBM_CHECK(read_merges(bpe, merges, bytes, name), fail);
    EBM_CHECK(ebm_bpe_order(bpe, name), fail);
    *out = bpe;
    return status;
fail:
    ebm_bpe_free(bpe);
    return status;
}

void ebm_bpe_free(ebm_bpe *bpe)
{
    if (!bpe) return;
    free(bpe->slots);
    free(bpe->merges);
    free(bpe);
}

void ebm_bpe_scratch_free(ebm_bpe_scratch *s)
{
    ebm_word_cache_free(&s->cache);
    ebm_bpe_long_free(s->longer);
    ebm_bytes_free(&s->text);
    *s = (ebm_bpe_scratch){0};
}

static bool encode_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *s, ebm_id_list *ids)
{
    if (bytes > EBM_WORD_BYTES) return ebm_bpe_merge_word(bpe, word, bytes, s, ids);
    const ebm_word_key key = ebm_word_key_of(word, bytes);
    if (ebm_word_cache_append(&s->cache, &key, ids)) return true;
    const size_t before = ids->count;
    if (!ebm_bpe_merge_word(bpe, word, bytes, s, ids)) return false;
    if (ids->count > before) ebm_word_cache_put(&s->cache, &key, ids->ids + before, ids->count - before);
    return true;
}

// The text is padded.
static bool encode_words(const ebm_bpe *bpe, const char *text, size_t bytes, ebm_bpe_scratch *s, ebm_id_list *ids)
{
    for (size_t at = 0, end; at < bytes; at = end) {
        end = ebm_byte_level_word_end(text, bytes, bytes + EBM_WORD_PADDING, at);
        if (!ebm_id_list_reserve(ids, EBM_WORD_IDS)) return false;
        if (ebm_word_cache_append_short(&s->cache, text + at, end - at, ids)) continue;
        if (!encode_word(bpe, text + at, end - at, s, ids)) return false;
    }
    return true;
}

static bool prepare(const ebm_bpe *bpe, ebm_bpe_scratch *s)
{
    if (s->serial != bpe->serial) ebm_bpe_scratch_free(s);
    s->serial = bpe->serial;
    return ebm_word_cache_prepare(&s->cache);
}

ebm_status ebm_bpe_encode(const ebm_bpe *bpe, const char *text, size_t bytes, ebm_bpe_scratch *s, ebm_id_list *ids)
{
    const size_t space = bpe->add_prefix_space && bytes > 0 && text[0] != ' ';
    const bool ok = prepare(bpe, s) && ebm_word_pad(&s->text, " ", space, text, bytes) &&
                    encode_words(bpe, s->text.bytes, s->text.size, s, ids);
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a text of %zu bytes", bytes);
}

ebm_status ebm_bpe_encode_word(const ebm_bpe *bpe, const char *word, size_t bytes, ebm_bpe_scratch *s, ebm_id_list *ids)
{
    const bool ok = prepare(bpe, s) && ebm_id_list_reserve(ids, EBM_WORD_IDS) && encode_word(bpe, word, bytes, s, ids);
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a word of %zu bytes", bytes);
}

ebm_status ebm_bpe_encode_symbols(const ebm_bpe *bpe, const int32_t *symbols, size_t count, ebm_bpe_scratch *s,
                                  ebm_id_list *ids)
{
    const bool ok = prepare(bpe, s) && ebm_bpe_merge_symbols(bpe, symbols, count, s, ids);
    return ok ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "out of memory for the tokens of a word of %zu parts", count);
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
