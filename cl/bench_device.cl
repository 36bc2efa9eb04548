// What memory moves at most, and what a launch costs: the floors that other kernels are measured against.
//
//   memory_read    partials[g] = sum of part g of x
//   memory_copy    y = x
//   memory_triad   y = x + factor * z                     (as in McCalpin's STREAM)
//   empty          nothing
//
//   x, y, z   (blocks * LANES)     partials   (work-groups)
//
// Macros   LANES, GROUP of lanes.h
// Launch   any number of work-groups of GROUP items; group g takes the blocks [g * part, (g + 1) * part)
// Writes   partials, y
// Neighbouring items take neighbouring blocks; UNROLL of them are on their way at a time.

#include "lanes.h"
#include "reduce.h"

#define UNROLL 4
#define PART                                                                                                           \
    const int first = (int)get_group_id(0) * part, last = min(first + part, blocks);                                   \
    int b = first + (int)get_local_id(0);
#define HAS_UNROLLED (b + (UNROLL - 1) * GROUP < last)

ROW_KERNEL void memory_read(__global float *restrict partials, __global const float *restrict x, const int blocks,
                            const int part)
{
    __local float scratch[GROUP];
    PART
    lanes sums[UNROLL];
#pragma unroll
    for (int i = 0; i < UNROLL; i++) sums[i] = 0;
    for (; HAS_UNROLLED; b += UNROLL * GROUP) {
#pragma unroll
        for (int i = 0; i < UNROLL; i++) sums[i] += load_block(b + i * GROUP, x);
    }
    for (; b < last; b += GROUP) sums[0] += load_block(b, x);
    const float sum = sum_over_group(sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])), scratch);
    if (get_local_id(0) == 0) partials[get_group_id(0)] = sum;
}

ROW_KERNEL void memory_copy(__global float *restrict y, __global const float *restrict x, const int blocks,
                            const int part)
{
    PART
    for (; HAS_UNROLLED; b += UNROLL * GROUP) {
#pragma unroll
        for (int i = 0; i < UNROLL; i++) store_block(load_block(b + i * GROUP, x), b + i * GROUP, y);
    }
    for (; b < last; b += GROUP) store_block(load_block(b, x), b, y);
}

ROW_KERNEL void memory_triad(__global float *restrict y, __global const float *restrict x,
                             __global const float *restrict z, const float factor, const int blocks, const int part)
{
    PART
    for (; HAS_UNROLLED; b += UNROLL * GROUP) {
#pragma unroll
        for (int i = 0; i < UNROLL; i++)
            store_block(load_block(b + i * GROUP, x) + factor * load_block(b + i * GROUP, z), b + i * GROUP, y);
    }
    for (; b < last; b += GROUP) store_block(load_block(b, x) + factor * load_block(b, z), b, y);
}

ROW_KERNEL void empty(void) {}
