// The parts of `ebmcl selftest`.
#ifndef EBM_SELFTEST_RUN_H
#define EBM_SELFTEST_RUN_H

#include "device_benchmark.h"
#include "kernel_check.h"
#include "selftest.h"

enum { SELFTEST_CHECKS = 40, SELFTEST_SPEEDS = 32 };

// The checks of one form.
typedef struct {
    ebm_kernel_form form;
    ebm_status opened; // other than EBM_OK: nothing ran
    ebm_check_result checks[SELFTEST_CHECKS];
    size_t count;
    ebm_kernel_verdict verdict;
} selftest_form;

typedef struct {
    char name[128];
    double seconds, flops, bytes; // of one run, at least
} selftest_speed;

typedef struct {
    ebm_device *device; // in the form that is right, or the device's own
    selftest_form forms[EBM_FORMS];
    size_t form_count;
    bool trained; // else training_status says why not
    ebm_status training_status, speed_status;
    ebm_selftest_training training;
    selftest_speed speeds[SELFTEST_SPEEDS];
    size_t speed_count;
    double seconds;      // of everything
    uint64_t host_bytes; // the process's largest resident size
    bool right;          // all of it
} selftest;

// selftest_speed.c: fills speeds; the status of what could not be measured.
ebm_status selftest_measure(selftest *s);
// selftest_print.c
void selftest_print(const selftest *s);
ebm_status selftest_print_json(const selftest *s);

#endif
