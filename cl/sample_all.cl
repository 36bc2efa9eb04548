// Draws one token a slot from the whole softmax of its logits, by inverting the cumulative sum in order of ids.
//
//   w_v = exp((f_v - most) / temperature), 0 for banned ids     token = first v with w_0 + ... + w_v > u * sum w
//
//   f   (slots, V)     next, texts, positions   (slots)     banned   (banned_count)
//
// Launch   one work-group of GROUP items a slot
// Writes   next[slot]; nothing where positions[slot] < 0 (idle), -1 where nothing can be drawn.
// The row is cut into SEGMENTS runs; their sums tell which one holds the token, and only that one is walked.

#include "exp.h"
#include "lanes.h"
#include "reduce.h"
#include "sample.h"

#define SEGMENTS 64

// Elements of a run, a multiple of LANES.
static inline int run_length(const int V) { return (V + SEGMENTS * LANES - 1) / (SEGMENTS * LANES) * LANES; }

static inline float largest(__global const float *f, const int V, __global const int *banned, const int banned_count)
{
    float most = -INFINITY;
    for (int start = get_local_id(0) * LANES; start < V; start += GROUP * LANES) {
        const int size = min(LANES, V - start);
        if (size == LANES && !any(load(0, f + start) > most)) continue;
        for (int id = start; id < start + size; id++)
            if (f[id] > most && !is_banned(id, banned, banned_count)) most = f[id];
    }
    return most;
}

static inline float weight(__global const float *f, const int id, __global const int *banned, const int banned_count,
                    const float most, const float inverse)
{
    return f[id] > -INFINITY && !is_banned(id, banned, banned_count) ? exp_one((f[id] - most) * inverse) : 0.0f;
}

// Vectors for all ids, then the few banned ones taken out by walking their block one by one.
static inline float segment_sum(__global const float *f, const int V, const int segment, __global const int *banned,
                         const int banned_count, const float most, const float inverse)
{
    const int length = run_length(V), end = min((segment + 1) * length, V);
    float sum = 0;
    for (int start = segment * length; start < end; start += LANES) {
        bool plain = end - start >= LANES;
        for (int i = 0; i < banned_count; i++) plain &= banned[i] < start || banned[i] >= start + LANES;
        if (plain) {
            const lanes x = load(0, f + start);
            sum += sum_lanes(x > -INFINITY ? exp_lanes((x - most) * inverse) : (lanes)0);
        } else {
            for (int id = start; id < min(start + LANES, end); id++)
                sum += weight(f, id, banned, banned_count, most, inverse);
        }
    }
    return sum;
}

static inline int draw(__global const float *f, const int V, __local const float *sums, __global const int *banned,
                const int banned_count, const float most, const float inverse, const float u)
{
    const int length = run_length(V);
    float total = 0, cumulative = 0;
    for (int s = 0; s < SEGMENTS; s++) total += sums[s];
    const float target = u * total;
    int chosen = 0;
    for (int s = 0; s < SEGMENTS; s++) { // the last segment that holds something, unless one reaches the target before
        if (sums[s] > 0) chosen = s;
        if (cumulative + sums[s] > target) break;
        cumulative += sums[s];
    }
    int last = -1; // rounding may leave the walk short of the target: then the last id that can be drawn
    for (int id = chosen * length; id < min((chosen + 1) * length, V); id++) {
        const float w = weight(f, id, banned, banned_count, most, inverse);
        if (w > 0) last = id;
        cumulative += w;
        if (cumulative > target) break;
    }
    return last;
}

ROW_KERNEL void sample_all(__global int *restrict next, __global const float *restrict logits,
                         __global const uint *restrict texts, __global const int *restrict positions,
                         __global const int *restrict banned, const int V, const int banned_count, const float temperature,
                         const ulong seed, const uint step, const uint site)
{
    __local float scratch[GROUP];
    __local float sums[SEGMENTS];
    const size_t slot = get_group_id(0);
    if (positions[slot] < 0) return; // the whole group
    logits += slot * V;
    const float most = most_over_group(largest(logits, V, banned, banned_count), scratch), inverse = 1 / temperature;
    for (int s = get_local_id(0); s < SEGMENTS; s += GROUP)
        sums[s] = segment_sum(logits, V, s, banned, banned_count, most, inverse);
    barrier(CLK_LOCAL_MEM_FENCE);
    if (get_local_id(0) == 0)
        next[slot] = draw(logits, V, sums, banned, banned_count, most, inverse,
                          uniform_of(seed, step, site, texts[slot], positions[slot]));
}
