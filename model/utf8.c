#include "utf8.h"

#include <stdlib.h>
#include <string.h>

#include "eight_bytes.h"

size_t ebm_utf8_character(const char *text, size_t bytes, size_t *bad_bytes)
{
    const unsigned char *s = (const unsigned char *)text;
    *bad_bytes = 1;
    if (s[0] < 0x80) return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
    const size_t length = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    // The second byte's range depends on the first: it excludes overlong forms, surrogates and values above U+10FFFF.
    const unsigned char low = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    for (size_t i = 1; i < length; i++) {
        const bool good = i < bytes && (i == 1 ? s[i] >= low && s[i] <= high : (s[i] & 0xC0) == 0x80);
        if (!good) return *bad_bytes = i, 0;
    }
    return length;
}

// ASCII from i on, in steps of 32 and of 8 bytes.
static size_t skip_ascii(const char *text, size_t bytes, size_t i)
{
    for (; bytes - i >= 32; i += 32) {
        const char *at = text + i;
        const uint64_t all =
            ebm_load_eight(at) | ebm_load_eight(at + 8) | ebm_load_eight(at + 16) | ebm_load_eight(at + 24);
        if (all & EBM_EIGHT_MARKS) break;
    }
    for (; bytes - i >= 8; i += 8)
        if (ebm_load_eight(text + i) & EBM_EIGHT_MARKS) break;
    return i;
}

static bool continues(char byte) { return ((unsigned char)byte & 0xC0) == 0x80; }

// The usual characters of two and three bytes at i, one after another; the rest is for ebm_utf8_character.
static size_t skip_usual(const char *text, size_t bytes, size_t i)
{
    while (bytes - i >= 3) {
        const unsigned char lead = (unsigned char)text[i];
        if (lead >= 0xC2 && lead < 0xE0 && continues(text[i + 1]))
            i += 2;
        else if (lead > 0xE0 && lead < 0xF0 && lead != 0xED && continues(text[i + 1]) && continues(text[i + 2]))
            i += 3;
        else
            break;
    }
    return i;
}

bool ebm_utf8_valid(const char *text, size_t bytes, size_t *bad_offset)
{
    for (size_t i = 0; (i = skip_usual(text, bytes, skip_ascii(text, bytes, i))) < bytes;) {
        size_t bad;
        const size_t length = ebm_utf8_character(text + i, bytes - i, &bad);
        if (length == 0) {
            if (bad_offset) *bad_offset = i;
            return false;
        }
        i += length;
    }
    return true;
}

size_t ebm_utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) return out[0] = (char)c, 1;
    const size_t length = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)((length == 2 ? 0xC0 : length == 3 ? 0xE0 : 0xF0) | c);
    return length;
}

bool ebm_bytes_reserve(ebm_bytes *string, size_t more)
{
    if (string->capacity - string->size >= more) return true;
    if (more > SIZE_MAX / 2 - string->size) return false;
    size_t capacity = string->capacity * 2 < 64 ? 64 : string->capacity * 2;
    if (capacity < string->size + more) capacity = string->size + more;
    char *bytes = realloc(string->bytes, capacity);
    if (!bytes) return false;
    string->bytes = bytes;
    string->capacity = capacity;
    return true;
}

bool ebm_bytes_append(ebm_bytes *string, const void *bytes, size_t size)
{
    if (!ebm_bytes_reserve(string, size)) return false;
    if (size > 0) memcpy(string->bytes + string->size, bytes, size);
    string->size += size;
    return true;
}

bool ebm_bytes_append_lossy(ebm_bytes *string, const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        size_t bad;
        const size_t length = ebm_utf8_character(text + i, size - i, &bad);
        if (!(length ? ebm_bytes_append(string, text + i, length) : ebm_bytes_append(string, "\xEF\xBF\xBD", 3)))
            return false;
        i += length ? length : bad;
    }
    return true;
}

void ebm_bytes_free(ebm_bytes *string)
{
    free(string->bytes);
    *string = (ebm_bytes){0};
}
