// The empirical posterior of PosCal (Jung et al. 2020, section 3): for each label and each of `bins` equal bins of its
// probability, how often it was the truth.
//
// The paper predicts the training set anew at each update; its code was not published. Here the predictions are those
// that training makes anyway, so that an update costs nothing: the last epoch's, about one of each text, made by the
// weights of their step with dropout on. They are kept as counts of `updates` windows, the oldest of which is dropped
// at each update. With h of n predictions of a bin right, q = (h + 1/2) / (n + 1): no bin makes the loss infinite.
//
//     EBM_TRY(ebm_posterior_create(labels, 20, 10, steps_per_epoch, &posterior));
//     ebm_posterior_add(posterior, logits, label, count);       // every step's labelled texts
//     if (ebm_posterior_step(posterior)) ... ebm_posterior_table(posterior) is a new one ...
#ifndef EBM_POSTERIOR_H
#define EBM_POSTERIOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_POSTERIOR_BINS = 20, EBM_POSTERIOR_UPDATES = 10 }; // of each label; an epoch

typedef struct ebm_posterior ebm_posterior;

// updates an epoch, each after the same number of steps, at least one.
ebm_status ebm_posterior_create(size_t labels, size_t bins, size_t updates, uint64_t steps_per_epoch,
                                ebm_posterior **posterior);
void ebm_posterior_free(ebm_posterior *posterior); // NULL is accepted

// logits: count x labels; label: count, each in [0, labels).
void ebm_posterior_add(ebm_posterior *posterior, const float *logits, const int32_t *label, size_t count);
bool ebm_posterior_step(ebm_posterior *posterior);                // a step is done; true when it brought an update
const float *ebm_posterior_table(const ebm_posterior *posterior); // (labels, bins), -1 where there is none; borrowed

// All of its state, for a checkpoint; NULL when memory ran out. Read back into one made with the same numbers.
json_t *ebm_posterior_json(const ebm_posterior *posterior);
ebm_status ebm_posterior_restore(ebm_posterior *posterior, const json_t *state);

#ifdef __cplusplus
}
#endif
#endif
