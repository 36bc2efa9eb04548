// Does a device compute what it should? A known-answer check of each family of kernels: small inputs across the edges
// of tiles and lanes, against double precision (reference.h and its like) within derived tolerances.
//
//     ebm_kernel_verdict verdict;
//     EBM_TRY(ebm_kernel_check_all(device, EBM_CHECK_USED, NULL, &verdict));
//     if (!verdict.right) ... verdict.family, verdict.sentence ...
//
// Drivers miscompute now and then, and mostly one form of the kernels: checked_device.h opens a device in a form that
// is right.
#ifndef EBM_KERNEL_CHECK_H
#define EBM_KERNEL_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *family; // "layernorm", "attention", "products (clblast)"
    // *worst: the largest error as a share of its tolerance, if larger than what it was: at most 1 is right; HUGE_VAL
    // for NaN, a wrong integer or a write past a tensor's end. EBM_ERROR_UNSUPPORTED where the device's form has no
    // such kernels.
    ebm_status (*run)(ebm_device *device, double *worst);
    // Whether training on the device would come across it without being asked; NULL: always.
    bool (*is_used)(const ebm_device *device);
} ebm_kernel_check;

extern const ebm_kernel_check ebm_kernel_checks[];
extern const size_t ebm_kernel_check_count;

typedef enum {
    EBM_CHECK_USED,        // what the device's form of the kernels needs, up to the first that is wrong
    EBM_CHECK_BUT_CLBLAST, // all, and all backends of products that can run but for CLBlast: it builds for long
    EBM_CHECK_EVERY
} ebm_check_extent;

typedef struct {
    const ebm_kernel_check *check;
    ebm_status status; // EBM_OK also where the result is wrong; EBM_ERROR_UNSUPPORTED: there is no such kernel here
    double worst, seconds;
} ebm_check_result;

bool ebm_check_is_wrong(const ebm_check_result *result); // not where there is no such kernel

typedef struct {
    bool right;
    char family[32];    // of the first wrong one, "" when all are right
    char sentence[160]; // "error 3.1 times what rounding allows", or what failed
    double worst;       // of all that ran
    double seconds;
} ebm_kernel_verdict;

// Who is told of each check before and after it; any may be NULL.
typedef struct {
    void *context;
    void (*begun)(void *context, const ebm_kernel_check *check);
    void (*ended)(void *context, const ebm_check_result *result);
} ebm_check_watch;

// Runs the checks in their order; watch may be NULL. The status is never that of a check: one that fails, other than by
// EBM_ERROR_UNSUPPORTED, is wrong. EBM_ERROR_MEMORY, and EBM_ERROR_INPUT for a wrong setting of the environment, are
// returned, and no verdict.
ebm_status ebm_kernel_check_all(ebm_device *device, ebm_check_extent extent, const ebm_check_watch *watch,
                                ebm_kernel_verdict *verdict);

// What ebm_kernel_check_all makes of a result, for results from elsewhere: *verdict begins as {.right = true}.
void ebm_kernel_verdict_add(ebm_kernel_verdict *verdict, const ebm_check_result *result);

#ifdef __cplusplus
}
#endif
#endif
