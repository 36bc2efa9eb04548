// A packed batch: the tokens of all its sequences one after another, no padding anywhere.
#ifndef EBM_BATCH_H
#define EBM_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"

// Device buffers hold at least `tokens` (starts: sequences + 1) int32 elements. Sequence s is tokens
// [starts[s], starts[s + 1]); starts[0] = 0, starts[sequences] = tokens; no sequence is empty.
typedef struct {
    size_t sequences, tokens;
    size_t longest;      // tokens of the longest sequence
    ebm_slice ids;       // word ids
    ebm_slice positions; // position ids, the family's offset included
    ebm_slice types;     // type ids; 0 elements for families without
    ebm_slice starts;
    const int32_t *host_starts; // the same on the host, borrowed
    uint64_t first_token; // index of token 0 within the step: keys dropout, so that a split step draws the same masks
    uint64_t first_sequence; // index of sequence 0 within the step, likewise
} ebm_batch;

#endif
