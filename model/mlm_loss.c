#include "mlm_loss.h"

#include <stdlib.h>

#include "lm_loss.h"
#include "mlm_head.h"
#include "operations.h"

struct ebm_mlm_loss {
    ebm_device *device;
    ebm_mlm_head *head;
    size_t C, V, rows;
    ebm_slice places;                    // (rows + 1) int32: the tokens with a target, as starts of "sequences"
    ebm_slice d_rows;                    // (rows, C)
    ebm_slice some, targets, values;     // (EBM_MLM_LOSS_ROWS): of those at hand places, targets and losses
    int32_t *host_places, *host_targets; // rows + 1, rows
    float host_values[EBM_MLM_LOSS_ROWS];
};

ebm_status ebm_mlm_loss_create(ebm_device *device, const ebm_config *config, ebm_parameters *p, ebm_arena *arena,
                               size_t rows, ebm_mlm_loss **out)
{
    ebm_mlm_loss *l = calloc(1, sizeof *l);
    *out = NULL;
    if (!l) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a masked language modelling loss");
    l->device = device;
    l->C = config->hidden;
    l->V = config->vocabulary;
    l->rows = rows;
    l->host_places = calloc(rows + 1, sizeof *l->host_places);
    l->host_targets = calloc(rows + 1, sizeof *l->host_targets);
    ebm_status status = l->host_places && l->host_targets
                            ? ebm_ok()
                            : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu masked positions", rows);
    EBM_CHECK(status, fail);
    EBM_CHECK(ebm_mlm_head_create(device, config, p, arena, EBM_MLM_LOSS_ROWS, l->V, &l->head), fail);
    EBM_CHECK(ebm_mlm_head_plan_backward(l->head, arena), fail);
    ebm_arena_reserve(arena, &l->places, rows + 1);
    ebm_arena_reserve(arena, &l->d_rows, rows * l->C);
    ebm_arena_reserve(arena, &l->some, EBM_MLM_LOSS_ROWS);
    ebm_arena_reserve(arena, &l->targets, EBM_MLM_LOSS_ROWS);
    ebm_arena_reserve(arena, &l->values, EBM_MLM_LOSS_ROWS);
    *out = l;
    return status;
fail:
    ebm_mlm_loss_free(l);
    return status;
}

void ebm_mlm_loss_free(ebm_mlm_loss *l)
{
    if (!l) return;
    ebm_mlm_head_free(l->head);
    free(l->host_places);
    free(l->host_targets);
    free(l);
}

// The positions with a target, as a batch whose "first tokens" they are.
static ebm_status find_places(ebm_mlm_loss *l, const ebm_batch *batch, const int32_t *targets, ebm_batch *places)
{
    *places = *batch;
    places->sequences = 0;
    places->starts = l->places;
    for (size_t t = 0; t < batch->tokens; t++) {
        if (targets[t] < 0) continue;
        if ((size_t)targets[t] >= l->V)
            return ebm_fail(EBM_ERROR_INPUT, "masked token %d, the model's vocabulary has %zu", (int)targets[t], l->V);
        if (places->sequences == l->rows)
            return ebm_fail(EBM_ERROR_INPUT, "a batch with more than the %zu masked positions it was planned for",
                            l->rows);
        l->host_places[places->sequences] = (int32_t)t;
        l->host_targets[places->sequences++] = targets[t];
    }
    l->host_places[places->sequences] = (int32_t)batch->tokens;
    return ebm_ok();
}

// Logits of `count` positions from number `first` on, their losses, and what flows back through them.
static ebm_status run_some(ebm_mlm_loss *l, ebm_slice hidden, size_t first, size_t count, float scale, double *sum)
{
    EBM_TRY(ebm_slice_write(l->device, l->some, 0, count, l->host_places + first));
    EBM_TRY(ebm_slice_write(l->device, l->targets, 0, count, l->host_targets + first));
    EBM_TRY(ebm_mlm_head_forward(l->head, hidden, l->some, count));
    EBM_TRY(ebm_lm_loss_and_gradient(l->device, l->values, ebm_mlm_head_logits(l->head), l->V, l->targets, count, l->V,
                                     scale));
    EBM_TRY(ebm_mlm_head_backward(l->head, l->d_rows, first, count));
    EBM_TRY(ebm_slice_read(l->device, l->values, 0, count, l->host_values));
    for (size_t i = 0; i < count; i++) *sum += (double)l->host_values[i];
    return ebm_ok();
}

ebm_status ebm_mlm_loss_run(ebm_mlm_loss *l, ebm_slice hidden, ebm_slice d_hidden, const ebm_batch *batch,
                            const int32_t *targets, float scale, double *sum, size_t *count)
{
    ebm_batch places;
    EBM_TRY(find_places(l, batch, targets, &places));
    const size_t rows = places.sequences, most = EBM_MLM_LOSS_ROWS;
    // What stands before the first position belongs to none of the "sequences"; without any that is everything.
    EBM_TRY(ebm_slice_zero(l->device, d_hidden, 0, (size_t)l->host_places[0] * l->C));
    if (rows == 0) return ebm_ok();
    for (size_t first = 0; first < rows; first += most)
        EBM_TRY(run_some(l, hidden, first, rows - first < most ? rows - first : most, scale, sum));
    *count += rows;
    EBM_TRY(ebm_slice_write(l->device, l->places, 0, rows + 1, l->host_places));
    return ebm_first_tokens_backward(l->device, d_hidden, l->d_rows, &places, l->C);
}
