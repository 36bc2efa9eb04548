#include "device_features.h"

#include <stdlib.h>
#include <string.h>

#include "device_internal.h"

char *ebm_device_extensions(const ebm_device *device)
{
    size_t size = 0;
    if (clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, 0, NULL, &size) != CL_SUCCESS) size = 0;
    char *text = calloc(size + 1, 1);
    if (text && size > 0) clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, size, text, NULL);
    for (size_t n = text ? strlen(text) : 0; n > 0 && text[n - 1] == ' '; n--) text[n - 1] = 0;
    return text;
}

static bool has(const char *extensions, const char *name)
{
    const size_t length = strlen(name);
    for (const char *at = extensions; (at = strstr(at, name)); at += length)
        if ((at == extensions || at[-1] == ' ') && (at[length] == ' ' || at[length] == 0)) return true;
    return false;
}

// Of the smallest kernel there is.
static size_t group_multiple(ebm_device *device)
{
    cl_kernel kernel = NULL;
    size_t multiple = 0;
    if (ebm_program_kernel(device, "map_ids.cl", "map_ids", "", &kernel).code != EBM_OK) return 0;
    clGetKernelWorkGroupInfo(kernel, device->id, CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE, sizeof multiple,
                             &multiple, NULL);
    return multiple;
}

ebm_device_features ebm_device_features_of(ebm_device *device)
{
    ebm_device_features f = {0};
    cl_uint parts = 0;
    char *extensions = ebm_device_extensions(device);
    if (extensions) {
        f.fp16 = has(extensions, "cl_khr_fp16");
        f.fp64 = has(extensions, "cl_khr_fp64");
        f.subgroups = has(extensions, "cl_khr_subgroups") || has(extensions, "cl_intel_subgroups");
        f.integer_dot = has(extensions, "cl_khr_integer_dot_product");
    }
    free(extensions);
    clGetDeviceInfo(device->id, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof parts, &parts, NULL);
    f.sub_devices = parts;
    f.group_multiple = group_multiple(device);
    return f;
}
