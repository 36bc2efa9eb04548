// A short training whose losses are known, for `ebmcl selftest`: joint, on texts of the grammar, from random weights.
//
//     ebm_selftest_training found;
//     EBM_TRY(ebm_selftest_train(device, &found));
//     if (ebm_selftest_error(&found) > 1) ... other losses than elsewhere ...
#ifndef EBM_SELFTEST_H
#define EBM_SELFTEST_H

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_SELFTEST_STEPS = 12 };

typedef struct {
    double cross_entropy[EBM_SELFTEST_STEPS], nce[EBM_SELFTEST_STEPS]; // means of each step
    double seconds;                                                    // of all steps, building kernels included
    double last_seconds;                                               // of the last step
    uint64_t memory_bytes;                                             // planned on the device
} ebm_selftest_training;

// BERT with 2 layers of 64, dropout 0.1, 16 texts and 2 shuffled ones for each, hidden energy, AdamW: every number that
// is drawn is the same on every device. Nothing is written to disk.
ebm_status ebm_selftest_train(ebm_device *device, ebm_selftest_training *result);

// What the losses were elsewhere, and what others may differ from them by: selftest.c says why.
extern const ebm_selftest_training ebm_selftest_recorded;
extern const double EBM_SELFTEST_TOLERANCE;
// The largest difference as a share of its tolerance; HUGE_VAL for NaN.
double ebm_selftest_error(const ebm_selftest_training *found);

#ifdef __cplusplus
}
#endif
#endif
