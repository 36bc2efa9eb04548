// The loss of masked language modelling (Devlin et al. 2019, section 3.1, task 1) and its gradient, through the head of
// mlm_head.h on an encoder's hidden states:
//
//     loss of a masked position = logsumexp logits - logits[the token that was there]
//
// Only masked positions go through the head, EBM_MLM_LOSS_ROWS of them at a time, so that the logits of a batch over
// the vocabulary are never in memory all at once.
//
//     EBM_TRY(ebm_mlm_loss_create(device, config, parameters, arena, rows, &loss));       // behind the encoder's
//     EBM_TRY(ebm_mlm_loss_run(loss, hidden, d_hidden, &batch, targets, weight / (float)positions, &sum, &count));
#ifndef EBM_MLM_LOSS_H
#define EBM_MLM_LOSS_H

#include "batch.h"
#include "config.h"
#include "parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_MLM_LOSS_ROWS = 128 };

typedef struct ebm_mlm_loss ebm_mlm_loss;

// rows: masked positions of the largest batch. Names the head's parameters and plans memory in `arena`; refuses what
// ebm_mlm_head_create refuses.
ebm_status ebm_mlm_loss_create(ebm_device *device, const ebm_config *config, ebm_parameters *parameters,
                               ebm_arena *arena, size_t rows, ebm_mlm_loss **loss);
void ebm_mlm_loss_free(ebm_mlm_loss *loss); // NULL is accepted

// hidden, d_hidden (tokens, C); targets: on the host, of each token the one to be told, -1 where none is. Adds up the
// losses in *sum (in double) and the positions in *count, adds scale times the sum's gradient to the parameters', the
// word embeddings' included, and writes scale times that of hidden into d_hidden. EBM_ERROR_INPUT for more positions
// than planned, or a target outside the vocabulary; without any position d_hidden becomes zero.
ebm_status ebm_mlm_loss_run(ebm_mlm_loss *loss, ebm_slice hidden, ebm_slice d_hidden, const ebm_batch *batch,
                            const int32_t *targets, float scale, double *sum, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
