// The one place that starts kernels, and so the one that profiles them.
//
//     ebm_launch l = ebm_launch_begin(device, "layernorm.cl", "layernorm_forward", "-DC=%d", channels);
//     ebm_arg_slice(&l, y);
//     ebm_arg_slice(&l, x);
//     ebm_arg_f32(&l, epsilon);
//     return ebm_launch_rows(&l, tokens);
//
// The program (file, macros) is built on first use and kept; LANES and GROUP are defined for every program.
// Arguments are set in order and counted: the first error sticks and is returned at the launch.
#ifndef EBM_LAUNCH_H
#define EBM_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#include "arena.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ebm_device *device;
    void *kernel; // cl_kernel, owned by the device's program table
    const char *name;
    unsigned arguments;  // set so far
    size_t local_bytes;  // __local arguments so far
    double flops, bytes; // for the profile, see ebm_launch_cost
    ebm_status status;
} ebm_launch;

// `macros` is a printf format giving compiler options ("" when none).
ebm_launch ebm_launch_begin(ebm_device *device, const char *file, const char *kernel, const char *macros, ...)
    __attribute__((format(printf, 4, 5)));

void ebm_arg_slice(ebm_launch *launch, ebm_slice slice); // __global T *; a slice of 0 elements passes NULL
void ebm_arg_i32(ebm_launch *launch, int64_t value);     // int; fails when the value does not fit
void ebm_arg_u32(ebm_launch *launch, uint32_t value);    // uint
void ebm_arg_u64(ebm_launch *launch, uint64_t value);    // ulong
void ebm_arg_f32(ebm_launch *launch, float value);       // float
void ebm_arg_local(ebm_launch *launch, size_t bytes);    // __local T *

// What the launch should cost at least, for the profile's share of peak. Optional, before the launch.
void ebm_launch_cost(ebm_launch *launch, double flops, double bytes);

// One work-group of GROUP items a row. rows = 0: nothing is launched, and that is no error.
ebm_status ebm_launch_rows(ebm_launch *launch, size_t rows);
// A 2-D grid of (x, y) work-groups of GROUP x 1 items: get_group_id(0) < x, get_group_id(1) < y.
ebm_status ebm_launch_grid(ebm_launch *launch, size_t x, size_t y);
// Anything else: work-groups of local[0] x local[1] items, groups[0] x groups[1] of them.
ebm_status ebm_launch_groups(ebm_launch *launch, const size_t groups[2], const size_t local[2]);

// Profile of all launches since the last reset, by kernel name; off by default (it waits after each launch).
typedef struct {
    char name[64];
    uint64_t launches;
    double seconds, flops, bytes;
} ebm_profile_row;
void ebm_profile_enable(ebm_device *device, bool enabled); // also resets
// Rows by falling time; *rows for the caller to free().
ebm_status ebm_profile_rows(const ebm_device *device, ebm_profile_row **rows, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
