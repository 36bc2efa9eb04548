// What the device can multiply and add at most: independent chains of fma in registers, nothing loaded.
//
// Macros   LANES    floats of a vector
//          CHAINS   chains an item, enough to hide the latency of fma
//          BF16     defined: products of pairs of bf16 instead (bf16.h)
// Launch   any number of work-groups of GROUP items: 2 * LANES * CHAINS * steps flops an item, twice that in bf16
// Writes   one float an item, so that nothing is optimised away

#include "lanes.h"

#ifdef BF16
#include "bf16.h"
#define STEP(sum, factor) add_products(sum, round_row(factor, factor), round_row(factor, factor))
#else
#define STEP(sum, factor) fma(sum, factor, factor)
#endif

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
