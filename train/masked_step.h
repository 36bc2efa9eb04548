// The part of a training step that is masked language modelling: packed batches of masked texts, forward and backward.
//
//     const ebm_masked_pass pass = {classifier, packing, weight, rows_before, tokens_before};
//     EBM_TRY(ebm_masked_gradients(&pass, &masked, &run, &tokens, &batches, &mean_loss));
#ifndef EBM_MASKED_STEP_H
#define EBM_MASKED_STEP_H

#include "classifier.h"
#include "masking.h"
#include "packing.h"

typedef struct {
    ebm_classifier *classifier; // with a head for it
    ebm_packing *packing;       // of its limits
    float weight;
    uint64_t first_sequence;                             // how many of the step's sequences came before
    uint64_t first_token;                                // likewise; they key dropout
    ebm_status (*listener)(void *context, size_t first); // of the last backward pass, see ebm_classifier_watch; or NULL
    void *listener_context;
} ebm_masked_pass;

// Adds the gradient of weight times the mean loss over all masked positions of the step, however the texts fall into
// batches. *tokens: the step's so far, counted on; *batches likewise. *mean: the sum of losses over texts->positions, 0
// without any position.
ebm_status ebm_masked_gradients(const ebm_masked_pass *pass, const ebm_masked_texts *texts, const ebm_run *run,
                                uint64_t *tokens, size_t *batches, double *mean);

#endif
