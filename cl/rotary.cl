// Rotary positions (Su et al. 2021), forward and backward, in place on the queries and keys of every head. Channel d of
// the first half of a head and channel d + D / 2 are one pair, turned by the angle position * frequency_d:
//
//   y_d = x_d cos - x_(d + D/2) sin        y_(d + D/2) = x_(d + D/2) cos + x_d sin
//
//   qkv         (tokens, 3C): query, key, value side by side; C = HEADS * D
//   table       (places, D): row p holds the D / 2 cosines, then the D / 2 sines of position p
//   positions   (tokens)
//
// Macros   D       head size, a multiple of 16
//          HEADS
// Launch   one work-group of GROUP items per token
// Writes   the first 2C of qkv. turn = 1: forward, -1: back, which is the gradient. Positions past the table are
// clamped.

#if LANES > D / 2 || D / 2 % LANES != 0 // half a head is a multiple of 8
#undef LANES
#define LANES 8
#endif
#include "lanes.h"

#define HALF (D / 2 / LANES) // blocks

ROW_KERNEL void rotary(__global float *restrict qkv, __global const float *restrict table,
                       __global const int *restrict positions, const int places, const float turn)
{
    const size_t token = get_group_id(0);
    qkv += token * (3 * HEADS * D);
    table += (size_t)clamp(positions[token], 0, places - 1) * D;
    for (int i = get_local_id(0); i < 2 * HEADS * HALF; i += GROUP) {
        const int b = i % HALF, first = i / HALF * 2 * HALF + b, second = first + HALF;
        const lanes cosine = load_block(b, table), sine = load_block(b + HALF, table) * turn;
        const lanes x = load_block(first, qkv), y = load_block(second, qkv);
        store_block(x * cosine - y * sine, first, qkv);
        store_block(y * cosine + x * sine, second, qkv);
    }
}
