// The empirical posterior of PosCal (Jung et al. 2020, section 3): for each label and each of `bins` equal bins of its
// probability, how often it was the truth.
//
// The published code predicts the whole training set at each update, with dropout on. Here the predictions are those
// that training makes anyway, so that an update costs nothing: about the last epoch's, one of each text, made by the
// weights of their step with dropout on. They are kept as counts of as many windows as there are updates in an epoch;
// an update drops the oldest. Of n predictions in a bin of which h were right q = h / n, and 0 where n is 0, as there.
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

// updates in every epoch, as evenly spread over its steps as whole steps allow; in an epoch of fewer steps each one is.
ebm_status ebm_posterior_create(size_t labels, size_t bins, size_t updates, uint64_t steps_per_epoch,
                                ebm_posterior **posterior);
void ebm_posterior_free(ebm_posterior *posterior); // NULL is accepted

// logits: count x labels; label: count, each in [0, labels).
void ebm_posterior_add(ebm_posterior *posterior, const float *logits, const int32_t *label, size_t count);
bool ebm_posterior_step(ebm_posterior *posterior);                // a step is done; true when it brought an update
const float *ebm_posterior_table(const ebm_posterior *posterior); // (labels, bins); borrowed

// All of its state, for a checkpoint; NULL when memory ran out. Read back into one made with the same numbers.
json_t *ebm_posterior_json(const ebm_posterior *posterior);
ebm_status ebm_posterior_restore(ebm_posterior *posterior, const json_t *state);

#ifdef __cplusplus
}
#endif
#endif
