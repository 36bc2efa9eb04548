// One case of a known-answer check: tensors on the device with host copies, none at its arena's beginning, a guard
// behind each; and how far results are from what they should be, as a share of what is allowed.
//
//     ebm_trial t;
//     EBM_TRY(ebm_trial_begin(&t, device));
//     ebm_trial_tensor *x = ebm_trial_normal(&t, n, 0, 1), *y = ebm_trial_zero(&t, n);
//     EBM_TRIAL(&t, ebm_trial_upload(&t));
//     EBM_TRIAL(&t, ebm_some_operation(device, y->slice, x->slice));
//     EBM_TRIAL(&t, ebm_trial_download(&t));
//     for (size_t i = 0; i < n; i++) ebm_trial_near(&t, y->now[i], f((double)x->before[i]), allowed);
//     return ebm_trial_end(&t, worst);                                         // the first failure of all
#ifndef EBM_TRIAL_H
#define EBM_TRIAL_H

#include "arena.h"

enum { EBM_TRIAL_TENSORS = 24, EBM_TRIAL_ELEMENTS = 1 << 19 }; // of all tensors together, guards included
#define EBM_UNIT_ROUNDOFF 0x1p-24                              // the relative error of one rounding

typedef struct {
    ebm_slice slice;  // as operations are to see it
    ebm_slice padded; // with the guard
    size_t count;
    float *before, *now; // on the host: as uploaded, as downloaded
} ebm_trial_tensor;

typedef struct {
    ebm_device *device;
    ebm_arena *arena;
    ebm_slice front;
    ebm_trial_tensor items[EBM_TRIAL_TENSORS];
    size_t count, used;
    float *pool;
    double worst;      // so far; HUGE_VAL for what is not a number, or where none may be
    ebm_status status; // of the first call that failed
} ebm_trial;

ebm_status ebm_trial_begin(ebm_trial *trial, ebm_device *device);
// Frees everything; *worst: the larger of what it was and this trial's.
ebm_status ebm_trial_end(ebm_trial *trial, double *worst);
// The call is made when none before it failed.
#define EBM_TRIAL(trial, call)                                                                                         \
    do {                                                                                                               \
        if ((trial)->status.code == EBM_OK) (trial)->status = (call);                                                  \
    } while (0)

ebm_trial_tensor *ebm_trial_zero(ebm_trial *trial, size_t count);
// Normal numbers, others for each tensor of a trial, the same every time.
ebm_trial_tensor *ebm_trial_normal(ebm_trial *trial, size_t count, double mean, double deviation);
// In (-scale, scale), likewise.
ebm_trial_tensor *ebm_trial_uniform(ebm_trial *trial, size_t count, double scale);
// int32 numbers below `bound`, likewise.
ebm_trial_tensor *ebm_trial_integers(ebm_trial *trial, size_t count, uint32_t bound);
int32_t *ebm_trial_as_integers(const ebm_trial_tensor *tensor); // `before` as int32
const int32_t *ebm_trial_integers_now(const ebm_trial_tensor *tensor);

ebm_status ebm_trial_upload(ebm_trial *trial); // once, after the last tensor is made
// All of them; a guard that was written to makes `worst` HUGE_VAL.
ebm_status ebm_trial_download(ebm_trial *trial);

void ebm_trial_near(ebm_trial *trial, float found, double expected, double allowed);
void ebm_trial_equal(ebm_trial *trial, int64_t found, int64_t expected);

#endif
