// Measures who is fastest at which products of a device: our kernels, CLBlast with one set of parameters after the
// other, the plain kernels. What every one of them computes is checked first.
//
//     ebm_tuner_result *result = NULL;                     // large
//     EBM_TRY(ebm_tuner_run(device, &settings, &result));  // a device that had no products yet
//     EBM_CHECK(ebm_tuning_write(device, path, &result->tuning), end);
//     end: free(result);
#ifndef EBM_TUNER_H
#define EBM_TUNER_H

#include <signal.h>

#include "tuning.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ebm_gemm_form form;
    size_t m, n, k;
    bool adds;
    size_t times; // its weight
} ebm_tuner_product;

typedef struct {
    const ebm_tuner_product *products;
    size_t count, repeats;
    bool quick;              // the sets of parameters that are marked for it
    const char *const *sets; // or those with these names,
    size_t set_count;        // 0: all for the kind of the device
    // Both may be NULL. *stop not 0: EBM_ERROR_INTERRUPTED.
    const volatile sig_atomic_t *stop;
    void (*progress)(const char *contender, size_t done, size_t all);
} ebm_tuner_settings;

enum { EBM_TUNER_MOST = 40 };

// One way to have products done: a backend, with a set of CLBlast's parameters.
typedef struct {
    char name[32]; // "cpu", "plain", or that of the set
    ebm_backend backend;
    ebm_clblast_parameters parameters;
    ebm_status left_out; // EBM_OK: it was timed; else what was wrong with it
    // Least times of the class's products, times their weights; HUGE_VAL: given up, too slow to be waited for.
    double seconds[EBM_GEMM_FORMS][EBM_ROW_CLASSES];
} ebm_tuner_contender;

typedef struct {
    ebm_tuner_contender contenders[EBM_TUNER_MOST];
    size_t count, standard;                        // standard: the place of the one that is in force without tuning
    size_t clblast;                                // of the best set of parameters; count: none
    size_t best[EBM_GEMM_FORMS][EBM_ROW_CLASSES];  // who does the class from now on
    double flops[EBM_GEMM_FORMS][EBM_ROW_CLASSES]; // of the class's products, weights included; 0: none was given
    ebm_tuning tuning;
} ebm_tuner_result;

// A contender that another one beats by less than this share keeps its place if it is the standard: noise should not
// change bits.
#define EBM_TUNER_MARGIN 0.03

// Times products of each class, contenders in the order given above. The set of parameters is the one with which all
// products together take the least time when each class goes to its fastest backend; CLBlast has one set at a time,
// changing it means to compile again. Wrong results, kernels that do not compile or do not fit leave a contender out,
// and it says why. EBM_ERROR_DEVICE when none is left; EBM_ERROR_INPUT for a set of no known name.
ebm_status ebm_tuner_run(ebm_device *device, const ebm_tuner_settings *settings, ebm_tuner_result **result);

#ifdef __cplusplus
}
#endif
#endif
