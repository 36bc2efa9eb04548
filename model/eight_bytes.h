// Eight bytes of text at a time in one integer, the first byte lowest. Marks are 0x80 in the byte's place.
//
//     const uint64_t others = ebm_eight_letters(ebm_load_eight(text)) ^ EBM_EIGHT_MARKS;
//     if (others) length = ebm_eight_first(others); // letters before the first byte that is none
#ifndef EBM_EIGHT_BYTES_H
#define EBM_EIGHT_BYTES_H

#include <stdint.h>
#include <string.h>

#define EBM_EIGHT_OF(byte) (0x0101010101010101u * (uint64_t)(byte))
#define EBM_EIGHT_MARKS EBM_EIGHT_OF(0x80)

static inline uint64_t ebm_load_eight(const char *text)
{
    uint64_t eight;
    memcpy(&eight, text, sizeof eight);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    return eight;
}

static inline void ebm_store_eight(char *text, uint64_t eight)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    eight = __builtin_bswap64(eight);
#endif
    memcpy(text, &eight, sizeof eight);
}

// Marks the ASCII bytes from low to high (both ASCII): adding carries into the top bit from `low` on, and no further.
static inline uint64_t ebm_eight_between(uint64_t eight, unsigned low, unsigned high)
{
    const uint64_t ascii = eight & ~EBM_EIGHT_MARKS;
    return (ascii + EBM_EIGHT_OF(0x80 - low)) & ~(ascii + EBM_EIGHT_OF(0x7F - high)) & ~eight & EBM_EIGHT_MARKS;
}

static inline uint64_t ebm_eight_letters(uint64_t eight)
{
    return ebm_eight_between(eight | EBM_EIGHT_OF(0x20), 'a', 'z');
}

static inline uint64_t ebm_eight_digits(uint64_t eight) { return ebm_eight_between(eight, '0', '9'); }

static inline uint64_t ebm_eight_lower(uint64_t eight) { return eight | ebm_eight_between(eight, 'A', 'Z') >> 2; }

static inline unsigned ebm_eight_first(uint64_t marks) { return (unsigned)__builtin_ctzll(marks) / 8; } // marks != 0

#endif
