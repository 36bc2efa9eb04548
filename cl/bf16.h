// Pairs of bf16 in vectors, on CPUs with AVX512-BF16 (LANES 16). A pair is 32 bits: the element of an even k in the
// lower half, that of the odd k behind it in the upper one. Rounding is to nearest even; what is smaller than 2^-126
// counts as 0, NaN stays NaN, and what is nearer to 2^128 than to the largest bf16 is infinity.
#ifndef EBM_BF16_H
#define EBM_BF16_H

typedef uint_lanes pairs;

// 32 rounded numbers in a row: those of `low`, then those of `high`.
static inline __attribute__((always_inline)) pairs round_row(lanes low, lanes high)
{
    pairs rounded;
    __asm__("vcvtne2ps2bf16 %1, %2, %0" : "=v"(rounded) : "v"(low), "v"(high));
    return rounded;
}

// Element i of `even` beside element i of `odd`.
static inline __attribute__((always_inline)) pairs round_rows(lanes even, lanes odd)
{
    const pairs order = (pairs)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) * 0x10001 + 0x100000;
    pairs paired;
    __asm__("vpermw %1, %2, %0" : "=v"(paired) : "v"(round_row(even, odd)), "v"(order));
    return paired;
}

// sum + both products of each pair: exact in fp32, added one after the other.
static inline __attribute__((always_inline)) lanes add_products(lanes sum, pairs x, pairs y)
{
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));
    return sum;
}

#endif
