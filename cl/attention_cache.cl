// Attention of one new token a slot to a cache of keys and values, and the cache's first filling. For each head:
//
//   p_k = exp(q . key_k / sqrt(D) - maximum)    out = sum_k p_k value_k / sum_k p_k    k = 0 .. lengths[slot]
//
//   out (slots, C)     qkv (slots, 3C), of a packed batch (tokens, 3C)     cache (slots, capacity, 2C): key, value
//   lengths (slots)    slot_of (sequences)     C = heads * D
//
// Macros   D      head size, a multiple of 16      LANES  floats a load
//          SCALE  1 / sqrt(D)                      GROUP  work-items a group: 1 on CPUs, at least D / LANES on GPUs
// Launch   attention_cached: one work-group per (head, slot); scores: capacity floats, rounded up to 16
//          attention_fill_cache: one work-group per (sequence, position up to the longest)
// Writes   out; cache at position lengths[slot]; cache at all positions of each sequence
#include "lanes.h"
#include "prefetch.h"

#define BLOCKS (D / LANES)

// What each item has for all items to read; `scratch` may be reused at once.
#if GROUP == 1
#define most_of_group(own, scratch) (own)
#define sum_of_group(own, scratch) (own)
#else
static float most_of_group(float own, __local float *scratch)
{
    scratch[get_local_id(0)] = own;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < GROUP; i++) own = fmax(own, scratch[i]);
    barrier(CLK_LOCAL_MEM_FENCE);
    return own;
}

static float sum_of_group(float own, __local float *scratch)
{
    float sum = 0;
    scratch[get_local_id(0)] = own;
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int i = 0; i < GROUP; i++) sum += scratch[i];
    barrier(CLK_LOCAL_MEM_FENCE);
    return sum;
}
#endif

// scores[k] = q . key_k / sqrt(D); up to a multiple of LANES they are -infinity. Returns the largest of the item's.
static float score_keys(__local float *scores, __global const float *query, __global const float *key, size_t stride,
                        int keys)
{
    float most = -INFINITY;
    for (int k = get_local_id(0); k < (keys + LANES - 1) / LANES * LANES; k += GROUP) {
        lanes sum = 0;
#if GROUP > 1 // whole, AMD's compiler would hold the query in scalar registers, more than there are
#pragma unroll 2
#else
#pragma unroll
#endif
        for (int b = 0; b < BLOCKS && k < keys; b++) sum = mad(load(b, query), load(b, key + k * stride), sum);
        scores[k] = k < keys ? sum_lanes(sum) * SCALE : -INFINITY;
        most = fmax(most, scores[k]);
    }
    return most;
}

// out = weight * sum_k p_k value_k. On a CPU one item holds a whole row; on a GPU the row's blocks lie side by side in
// the group, and what items are left over take every second, third ... key.
static void sum_values(__global float *out, __local const float *p, __global const float *value, size_t stride,
                       int keys, float weight, __local float *partial)
{
#if GROUP == 1
    lanes sum[BLOCKS]; // unrolled, for else PoCL keeps them in memory
#pragma unroll
    for (int b = 0; b < BLOCKS; b++) sum[b] = 0;
    for (int k = 0; k < keys; k++) {
#pragma unroll
        for (int b = 0; b < BLOCKS; b++) sum[b] = mad((lanes)(p[k]), load(b, value + k * stride), sum[b]);
    }
#pragma unroll
    for (int b = 0; b < BLOCKS; b++) store(sum[b] * weight, b, out);
#else
    const int parts = GROUP / BLOCKS, item = get_local_id(0), b = item % BLOCKS;
    lanes sum = 0;
    for (int k = item / BLOCKS; k < keys && item < parts * BLOCKS; k += parts)
        sum = mad((lanes)(p[k]), load(b, value + k * stride), sum);
    store(sum, item, partial);
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int part = 1; part < parts && item < BLOCKS; part++) sum += load(part * BLOCKS + b, partial);
    if (item < BLOCKS) store(sum * weight, b, out);
#endif
}

#if GROUP == 1

// Of a head that comes next: its keys lie on a page each, where no hardware prefetcher looks.
static void fetch_keys(__global const float *key, size_t stride, int keys)
{
    for (int k = 0; k < keys; k++)
        for (int i = 0; i < D; i += CACHE_LINE) {
            PREFETCH(key + k * stride + i);
            PREFETCH(key + k * stride + stride / 2 + i);
        }
}

// The next group's: another head of the slot, or the first one of the next slot.
static void fetch_next_head(__global const float *cache, __global const int *lengths, size_t head, int heads,
                            int capacity, int keys)
{
    const size_t stride = 2 * heads * D, slot = get_group_id(1) + 1;
    if (head + 1 < heads)
        fetch_keys(cache + D, stride, keys);
    else if (slot < get_num_groups(1))
        fetch_keys(cache - head * D + capacity * stride, stride, min(lengths[slot] + 1, capacity));
}

#endif

ROW_KERNEL void attention_cached(__global float *restrict out, __global float *restrict cache,
                                 __global const float *restrict qkv, __global const int *restrict lengths,
                                 const int heads, const int capacity, __local float *scores)
{
    __local float scratch[GROUP * LANES];
    const size_t head = get_group_id(0), slot = get_group_id(1), channels = heads * D;
    const int length = lengths[slot];
    out += slot * channels + head * D;
    qkv += slot * 3 * channels + head * D;
    cache += slot * capacity * 2 * channels + head * D;
    // An idle slot has no keys and all sums below are empty. It does not return here: PoCL 3.1 then ran the next loop
    // for all items of the group.
    const int keys = length < 0 || length >= capacity ? 0 : length + 1;
    for (int b = get_local_id(0); b < BLOCKS && keys > 0; b += GROUP) {
        store(load(b, qkv + channels), b, cache + length * 2 * channels);
        store(load(b, qkv + 2 * channels), b, cache + length * 2 * channels + channels);
    }
    barrier(CLK_GLOBAL_MEM_FENCE);
#if GROUP == 1
    fetch_next_head(cache, lengths, head, heads, capacity, keys);
#endif
    const float own = score_keys(scores, qkv, cache, 2 * channels, keys);
    const float most = most_of_group(own, scratch);
    lanes total = 0;
    FOR_BLOCKS(b, keys + LANES - 1)
    {
        const lanes e = exp(load(b, scores) - most);
        total += e;
        store(e, b, scores);
    }
    const float sum = sum_of_group(sum_lanes(total), scratch);
    sum_values(out, scores, cache + channels, 2 * channels, keys, keys > 0 ? 1 / sum : 0, scratch);
}

ROW_KERNEL void attention_fill_cache(__global float *restrict cache, __global const float *restrict qkv,
                                     __global const int *restrict starts, __global const int *restrict slot_of,
                                     const int slots, const int capacity, const int channels)
{
    const int sequence = get_group_id(0), position = get_group_id(1), slot = slot_of[sequence];
    const int token = starts[sequence] + position;
    if (token >= starts[sequence + 1] || position >= capacity || slot < 0 || slot >= slots) return;
    qkv += (size_t)token * 3 * channels + channels; // key and value side by side, as in the cache
    cache += ((size_t)slot * capacity + position) * 2 * channels;
    FOR_BLOCKS(b, 2 * channels) store(load(b, qkv), b, cache);
}
