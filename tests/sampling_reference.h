// What drawing a token should give, for the tests of both ways of sampling.
#ifndef EBM_TESTS_SAMPLING_REFERENCE_H
#define EBM_TESTS_SAMPLING_REFERENCE_H

#include <math.h>
#include <stdlib.h>

#include "random.h"
#include "sampling.h"

// What ebm_sample states, in double precision but for the stated 24-bit number: candidates in order, cumulative sums.
typedef struct {
    double value;
    int32_t id;
} candidate;

static inline int compare(const void *a, const void *b)
{
    const candidate *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static inline bool is_banned(int32_t id, const int32_t *banned, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (banned[i] == id) return true;
    return false;
}

// The candidates in the order of drawing; returns how many.
static inline size_t candidates_of(candidate *list, const double *f, size_t vocabulary, const ebm_sampling *s,
                                   const int32_t *banned)
{
    size_t count = 0;
    for (size_t v = 0; v < vocabulary; v++)
        if (f[v] > (double)-INFINITY && !is_banned((int32_t)v, banned, s->banned_count))
            list[count++] = (candidate){f[v], (int32_t)v};
    if (!s->top_k) return count;
    qsort(list, count, sizeof *list, compare);
    return count < (size_t)s->top_k ? count : (size_t)s->top_k;
}

static inline void probabilities_of(double *p, const candidate *list, size_t count, const ebm_sampling *s)
{
    double max = (double)-INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++) max = fmax(max, list[i].value);
    for (size_t i = 0; i < count; i++) sum += p[i] = exp((list[i].value - max) / (double)s->temperature);
    for (size_t i = 0; i < count; i++) p[i] /= sum;
}

static inline double uniform_of(const ebm_sampling *s, uint32_t text, int32_t position)
{
    uint32_t words[4];
    ebm_random_block(words, s->seed, s->step, EBM_SITE_SAMPLE, (uint64_t)text * 1024 + (uint64_t)position);
    return (words[0] >> 8) * 0x1p-24;
}

// Whether drawing `token` is right for this u: u lies in the token's part of [0, 1), or within float rounding of it.
static inline bool is_right(int32_t token, const candidate *list, const double *p, size_t count, double u)
{
    double cumulative = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == token) return u >= cumulative - 2e-6 && u <= cumulative + p[i] + 2e-6;
        cumulative += p[i];
    }
    return count == 0 && token == -1;
}

#endif
