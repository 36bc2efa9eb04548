#include "normal_form.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

typedef struct {
    uint32_t first, last;
} range;

// clang-format off
// Characters that decompose or have a combining class, and are younger than the library's tables; up to Unicode 18.
static const range late[] = {
    {0x558, 0x558}, {0x58B, 0x58C}, {0x5C8, 0x5C9}, {0x7FD, 0x7FD}, {0x897, 0x89F}, {0x8CA, 0x8D3}, {0x9FE, 0x9FE},
    {0xC3C, 0xC3C}, {0xD3B, 0xD3C}, {0xEBA, 0xEBA}, {0x1715, 0x1715}, {0x1ABF, 0x1AF0}, {0x1DF6, 0x1DFA},
    {0x209D, 0x209F}, {0x32FF, 0x32FF}, {0xA7F1, 0xA7F4}, {0xA82C, 0xA82C}, {0xAB69, 0xAB69}, {0x105C9, 0x105C9},
    {0x105E4, 0x105E4}, {0x10781, 0x107BF}, {0x10D24, 0x10D27}, {0x10D69, 0x10D6D}, {0x10EAB, 0x10EAC},
    {0x10ECB, 0x10ECF}, {0x10EF0, 0x10EFB}, {0x10EFD, 0x10EFF}, {0x10F46, 0x10F50}, {0x10F82, 0x10F85},
    {0x11070, 0x11070}, {0x1133B, 0x1133B}, {0x11383, 0x11383}, {0x11385, 0x11385}, {0x1138E, 0x1138E},
    {0x11391, 0x11391}, {0x113C5, 0x113C8}, {0x113CE, 0x113D0}, {0x1145E, 0x1145E}, {0x11839, 0x1183A},
    {0x11938, 0x11938}, {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45}, {0x11D97, 0x11D97},
    {0x11F41, 0x11F42}, {0x16121, 0x16128}, {0x1612F, 0x1612F}, {0x16D68, 0x16D6A}, {0x16FF0, 0x16FF1},
    {0x1B123, 0x1B126}, {0x1CCD6, 0x1CCF9}, {0x1D127, 0x1D128}, {0x1D250, 0x1D252}, {0x1D25B, 0x1D25C},
    {0x1D25F, 0x1D25F}, {0x1D280, 0x1D281}, {0x1D6A6, 0x1D6A6}, {0x1DF95, 0x1DF95}, {0x1DFCD, 0x1DFFF},
    {0x1E030, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF}, {0x1E4EC, 0x1E4EF},
    {0x1E5EE, 0x1E5EF}, {0x1E6E3, 0x1E6E3}, {0x1E6E6, 0x1E6E6}, {0x1E6EE, 0x1E6EF}, {0x1E6F5, 0x1E6F5},
    {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
};
// The second character of a composition, Hangul vowels and trailing consonants among them.
static const range seconds[] = {
    {0x300, 0x304}, {0x306, 0x30C}, {0x30F, 0x30F}, {0x311, 0x311}, {0x313, 0x314}, {0x31B, 0x31B}, {0x323, 0x328},
    {0x32D, 0x32E}, {0x330, 0x331}, {0x338, 0x338}, {0x342, 0x342}, {0x345, 0x345}, {0x653, 0x655}, {0x93C, 0x93C},
    {0x9BE, 0x9BE}, {0x9D7, 0x9D7}, {0xB3E, 0xB3E}, {0xB56, 0xB57}, {0xBBE, 0xBBE}, {0xBD7, 0xBD7}, {0xC56, 0xC56},
    {0xCC2, 0xCC2}, {0xCD5, 0xCD6}, {0xD3E, 0xD3E}, {0xD57, 0xD57}, {0xDCA, 0xDCA}, {0xDCF, 0xDCF}, {0xDDF, 0xDDF},
    {0x102E, 0x102E}, {0x1161, 0x1175}, {0x11A8, 0x11C2}, {0x1B35, 0x1B35}, {0x3099, 0x309A}, {0x110BA, 0x110BA},
    {0x11127, 0x11127}, {0x1133E, 0x1133E}, {0x11357, 0x11357}, {0x114B0, 0x114B0}, {0x114BA, 0x114BA},
    {0x114BD, 0x114BD}, {0x115AF, 0x115AF},
};
// clang-format on

static bool within(const range *ranges, size_t count, uint32_t c)
{
    size_t low = 0, high = count;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (c > ranges[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && c >= ranges[low].first;
}

static bool is_late(uint32_t c) { return within(late, sizeof late / sizeof *late, c); }

static bool is_second(uint32_t c)
{
    if (c < 0x300 || (c >= 0x309B && c < 0x110BA)) return false;
    return within(seconds, sizeof seconds / sizeof *seconds, c);
}

static bool is_hangul_syllable(uint32_t c) { return c >= 0xAC00 && c < 0xD7A4; }

static unsigned class_of(uint32_t c)
{
    if (c < 0x300) return 0;
    const unsigned class = utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
    return class > 0 && is_late(c) ? 0 : class;
}

typedef struct {
    bool composed, compatible;
} kind;

#define LONGEST 32 // Unicode's longest decomposition has 18 characters

static size_t decompose(uint32_t c, bool compatible, utf8proc_int32_t *parts)
{
    int boundary = 0;
    const int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    const utf8proc_ssize_t count =
        utf8proc_decompose_char((utf8proc_int32_t)c, parts, LONGEST, (utf8proc_option_t)options, &boundary);
    if (count < 1 || count > LONGEST || ((count > 1 || (uint32_t)parts[0] != c) && is_late(c)))
        return parts[0] = (utf8proc_int32_t)c, 1;
    return (size_t)count;
}

// A character that stays as it is and ends what can be done to those before it.
static bool is_stable(kind k, uint32_t c)
{
    if (c < 0xA0 || (c < 0x300 && k.composed && !k.compatible)) return true;
    if (k.composed && is_hangul_syllable(c)) return true;
    if (class_of(c) > 0 || (k.composed && is_second(c))) return false;
    utf8proc_int32_t parts[LONGEST];
    return decompose(c, k.compatible, parts) == 1 && (uint32_t)parts[0] == c;
}

// Characters that may change one another: a starter (if there is one) and what follows it. Each with its class in the
// upper 8 bits.
typedef struct {
    uint32_t *items, small[32];
    size_t count, capacity;
} segment;

static uint32_t character(uint32_t item) { return item & 0x1FFFFF; }
static uint32_t class(uint32_t item) { return item >> 24; }

static bool push(segment *s, uint32_t c, uint32_t class)
{
    if (s->count == s->capacity) {
        uint32_t *old = s->items == s->small ? NULL : s->items;
        uint32_t *items = realloc(old, 2 * s->capacity * sizeof *items);
        if (!items) return false;
        if (!old) memcpy(items, s->small, sizeof s->small);
        s->items = items;
        s->capacity *= 2;
    }
    s->items[s->count++] = class << 24 | c;
    return true;
}

// By class, equals as they came.
static bool sort(uint32_t *items, size_t count)
{
    if (count > 24) {
        size_t starts[257] = {0};
        uint32_t *copy = malloc(count * sizeof *copy);
        if (!copy) return false;
        memcpy(copy, items, count * sizeof *copy);
        for (size_t i = 0; i < count; i++) starts[class(items[i]) + 1]++;
        for (size_t i = 1; i < 257; i++) starts[i] += starts[i - 1];
        for (size_t i = 0; i < count; i++) items[starts[class(copy[i])]++] = copy[i];
        free(copy);
        return true;
    }
    for (size_t i = 1; i < count; i++) {
        const uint32_t item = items[i];
        size_t at = i;
        for (; at > 0 && class(items[at - 1]) > class(item); at--) items[at] = items[at - 1];
        items[at] = item;
    }
    return true;
}

static bool order(segment *s)
{
    for (size_t start = 0, end; start < s->count; start = end + 1) {
        for (end = start; end<s->count &&class(s->items[end])> 0;) end++;
        if (end - start > 1 && !sort(s->items + start, end - start)) return false;
    }
    return true;
}

// 0: the two do not compose.
static uint32_t compose_pair(uint32_t first, uint32_t second)
{
    if (!is_second(second)) return 0;
    utf8proc_int32_t pair[3] = {(utf8proc_int32_t)first, (utf8proc_int32_t)second, 0};
    const int options = UTF8PROC_COMPOSE | UTF8PROC_STABLE;
    const utf8proc_ssize_t count = utf8proc_normalize_utf32(pair, 2, (utf8proc_option_t)options);
    return count == 1 && !is_late((uint32_t)pair[0]) ? (uint32_t)pair[0] : 0;
}

// UAX 15, D117: each character with the last starter, unless one of the same class or another starter is between.
static void compose(segment *s)
{
    uint32_t *items = s->items;
    size_t starter = SIZE_MAX, kept = 0;
    for (size_t i = 0; i < s->count; i++) {
        const uint32_t item = items[i];
        const bool open = starter != SIZE_MAX && (kept == starter + 1 || class(items[kept - 1]) < class(item));
        const uint32_t both = open ? compose_pair(character(items[starter]), character(item)) : 0;
        if (both) {
            items[starter] = both;
            continue;
        }
        if (class(item) == 0) starter = kept;
        items[kept++] = item;
    }
    s->count = kept;
}

static bool flush(kind k, segment *s, ebm_bytes *out)
{
    if (s->count > 1) {
        if (!order(s)) return false;
        if (k.composed) compose(s);
    }
    if (!ebm_bytes_reserve(out, 4 * s->count)) return false;
    for (size_t i = 0; i < s->count; i++) out->size += ebm_utf8_put(character(s->items[i]), out->bytes + out->size);
    s->count = 0;
    return true;
}

static bool put_decomposed(kind k, segment *s, uint32_t c, ebm_bytes *out)
{
    utf8proc_int32_t parts[LONGEST];
    const size_t count = decompose(c, k.compatible, parts);
    for (size_t i = 0; i < count; i++) {
        const uint32_t part = (uint32_t)parts[i], class = class_of(part);
        const bool boundary = class == 0 && !(k.composed && is_second(part));
        if (boundary && !flush(k, s, out)) return false;
        if (!push(s, part, class)) return false;
    }
    return true;
}

static bool apply(kind k, const char *text, size_t bytes, segment *s, ebm_bytes *out)
{
    size_t copied = 0, last = 0; // of a stretch of stable characters that is not copied yet: its start, its last one
    for (size_t i = 0; i < bytes;) {
        const size_t start = i;
        const uint32_t c = ebm_utf8_next(text, &i);
        if (is_stable(k, c)) {
            if (s->count > 0) {
                if (!flush(k, s, out)) return false;
                copied = start;
            }
            for (last = start; i < bytes && (unsigned char)text[i] < 0x80; i++) last = i;
            continue;
        }
        if (s->count == 0 && copied < start) { // what comes may go between the parts of the last one
            size_t end = last;
            if (!ebm_bytes_append(out, text + copied, last - copied) ||
                !put_decomposed(k, s, ebm_utf8_next(text, &end), out))
                return false;
        }
        if (!put_decomposed(k, s, c, out)) return false;
    }
    return s->count > 0 ? flush(k, s, out) : ebm_bytes_append(out, text + copied, bytes - copied);
}

bool ebm_normal_form_apply(ebm_normal_form form, const char *text, size_t bytes, ebm_bytes *out)
{
    const kind k = {.composed = form == EBM_NFC || form == EBM_NFKC,
                    .compatible = form == EBM_NFKC || form == EBM_NFKD};
    const size_t before = out->size;
    if (bytes == 0) return true;
    segment s = {.capacity = sizeof s.small / sizeof *s.small};
    s.items = s.small;
    const bool ok = ebm_bytes_reserve(out, bytes) && apply(k, text, bytes, &s, out);
    if (!ok) out->size = before;
    if (s.items != s.small) free(s.items);
    return ok;
}
