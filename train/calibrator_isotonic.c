// Isotonic regression of one label against the rest by pooling adjacent violators (Ayer et al. 1955; Zadrozny and
// Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability Estimates", KDD 2002). Examples of equal
// p are one block from the start; between blocks the function is linear, as scikit-learn's IsotonicRegression has it.
#include <stdlib.h>

#include "calibrator_internal.h"

enum { P, VALUE };

typedef struct {
    double p, hit;
} point;

typedef struct {
    double first, last, sum, weight; // of p; of hits; of examples
} block;

static int by_p(const void *a, const void *b)
{
    const point *x = a, *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

static double mean(const block *b) { return b->sum / b->weight; }

// Blocks of ascending means; `all` holds the points, sorted.
static size_t pool(const point *all, size_t count, block *b)
{
    size_t blocks = 0;
    for (size_t i = 0; i < count;) {
        block next = {all[i].p, all[i].p, 0, 0};
        for (; i < count && all[i].p == next.first; i++) {
            next.sum += all[i].hit;
            next.weight += 1;
        }
        for (; blocks > 0 && mean(&b[blocks - 1]) >= mean(&next); blocks--) {
            next.first = b[blocks - 1].first;
            next.sum += b[blocks - 1].sum;
            next.weight += b[blocks - 1].weight;
        }
        b[blocks++] = next;
    }
    return blocks;
}

static ebm_status store(const block *b, size_t blocks, ebm_calibrator_part *part)
{
    size_t points = 0;
    for (size_t i = 0; i < blocks; i++) points += 1 + (b[i].last > b[i].first);
    EBM_TRY(ebm_calibrator_list(part, P, points));
    EBM_TRY(ebm_calibrator_list(part, VALUE, points));
    points = 0;
    for (size_t i = 0; i < blocks; i++) {
        part->list[P][points] = b[i].first;
        part->list[VALUE][points++] = mean(&b[i]);
        if (!(b[i].last > b[i].first)) continue;
        part->list[P][points] = b[i].last;
        part->list[VALUE][points++] = mean(&b[i]);
    }
    return ebm_ok();
}

static ebm_status fit_part(const ebm_binary *e, const ebm_calibrator_options *options, ebm_calibrator_part *part)
{
    (void)options;
    point *all = malloc(e->count * sizeof *all);
    block *b = malloc(e->count * sizeof *b);
    ebm_status status = all && b ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu examples", e->count);
    EBM_CHECK(status, end);
    for (size_t i = 0; i < e->count; i++) all[i] = (point){ebm_sigmoid(e->score[i]), e->hit[i]};
    qsort(all, e->count, sizeof *all, by_p);
    status = store(b, pool(all, e->count, b), part);
end:
    free(all);
    free(b);
    return status;
}

static double value(const ebm_calibrator_part *part, double score)
{
    const double p = ebm_sigmoid(score), *at = part->list[P], *v = part->list[VALUE];
    size_t low = 0, high = part->length[P] - 1;
    if (p <= at[low]) return v[low];
    if (p >= at[high]) return v[high];
    while (high - low > 1) { // at[low] <= p < at[high]
        const size_t middle = low + (high - low) / 2;
        if (at[middle] <= p)
            low = middle;
        else
            high = middle;
    }
    return v[low] + (v[high] - v[low]) * (p - at[low]) / (at[high] - at[low]);
}

static const char *check(const ebm_calibrator_part *part, int labels)
{
    (void)labels;
    static const char expected[] = "as many ascending values from 0 to 1 as ascending p";
    const size_t n = part->length[P];
    const double *at = part->list[P], *v = part->list[VALUE];
    if (n == 0 || part->length[VALUE] != n || v[0] < 0 || v[n - 1] > 1) return expected;
    for (size_t i = 1; i < n; i++)
        if (!(at[i] > at[i - 1]) || v[i] < v[i - 1]) return expected;
    return NULL;
}

const ebm_calibrator_family ebm_family_isotonic = {
    .list = {"p", "value"}, .fit_part = fit_part, .value = value, .check = check};
