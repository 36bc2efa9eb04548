// What PyTorch computed with the tiny models of fixtures/models (make_model_fixtures.py), and comparisons with it.
//
//     ebm_safetensors *expected = expected_open("bert");
//     float *logits = expected_floats(expected, "logits");
//     assert_near("logits", found, logits, count, 1e-5);
#ifndef EBM_TESTS_EXPECTED_H
#define EBM_TESTS_EXPECTED_H

#include "check.h"
#include "parameters.h"

extern ebm_device *device; // of the test program, opened and closed by cmocka's group set-up
int open_device(void **state);
int close_device(void **state);

const char *model_folder(const char *family); // borrowed until the next call
ebm_safetensors *expected_open(const char *family);
size_t expected_count(const ebm_safetensors *expected, const char *name);
float *expected_floats(const ebm_safetensors *expected, const char *format, ...) __attribute__((format(printf, 2, 3)));
int32_t *expected_integers(const ebm_safetensors *expected, const char *name);

float *read_floats(ebm_slice slice, size_t count); // for the caller to free()
void assert_near_one(const char *what, double found, double expected, double tolerance);
void assert_near(const char *what, const float *found, const float *expected, size_t count, double tolerance);

// All parameters in the order of their names, one part of each on the host.
typedef struct {
    size_t count;
    const char **names;
    float **values;
    size_t *sizes;
} snapshot;
snapshot snapshot_take(ebm_parameters *parameters, ebm_part part);
void snapshot_free(snapshot *s);
void assert_same_bits(const snapshot *a, const snapshot *b);
// Each tensor within `tolerance` of the largest of the expected norm and 1e-3 (gradients that are 0 but for rounding).
void assert_near_snapshot(const snapshot *found, const snapshot *expected, double tolerance);

// expected: (parameters, 3): norm, product with cos(i), product with sin(2 i) of each, in the order of the names.
// `minus` is subtracted before, NULL: nothing. leave_out: names to pass over, NULL: none.
void assert_summary(const char *what, const snapshot *found, const snapshot *minus, const float *expected,
                    double tolerance, bool (*leave_out)(const char *name));
// Each gradient against the tensor "gradient.<name>", element by element, relative to its norm.
void assert_gradients(const snapshot *found, const ebm_safetensors *expected, double tolerance);

void zero_gradients(ebm_parameters *parameters);
void add_to_weights(const ebm_parameter *parameter, const float *start, const float *direction, double step);

#endif
