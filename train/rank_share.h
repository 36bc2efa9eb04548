// Which of a step's texts a rank computes.
//
// Where every rank knows all texts (from the training set, a file, shuffled) the step's list, labelled | data | noise,
// is cut into consecutive runs of about equally many tokens: each token keeps its place in the step, and so its
// dropout. Where each rank makes noise of its own, labelled and data texts are cut likewise, each for itself, noise is
// what the rank has made, and its dropout is drawn from numbers of its own.
#ifndef EBM_RANK_SHARE_H
#define EBM_RANK_SHARE_H

#include "ranks.h"
#include "step.h"

#ifdef __cplusplus
extern "C" {
#endif

// Rank r takes sequences [first[r], first[r + 1]); first has ranks + 1 numbers. A sequence goes where its middle falls
// when all their tokens are cut into equal parts, so ranks may be left without one.
void ebm_share_by_tokens(const ebm_sequence *sequences, size_t count, size_t ranks, size_t *first);
// The part of `count` of rank r: [ebm_share_bound(count, r, ranks), ebm_share_bound(count, r + 1, ranks)).
size_t ebm_share_bound(size_t count, size_t rank, size_t ranks);

// Leaves of a step's texts the rank's own. own_noise: the noise is already this rank's, of `all_noise` of all ranks.
ebm_status ebm_step_texts_share(ebm_step_texts *texts, const ebm_ranks *ranks, bool own_noise, size_t all_noise);

#ifdef __cplusplus
}
#endif
#endif
