#include <stdlib.h>
#include <string.h>

#include "compare_page_internal.h"

static ebm_status no_memory(void) { return ebm_fail(EBM_ERROR_MEMORY, "no memory for the page of a comparison"); }

static bool has_energies(const compare_runs *runs)
{
    for (size_t s = 0; s < runs->seeds; s++)
        for (int h = 0; h < 2; h++)
            if (!runs->seed[s].half[h].rows.energy) return false;
    return true;
}

static void append(compare_pool *pool, const ebm_predictions *rows, double temperature, bool energies)
{
    const size_t at = pool->raw.count, labels = (size_t)rows->labels;
    for (size_t i = 0; i < rows->count * labels; i++) {
        pool->raw_logits[at * labels + i] = rows->logits[i];
        pool->calibrated_logits[at * labels + i] = (float)((double)rows->logits[i] / temperature);
    }
    memcpy(pool->label + at, rows->label, rows->count * sizeof *pool->label);
    if (energies) memcpy(pool->energy + at, rows->energy, rows->count * sizeof *pool->energy);
    pool->raw.count += rows->count;
}

static ebm_status fill(compare_pool *pool, const compare_runs *runs)
{
    size_t rows = 0;
    const size_t labels = (size_t)runs->seed[0].half[0].rows.labels;
    const bool energies = has_energies(runs);
    for (size_t s = 0; s < runs->seeds; s++)
        rows += runs->seed[s].half[0].rows.count + runs->seed[s].half[1].rows.count;
    pool->raw_logits = malloc(rows * labels * sizeof *pool->raw_logits);
    pool->calibrated_logits = malloc(rows * labels * sizeof *pool->calibrated_logits);
    pool->label = malloc(rows * sizeof *pool->label);
    pool->energy = malloc(rows * sizeof *pool->energy);
    if (!pool->raw_logits || !pool->calibrated_logits || !pool->label || !pool->energy) return no_memory();
    for (size_t s = 0; s < runs->seeds; s++)
        for (int h = 0; h < 2; h++) append(pool, &runs->seed[s].half[h].rows, runs->seed[s].temperature[h], energies);
    pool->raw = (ebm_predictions){rows, (int)labels, pool->raw_logits, pool->label, energies ? pool->energy : NULL};
    pool->calibrated = pool->raw;
    pool->calibrated.logits = pool->calibrated_logits;
    return ebm_ok();
}

ebm_status compare_pools_read(const compare_page *p, size_t task, compare_pool pools[COMPARE_FIGURE_METHODS],
                              size_t *count)
{
    const compare_plan *plan = p->results->plan;
    *count = 0;
    for (size_t v = 0; v < plan->variant_count && *count < COMPARE_FIGURE_METHODS; v++) {
        compare_runs runs = {0};
        if (compare_results_at(p->results, task, v)->seeds == 0) continue;
        compare_pool *pool = pools + *count;
        *pool = (compare_pool){.variant = v};
        ++*count;
        ebm_status status = compare_runs_read(p->place, plan->tasks + task, plan->variants + v, &runs);
        if (status.code == EBM_OK) status = fill(pool, &runs);
        compare_runs_free(&runs);
        EBM_TRY(status);
    }
    return ebm_ok();
}

void compare_pools_free(compare_pool *pools, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(pools[i].raw_logits);
        free(pools[i].calibrated_logits);
        free(pools[i].label);
        free(pools[i].energy);
    }
}
