// Sums over the rows of a matrix, in two steps of fixed order: slabs of rows, then the slabs.
//
//   total[c] += sum over rows of x[row, c]
//
//   x   (rows, C)     slabs   (number of slabs, stride)     total   (C)
//
// Macros   C   columns, any number > 0
// Launch   column_slabs: (strips, slabs) work-groups; column_total: (strips, 1); a strip is GROUP * STRIP blocks
// Writes   slabs; adds to total

#include "lanes.h"

#if C % LANES // rows do not start at blocks
#undef load_block
#undef store_block
#define load_block load
#define store_block store
#endif

// Whole blocks go by vectors; the columns behind them, fewer than LANES, one by one in the item whose strip ends there.
#define BLOCKS (C / LANES)
#define HAS_REST(block) (C % LANES != 0 && (block) <= BLOCKS && BLOCKS < (block) + STRIP)

ROW_KERNEL void column_slabs(__global float *restrict slabs, __global const float *restrict x, const int rows)
{
    const long slab = get_group_id(1), count = get_num_groups(1);
    const int first = rows * slab / count, end = rows * (slab + 1) / count, block = FIRST_BLOCK_OF_STRIP;
    slabs += slab * C;
    if (block < BLOCKS) {
        lanes sums[STRIP];
        for (int i = 0; i < STRIP; i++) sums[i] = 0;
        for (int row = first; row < end; row++)
#pragma unroll
            for (int i = 0; i < STRIP; i++) sums[i] += load_block(min(block + i, BLOCKS - 1), x + (size_t)row * C);
        for (int i = 0; i < STRIP; i++) store_block(sums[i], min(block + i, BLOCKS - 1), slabs);
    }
    if (HAS_REST(block))
        for (int c = BLOCKS * LANES; c < C; c++) {
            float sum = 0;
            for (int row = first; row < end; row++) sum += x[(size_t)row * C + c];
            slabs[c] = sum;
        }
}

ROW_KERNEL void column_total(__global float *restrict total, __global const float *restrict slabs, const int first,
                             const int stride, const int count)
{
    const int block = FIRST_BLOCK_OF_STRIP;
    slabs += first;
    for (int b = block; b < min(block + STRIP, BLOCKS); b++) {
        lanes sum = 0;
        for (int slab = 0; slab < count; slab++) sum += load_block(b, slabs + (size_t)slab * stride);
        store_block(load_block(b, total) + sum, b, total);
    }
    if (HAS_REST(block))
        for (int c = BLOCKS * LANES; c < C; c++) {
            float sum = 0;
            for (int slab = 0; slab < count; slab++) sum += slabs[(size_t)slab * stride + c];
            total[c] += sum;
        }
}
