// The words of byte-level BPE: GPT-2's pattern
//
//     's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
//
// by hand, with the letters, numbers and spaces of the tokenizers library (0.23), whatever the version of PCRE2.
//
//     for (size_t at = 0, end; at < bytes; at = end) {
//         end = ebm_byte_level_word_end(text, bytes, bytes, at);
//         use(text + at, end - at);
//     }
//
// Source: openai/gpt-2 src/encoder.py; tests/test_byte_level.c compares with PCRE2.
#ifndef EBM_BYTE_LEVEL_H
#define EBM_BYTE_LEVEL_H

#include <stddef.h>

#include "eight_bytes.h"

typedef enum {
    EBM_BYTE_LEVEL_OTHER,
    EBM_BYTE_LEVEL_LETTER,
    EBM_BYTE_LEVEL_NUMBER,
    EBM_BYTE_LEVEL_SPACE
} ebm_byte_level;
ebm_byte_level ebm_byte_level_class(uint32_t c); // c < 0x110000

// The same for every word.
size_t ebm_byte_level_any_word_end(const char *text, size_t bytes, size_t start);

// Where the word that starts at `start` (< bytes, itself the start of the text or a word's end) ends. Valid UTF-8;
// `readable` bytes are there, `bytes` or more, zeros behind the text.
static inline size_t ebm_byte_level_word_end(const char *text, size_t bytes, size_t readable, size_t start)
{
    // Most words: ASCII letters, perhaps a space before them, and something else of ASCII behind.
    const size_t first = start + (text[start] == ' ');
    for (size_t i = first; readable - i >= 8; i += 8) {
        const uint64_t others = ebm_eight_letters(ebm_load_eight(text + i)) ^ EBM_EIGHT_MARKS;
        if (!others) continue;
        i += ebm_eight_first(others);
        if (i == first || (unsigned char)text[i] >= 0x80) break;
        return i;
    }
    return ebm_byte_level_any_word_end(text, bytes, start);
}

#endif
