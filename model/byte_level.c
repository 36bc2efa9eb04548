#include "byte_level.h"

#include <pthread.h>
#include <stdbool.h>

#include "byte_level_tables.h"
#include "utf8.h"

static const uint32_t spaces[][2] = {{0x09, 0x0D},     {0x20, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},
                                     {0x1680, 0x1680}, {0x2000, 0x200A}, {0x2028, 0x2029}, {0x202F, 0x202F},
                                     {0x205F, 0x205F}, {0x3000, 0x3000}};
static const uint32_t ascii_letters[][2] = {{'A', 'Z'}, {'a', 'z'}};
static const uint32_t ascii_numbers[][2] = {{'0', '9'}};

// Two bits a code point, made of the ranges once in a process.
static uint8_t classes[0x110000 / 4];

static void fill(const uint32_t (*ranges)[2], size_t count, ebm_byte_level class)
{
    for (size_t i = 0; i < count; i++)
        for (uint32_t c = ranges[i][0]; c <= ranges[i][1]; c++) classes[c / 4] |= (uint8_t)(class << c % 4 * 2);
}
#define FILL(ranges, class) fill(ranges, sizeof(ranges) / sizeof *(ranges), class)

static void fill_all(void)
{
    FILL(ascii_letters, EBM_BYTE_LEVEL_LETTER);
    FILL(letters, EBM_BYTE_LEVEL_LETTER);
    FILL(ascii_numbers, EBM_BYTE_LEVEL_NUMBER);
    FILL(numbers, EBM_BYTE_LEVEL_NUMBER);
    FILL(spaces, EBM_BYTE_LEVEL_SPACE);
}

static void prepare(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, fill_all);
}

static inline ebm_byte_level class_of(uint32_t c) { return (ebm_byte_level)(classes[c / 4] >> c % 4 * 2 & 3); }

ebm_byte_level ebm_byte_level_class(uint32_t c)
{
    prepare();
    return class_of(c);
}

static inline ebm_byte_level next_class(const char *text, size_t *i)
{
    const unsigned char byte = (unsigned char)text[*i];
    if (byte < 0x80) return *i += 1, class_of(byte);
    return class_of(ebm_utf8_next(text, i));
}

static size_t run_end(const char *text, size_t bytes, size_t i, ebm_byte_level class)
{
    for (size_t next = i; i < bytes && next_class(text, &next) == class; i = next) continue;
    return i;
}

// 's 't 're 've 'm 'll 'd: how many bytes behind the apostrophe belong to it.
static size_t contraction(const char *behind, size_t bytes)
{
    if (bytes == 0) return 0;
    if (memchr("stmd", behind[0], 4)) return 1;
    if (bytes == 1) return 0;
    return memcmp(behind, "re", 2) == 0 || memcmp(behind, "ve", 2) == 0 || memcmp(behind, "ll", 2) == 0 ? 2 : 0;
}

// \s+(?!\S)|\s+: a run of spaces leaves its last one to the word behind, if it is not all there is.
static size_t spaces_end(const char *text, size_t bytes, size_t start)
{
    size_t last = start, i = start;
    for (size_t next = start; i < bytes && next_class(text, &next) == EBM_BYTE_LEVEL_SPACE; i = next) last = i;
    return i == bytes || last == start ? i : last;
}

size_t ebm_byte_level_any_word_end(const char *text, size_t bytes, size_t start)
{
    prepare();
    size_t i = start;
    if (text[i] == '\'') {
        const size_t more = contraction(text + i + 1, bytes - i - 1);
        if (more > 0) return i + 1 + more;
    }
    ebm_byte_level class = next_class(text, &i);
    if (text[start] == ' ' && i < bytes) class = next_class(text, &i);
    if (class == EBM_BYTE_LEVEL_SPACE) return spaces_end(text, bytes, start);
    return run_end(text, bytes, i, class);
}
