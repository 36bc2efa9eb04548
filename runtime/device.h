// OpenCL devices: list them, choose one, open it.
//
//     ebm_device *device = NULL;
//     EBM_TRY(ebm_device_open(NULL, &device));       // $EBMCL_DEVICE, else the first GPU, else the first device
//     ...
//     ebm_device_free(device);
//
// An open device owns its context, one in-order queue, the programs built on it and the profile of its launches. It is
// used by one thread at a time.
#ifndef EBM_DEVICE_H
#define EBM_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_device ebm_device;

typedef struct {
    int index;           // flat, over all platforms in the loader's order
    int platform, local; // "platform:device" as a selector
    char name[128], platform_name[128], driver[128], version[128];
    bool is_cpu;
    unsigned compute_units;
    unsigned native_lanes; // floats in a native vector register, 1 where the device does not vectorise itself
    size_t max_group_items;
    size_t base_alignment_bytes;
    uint64_t memory_bytes, max_allocation_bytes, local_bytes;
    unsigned parts;       // of how many equal parts of the CPU this is one; 1: a whole device
    uint64_t cache_bytes; // what the driver says of the cache before the memory, often 0 or too little
} ebm_device_info;

// All devices of all platforms. *list is for the caller to free(); NULL and 0 when there is none (not an error).
ebm_status ebm_device_list(ebm_device_info **list, size_t *count);

// Opens the device a selector names: a flat index ("1"), "platform:device" ("0:1") or a part of the name, case ignored
// ("radeon"). NULL or "": $EBMCL_DEVICE, else the first GPU, else the first device.
// Kernel form: EBMCL_KERNELS=cpu|gpu, else by the kind of the device. Floats a load of CPU kernels: EBMCL_LANES=8|16,
// else by its native vectors.
// Nothing is checked: checked_device.h takes a form that computes what it should.
// Fails with EBM_ERROR_INPUT when nothing or more than one device matches (the sentence lists what there is).
ebm_status ebm_device_open(const char *selector, ebm_device **device);

void ebm_device_free(ebm_device *device); // NULL is accepted

const ebm_device_info *ebm_device_info_view(const ebm_device *device); // borrowed from the device

// Row and element kernels have one source with two macros (cl/lanes.h): LANES, floats a load, and GROUP, work-items a
// row. GEMM and attention have a form for CPUs and one for GPUs.
typedef enum {
    EBM_FORM_CPU_16, // LANES 16, GROUP 1
    EBM_FORM_CPU_8,  // LANES 8, GROUP 1
    EBM_FORM_GPU,    // LANES 4, GROUP 64
    EBM_FORMS
} ebm_kernel_form;

// As ebm_device_open, in this form whatever the environment says. EBM_ERROR_UNSUPPORTED where its work-groups are too
// large for the device.
ebm_status ebm_device_open_form(const char *selector, ebm_kernel_form form, ebm_device **device);
// For several processes of one machine, the `part`-th of `parts` (0 <= part < parts): a CPU is cut into as many equal
// sub-devices (CL_DEVICE_PARTITION_EQUALLY) and one of them opened, with its share of the memory; of GPUs the process
// takes the part-th, going round when there are fewer. The selector may then match several GPUs. A CPU of fewer units
// than parts, or one that cannot be cut, is opened whole, as is everything when parts is 1. form: NULL as
// ebm_device_open, else as ebm_device_open_form. A sub-device stays the process's after ebm_device_free.
ebm_status ebm_device_open_part(const char *selector, const ebm_kernel_form *form, unsigned part, unsigned parts,
                                ebm_device **device);

ebm_kernel_form ebm_device_form(const ebm_device *device);
const char *ebm_kernel_form_name(ebm_kernel_form form); // "CPU form of 16 lanes", "GPU form"
bool ebm_kernel_form_is_asked(void);                    // EBMCL_KERNELS or EBMCL_LANES is set

bool ebm_device_uses_cpu_kernels(const ebm_device *device);
int ebm_device_lanes(const ebm_device *device); // 16 or 8 with CPU kernels, 4 with GPU kernels
int ebm_device_group(const ebm_device *device); // 1 with CPU kernels, 64 with GPU kernels

// Waits until everything queued is done; reports what failed in between.
ebm_status ebm_device_finish(ebm_device *device);

#ifdef __cplusplus
}
#endif
#endif
