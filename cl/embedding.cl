// The sum of word, position and type embeddings, forward and backward.
//
//   y[t] = word[ids[t]] + position[positions[t]] + type[types[t]]
//
//   y, dy   (tokens, C)     word, position, type and their gradients   (words, C), (places, C), (kinds, C)
//   ids, positions, types   (tokens); places = 0, kinds = 0: none of these, then their tables and numbers are not read
//
// Macros   C   channels, a multiple of LANES
// Launch   one work-group of GROUP items per token; embedding_backward_type: (strips, kinds) work-groups
// Writes   y; adds to the gradients. Numbers out of range are clamped.
// Backward without atomics: the first token of each id adds up all of that id, in the order of the tokens.

#include "lanes.h"

ROW_KERNEL void embedding_forward(__global float *restrict y, __global const int *restrict ids,
                                  __global const int *restrict positions, __global const int *restrict types,
                                  __global const float *restrict word, __global const float *restrict position,
                                  __global const float *restrict type, const int words, const int places,
                                  const int kinds)
{
    const size_t token = get_group_id(0);
    word += (size_t)clamp(ids[token], 0, words - 1) * C;
    y += token * C;
    if (places > 0) position += (size_t)clamp(positions[token], 0, places - 1) * C;
    if (kinds > 0) type += (size_t)clamp(types[token], 0, kinds - 1) * C;
    FOR_BLOCKS(b, C) {
        lanes sum = load_block(b, word);
        if (places > 0) sum += load_block(b, position);
        if (kinds > 0) sum += load_block(b, type);
        store_block(sum, b, y);
    }
}

// Instead of any(), which PoCL makes a chain of branches.
static inline int or4(int4 v) { return (v.x | v.z) | (v.y | v.w); }
static inline int or8(int8 v) { return or4(v.lo | v.hi); }
static inline int or16(int16 v) { return or8(v.lo | v.hi); }
#define or_lanes JOIN(or, LANES)

// The first token from `first` on, below `end`, whose id clamped is `id`; `end` when there is none. Every item searches
// for itself: all read the same few cache lines, which costs less than agreeing through local memory.
static inline int next_token(__global const int *ids, int id, int rows, int first, int end)
{
    const int_lanes low = 0, high = rows - 1;
    int t = first;
    for (; t + 4 * LANES <= end; t += 4 * LANES) {
        int_lanes hits = 0;
#pragma unroll
        for (int i = 0; i < 4; i++) hits |= clamp(load(i, ids + t), low, high) == id;
        if (or_lanes(hits)) break;
    }
    while (t + LANES <= end && !or_lanes(clamp(load(0, ids + t), low, high) == id)) t += LANES;
    while (t < end && clamp(ids[t], 0, rows - 1) != id) t++;
    return t;
}

ROW_KERNEL void embedding_backward(__global float *restrict dtable, __global const int *restrict ids,
                                   __global const float *restrict dy, const int rows, const int tokens)
{
    const int token = get_group_id(0), id = clamp(ids[token], 0, rows - 1);
    if (next_token(ids, id, rows, 0, token) < token) return; // an earlier token does it
    dtable += (size_t)id * C;
    for (int t = token; t < tokens; t = next_token(ids, id, rows, t + 1, tokens))
        FOR_BLOCKS(b, C) store_block(load_block(b, dtable) + load_block(b, dy + (size_t)t * C), b, dtable);
}

// Types are few and repeat in every token: down the columns instead.
ROW_KERNEL void embedding_backward_type(__global float *restrict dtype, __global const int *restrict types,
                                        __global const float *restrict dy, const int kinds, const int tokens)
{
    const int kind = get_group_id(1), block = FIRST_BLOCK_OF_STRIP, last = C / LANES - 1;
    if (block > last) return;
    lanes sums[STRIP];
    for (int i = 0; i < STRIP; i++) sums[i] = 0;
    for (int t = 0; t < tokens; t++) {
        if (clamp(types[t], 0, kinds - 1) != kind) continue;
#pragma unroll
        for (int i = 0; i < STRIP; i++) sums[i] += load_block(min(block + i, last), dy + (size_t)t * C);
    }
    dtype += (size_t)kind * C;
    for (int i = 0; i < STRIP && block + i <= last; i++)
        store_block(load_block(block + i, dtype) + sums[i], block + i, dtype);
}
