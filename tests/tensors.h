// Tensors on the device for one case of a kernel test: none starts at its arena's beginning, all have sentinels behind.
//
//     tensors all = {.device = device};
//     tensor *x = tensors_normal(&all, rows * channels, 0, 1), *y = tensors_zero(&all, rows * channels);
//     tensors_upload(&all);
//     assert_ok(ebm_some_operation(device, y->slice, x->slice));
//     tensors_download(&all);               // y->now, x->now; fails when a sentinel changed
//     tensors_free(&all);
#ifndef EBM_TESTS_TENSORS_H
#define EBM_TESTS_TENSORS_H

#include "arena.h"
#include "check.h"

typedef struct {
    ebm_slice slice;  // as operations are to see it
    ebm_slice padded; // with the sentinels
    size_t count;
    float *before, *now; // host: as uploaded, as downloaded
} tensor;

typedef struct {
    ebm_device *device;
    ebm_arena *arena;
    ebm_slice front;
    tensor items[24];
    size_t count;
} tensors;

tensor *tensors_zero(tensors *all, size_t count);
// Normal numbers; each call of a case takes others, every run the same.
tensor *tensors_normal(tensors *all, size_t count, double mean, double deviation);
// Whole numbers below `bound`, as int32.
tensor *tensors_integers(tensors *all, size_t count, uint32_t bound);
int32_t *tensor_integers(const tensor *t); // `before` seen as int32
void tensors_upload(tensors *all);         // once, after the last tensor is made
void tensors_download(tensors *all);
void tensors_free(tensors *all);

void assert_unchanged(const tensor *t); // bit for bit, after a download
// |actual - expected| <= tolerance[i] for each, and neither NaN nor infinite.
void assert_within(const char *what, const float *actual, const double *expected, const double *tolerance,
                   size_t count);

// Device of a test program, opened and closed by cmocka's group set-up.
extern ebm_device *device;
int open_device(void **state);
int close_device(void **state);

// Runs the case for all edge sizes (a few under EBMCL_TEST_SMALL).
void for_sizes(void (*run)(size_t rows, size_t channels));

#define UNIT_ROUNDOFF 5.9604644775390625e-8 // 2^-24: the relative error of one rounding

#endif
