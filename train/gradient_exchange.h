// Gradients of several ranks become their sum on every rank, while the backward pass still goes on.
//
// The table's tensors are cut into buckets, runs of about a million elements that lie side by side on the device. The
// backward pass ends with the table's first tensors: as soon as all of a bucket are final it is mapped into the host's
// memory, behind them in the queue. The host, which has nothing else to do, then sends it round in pieces: each rank
// gets its own share of a piece from all others, adds them in the order of ranks, and sends the sum to all. So a rank
// sends and receives 2 (N - 1) / N of the gradients whatever N is, the sum of an element is ((g0 + g1) + g2) + ... on
// every run, and as each sum is made once, all ranks have the same bits.
//
//     EBM_TRY(ebm_gradient_exchange_create(device, parameters, ranks, &exchange));
//     ... a step's last backward pass calls ebm_gradient_exchange_final(exchange, index) ...
//     EBM_TRY(ebm_gradient_exchange_finish(exchange));
//
// Each rank's gradients must be parts of one sum: of losses divided by counts over all ranks.
#ifndef EBM_GRADIENT_EXCHANGE_H
#define EBM_GRADIENT_EXCHANGE_H

#include "parameters.h"
#include "ranks.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_gradient_exchange ebm_gradient_exchange;

// Of a table for training whose tensors are all declared; all is borrowed. Takes memory of the host alone.
ebm_status ebm_gradient_exchange_create(ebm_device *device, ebm_parameters *parameters, const ebm_ranks *ranks,
                                        ebm_gradient_exchange **exchange);
void ebm_gradient_exchange_free(ebm_gradient_exchange *exchange); // NULL is accepted

// From what is queued now on no kernel of this step changes the gradients of tensors `first` and above (their indices
// in the table). To be called with falling numbers; queues the mapping of buckets that are complete and returns.
// An ebm_backward_listener: see encoder.h.
ebm_status ebm_gradient_exchange_final(void *exchange, size_t first);
// The rest is final too. Sends all round, and returns when the device may go on with the sums.
ebm_status ebm_gradient_exchange_finish(ebm_gradient_exchange *exchange);

// For measurements: of the last step, seconds in finish, and what of them was left when the last gradient was there.
typedef struct {
    size_t buckets, largest; // elements of the largest bucket
    uint64_t bytes;          // of all gradients
    double seconds, exposed;
} ebm_exchange_statistics;
ebm_exchange_statistics ebm_gradient_exchange_statistics(const ebm_gradient_exchange *exchange);

#ifdef __cplusplus
}
#endif
#endif
