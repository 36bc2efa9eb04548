// The order in which a data set's rows are visited: a new shuffle each epoch, a function of (seed, site, epoch) alone.
//
//     ebm_order *order = NULL;
//     EBM_TRY(ebm_order_create(seed, EBM_SITE_SHUFFLE, ebm_dataset_count(train), &order));
//     ebm_order_next(order, batch_size, rows);                  // row numbers; goes on into the next epoch
//     save(ebm_order_epoch(order), ebm_order_position(order));  // and later: ebm_order_seek(order, epoch, position)
//     ebm_order_free(order);
#ifndef EBM_ORDER_H
#define EBM_ORDER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_order ebm_order;

// Starts at epoch 0, position 0. 0 < count <= UINT32_MAX. site: runtime/random.h, one for each order of a run.
ebm_status ebm_order_create(uint64_t seed, uint32_t site, size_t count, ebm_order **order);

// The next n row numbers, each below count. An epoch's end is crossed when more rows are asked for than it has left,
// so that after the last row of epoch e the position is (e + 1, 0).
void ebm_order_next(ebm_order *order, size_t n, uint32_t *rows);

uint32_t ebm_order_epoch(const ebm_order *order);  // epochs completed
size_t ebm_order_position(const ebm_order *order); // rows already visited in this epoch, < count
size_t ebm_order_left(const ebm_order *order);     // rows left in this epoch, > 0: to cut a batch at its end

// Batches of an epoch over `count` rows, cut at its end: the last has what is left. size > 0.
uint64_t ebm_order_batches(size_t count, size_t size);
// How often a training goes over its rows: `epochs`, or with max_steps > 0 that many batches' part of them.
double ebm_order_passes(size_t count, size_t size, size_t max_steps, double epochs);

// Goes to a saved place; position < count, else EBM_ERROR_INPUT.
ebm_status ebm_order_seek(ebm_order *order, uint32_t epoch, size_t position);

void ebm_order_free(ebm_order *order); // NULL is accepted

#ifdef __cplusplus
}
#endif
#endif
