#include "utf8.h"

#include <stdlib.h>
#include <string.h>

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

bool ebm_utf8_valid(const char *text, size_t bytes, size_t *bad_offset)
{
    for (size_t i = 0; i < bytes;) {
        uint64_t eight;
        if (bytes - i >= sizeof eight) {
            memcpy(&eight, text + i, sizeof eight);
            if (!(eight & 0x8080808080808080u)) {
                i += sizeof eight;
                continue;
            }
        }
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

uint32_t ebm_utf8_next(const char *text, size_t *i)
{
    const unsigned char *s = (const unsigned char *)text + *i;
    if (s[0] < 0x80) return *i += 1, s[0];
    if (s[0] < 0xE0) return *i += 2, (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    if (s[0] < 0xF0) return *i += 3, (uint32_t)(s[0] & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    *i += 4;
    return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 | (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
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
