// Draws one token a slot from the softmax over its TOP_K largest logits.
//
//   p_j = exp((f_j - f_0) / temperature) / sum over j < k       f_0 >= f_1 >= ... the largest logits; ties: lower id first
//
//   f   (slots, V)     next, texts, positions   (slots)     banned   (banned_count)
//
// Macros   TOP_K (1 to 64; fewer are taken where fewer can be drawn)
// Launch   one work-group of GROUP items a slot
// Writes   next[slot]; nothing where positions[slot] < 0 (idle), -1 where nothing can be drawn.
//
// GROUP 1 (CPU): one scan with vectors that keeps a sorted list; a block is looked into only when one of its lanes is
// above the list's last value, which is rare after the first few hundred logits.
// GROUP > 1 (GPU): the TOP_K-th of the items' own maxima is a bound that at least TOP_K logits reach. Those that reach it
// are collected (by integer atomics: their order does not matter, they are ranked afterwards). Where ties make them too
// many for local memory, the list is made by TOP_K searches for the next largest instead.

#include "sample_list.h"

#if GROUP > 1

#define CANDIDATES 1024
typedef struct {
    float values[CANDIDATES]; // of candidates; before that, of the items' maxima
    int ids[CANDIDATES];
    float bound;
    int found;
} workspace;

static inline bool before(const float value, const int id, const float other, const int other_id)
{
    return value > other || (value == other && id < other_id);
}

// The largest of this item's logits that is not banned and comes after (last, last_id) in the order; else -INFINITY.
static inline float own_largest(int *best_id, __global const float *f, const int V, __global const int *banned,
                         const int banned_count, const float last, const int last_id)
{
    float best = -INFINITY;
    *best_id = V;
    for (int start = get_local_id(0) * LANES; start < V; start += GROUP * LANES)
        for (int id = start; id < min(start + LANES, V); id++)
            if (f[id] > best && before(last, last_id, f[id], id) && !is_banned(id, banned, banned_count)) {
                best = f[id];
                *best_id = id;
            }
    return best;
}

// How many of `count` entries come before this one.
static inline int rank_of(const __local workspace *w, const int entry, const int count)
{
    int rank = 0;
    for (int j = 0; j < count; j++) rank += before(w->values[j], w->ids[j], w->values[entry], w->ids[entry]) ? 1 : 0;
    return rank;
}

static inline void find_bound(__local workspace *w, const float own, const int item)
{
    w->values[item] = own;
    w->ids[item] = item;
    if (item == 0) {
        w->bound = -INFINITY;
        w->found = 0;
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    if (TOP_K <= GROUP && rank_of(w, item, GROUP) == TOP_K - 1) w->bound = own;
    barrier(CLK_LOCAL_MEM_FENCE);
}

static inline void collect(__local workspace *w, __global const float *f, const int V, __global const int *banned,
                    const int banned_count)
{
    const float bound = w->bound;
    for (int start = get_local_id(0) * LANES; start < V; start += GROUP * LANES)
        for (int id = start; id < min(start + LANES, V); id++) {
            if (!(f[id] >= bound && f[id] > -INFINITY) || is_banned(id, banned, banned_count)) continue;
            const int place = atomic_inc(&w->found);
            if (place < CANDIDATES) {
                w->values[place] = f[id];
                w->ids[place] = id;
            }
        }
    barrier(CLK_LOCAL_MEM_FENCE);
}

// One search a place; only the item that held the last winner has to look again.
static inline int list_by_search(__local float *values, __local int *ids, __local workspace *w, __global const float *f,
                          const int V, __global const int *banned, const int banned_count)
{
    const int item = get_local_id(0);
    int own_id;
    float own = own_largest(&own_id, f, V, banned, banned_count, INFINITY, -1);
    for (int j = 0; j < TOP_K; j++) {
        w->values[item] = own;
        w->ids[item] = own_id;
        barrier(CLK_LOCAL_MEM_FENCE);
        int winner = 0;
        for (int i = 1; i < GROUP; i++)
            if (before(w->values[i], w->ids[i], w->values[winner], w->ids[winner])) winner = i;
        const float value = w->values[winner];
        const int id = w->ids[winner];
        barrier(CLK_LOCAL_MEM_FENCE);
        if (!(value > -INFINITY)) return j; // the same for the whole group
        if (item == 0) {
            values[j] = value;
            ids[j] = id;
        }
        if (item == winner) own = own_largest(&own_id, f, V, banned, banned_count, value, id);
    }
    return TOP_K;
}

static inline int make_list(__local float *values, __local int *ids, __local workspace *w, __global const float *f,
                     const int V, __global const int *banned, const int banned_count)
{
    const int item = get_local_id(0);
    int own_id;
    find_bound(w, own_largest(&own_id, f, V, banned, banned_count, INFINITY, -1), item);
    collect(w, f, V, banned, banned_count);
    const int found = w->found;
    if (found > CANDIDATES) return list_by_search(values, ids, w, f, V, banned, banned_count);
    for (int c = item; c < found; c += GROUP) {
        const int rank = rank_of(w, c, found);
        if (rank >= TOP_K) continue;
        values[rank] = w->values[c];
        ids[rank] = w->ids[c];
    }
    return min(found, TOP_K);
}

#endif

ROW_KERNEL void sample_top_k(__global int *restrict next, __global const float *restrict logits,
                           __global const uint *restrict texts, __global const int *restrict positions,
                           __global const int *restrict banned, const int V, const int banned_count,
                           const float temperature, const ulong seed, const uint step, const uint site)
{
    __local float values[TOP_K];
    __local int ids[TOP_K];
    const size_t slot = get_group_id(0);
    if (positions[slot] < 0) return; // the whole group
    logits += slot * V;
#if GROUP == 1
    const int count = make_list(values, ids, logits, V, banned, banned_count);
#else
    __local workspace w;
    const int count = make_list(values, ids, &w, logits, V, banned, banned_count);
    barrier(CLK_LOCAL_MEM_FENCE);
#endif
    if (get_local_id(0) == 0)
        next[slot] = draw(values, ids, count, temperature, uniform_of(seed, step, site, texts[slot], positions[slot]));
}
