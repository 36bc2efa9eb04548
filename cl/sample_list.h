// The softmax over the largest logits and the number that draws from it, and the list of the largest as one work-item
// with vectors makes it (GROUP 1).
//
// Macros   TOP_K (1 to 64; fewer are taken where fewer can be drawn)
#ifndef EBM_SAMPLE_LIST_H
#define EBM_SAMPLE_LIST_H

#include "lanes.h"
#include "sample.h"

static inline int draw(__local const float *values, __local const int *ids, const int count, const float temperature,
                const float u)
{
    if (count == 0) return -1;
    float sum = 0, cumulative = 0;
    for (int j = 0; j < count; j++) sum += exp((values[j] - values[0]) / temperature);
    for (int j = 0; j < count - 1; j++) {
        cumulative += exp((values[j] - values[0]) / temperature);
        if (cumulative > u * sum) return ids[j];
    }
    return ids[count - 1];
}

#if GROUP == 1

// Ids come in rising order, so an equal value goes behind those that are there.
static inline int insert(__local float *values, __local int *ids, const int count, const float value, const int id)
{
    int j = count < TOP_K ? count : TOP_K - 1;
    for (; j > 0 && values[j - 1] < value; j--) {
        values[j] = values[j - 1];
        ids[j] = ids[j - 1];
    }
    values[j] = value;
    ids[j] = id;
    return min(count + 1, TOP_K);
}

// Four vectors at a time: one test and one branch for all of them. fmax, unlike a comparison, passes a NaN by.
#define STRIDE (4 * LANES)
static inline lanes largest_lanes(__global const float *f)
{
    return fmax(fmax(load(0, f), load(1, f)), fmax(load(2, f), load(3, f)));
}

static inline int make_list(__local float *values, __local int *ids, __global const float *f, const int V,
                     __global const int *banned, const int banned_count)
{
    int count = 0;
    float bound = -INFINITY; // to be exceeded: the last value of a full list
    for (int start = 0; start < V; start += STRIDE) {
        const int size = min(STRIDE, V - start);
        if (size == STRIDE && !any(largest_lanes(f + start) > bound)) continue;
        for (int id = start; id < start + size; id++) {
            if (!(f[id] > bound) || is_banned(id, banned, banned_count)) continue;
            count = insert(values, ids, count, f[id], id);
            if (count == TOP_K) bound = values[TOP_K - 1];
        }
    }
    return count;
}

#endif
#endif
