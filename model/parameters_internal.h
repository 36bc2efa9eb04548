// The table's inside, for parameters.c and parameters_file.c.
#ifndef EBM_PARAMETERS_INTERNAL_H
#define EBM_PARAMETERS_INTERNAL_H

#include "parameters.h"

enum { EBM_PARTS = 4 }; // in the order of ebm_part

struct ebm_parameters {
    ebm_device *device;
    bool training;
    ebm_arena *arenas[EBM_PARTS];
    ebm_tensor **tensors; // each allocated by itself: their slices must stay in place
    size_t tensor_count;
    ebm_parameter **names;
    size_t name_count;
    ebm_status status; // the first error of tensor and name
    uint64_t version;  // of the weights
};

// Host memory through which parts of a parameter pass: enough for one transfer to be worth its start.
enum { EBM_STAGING = 1 << 20 }; // elements

// The slice of one part; 0 elements when the table has no such part.
ebm_slice ebm_tensor_part(const ebm_tensor *tensor, ebm_part part);

static inline size_t ebm_parameter_elements(const ebm_parameter *parameter)
{
    return (parameter->rows ? parameter->rows : 1) * parameter->columns;
}

#endif
