#include "masked_step.h"

// Packs texts from *next on until the token budget or the planned positions are full, and runs them.
static ebm_status run_batch(const ebm_masked_pass *pass, const ebm_masked_texts *texts, const ebm_run *run,
                            size_t *next, uint64_t *done, double *sum)
{
    const int32_t *targets = texts->target[*next];
    size_t positions = 0, told = 0;
    ebm_packing_clear(pass->packing, pass->first_token + *done, pass->first_sequence + *next);
    for (bool fits = true; *next < texts->count; ++*next) {
        if (positions + texts->masked[*next] > texts->most_positions && positions > 0) break;
        EBM_TRY(ebm_packing_add(pass->packing, texts->sequence[*next], &fits));
        if (!fits) break;
        positions += texts->masked[*next];
    }
    ebm_batch batch;
    EBM_TRY(ebm_packing_send(pass->packing, &batch));
    if (*next == texts->count && pass->listener)
        ebm_classifier_watch(pass->classifier, pass->listener, pass->listener_context);
    EBM_TRY(
        ebm_classifier_mlm(pass->classifier, &batch, run, targets, pass->weight / (float)texts->positions, sum, &told));
    *done += batch.tokens;
    return ebm_ok();
}

ebm_status ebm_masked_gradients(const ebm_masked_pass *pass, const ebm_masked_texts *texts, const ebm_run *run,
                                uint64_t *tokens, size_t *batches, double *mean)
{
    double sum = 0;
    uint64_t done = 0;
    *mean = 0;
    for (size_t next = 0; next < texts->count; ++*batches) EBM_TRY(run_batch(pass, texts, run, &next, &done, &sum));
    *tokens += done;
    if (texts->positions > 0) *mean = sum / (double)texts->positions;
    return ebm_ok();
}
