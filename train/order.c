#include "order.h"

#include <stdlib.h>

#include "random.h"

struct ebm_order {
    uint64_t seed;
    uint32_t site, epoch;
    size_t count, position;
    uint32_t *rows; // this epoch's permutation
};

static void shuffle(ebm_order *order)
{
    for (size_t i = 0; i < order->count; i++) order->rows[i] = (uint32_t)i;
    ebm_random stream = ebm_random_stream(order->seed, order->epoch, order->site);
    ebm_random_shuffle(&stream, order->rows, order->count);
}

ebm_status ebm_order_create(uint64_t seed, uint32_t site, size_t count, ebm_order **order)
{
    if (count == 0 || count > UINT32_MAX)
        return ebm_fail(EBM_ERROR_INPUT, "an order of %zu rows: expected between 1 and %u", count, UINT32_MAX);
    ebm_order *created = calloc(1, sizeof *created);
    uint32_t *rows = malloc(count * sizeof *rows);
    if (!created || !rows) {
        free(created);
        free(rows);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for the order of %zu rows", count);
    }
    *created = (ebm_order){.seed = seed, .site = site, .count = count, .rows = rows};
    shuffle(created);
    *order = created;
    return ebm_ok();
}

uint64_t ebm_order_batches(size_t count, size_t size) { return (count + size - 1) / size; }

double ebm_order_passes(size_t count, size_t size, size_t max_steps, double epochs)
{
    return max_steps > 0 ? (double)max_steps / (double)ebm_order_batches(count, size) : epochs;
}

void ebm_order_next(ebm_order *order, size_t n, uint32_t *rows)
{
    for (size_t i = 0; i < n; i++) {
        rows[i] = order->rows[order->position++];
        if (order->position < order->count) continue;
        order->position = 0;
        order->epoch++;
        shuffle(order);
    }
}

uint32_t ebm_order_epoch(const ebm_order *order) { return order->epoch; }
size_t ebm_order_position(const ebm_order *order) { return order->position; }
size_t ebm_order_left(const ebm_order *order) { return order->count - order->position; }

ebm_status ebm_order_seek(ebm_order *order, uint32_t epoch, size_t position)
{
    if (position >= order->count)
        return ebm_fail(EBM_ERROR_INPUT, "position %zu in an epoch of %zu rows: is this another data set?", position,
                        order->count);
    const uint32_t old_epoch = order->epoch;
    order->epoch = epoch;
    order->position = position;
    if (epoch != old_epoch) shuffle(order);
    return ebm_ok();
}

void ebm_order_free(ebm_order *order)
{
    if (!order) return;
    free(order->rows);
    free(order);
}
