// What the heads need beside products: the vectors at first tokens, tanh, addition.
//
//   y (sequences, C) = x[starts[s]], x and dx (tokens, C); starts (sequences + 1)
//   y = tanh(x), dx = dy (1 - y^2); y += x; all (rows, C)
//
// Macros   C   channels, a multiple of LANES
// Launch   one work-group of GROUP items per sequence or row
// Writes   y (tanh: may be x), dx (tanh: may be dy); first_tokens_backward writes all of dx; add adds to y

#include "lanes.h"

ROW_KERNEL void first_tokens_forward(__global float *restrict y, __global const float *restrict x,
                                     __global const int *restrict starts)
{
    const size_t sequence = get_group_id(0);
    x += (size_t)starts[sequence] * C;
    y += sequence * C;
    FOR_BLOCKS(b, C) store_block(load_block(b, x), b, y);
}

ROW_KERNEL void first_tokens_backward(__global float *restrict dx, __global const float *restrict dy,
                                      __global const int *restrict starts)
{
    const size_t sequence = get_group_id(0);
    const int first = starts[sequence], end = starts[sequence + 1];
    dy += sequence * C;
    FOR_BLOCKS(b, C) store_block(load_block(b, dy), b, dx + (size_t)first * C);
    for (int t = first + 1; t < end; t++) FOR_BLOCKS(b, C) store_block((lanes)(0.0f), b, dx + (size_t)t * C);
}

ROW_KERNEL void tanh_forward(__global float *y, __global const float *x)
{
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) store_block(tanh(load_block(b, x + row)), b, y + row);
}

ROW_KERNEL void tanh_backward(__global float *dx, __global const float *dy, __global const float *restrict y)
{
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) {
        const lanes v = load_block(b, y + row);
        store_block(load_block(b, dy + row) * (1.0f - v * v), b, dx + row);
    }
}

ROW_KERNEL void add(__global float *restrict y, __global const float *restrict x)
{
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) store_block(load_block(b, y + row) + load_block(b, x + row), b, y + row);
}
