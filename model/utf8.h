// UTF-8: reading, writing, checking, and growing byte strings.
//
//     size_t bad;
//     if (!ebm_utf8_valid(text, bytes, &bad)) return ebm_fail(EBM_ERROR_INPUT, "not UTF-8 at byte %zu", bad);
//     for (size_t i = 0; i < bytes;) use(ebm_utf8_next(text, &i));
#ifndef EBM_UTF8_H
#define EBM_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

// Well-formed by Unicode table 3-7: no surrogates, nothing overlong, nothing above U+10FFFF. *bad_offset (may be NULL)
// is the byte where the first ill-formed sequence starts.
bool ebm_utf8_valid(const char *text, size_t bytes, size_t *bad_offset);

// Length of the well-formed character at text[0]; 0 when ill-formed, and *bad_bytes is then the length of the maximal
// part to be replaced by one U+FFFD (Unicode 3.9, U+FFFD Substitution of Maximal Subparts). bytes > 0.
size_t ebm_utf8_character(const char *text, size_t bytes, size_t *bad_bytes);

// The code point at text[*i], which must be the start of a character of valid UTF-8; moves *i behind it.
static inline uint32_t ebm_utf8_next(const char *text, size_t *i)
{
    const unsigned char *s = (const unsigned char *)text + *i;
    if (s[0] < 0x80) return *i += 1, s[0];
    if (s[0] < 0xE0) return *i += 2, (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    if (s[0] < 0xF0) return *i += 3, (uint32_t)(s[0] & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    *i += 4;
    return (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 | (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
}

// Writes 1 to 4 bytes, returns how many.
size_t ebm_utf8_put(uint32_t code_point, char out[4]);

// A growing byte string; zeroed is empty. Functions return false when out of memory and leave the string as it was.
typedef struct {
    char *bytes;
    size_t size, capacity;
} ebm_bytes;
bool ebm_bytes_reserve(ebm_bytes *string, size_t more); // room for `more` bytes beyond size
bool ebm_bytes_append(ebm_bytes *string, const void *bytes, size_t size);
bool ebm_bytes_append_lossy(ebm_bytes *string, const char *text, size_t size); // ill-formed parts become U+FFFD
void ebm_bytes_free(ebm_bytes *string);

#ifdef __cplusplus
}
#endif
#endif
