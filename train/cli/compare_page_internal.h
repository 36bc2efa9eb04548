// Internal. The sections of a comparison's page.
#ifndef EBM_COMPARE_PAGE_INTERNAL_H
#define EBM_COMPARE_PAGE_INTERNAL_H

#include "compare_page.h"
#include "figure.h"

// Methods in one figure: more could not be told apart.
enum { COMPARE_FIGURE_METHODS = 7 };

typedef struct {
    const compare_place *place;
    const compare_results *results;
    ebm_html *page;
} compare_page;

// The test rows of all seeds and halves of a method in one, and the same divided by their temperatures.
typedef struct {
    size_t variant;
    ebm_predictions raw, calibrated; // own their arrays; energy NULL where a seed has none
    float *raw_logits, *calibrated_logits, *energy;
    int32_t *label;
} compare_pool;

// The first methods of a task that have predictions, in the plan's order; *count of them.
ebm_status compare_pools_read(const compare_page *p, size_t task, compare_pool pools[COMPARE_FIGURE_METHODS],
                              size_t *count);
void compare_pools_free(compare_pool *pools, size_t count);

ebm_status compare_page_tables(compare_page *p, size_t task);   // compare_page_tables.c
void compare_page_mean(compare_page *p);                        // over tasks
ebm_status compare_page_figures(compare_page *p, size_t task);  // compare_page_figures.c
ebm_status compare_page_training(compare_page *p, size_t task); // compare_page_training.c
ebm_status compare_page_wrong(compare_page *p, size_t task);

#endif
