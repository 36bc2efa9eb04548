// What the device can multiply and add at most: independent chains of fma in registers, nothing loaded.
//
// Macros   LANES    floats of a vector
//          CHAINS   chains an item, enough to hide the latency of fma
//          BF16     defined: products of pairs of bf16 instead (bf16.h)
//          AMX      defined: products of tiles of them instead (amx.h), four chains of tiles
// Launch   any number of work-groups of GROUP items: 2 * LANES * CHAINS * steps flops an item, twice that in bf16, with
//          AMX 2^16 * steps
// Writes   one float an item, so that nothing is optimised away

#include "lanes.h"

#ifdef BF16
#include "bf16.h"
#define STEP(sum, factor) add_products(sum, round_row(factor, factor), round_row(factor, factor))
#else
#define STEP(sum, factor) fma(sum, factor, factor)
#endif

#ifdef AMX
#include "amx.h"

__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void peak(__global float *restrict out, const float factor,
                                                                  const int steps)
{
    float sums[4 * LANES * LANES] __attribute__((aligned(64)));
    uint factors[LANES * LANES] __attribute__((aligned(64)));
    for (int i = 0; i < 4 * LANES * LANES; i++) sums[i] = i / (2 * LANES * LANES) * 2 + i / LANES % 2;
    for (int i = 0; i < LANES; i++) store(round_row((lanes)factor, (lanes)factor), i, factors);
    tiles_begin();
    FOR_SUMS(LOAD_TILE, sums, 2 * LANES);
    LOAD_TILE(4, factors, LANES);
    LOAD_TILE(5, factors, LANES);
    for (int step = 0; step < steps; step++) {
        ADD_PRODUCTS(0, 4, 5);
        ADD_PRODUCTS(1, 4, 5);
        ADD_PRODUCTS(2, 4, 5);
        ADD_PRODUCTS(3, 4, 5);
    }
    FOR_SUMS(STORE_TILE, sums, 2 * LANES);
    tiles_end();
    float sum = 0;
    for (int i = 0; i < 4 * LANES * LANES; i++) sum += sums[i];
    out[get_global_id(0)] = sum;
}
#else
__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1))) void peak(__global float *restrict out, const float factor,
                                                                      const int steps)
{
    lanes chains[CHAINS];
#pragma unroll
    for (int i = 0; i < CHAINS; i++) chains[i] = factor + i;
    for (int step = 0; step < steps; step++) {
#pragma unroll
        for (int i = 0; i < CHAINS; i++) chains[i] = STEP(chains[i], (lanes)factor);
    }
    lanes sum = 0;
#pragma unroll
    for (int i = 0; i < CHAINS; i++) sum += chains[i];
    out[get_global_id(0)] = sum_lanes(sum);
}
#endif
