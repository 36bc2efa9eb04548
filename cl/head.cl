// What the heads need beside products: one vector a sequence, tanh, ReLU, addition.
//
//   first: y (sequences, C) = x[starts[s]]; mean: of x[starts[s]] .. x[starts[s + 1] - 1]; x and dx (tokens, C);
//   starts (sequences + 1)
//   norms[row] = sum of x^2, dx += scale x; rows from `first` on
//   y = tanh(x), dx = dy (1 - y^2); y = max(x, 0), dx = dy [y > 0]; y += x; all (rows, C)
//
// Macros   C   channels, a multiple of LANES
// Launch   one work-group of GROUP items per sequence or row
// Writes   y (tanh, relu: may be x), dx (tanh, relu: may be dy), for all tokens of a sequence; add adds to y

#include "lanes.h"
#include "reduce.h"

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

ROW_KERNEL void mean_tokens_forward(__global float *restrict y, __global const float *restrict x,
                                    __global const int *restrict starts)
{
    const size_t sequence = get_group_id(0);
    const int first = starts[sequence], end = starts[sequence + 1];
    y += sequence * C;
    FOR_BLOCKS(b, C) {
        lanes sum = 0;
        for (int t = first; t < end; t++) sum += load_block(b, x + (size_t)t * C);
        store_block(sum / (float)(end - first), b, y);
    }
}

ROW_KERNEL void mean_tokens_backward(__global float *restrict dx, __global const float *restrict dy,
                                     __global const int *restrict starts)
{
    const size_t sequence = get_group_id(0);
    const int first = starts[sequence], end = starts[sequence + 1];
    dy += sequence * C;
    FOR_BLOCKS(b, C) {
        const lanes share = load_block(b, dy) / (float)(end - first);
        for (int t = first; t < end; t++) store_block(share, b, dx + (size_t)t * C);
    }
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

ROW_KERNEL void relu_forward(__global float *y, __global const float *x)
{
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) {
        const lanes v = load_block(b, x + row);
        store_block(select(v, (lanes)(0.0f), v < 0.0f), b, y + row); // fmax would make a number of NaN
    }
}

ROW_KERNEL void relu_backward(__global float *dx, __global const float *dy, __global const float *restrict y)
{
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) {
        const lanes d = load_block(b, dy + row);
        store_block(select((lanes)(0.0f), d, load_block(b, y + row) > 0.0f), b, dx + row);
    }
}

ROW_KERNEL void add(__global float *restrict y, __global const float *restrict x)
{
    const size_t row = get_group_id(0) * (size_t)C;
    FOR_BLOCKS(b, C) store_block(load_block(b, y + row) + load_block(b, x + row), b, y + row);
}

ROW_KERNEL void squared_norms(__global float *restrict norms, __global float *restrict dx,
                              __global const float *restrict x, const float scale, const int first)
{
    __local float scratch[GROUP];
    const size_t row = first + get_group_id(0);
    x += row * C;
    dx += row * C;
    lanes sums = 0;
    FOR_BLOCKS(b, C) {
        const lanes v = load_block(b, x);
        sums += v * v;
        store_block(load_block(b, dx) + scale * v, b, dx);
    }
    const float sum = sum_over_group(sum_lanes(sums), scratch);
    if (get_local_id(0) == 0) norms[row] = sum;
}
