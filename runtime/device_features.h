// What a device says it supports beyond the baseline, for people: `ebmcl devices` and `ebmcl selftest` print it.
#ifndef EBM_DEVICE_FEATURES_H
#define EBM_DEVICE_FEATURES_H

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    bool fp16, fp64;       // arithmetic in the kernels: cl_khr_fp16, cl_khr_fp64
    bool subgroups;        // cl_khr_subgroups or cl_intel_subgroups
    bool integer_dot;      // cl_khr_integer_dot_product
    unsigned sub_devices;  // it can be cut into so many, by clCreateSubDevices; below 2: not at all
    size_t group_multiple; // of a work-group's items, as the driver prefers it for a plain kernel; 0: not known
} ebm_device_features;

ebm_device_features ebm_device_features_of(ebm_device *device); // builds one small kernel
// The extensions as the driver lists them, parted by spaces, for the caller to free(); NULL without memory.
char *ebm_device_extensions(const ebm_device *device);

#ifdef __cplusplus
}
#endif
#endif
