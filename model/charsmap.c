#include "charsmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "grapheme.h"

#define LONGEST_WHOLE 5 // bytes of a cluster that is looked up whole
#define BLOCK ((size_t)256)

struct ebm_charsmap {
    uint32_t *units;
    size_t count;
    char *strings; // with a zero byte at the end
    size_t string_bytes;
    bool plain[128]; // ASCII that stands for itself and is a cluster by itself before ASCII
};

// A unit of darts-clone: bit 31 set in units with a value, below it the value; else bits 10 to 30 the offset to the
// children, times 256 with bit 9, bit 8 whether the first child holds a value, bits 0 to 7 the label.
static bool has_value(uint32_t unit) { return unit >> 8 & 1; }
static bool has_label(uint32_t unit, unsigned char label) { return (unit & 0x800000FF) == label; }
static uint32_t offset_of(uint32_t unit) { return unit >> 10 << ((unit & 0x200) >> 6); }
static uint32_t value_of(uint32_t unit) { return unit & 0x7FFFFFFF; }

static uint32_t read_32(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static ebm_status copy_blob(ebm_charsmap *m, const unsigned char *blob, size_t bytes, const char *where)
{
    const size_t trie = bytes >= 4 ? read_32(blob) : 0;
    size_t bad = 0;
    if (bytes < 4 || trie == 0 || trie % (4 * BLOCK) != 0 || trie > bytes - 4)
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s: precompiled_charsmap of %zu bytes: its trie has %zu bytes; expected a "
                        "multiple of 1024 within it",
                        where, bytes, trie);
    m->count = trie / 4;
    m->string_bytes = bytes - 4 - trie;
    if (!ebm_utf8_valid((const char *)blob + 4 + trie, m->string_bytes, &bad))
        return ebm_fail(EBM_ERROR_INPUT, "%s: precompiled_charsmap: the strings are not UTF-8 at byte %zu", where, bad);
    m->units = malloc(m->count * sizeof *m->units);
    m->strings = malloc(m->string_bytes + 1);
    if (!m->units || !m->strings) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory for the charsmap", where);
    for (size_t i = 0; i < m->count; i++) m->units[i] = read_32(blob + 4 + 4 * i);
    memcpy(m->strings, blob + 4 + trie, m->string_bytes);
    m->strings[m->string_bytes] = 0;
    return ebm_ok();
}

// The node at `base`, the unit that leads to it in hand: its children lie in one block, its value is at base itself.
static ebm_status check_node(const ebm_charsmap *m, uint32_t unit, size_t base, const char *where)
{
    if (base >= m->count)
        return ebm_fail(EBM_ERROR_INPUT, "%s: precompiled_charsmap: the trie leads to unit %zu of %zu", where, base,
                        m->count);
    const uint32_t value = has_value(unit) ? value_of(m->units[base]) : 0;
    if (value > m->string_bytes || (m->strings[value] & 0xC0) == 0x80)
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s: precompiled_charsmap: the trie leads to byte %u of %zu bytes of strings%s", where, value,
                        m->string_bytes, value > m->string_bytes ? "" : ", in the middle of a character");
    return ebm_ok();
}

// Nodes may be shared (the trie is made from a minimal automaton) and, in a broken file, in a ring: each is looked at
// once for each unit that leads to it.
static ebm_status check_trie(const ebm_charsmap *m, const char *where)
{
    ebm_status status = ebm_ok();
    unsigned char *seen = calloc(m->count, 1);
    uint32_t *stack = malloc(m->count * sizeof *stack);
    size_t waiting = 0;
    if (!seen || !stack) status = ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory for the charsmap", where);
    EBM_CHECK(status, end);
    EBM_CHECK(check_node(m, m->units[0] & ~0x100u, offset_of(m->units[0]), where), end);
    seen[stack[waiting++] = offset_of(m->units[0])] = 1;
    while (waiting > 0) {
        const size_t base = stack[--waiting];
        for (size_t label = 1; label < BLOCK; label++) {
            const size_t child = base ^ label;
            const uint32_t unit = m->units[child];
            if (!has_label(unit, (unsigned char)label)) continue;
            const size_t next = child ^ offset_of(unit);
            EBM_CHECK(check_node(m, unit, next, where), end);
            if (!seen[next]) seen[stack[waiting++] = (uint32_t)next] = 1;
        }
    }
end:
    free(seen);
    free(stack);
    return status;
}

// What stands for the shortest key that the text begins with; NULL where there is none.
static const char *find(const ebm_charsmap *m, const char *text, size_t bytes)
{
    size_t at = offset_of(m->units[0]);
    for (size_t i = 0; i < bytes && text[i] != 0; i++) {
        at ^= (unsigned char)text[i];
        const uint32_t unit = m->units[at];
        if (!has_label(unit, (unsigned char)text[i])) return NULL;
        at ^= offset_of(unit);
        if (has_value(unit)) return m->strings + value_of(m->units[at]);
    }
    return NULL;
}

ebm_status ebm_charsmap_create(const void *blob, size_t bytes, const char *where, ebm_charsmap **out)
{
    ebm_status status = ebm_ok();
    ebm_charsmap *m = calloc(1, sizeof *m);
    if (!m) return ebm_fail(EBM_ERROR_MEMORY, "%s: out of memory for the charsmap", where);
    EBM_CHECK(copy_blob(m, blob, bytes, where), fail);
    EBM_CHECK(check_trie(m, where), fail);
    for (int c = 0; c < 128; c++) {
        const char text = (char)c;
        m->plain[c] = c != '\r' && !find(m, &text, 1);
    }
    *out = m;
    return status;
fail:
    ebm_charsmap_free(m);
    return status;
}

void ebm_charsmap_free(ebm_charsmap *m)
{
    if (!m) return;
    free(m->units);
    free(m->strings);
    free(m);
}

static bool put_characters(const ebm_charsmap *m, const char *text, size_t bytes, ebm_bytes *out)
{
    for (size_t start = 0, end = 0; start < bytes; start = end) {
        ebm_utf8_next(text, &end);
        const char *string = find(m, text + start, end - start);
        if (!(string ? ebm_bytes_append(out, string, strlen(string))
                     : ebm_bytes_append(out, text + start, end - start)))
            return false;
    }
    return true;
}

static size_t plain_bytes(const ebm_charsmap *m, const char *text, size_t bytes)
{
    size_t i = 0;
    while (i < bytes && (unsigned char)text[i] < 0x80 && m->plain[(unsigned char)text[i]]) i++;
    if (i > 0 && i < bytes && (unsigned char)text[i] >= 0x80) i--; // a mark may follow
    return i;
}

bool ebm_charsmap_apply(const ebm_charsmap *m, const char *text, size_t bytes, ebm_bytes *out)
{
    const size_t before = out->size;
    bool ok = ebm_bytes_reserve(out, bytes);
    for (size_t start = 0, end = 0; ok && start < bytes; start = end) {
        end = start + plain_bytes(m, text + start, bytes - start);
        if (end > start) {
            ok = ebm_bytes_append(out, text + start, end - start);
            continue;
        }
        end = ebm_grapheme_end(text, bytes, start);
        const char *string = end - start <= LONGEST_WHOLE ? find(m, text + start, end - start) : NULL;
        ok = string ? ebm_bytes_append(out, string, strlen(string)) : put_characters(m, text + start, end - start, out);
    }
    if (!ok) out->size = before;
    return ok;
}
