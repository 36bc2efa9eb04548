// Packs token sequences into one batch: filled on the host, sent to the device, used as an ebm_batch.
//
//     ebm_packing_clear(packing, 0, 0);
//     EBM_TRY(ebm_packing_add(packing, sequence, &fits));        // fits = false: send, run, clear, add again
//     EBM_TRY(ebm_packing_send(packing, &batch));
#ifndef EBM_PACKING_H
#define EBM_PACKING_H

#include "batch.h"
#include "config.h"
#include "run.h"

#ifdef __cplusplus
extern "C" {
#endif

// One encoded text or pair, special tokens included; borrowed. types may be NULL: all 0.
typedef struct {
    const int32_t *ids, *types;
    size_t count;
} ebm_sequence;

typedef struct ebm_packing ebm_packing;

// Reserves the batch's device buffers in `arena`. Position and type tables, and their limits, come from `config`.
ebm_status ebm_packing_create(ebm_device *device, const ebm_config *config, const ebm_limits *limits, ebm_arena *arena,
                              ebm_packing **packing);
void ebm_packing_free(ebm_packing *packing); // NULL is accepted

// Empties it. first_token and first_sequence: how many of the step's came before (ebm_batch).
void ebm_packing_clear(ebm_packing *packing, uint64_t first_token, uint64_t first_sequence);
// *fits = false and nothing is added when tokens or sequences would pass the limits. EBM_ERROR_INPUT when the sequence
// alone would, is empty, is longer than the model has positions, or holds an id outside the vocabulary.
ebm_status ebm_packing_add(ebm_packing *packing, ebm_sequence sequence, bool *fits);
// Sends what was added; *batch borrows from the packing until it is cleared. At least one sequence.
ebm_status ebm_packing_send(ebm_packing *packing, ebm_batch *batch);

size_t ebm_packing_tokens(const ebm_packing *packing);
size_t ebm_packing_sequences(const ebm_packing *packing);

#ifdef __cplusplus
}
#endif
#endif
