// AdamW with decoupled weight decay, global-norm clipping and the linear schedule, as torch.optim.AdamW,
// torch.nn.utils.clip_grad_norm_ and transformers.get_linear_schedule_with_warmup compute them.
//
//     EBM_TRY(ebm_optimizer_create(device, parameters, &settings, arena, &optimizer)); // plans scratch in `arena`
//     ... arenas planned and allocated ...
//     EBM_TRY(ebm_optimizer_step(optimizer, ebm_learning_rate_at(&schedule, step), step + 1, true));
//     EBM_TRY(ebm_optimizer_norm(optimizer, &norm));                                   // waits; EBM_ERROR_NONFINITE
//
// The norm is reduced on the device and read there by the update: a step needs no round trip to the host. When it is
// not finite nothing is changed (weights, moments, gradients), so the state before the bad step can still be saved.
#ifndef EBM_OPTIMIZER_H
#define EBM_OPTIMIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "device.h"
#include "parameters.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double beta1, beta2, epsilon, weight_decay; // METHOD section 4: 0.9, 0.999, 1e-8, 0.1
    double max_norm;                            // 1.0; 0: no clipping
} ebm_adamw;

typedef struct ebm_optimizer ebm_optimizer;

// All tensors of the table must be declared by now; the table is borrowed and must be one for training. Reserves one
// slice (a float for each EBM_OPTIMIZER_CHUNK elements of each tensor) in the arena.
enum { EBM_OPTIMIZER_CHUNK = 4096 };
ebm_status ebm_optimizer_create(ebm_device *device, ebm_parameters *parameters, const ebm_adamw *settings,
                                ebm_arena *arena, ebm_optimizer **optimizer);
void ebm_optimizer_free(ebm_optimizer *optimizer); // NULL is accepted

// One update; `update` counts from 1 (bias correction 1 - beta^update). With g = gradient * min(1, max_norm / (norm +
// 1e-6)):
//     w -= rate * weight_decay * w                  (tensors with decay only, before the update)
//     m = beta1 m + (1 - beta1) g      v = beta2 v + (1 - beta2) g^2
//     w -= rate / (1 - beta1^update) * m / (sqrt(v / (1 - beta2^update)) + epsilon)
// zero_gradients: gradients are zeroed in the same pass.
ebm_status ebm_optimizer_step(ebm_optimizer *optimizer, double rate, uint64_t update, bool zero_gradients);

// The norm of all gradients before clipping, of the last step (or ebm_optimizer_measure). Not finite: *norm is set and
// EBM_ERROR_NONFINITE names the first parameter whose gradient is not finite (or, as squares above 3e38 overflow, too
// large). Waits for the device.
ebm_status ebm_optimizer_norm(ebm_optimizer *optimizer, double *norm);
// Forgets the gradients of a step whose norm is not finite: they are zeroed, as the next step expects them.
ebm_status ebm_optimizer_drop(ebm_optimizer *optimizer);
// Only the norm, no update.
ebm_status ebm_optimizer_measure(ebm_optimizer *optimizer);

// Linear warm-up from 0, then linear decay to 0.
typedef struct {
    double peak;
    uint64_t warmup, total; // steps
} ebm_schedule;

// The rate of step 0, 1, ...: peak * step / warmup before `warmup`, then peak * (total - step) / (total - warmup), not
// below 0. Step 0 of a warm-up has rate 0, as there.
double ebm_learning_rate_at(const ebm_schedule *schedule, uint64_t step);

#ifdef __cplusplus
}
#endif
#endif
