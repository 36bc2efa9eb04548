// Dot products of bytes in vectors, on CPUs with AVX512-VNNI (LANES 16).
#ifndef EBM_VNNI_H
#define EBM_VNNI_H

// sum + the four products of each lane's bytes: those of x from 0 to 255, of y from -128 to 127. Exact.
static inline __attribute__((always_inline)) int_lanes add_byte_products(int_lanes sum, uint_lanes x, int_lanes y)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(y));
    return sum;
}

#endif
