#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "device_internal.h"
#include "sizes.h"

enum { MAX_PLATFORMS = 16, MAX_DEVICES = 64 };

typedef struct {
    cl_platform_id platform;
    cl_device_id id;
    ebm_device_info info;
} found_device;

static const struct {
    cl_int code;
    const char *name;
} error_names[] = {
    {CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
    {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
    {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
    {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
    {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
    {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
    {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
    {CL_MISALIGNED_SUB_BUFFER_OFFSET, "CL_MISALIGNED_SUB_BUFFER_OFFSET"},
    {CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, "CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST"},
    {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
    {CL_INVALID_DEVICE, "CL_INVALID_DEVICE"},
    {CL_INVALID_CONTEXT, "CL_INVALID_CONTEXT"},
    {CL_INVALID_COMMAND_QUEUE, "CL_INVALID_COMMAND_QUEUE"},
    {CL_INVALID_MEM_OBJECT, "CL_INVALID_MEM_OBJECT"},
    {CL_INVALID_BINARY, "CL_INVALID_BINARY"},
    {CL_INVALID_BUILD_OPTIONS, "CL_INVALID_BUILD_OPTIONS"},
    {CL_INVALID_PROGRAM, "CL_INVALID_PROGRAM"},
    {CL_INVALID_PROGRAM_EXECUTABLE, "CL_INVALID_PROGRAM_EXECUTABLE"},
    {CL_INVALID_KERNEL_NAME, "CL_INVALID_KERNEL_NAME"},
    {CL_INVALID_KERNEL, "CL_INVALID_KERNEL"},
    {CL_INVALID_ARG_INDEX, "CL_INVALID_ARG_INDEX"},
    {CL_INVALID_ARG_VALUE, "CL_INVALID_ARG_VALUE"},
    {CL_INVALID_ARG_SIZE, "CL_INVALID_ARG_SIZE"},
    {CL_INVALID_KERNEL_ARGS, "CL_INVALID_KERNEL_ARGS"},
    {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
    {CL_INVALID_WORK_ITEM_SIZE, "CL_INVALID_WORK_ITEM_SIZE"},
    {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
    {CL_INVALID_GLOBAL_WORK_SIZE, "CL_INVALID_GLOBAL_WORK_SIZE"},
    {-1001, "CL_PLATFORM_NOT_FOUND_KHR"},
};

ebm_status ebm_cl_status(cl_int code, const char *format, ...)
{
    if (code == CL_SUCCESS) return ebm_ok();
    char what[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    const char *name = "OpenCL error";
    for (size_t i = 0; i < sizeof error_names / sizeof *error_names; i++)
        if (error_names[i].code == code) name = error_names[i].name;
    const bool memory =
        code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_OUT_OF_HOST_MEMORY || code == CL_INVALID_BUFFER_SIZE;
    return ebm_fail(memory ? EBM_ERROR_MEMORY : EBM_ERROR_DEVICE, "%s: %s (%d)", what, name, code);
}

static void read_string(cl_device_id id, cl_device_info what, char *out, size_t size)
{
    char text[1024] = "";
    if (clGetDeviceInfo(id, what, sizeof text - 1, text, NULL) != CL_SUCCESS) text[0] = 0;
    const char *start = text + strspn(text, " ");
    snprintf(out, size, "%s", start);
    for (size_t n = strlen(out); n > 0 && out[n - 1] == ' '; n--) out[n - 1] = 0;
}

static void describe(found_device *found)
{
    ebm_device_info *info = &found->info;
    cl_device_type type = 0;
    cl_uint units = 0, lanes = 0, align_bits = 0;
    cl_ulong memory = 0, allocation = 0, local = 0, cache = 0;
    size_t group = 0;
    char platform[1024] = "";
    clGetPlatformInfo(found->platform, CL_PLATFORM_NAME, sizeof platform - 1, platform, NULL);
    snprintf(info->platform_name, sizeof info->platform_name, "%.*s", (int)sizeof info->platform_name - 1, platform);
    read_string(found->id, CL_DEVICE_NAME, info->name, sizeof info->name);
    read_string(found->id, CL_DRIVER_VERSION, info->driver, sizeof info->driver);
    read_string(found->id, CL_DEVICE_VERSION, info->version, sizeof info->version);
    clGetDeviceInfo(found->id, CL_DEVICE_TYPE, sizeof type, &type, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_MAX_COMPUTE_UNITS, sizeof units, &units, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof lanes, &lanes, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_MEM_BASE_ADDR_ALIGN, sizeof align_bits, &align_bits, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_GLOBAL_MEM_SIZE, sizeof memory, &memory, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_MAX_MEM_ALLOC_SIZE, sizeof allocation, &allocation, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof local, &local, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_GLOBAL_MEM_CACHE_SIZE, sizeof cache, &cache, NULL);
    clGetDeviceInfo(found->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof group, &group, NULL);
    info->is_cpu = (type & CL_DEVICE_TYPE_CPU) != 0;
    info->compute_units = units;
    info->native_lanes = lanes ? lanes : 1;
    info->base_alignment_bytes = align_bits / 8 < 128 ? 128 : align_bits / 8;
    info->memory_bytes = memory;
    // Of a program of 32 bits more than it can count: a driver may say so of a device with more memory.
    info->max_allocation_bytes = ebm_fits_size(allocation) ? allocation : SIZE_MAX / 2;
    info->local_bytes = local;
    info->cache_bytes = cache;
    info->max_group_items = group;
    info->parts = 1;
}

static ebm_status find_devices(found_device *found, size_t *count)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_uint platform_count = 0;
    *count = 0;
    const cl_int code = clGetPlatformIDs(MAX_PLATFORMS, platforms, &platform_count);
    if (code == -1001) return ebm_ok(); // the loader found no platform: an empty list, not a failure
    EBM_TRY_CL(code, "listing OpenCL platforms");
    if (platform_count > MAX_PLATFORMS) platform_count = MAX_PLATFORMS;
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_device_id ids[MAX_DEVICES];
        cl_uint devices = 0;
        if (clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, MAX_DEVICES, ids, &devices) != CL_SUCCESS) continue;
        for (cl_uint d = 0; d < devices && *count < MAX_DEVICES; d++) {
            found_device *one = &found[*count];
            memset(one, 0, sizeof *one);
            one->platform = platforms[p];
            one->id = ids[d];
            one->info.index = (int)(*count)++;
            one->info.platform = (int)p;
            one->info.local = (int)d;
            describe(one);
        }
    }
    return ebm_ok();
}

ebm_status ebm_device_list(ebm_device_info **list, size_t *count)
{
    found_device found[MAX_DEVICES];
    *list = NULL;
    EBM_TRY(find_devices(found, count));
    if (*count == 0) return ebm_ok();
    *list = calloc(*count, sizeof **list);
    if (!*list) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the list of devices");
    for (size_t i = 0; i < *count; i++) (*list)[i] = found[i].info;
    return ebm_ok();
}

static bool matches(const ebm_device_info *info, const char *selector)
{
    char place[32];
    snprintf(place, sizeof place, "%d", info->index);
    if (strcmp(place, selector) == 0) return true;
    snprintf(place, sizeof place, "%d:%d", info->platform, info->local);
    if (strcmp(place, selector) == 0) return true;
    if (strspn(selector, "0123456789:") == strlen(selector)) return false; // a number is an index, never part of a name
    return strcasestr(info->name, selector) != NULL;
}

static ebm_status no_single_match(const found_device *found, size_t count, const char *selector, size_t hits)
{
    char known[320] = "";
    for (size_t i = 0; i < count && strlen(known) < 240; i++) {
        const size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%d = %.60s", i ? ", " : "", found[i].info.index,
                 found[i].info.name);
    }
    return ebm_fail(EBM_ERROR_INPUT, "device '%.60s' matches %s; there is: %s", selector,
                    hits ? "more than one device" : "no device", known);
}

// Several processes may share several GPUs: each takes another one.
static size_t one_of(const size_t *gpus, size_t count, unsigned part) { return gpus[part % count]; }

static ebm_status choose(const found_device *found, size_t count, const char *selector, unsigned part, unsigned parts,
                         size_t *chosen)
{
    size_t hit[MAX_DEVICES], hits = 0, gpus = 0;
    if (count == 0)
        return ebm_fail(EBM_ERROR_DEVICE,
                        "no OpenCL device found; install a driver (for the CPU: the package pocl-opencl-icd)");
    if (!selector || !*selector) selector = getenv("EBMCL_DEVICE");
    const bool any = !selector || !*selector;
    for (size_t i = 0; i < count; i++)
        if (any ? !found[i].info.is_cpu : matches(&found[i].info, selector)) {
            hit[hits++] = i;
            gpus += !found[i].info.is_cpu;
        }
    if (any || (parts > 1 && hits > 0 && gpus == hits)) {
        *chosen = hits ? one_of(hit, hits, parts > 1 ? part : 0) : 0;
        return ebm_ok();
    }
    *chosen = hits ? hit[0] : 0;
    return hits == 1 ? ebm_ok() : no_single_match(found, count, selector, hits);
}

// Leaves the device whole where it cannot be cut: processes then share it. The part is the process's to its end:
// clFinish returns while a thread of PoCL 3.1 lets go of the last event, for which it reads the device, and crashes if
// that is gone.
static void take_part(ebm_device *device, unsigned part, unsigned parts)
{
    cl_device_id ids[MAX_DEVICES];
    cl_uint count = 0;
    const unsigned units = device->info.compute_units / parts;
    if (parts < 2 || !device->info.is_cpu || units == 0) return;
    cl_uint most = 0; // asked first: rusticl (Mesa 22.3), which can cut nothing, has no clCreateSubDevices and crashes
    clGetDeviceInfo(device->id, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof most, &most, NULL);
    if (most < parts) return;
    const cl_device_partition_property equally[] = {CL_DEVICE_PARTITION_EQUALLY, (cl_device_partition_property)units,
                                                    0};
    if (clCreateSubDevices(device->id, equally, MAX_DEVICES, ids, &count) != CL_SUCCESS) return;
    for (cl_uint i = 0; i < count; i++)
        if (i != part) clReleaseDevice(ids[i]);
    if (part >= count) return;
    device->id = ids[part];
    device->info.compute_units = units;
    device->info.memory_bytes /= parts;
    device->info.parts = parts;
}

// EBMCL_LANES: to see on a processor with vectors of 16 what one with vectors of 8 does.
static ebm_status choose_lanes(ebm_device *device)
{
    const char *lanes = getenv("EBMCL_LANES");
    device->lanes = !device->cpu_kernels ? 4 : device->info.native_lanes >= 16 ? 16 : 8;
    if (!lanes || !*lanes || !device->cpu_kernels) return ebm_ok();
    if (strcmp(lanes, "8") != 0 && strcmp(lanes, "16") != 0)
        return ebm_fail(EBM_ERROR_INPUT, "EBMCL_LANES: expected 8 or 16, found '%.40s'", lanes);
    device->lanes = atoi(lanes);
    return ebm_ok();
}

// llvmpipe says that it is a CPU, but its compiler is not done with the CPU form of attention after a quarter of an
// hour (Mesa 22.3 with LLVM 15, in the allocation of registers); with the GPU form it takes seconds. And a work-item
// may not go round loops more than 65,535 times there, which CPU forms do (tests/drivers/loop_count.cl).
static bool takes_cpu_form(const ebm_device_info *info)
{
    return info->is_cpu && strcmp(info->platform_name, "rusticl") != 0;
}

static ebm_status choose_kernels(ebm_device *device)
{
    const char *form = getenv("EBMCL_KERNELS");
    if (form && *form && strcmp(form, "cpu") != 0 && strcmp(form, "gpu") != 0)
        return ebm_fail(EBM_ERROR_INPUT, "EBMCL_KERNELS: expected cpu or gpu, found '%.40s'", form);
    device->cpu_kernels = form && *form ? strcmp(form, "cpu") == 0 : takes_cpu_form(&device->info);
    return choose_lanes(device);
}

static void take_form(ebm_device *device, ebm_kernel_form form)
{
    device->cpu_kernels = form != EBM_FORM_GPU;
    device->lanes = form == EBM_FORM_GPU ? 4 : form == EBM_FORM_CPU_8 ? 8 : 16;
}

static ebm_status size_group(ebm_device *device)
{
    device->group = device->cpu_kernels ? 1 : 64;
    if ((size_t)device->group > device->info.max_group_items)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: work-groups of %d items are needed, the device allows %zu",
                        device->info.name, device->group, device->info.max_group_items);
    return ebm_ok();
}

// form: NULL takes what the environment says, or the device's own.
static ebm_status open_found(const found_device *found, const ebm_kernel_form *form, unsigned part, unsigned parts,
                             ebm_device **out)
{
    ebm_device *device = calloc(1, sizeof *device);
    if (!device) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a device");
    device->info = found->info;
    device->platform = found->platform;
    device->id = found->id;
    take_part(device, part, parts);

    cl_int code = CL_SUCCESS;
    ebm_status status = ebm_ok();
    if (form)
        take_form(device, *form);
    else
        EBM_CHECK(choose_kernels(device), fail);
    EBM_CHECK(size_group(device), fail);
    const cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)device->platform, 0};
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &code);
    EBM_CHECK(ebm_cl_status(code, "%s: creating a context", device->info.name), fail);
    device->queue = clCreateCommandQueue(device->context, device->id, 0, &code);
    EBM_CHECK(ebm_cl_status(code, "%s: creating a command queue", device->info.name), fail);
    *out = device;
    return status;
fail:
    ebm_device_free(device);
    return status;
}

ebm_status ebm_device_open_part(const char *selector, const ebm_kernel_form *form, unsigned part, unsigned parts,
                                ebm_device **out)
{
    found_device found[MAX_DEVICES];
    size_t count = 0, chosen = 0;
    *out = NULL;
    EBM_TRY(find_devices(found, &count));
    if (part >= parts) return ebm_fail(EBM_ERROR_INPUT, "part %u of %u parts of a device", part, parts);
    EBM_TRY(choose(found, count, selector, part, parts, &chosen));
    return open_found(&found[chosen], form, part, parts, out);
}

ebm_status ebm_device_open(const char *selector, ebm_device **out)
{
    return ebm_device_open_part(selector, NULL, 0, 1, out);
}

ebm_status ebm_device_open_form(const char *selector, ebm_kernel_form form, ebm_device **out)
{
    return ebm_device_open_part(selector, &form, 0, 1, out);
}

void ebm_device_free(ebm_device *device)
{
    if (!device) return;
    if (device->queue) clFinish(device->queue);
    ebm_gemm_state_free(device->gemm);
    ebm_program_table_free(device->programs);
    ebm_profile_free(device->profile);
    if (device->queue) clReleaseCommandQueue(device->queue);
    if (device->context) clReleaseContext(device->context);
    free(device);
}

const ebm_device_info *ebm_device_info_view(const ebm_device *device) { return &device->info; }
bool ebm_device_uses_cpu_kernels(const ebm_device *device) { return device->cpu_kernels; }
ebm_kernel_form ebm_device_form(const ebm_device *device)
{
    return !device->cpu_kernels ? EBM_FORM_GPU : device->lanes == 8 ? EBM_FORM_CPU_8 : EBM_FORM_CPU_16;
}

const char *ebm_kernel_form_name(ebm_kernel_form form)
{
    static const char *const names[EBM_FORMS] = {"CPU form of 16 lanes", "CPU form of 8 lanes", "GPU form"};
    return names[form];
}

bool ebm_kernel_form_is_asked(void)
{
    const char *kernels = getenv("EBMCL_KERNELS"), *lanes = getenv("EBMCL_LANES");
    return (kernels && *kernels) || (lanes && *lanes);
}

int ebm_device_lanes(const ebm_device *device) { return device->lanes; }
int ebm_device_group(const ebm_device *device) { return device->group; }

ebm_status ebm_device_finish(ebm_device *device)
{
    return ebm_cl_status(clFinish(device->queue), "%s: waiting for the queue", device->info.name);
}
