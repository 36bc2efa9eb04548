// Draws one token a slot from the softmax over its TOP_K largest logits, as sample_top_k.cl, without having them: upper
// bounds of all (screen.cl) say which few have to be made.
//
//   f_v = hidden . word_v <= scores_v
//
// The logits of the TOP_K largest bounds are made first. The least of them is a bound from below for the TOP_K-th
// largest logit, so a second scan that makes the logits of all tokens whose bounds reach it finds the largest of all.
//
//   hidden (slots, C)    word (V, C)    scores (slots, stride)
//   next, texts, positions (slots)      banned (banned_count)
//
// Macros   TOP_K (1 to 64; fewer are taken where fewer can be drawn)
// Launch   one work-group a slot; LANES 16, GROUP 1; C a multiple of LANES
// Writes   next[slot]; nothing where positions[slot] < 0 (idle), -1 where nothing can be drawn.
#include "sample_list.h"

static inline float logit_of(__global const float *hidden, __global const float *w, const int C)
{
    lanes sum = 0;
    for (int b = 0; b < C / LANES; b++) sum = fma(load(b, hidden), load(b, w), sum);
    return sum_lanes(sum);
}

static inline float least_logit(__local const int *ids, const int count, __global const float *hidden,
                                __global const float *word, const int C)
{
    float least = INFINITY;
    for (int j = 0; j < count; j++) least = fmin(least, logit_of(hidden, word + (size_t)ids[j] * C, C));
    return least;
}

// The sorted list of the largest logits among tokens whose scores reach `bound`; it rises as the list fills.
static inline int make_logits(__local float *values, __local int *ids, __global const float *scores, float bound,
                              __global const float *hidden, __global const float *word, const int V, const int C,
                              __global const int *banned, const int banned_count)
{
    int count = 0;
    for (int start = 0; start < V; start += STRIDE) {
        const int size = min(STRIDE, V - start);
        if (size == STRIDE && !any(largest_lanes(scores + start) >= bound)) continue;
        for (int id = start; id < start + size; id++) {
            if (!(scores[id] >= bound) || is_banned(id, banned, banned_count)) continue;
            const float value = logit_of(hidden, word + (size_t)id * C, C);
            if (!(value > (count == TOP_K ? values[TOP_K - 1] : -INFINITY))) continue;
            count = insert(values, ids, count, value, id);
            if (count == TOP_K) bound = fmax(bound, values[TOP_K - 1]);
        }
    }
    return count;
}

ROW_KERNEL void sample_screened(__global int *restrict next, __global const float *restrict scores,
                                __global const float *restrict hidden, __global const float *restrict word,
                                __global const uint *restrict texts, __global const int *restrict positions,
                                __global const int *restrict banned, const int V, const int stride, const int C,
                                const int banned_count, const float temperature, const ulong seed, const uint step,
                                const uint site)
{
    __local float values[TOP_K];
    __local int ids[TOP_K];
    const size_t slot = get_group_id(0);
    if (positions[slot] < 0) return;
    scores += slot * stride;
    hidden += slot * C;
    int count = make_list(values, ids, scores, V, banned, banned_count);
    const float bound = least_logit(ids, count, hidden, word, C);
    count = make_logits(values, ids, scores, bound, hidden, word, V, C, banned, banned_count);
    next[slot] = draw(values, ids, count, temperature, uniform_of(seed, step, site, texts[slot], positions[slot]));
}
