// What memory moves at most, and what a launch costs: the floors that other kernels are measured against.
//
//   memory_read    partials[g] = sum of part g of x
//   memory_update  y = factor * y                         (nothing is read that the kernel does not ask for)
//   memory_copy    y = x
//   memory_triad   y = x + factor * z                     (as in McCalpin's STREAM)
//   empty          nothing
//
//   x, y, z   (blocks * LANES)     partials   (work-groups)
//
// Macros   LANES, GROUP of lanes.h
// Launch   any number of work-groups of GROUP items; group g takes the blocks [g * part, (g + 1) * part)
// Writes   partials, y
// Neighbouring items take neighbouring blocks. A group walks STREAMS places of its part at a time: a core's prefetchers
// have more lines on their way for several streams than for one.

#include "lanes.h"
#include "reduce.h"

#define STREAMS 4
// first, last: the group's part; run: blocks of each stream, what is left over is walked alone.
#define PART                                                                                                           \
    const int first = (int)get_group_id(0) * part, last = min(first + part, blocks);                                   \
    const int run = max(last - first, 0) / STREAMS, item = get_local_id(0);
#define FOR_RUN(b) for (int b = first + item; b < first + run; b += GROUP)
#define FOR_REST(b) for (int b = first + STREAMS * run + item; b < last; b += GROUP)

ROW_KERNEL void memory_read(__global float *restrict partials, __global const float *restrict x, const int blocks,
                            const int part)
{
    __local float scratch[GROUP];
    PART
    lanes sums[STREAMS];
#pragma unroll
    for (int i = 0; i < STREAMS; i++) sums[i] = 0;
    FOR_RUN(b) {
#pragma unroll
        for (int i = 0; i < STREAMS; i++) sums[i] += load_block(b + i * run, x);
    }
    FOR_REST(b) sums[0] += load_block(b, x);
    const float sum = sum_over_group(sum_lanes((sums[0] + sums[1]) + (sums[2] + sums[3])), scratch);
    if (item == 0) partials[get_group_id(0)] = sum;
}

ROW_KERNEL void memory_update(__global float *restrict y, const float factor, const int blocks, const int part)
{
    PART
    FOR_RUN(b) {
#pragma unroll
        for (int i = 0; i < STREAMS; i++) store_block(factor * load_block(b + i * run, y), b + i * run, y);
    }
    FOR_REST(b) store_block(factor * load_block(b, y), b, y);
}

ROW_KERNEL void memory_copy(__global float *restrict y, __global const float *restrict x, const int blocks,
                            const int part)
{
    PART
    FOR_RUN(b) {
#pragma unroll
        for (int i = 0; i < STREAMS; i++) store_block(load_block(b + i * run, x), b + i * run, y);
    }
    FOR_REST(b) store_block(load_block(b, x), b, y);
}

ROW_KERNEL void memory_triad(__global float *restrict y, __global const float *restrict x,
                             __global const float *restrict z, const float factor, const int blocks, const int part)
{
    PART
    FOR_RUN(b) {
#pragma unroll
        for (int i = 0; i < STREAMS; i++)
            store_block(load_block(b + i * run, x) + factor * load_block(b + i * run, z), b + i * run, y);
    }
    FOR_REST(b) store_block(load_block(b, x) + factor * load_block(b, z), b, y);
}

ROW_KERNEL void empty(void) {}
