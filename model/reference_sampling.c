#include "reference_sampling.h"

#include <math.h>
#include <stdlib.h>

#include "random.h"

static int compare(const void *a, const void *b)
{
    const ebm_candidate *x = a, *y = b;
    if (x->value != y->value) return x->value > y->value ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

static bool is_banned(int32_t id, const int32_t *banned, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (banned[i] == id) return true;
    return false;
}

size_t ebm_reference_candidates(ebm_candidate *list, const double *logits, size_t vocabulary, const ebm_sampling *s,
                                const int32_t *banned)
{
    size_t count = 0;
    for (size_t v = 0; v < vocabulary; v++)
        if (logits[v] > (double)-INFINITY && !is_banned((int32_t)v, banned, s->banned_count))
            list[count++] = (ebm_candidate){logits[v], (int32_t)v};
    if (!s->top_k) return count;
    qsort(list, count, sizeof *list, compare);
    return count < (size_t)s->top_k ? count : (size_t)s->top_k;
}

void ebm_reference_probabilities(double *p, const ebm_candidate *list, size_t count, const ebm_sampling *s)
{
    double max = (double)-INFINITY, sum = 0;
    for (size_t i = 0; i < count; i++) max = fmax(max, list[i].value);
    for (size_t i = 0; i < count; i++) sum += p[i] = exp((list[i].value - max) / (double)s->temperature);
    for (size_t i = 0; i < count; i++) p[i] /= sum;
}

double ebm_reference_uniform(const ebm_sampling *s, uint32_t text, int32_t position)
{
    uint32_t words[4];
    ebm_random_block(words, s->seed, s->step, EBM_SITE_SAMPLE, (uint64_t)text * 1024 + (uint64_t)position);
    return (words[0] >> 8) * 0x1p-24;
}

bool ebm_reference_is_drawn(int32_t token, const ebm_candidate *list, const double *p, size_t count, double u)
{
    double cumulative = 0;
    for (size_t i = 0; i < count; i++) {
        if (list[i].id == token) return u >= cumulative - 2e-6 && u <= cumulative + p[i] + 2e-6;
        cumulative += p[i];
    }
    return count == 0 && token == -1;
}
