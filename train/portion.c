#include "portion.h"

#include <stdlib.h>
#include <string.h>

#include "random.h"

static const char *const portion_names[EBM_PORTIONS] = {"all", "first-half", "second-half", "random-first-half",
                                                        "random-second-half"};

const char *ebm_portion_name(ebm_portion portion) { return portion_names[portion]; }

ebm_status ebm_portion_by_name(const char *name, ebm_portion *out)
{
    for (int s = 0; s < EBM_PORTIONS; s++)
        if (!strcmp(name, portion_names[s])) {
            *out = (ebm_portion)s;
            return ebm_ok();
        }
    return ebm_fail(EBM_ERROR_INPUT,
                    "split: all, first-half, second-half, random-first-half or random-second-half expected, found "
                    "\"%s\"",
                    name);
}

static int compare_rows(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

ebm_status ebm_portion_rows(ebm_portion portion, size_t count, uint64_t seed, uint32_t **rows, size_t *number)
{
    const size_t half = portion == EBM_PORTION_ALL ? count : count / 2;
    if (!half || count > UINT32_MAX)
        return ebm_fail(EBM_ERROR_INPUT, "split %s: %d to %u examples expected, found %zu", portion_names[portion],
                        portion == EBM_PORTION_ALL ? 1 : 2, UINT32_MAX, count);
    uint32_t *order = malloc(count * sizeof *order);
    if (!order) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a split of %zu examples", count);
    for (size_t i = 0; i < count; i++) order[i] = (uint32_t)i;
    if (portion == EBM_PORTION_RANDOM_FIRST_HALF || portion == EBM_PORTION_RANDOM_SECOND_HALF) {
        ebm_random random = ebm_random_stream(seed, 0, EBM_SITE_SPLIT);
        ebm_random_shuffle(&random, order, count);
    }
    if (portion == EBM_PORTION_SECOND_HALF || portion == EBM_PORTION_RANDOM_SECOND_HALF)
        memmove(order, order + (count - half), half * sizeof *order);
    qsort(order, half, sizeof *order, compare_rows);
    *rows = order;
    *number = half;
    return ebm_ok();
}

static ebm_status rows_allocate(size_t number, const ebm_predictions *like, ebm_prediction_rows *out)
{
    out->logits = malloc(number * (size_t)like->labels * sizeof *out->logits);
    if (like->label) out->label = malloc(number * sizeof *out->label);
    if (like->energy) out->energy = malloc(number * sizeof *out->energy);
    if (!out->logits || (like->label && !out->label) || (like->energy && !out->energy))
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the predictions of %zu examples", number);
    out->rows = (ebm_predictions){number, like->labels, out->logits, out->label, out->energy};
    return ebm_ok();
}

ebm_status ebm_predictions_portion(const ebm_predictions *all, ebm_portion portion, uint64_t seed,
                                   ebm_prediction_rows *out)
{
    ebm_status status = ebm_ok();
    uint32_t *rows = NULL;
    size_t number = 0;
    const size_t labels = (size_t)all->labels;
    *out = (ebm_prediction_rows){0};
    EBM_CHECK(ebm_portion_rows(portion, all->count, seed, &rows, &number), end);
    EBM_CHECK(rows_allocate(number, all, out), end);
    for (size_t i = 0; i < number; i++) {
        memcpy(out->logits + i * labels, all->logits + rows[i] * labels, labels * sizeof *out->logits);
        if (all->label) out->label[i] = all->label[rows[i]];
        if (all->energy) out->energy[i] = all->energy[rows[i]];
    }
end:
    if (status.code != EBM_OK) ebm_prediction_rows_free(out);
    free(rows);
    return status;
}

ebm_status ebm_counts_portion(const double *counts, size_t count, int labels, ebm_portion portion, uint64_t seed,
                              double **out)
{
    uint32_t *rows = NULL;
    size_t number;
    EBM_TRY(ebm_portion_rows(portion, count, seed, &rows, &number));
    *out = malloc(number * (size_t)labels * sizeof **out);
    for (size_t i = 0; i < number && *out; i++)
        memcpy(*out + i * (size_t)labels, counts + rows[i] * (size_t)labels, (size_t)labels * sizeof **out);
    free(rows);
    return *out ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for the counts of %zu examples", number);
}

void ebm_prediction_rows_free(ebm_prediction_rows *rows)
{
    free(rows->logits);
    free(rows->label);
    free(rows->energy);
    *rows = (ebm_prediction_rows){0};
}
