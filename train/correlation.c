#include "correlation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap_internal.h"
#include "correlation_internal.h"
#include "random.h"
#include "ranking.h"

static double mean_of(const double *values, const double *weight, size_t count)
{
    double sum = 0, total = 0;
    for (size_t i = 0; i < count; i++) {
        const double times = weight ? weight[i] : 1;
        sum += times * values[i];
        total += times;
    }
    return sum / total;
}

double ebm_correlation_weighted(const double *a, const double *b, const double *weight, size_t count)
{
    const double mean_a = mean_of(a, weight, count), mean_b = mean_of(b, weight, count);
    double both = 0, square_a = 0, square_b = 0;
    for (size_t i = 0; i < count; i++) {
        const double times = weight ? weight[i] : 1, x = a[i] - mean_a, y = b[i] - mean_b;
        both += times * x * y;
        square_a += times * x * x;
        square_b += times * y * y;
    }
    // Below this the spread is the rounding of the mean.
    const double least = 1e-24 * (double)count;
    return square_a > least && square_b > least ? both / sqrt(square_a * square_b) : (double)NAN;
}

typedef struct {
    ebm_ranking by_a, by_b;
    double *rank_a, *rank_b, *weight; // count
    double *value;                    // 2 x resamples: Pearson's, then Spearman's
} plan;

static void plan_free(plan *p)
{
    ebm_ranking_free(&p->by_a);
    ebm_ranking_free(&p->by_b);
    free(p->rank_a);
    free(p->rank_b);
    free(p->weight);
    free(p->value);
}

static ebm_status plan_create(const double *a, const double *b, size_t count, int resamples, plan *p)
{
    *p = (plan){0};
    EBM_TRY(ebm_ranking_create("correlation, first values", a, count, &p->by_a));
    EBM_TRY(ebm_ranking_create("correlation, second values", b, count, &p->by_b));
    p->rank_a = malloc(count * sizeof *p->rank_a);
    p->rank_b = malloc(count * sizeof *p->rank_b);
    p->weight = malloc(count * sizeof *p->weight);
    if (!p->rank_a || !p->rank_b || !p->weight)
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the ranks of %zu examples", count);
    return resamples ? ebm_draws_allocate("resamples", resamples, count, 2, &p->value) : ebm_ok();
}

static double spearman(plan *p, const double *weight)
{
    ebm_ranking_ranks(&p->by_a, weight, p->rank_a);
    ebm_ranking_ranks(&p->by_b, weight, p->rank_b);
    return ebm_correlation_weighted(p->rank_a, p->rank_b, weight, p->by_a.count);
}

static void draw(plan *p, uint64_t seed, uint32_t number)
{
    const uint32_t count = (uint32_t)p->by_a.count;
    ebm_random random = ebm_random_stream(seed, number, EBM_SITE_BOOTSTRAP);
    memset(p->weight, 0, count * sizeof *p->weight);
    for (uint32_t i = 0; i < count; i++) p->weight[ebm_random_below(&random, count)] += 1;
}

ebm_status ebm_correlation_measure(const double *a, const double *b, size_t count, int resamples, uint64_t seed,
                                   ebm_correlation *out)
{
    const ebm_interval none = {(double)NAN, (double)NAN};
    plan p;
    ebm_status status = ebm_ok();
    EBM_CHECK(plan_create(a, b, count, resamples, &p), end);
    *out = (ebm_correlation){ebm_correlation_weighted(a, b, NULL, count), spearman(&p, NULL), none, none};
    if (resamples == 0) goto end;
    const size_t draws = (size_t)resamples;
    for (size_t r = 0; r < draws; r++) {
        draw(&p, seed, (uint32_t)r);
        p.value[r] = ebm_correlation_weighted(a, b, p.weight, count);
        p.value[draws + r] = spearman(&p, p.weight);
    }
    out->pearson_interval = ebm_interval_of(p.value, draws);
    out->spearman_interval = ebm_interval_of(p.value + draws, draws);
end:
    plan_free(&p);
    return status;
}
