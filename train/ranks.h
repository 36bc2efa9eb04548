// Several processes that train one model together: who is there, and what they tell each other. Messages go through
// functions that the program gives (MPI's, train/cli/ranks_mpi.c): the library knows no MPI.
//
// Every function here but ebm_ranks_wait is called by all ranks in the same order. With one rank (or NULL) they do
// nothing and need no transport. Sums are made in the order of ranks, so that they have the same bits on every rank and
// in every run.
#ifndef EBM_RANKS_H
#define EBM_RANKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

// A message under way. Messages between two ranks with one tag arrive in the order they were sent in.
typedef struct {
    void *handle[2]; // the transport's own; both NULL: done, or never begun
} ebm_transfer;

enum { EBM_TAG_WORDS, EBM_TAG_SCATTER, EBM_TAG_GATHER, EBM_TAG_COUNT };

typedef struct {
    int rank, count;             // 0 <= rank < count
    int local_rank, local_count; // among those of this machine
    void *context;
    // Memory must stay as it is until the transfer is done.
    ebm_status (*send)(void *context, const void *from, size_t bytes, int to, int tag, ebm_transfer *transfer);
    ebm_status (*receive)(void *context, void *to, size_t bytes, int from, int tag, ebm_transfer *transfer);
    // Whether all of them are done. Does not wait, but messages go on only while it is called now and then.
    ebm_status (*test)(void *context, ebm_transfer *transfers, size_t count, bool *done);
} ebm_ranks;

static inline int ebm_rank_of(const ebm_ranks *ranks) { return ranks ? ranks->rank : 0; }
static inline int ebm_rank_count(const ebm_ranks *ranks) { return ranks ? ranks->count : 1; }
static inline bool ebm_rank_is_first(const ebm_ranks *ranks) { return ebm_rank_of(ranks) == 0; }

// Waits until the transfers are done without taking time from a device that computes on the same processor.
ebm_status ebm_ranks_wait(const ebm_ranks *ranks, ebm_transfer *transfers, size_t count);
// For a loop of one's own that waits for several things: *idle = 0 before it and after each thing that happened.
// Sleeps, longer the longer nothing happened, up to a fifth of a millisecond.
void ebm_ranks_pause(unsigned *idle);

// `bytes` of each rank, to all: all[rank * bytes ...].
ebm_status ebm_ranks_gather(const ebm_ranks *ranks, const void *mine, size_t bytes, void *all);
// Pieces of one array on the host: rank r has items [first[r], first[r + 1]) of `bytes` each, and gets the others'.
ebm_status ebm_ranks_share(const ebm_ranks *ranks, void *items, const size_t *first, size_t bytes);
// values[i] becomes the sum over all ranks.
ebm_status ebm_ranks_sum(const ebm_ranks *ranks, double *values, size_t count);
// The status of the lowest rank whose own is not EBM_OK, on all ranks: they go on together, or end together.
ebm_status ebm_ranks_agree(const ebm_ranks *ranks, ebm_status mine);
// EBM_ERROR_DEVICE, on all ranks, when `value` is not the same everywhere; `what` begins the sentence.
ebm_status ebm_ranks_same(const ebm_ranks *ranks, uint64_t value, const char *what);

#ifdef __cplusplus
}
#endif
#endif
