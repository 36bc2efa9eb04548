// Inside of an open device, for the files of this folder only.
#ifndef EBM_DEVICE_INTERNAL_H
#define EBM_DEVICE_INTERNAL_H

#include <CL/cl.h>

#include "device.h"

typedef struct ebm_program_table ebm_program_table; // program.c
typedef struct ebm_profile ebm_profile;             // profile.c
typedef struct ebm_gemm_state ebm_gemm_state;       // gemm.c

struct ebm_device {
    ebm_device_info info;
    cl_platform_id platform;
    cl_device_id id;
    cl_context context;
    cl_command_queue queue;
    bool cpu_kernels;
    bool amx; // products in bf16 are made by AMX's tiles; known once they are checked
    int lanes, group;
    ebm_program_table *programs;
    ebm_profile *profile;
    ebm_gemm_state *gemm; // created on first use; freed by ebm_gemm_state_free
};

// A status for an OpenCL error code: "<what>: CL_OUT_OF_RESOURCES (-5)". CL_SUCCESS gives EBM_OK.
ebm_status ebm_cl_status(cl_int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define EBM_TRY_CL(call, ...) EBM_TRY(ebm_cl_status((call), __VA_ARGS__))

void ebm_program_table_free(ebm_program_table *table);
void ebm_profile_free(ebm_profile *profile);
void ebm_gemm_state_free(ebm_gemm_state *state);
ebm_status ebm_gemm_allocate(ebm_device *device); // what ebm_gemm_reserve planned; by ebm_arena_allocate

// The kernel of an embedded file (or of the same file in $EBMCL_KERNEL_DIR) built with these macros; owned by the
// table.
ebm_status ebm_program_kernel(ebm_device *device, const char *file, const char *kernel, const char *macros,
                              cl_kernel *out);

// Profiling: timed between two clFinish calls around the launch when enabled.
bool ebm_profile_is_on(const ebm_device *device);
void ebm_profile_add(ebm_device *device, const char *name, double seconds, double flops, double bytes);

#endif
