#include "launch.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "device_internal.h"
#include "timing.h"

ebm_launch ebm_launch_begin(ebm_device *device, const char *file, const char *kernel, const char *macros, ...)
{
    ebm_launch launch;
    memset(&launch, 0, offsetof(ebm_launch, status));
    launch.device = device;
    launch.name = kernel;
    char options[384];
    va_list arguments;
    va_start(arguments, macros);
    const int length = vsnprintf(options, sizeof options, macros, arguments);
    va_end(arguments);
    if (length < 0 || length >= (int)sizeof options) {
        launch.status = ebm_fail(EBM_ERROR_DEVICE, "%s: macros too long", kernel);
        return launch;
    }
    cl_kernel found = NULL;
    launch.status = ebm_program_kernel(device, file, kernel, options, &found);
    launch.kernel = found;
    return launch;
}

static void set(ebm_launch *launch, size_t bytes, const void *value, const char *kind)
{
    if (launch->status.code != EBM_OK) return;
    const cl_int code = clSetKernelArg(launch->kernel, launch->arguments, bytes, value);
    if (code != CL_SUCCESS)
        launch->status = ebm_cl_status(code, "%s: argument %u, given as %s", launch->name, launch->arguments, kind);
    launch->arguments++;
}

void ebm_arg_slice(ebm_launch *launch, ebm_slice slice)
{
    if (slice.count > 0 && !slice.memory && launch->status.code == EBM_OK)
        launch->status = ebm_fail(EBM_ERROR_DEVICE, "%s: argument %u is a slice that is not allocated", launch->name,
                                  launch->arguments);
    cl_mem memory = slice.memory;
    set(launch, sizeof memory, memory ? &memory : NULL, "a slice");
}

void ebm_arg_i32(ebm_launch *launch, int64_t value)
{
    const cl_int narrow = (cl_int)value;
    if (narrow != value && launch->status.code == EBM_OK)
        launch->status = ebm_fail(EBM_ERROR_DEVICE, "%s: argument %u does not fit 32 bits: %lld", launch->name,
                                  launch->arguments, (long long)value);
    set(launch, sizeof narrow, &narrow, "an int");
}

void ebm_arg_u32(ebm_launch *launch, uint32_t value) { set(launch, sizeof value, &value, "a uint"); }
void ebm_arg_u64(ebm_launch *launch, uint64_t value) { set(launch, sizeof value, &value, "a ulong"); }
void ebm_arg_f32(ebm_launch *launch, float value) { set(launch, sizeof value, &value, "a float"); }

void ebm_arg_local(ebm_launch *launch, size_t bytes)
{
    launch->local_bytes += bytes;
    set(launch, bytes, NULL, "local memory");
}

void ebm_launch_cost(ebm_launch *launch, double flops, double bytes)
{
    launch->flops = flops;
    launch->bytes = bytes;
}

static ebm_status check_launch(const ebm_launch *launch)
{
    EBM_TRY(launch->status);
    cl_uint expected = 0;
    EBM_TRY_CL(clGetKernelInfo(launch->kernel, CL_KERNEL_NUM_ARGS, sizeof expected, &expected, NULL), "%s",
               launch->name);
    if (expected != launch->arguments)
        return ebm_fail(EBM_ERROR_DEVICE, "%s takes %u arguments, %u were given", launch->name, expected,
                        launch->arguments);
    if (launch->local_bytes > launch->device->info.local_bytes) // PoCL 3.1 aborts the process past its limit
        return ebm_fail(EBM_ERROR_DEVICE, "%s needs %zu bytes of local memory, %s has %llu", launch->name,
                        launch->local_bytes, launch->device->info.name,
                        (unsigned long long)launch->device->info.local_bytes);
    return ebm_ok();
}

ebm_status ebm_launch_groups(ebm_launch *launch, const size_t groups[2], const size_t local[2])
{
    EBM_TRY(check_launch(launch));
    if (groups[0] == 0 || groups[1] == 0) return ebm_ok();
    const size_t items = local[0] * local[1], most = launch->device->info.max_group_items;
    if (items > most)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s needs work-groups of %zu items, %s allows %zu", launch->name, items,
                        launch->device->info.name, most);
    const size_t global[2] = {groups[0] * local[0], groups[1] * local[1]};
    ebm_device *device = launch->device;
    const bool profiled = ebm_profile_is_on(device);
    if (profiled) EBM_TRY(ebm_device_finish(device));
    const double start = profiled ? ebm_now() : 0;
    EBM_TRY_CL(clEnqueueNDRangeKernel(device->queue, launch->kernel, 2, NULL, global, local, 0, NULL, NULL),
               "launching %s with %zu x %zu groups of %zu x %zu", launch->name, groups[0], groups[1], local[0],
               local[1]);
    if (profiled) {
        EBM_TRY(ebm_device_finish(device));
        ebm_profile_add(device, launch->name, ebm_now() - start, launch->flops, launch->bytes);
    }
    return ebm_ok();
}

ebm_status ebm_launch_rows(ebm_launch *launch, size_t rows) { return ebm_launch_grid(launch, rows, 1); }

ebm_status ebm_launch_grid(ebm_launch *launch, size_t x, size_t y)
{
    const size_t groups[2] = {x, y}, local[2] = {(size_t)launch->device->group, 1};
    return ebm_launch_groups(launch, groups, local);
}
