// Tiles of AMX, on CPUs that have them (LANES 16): eight registers of 16 rows of 64 bytes. They are no compiler's
// business here; a kernel uses them by number between tiles_begin and tiles_end.
#ifndef EBM_AMX_H
#define EBM_AMX_H

#define TILE(name) "%%tmm" #name
// A tile's rows, `stride` elements of 4 bytes apart.
#define LOAD_TILE(t, from, stride)                                                                                     \
    __asm__ volatile("tileloadd (%0,%1,1), " TILE(t) : : "r"(from), "r"((size_t)(stride) * 4) : "memory")
#define STORE_TILE(t, to, stride)                                                                                      \
    __asm__ volatile("tilestored " TILE(t) ", (%0,%1,1)" : : "r"(to), "r"((size_t)(stride) * 4) : "memory")
// Sums + rows of A (16 rows of 16 pairs) times columns of B (16 pairs of 16 columns), in fp32. Of every pair the first
// products are summed up apart from the second ones.
#define ADD_PRODUCTS(sum, a, b) __asm__ volatile("tdpbf16ps " TILE(b) ", " TILE(a) ", " TILE(sum) : :)

// Tiles 0 to 3 as the quarters of 2 LANES rows of 2 LANES sums, `stride` floats apart: OP is LOAD_TILE or STORE_TILE.
#define FOR_SUMS(OP, at, stride)                                                                                       \
    do {                                                                                                               \
        OP(0, at, stride);                                                                                             \
        OP(1, (at) + LANES, stride);                                                                                   \
        OP(2, (at) + LANES * (stride), stride);                                                                        \
        OP(3, (at) + LANES * (stride) + LANES, stride);                                                                \
    } while (0)

// All eight tiles have 16 rows of 64 bytes.
static inline __attribute__((always_inline)) void tiles_begin(void)
{
    uint shapes[16] __attribute__((aligned(64))) = {1}; // palette 1
    for (int i = 4; i < 8; i++) shapes[i] = 0x00400040; // bytes a row
    shapes[12] = shapes[13] = 0x10101010;               // rows
    __asm__ volatile("ldtilecfg %0" : : "m"(shapes));
}
// A thread whose tiles are empty has less to save.
static inline __attribute__((always_inline)) void tiles_end(void) { __asm__ volatile("tilerelease"); }

#endif
