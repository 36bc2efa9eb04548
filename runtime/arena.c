#include "arena.h"

#include <stdlib.h>
#include <string.h>

#include "device_internal.h"
#include "gemm.h"
#include "sizes.h"

typedef struct {
    ebm_slice *slice;
    size_t buffer; // which of the arena's buffers
    uint64_t start_bytes;
    const ebm_slice *of; // whose memory it shares; NULL: it has its own
} reservation;

struct ebm_arena {
    ebm_device *device;
    const char *name;
    reservation *reservations;
    size_t count, capacity;
    uint64_t *buffer_bytes; // planned size of each buffer
    cl_mem *buffers, *parts, *joined;
    size_t buffer_count, part_count, joined_count;
    uint64_t total_bytes;
    bool out_of_memory;   // on the host, in ebm_arena_reserve; reported by plan and allocate
    bool shared_too_much; // likewise, in ebm_arena_share
};

ebm_arena *ebm_arena_create(ebm_device *device, const char *name)
{
    ebm_arena *arena = calloc(1, sizeof *arena);
    if (!arena) return NULL;
    arena->device = device;
    arena->name = name;
    return arena;
}

void ebm_arena_free(ebm_arena *arena)
{
    if (!arena) return;
    clFinish(arena->device->queue); // a queued kernel may still use the memory
    for (size_t i = 0; i < arena->joined_count; i++) clReleaseMemObject(arena->joined[i]);
    for (size_t i = 0; i < arena->part_count; i++) clReleaseMemObject(arena->parts[i]);
    for (size_t i = 0; i < arena->buffer_count; i++)
        if (arena->buffers && arena->buffers[i]) clReleaseMemObject(arena->buffers[i]);
    free(arena->joined);
    free(arena->parts);
    free(arena->buffers);
    free(arena->buffer_bytes);
    free(arena->reservations);
    free(arena);
}

static bool grow(ebm_arena *arena)
{
    if (arena->count < arena->capacity) return true;
    const size_t capacity = arena->capacity ? 2 * arena->capacity : 64;
    reservation *more = realloc(arena->reservations, capacity * sizeof *more);
    if (!more) return false;
    arena->reservations = more;
    arena->capacity = capacity;
    return true;
}

// Appends to the last buffer, or starts another one when this would pass the device's largest allocation.
static bool place(ebm_arena *arena, uint64_t bytes, reservation *at)
{
    const uint64_t limit = arena->device->info.max_allocation_bytes;
    if (arena->buffer_count == 0 || arena->buffer_bytes[arena->buffer_count - 1] + bytes > limit) {
        uint64_t *more = realloc(arena->buffer_bytes, (arena->buffer_count + 1) * sizeof *more);
        if (!more) return false;
        arena->buffer_bytes = more;
        more[arena->buffer_count++] = 0;
    }
    at->buffer = arena->buffer_count - 1;
    at->start_bytes = arena->buffer_bytes[at->buffer];
    arena->buffer_bytes[at->buffer] += bytes;
    return true;
}

void ebm_arena_reserve(ebm_arena *arena, ebm_slice *slice, size_t count)
{
    slice->memory = NULL;
    slice->count = count;
    if (count == 0) return;
    const uint64_t align = arena->device->info.base_alignment_bytes;
    const uint64_t bytes = (4 * (uint64_t)count + align - 1) / align * align;
    reservation at = {.slice = slice};
    if (!grow(arena) || !place(arena, bytes, &at)) {
        arena->out_of_memory = true;
        return;
    }
    arena->reservations[arena->count++] = at;
    arena->total_bytes += bytes;
}

void ebm_arena_share(ebm_arena *arena, ebm_slice *slice, const ebm_slice *of, size_t count)
{
    slice->memory = NULL;
    slice->count = count;
    if (count > of->count) arena->shared_too_much = true;
    if (count == 0) return;
    if (!grow(arena)) {
        arena->out_of_memory = true;
        return;
    }
    arena->reservations[arena->count++] = (reservation){.slice = slice, .of = of};
}

const char *ebm_arena_name(const ebm_arena *arena) { return arena->name; }
uint64_t ebm_arena_bytes(const ebm_arena *arena) { return arena->total_bytes; }

static ebm_status check_planned(const ebm_arena *arena)
{
    if (!arena || arena->out_of_memory) return ebm_fail(EBM_ERROR_MEMORY, "no host memory to plan with");
    if (arena->shared_too_much)
        return ebm_fail(EBM_ERROR_DEVICE, "%s: a slice is larger than the one it shares", arena->name);
    return ebm_ok();
}

static double mib(uint64_t bytes) { return (double)bytes / (1024.0 * 1024.0); }

ebm_status ebm_arena_plan(ebm_device *device, ebm_arena *const *arenas, size_t count, const char *suggestion)
{
    const uint64_t copies = ebm_gemm_reserved_bytes(device);
    uint64_t total = copies;
    if (copies > device->info.max_allocation_bytes)
        return ebm_fail(EBM_ERROR_MEMORY,
                        "matrix products: %.0f MiB for copies of matrices, %s allows %.0f MiB in one allocation; %s",
                        mib(copies), device->info.name, mib(device->info.max_allocation_bytes), suggestion);
    for (size_t a = 0; a < count; a++) {
        EBM_TRY(check_planned(arenas[a]));
        total += arenas[a]->total_bytes;
        for (size_t i = 0; i < arenas[a]->count; i++) {
            const uint64_t bytes = 4 * (uint64_t)arenas[a]->reservations[i].slice->count;
            if (bytes > device->info.max_allocation_bytes)
                return ebm_fail(
                    EBM_ERROR_MEMORY, "%s: one tensor needs %.0f MiB, %s allows %.0f MiB in one allocation; %s",
                    arenas[a]->name, mib(bytes), device->info.name, mib(device->info.max_allocation_bytes), suggestion);
        }
    }
    if (total > device->info.memory_bytes)
        return ebm_fail(EBM_ERROR_MEMORY, "%.0f MiB are needed, %s has %.0f MiB; %s", mib(total), device->info.name,
                        mib(device->info.memory_bytes), suggestion);
    return ebm_ok();
}

static ebm_status allocate_buffer(ebm_arena *arena, size_t i)
{
    cl_int code = CL_SUCCESS;
    const size_t bytes = (size_t)arena->buffer_bytes[i];
    if (!ebm_fits_size(arena->buffer_bytes[i]))
        return ebm_fail(EBM_ERROR_MEMORY, "%s: %.0f MiB are more than a program of this system can take", arena->name,
                        mib(arena->buffer_bytes[i]));
    arena->buffers[i] = clCreateBuffer(arena->device->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    EBM_TRY_CL(code, "%s: allocating %.0f MiB", arena->name, mib(bytes));
    const cl_uint zero = 0;
    EBM_TRY_CL(
        clEnqueueFillBuffer(arena->device->queue, arena->buffers[i], &zero, sizeof zero, 0, bytes, 0, NULL, NULL),
        "%s: clearing %.0f MiB", arena->name, mib(bytes));
    return ebm_ok();
}

static ebm_status cut_part(ebm_arena *arena, const reservation *at)
{
    cl_int code = CL_SUCCESS;
    if (at->of) { // reserved earlier, so there by now
        at->slice->memory = at->of->memory;
        return ebm_ok();
    }
    const cl_buffer_region region = {(size_t)at->start_bytes, 4 * at->slice->count};
    const cl_mem part =
        clCreateSubBuffer(arena->buffers[at->buffer], CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &code);
    EBM_TRY_CL(code, "%s: cutting a slice of %zu elements", arena->name, at->slice->count);
    arena->parts[arena->part_count++] = part;
    at->slice->memory = part;
    return ebm_ok();
}

ebm_status ebm_arena_allocate(ebm_arena *arena)
{
    EBM_TRY(check_planned(arena));
    EBM_TRY(ebm_gemm_allocate(arena->device));
    if (arena->count == 0) return ebm_ok();
    arena->buffers = calloc(arena->buffer_count, sizeof *arena->buffers);
    arena->parts = calloc(arena->count, sizeof *arena->parts);
    if (!arena->buffers || !arena->parts)
        return ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory for %zu slices", arena->name, arena->count);
    for (size_t i = 0; i < arena->buffer_count; i++) EBM_TRY(allocate_buffer(arena, i));
    for (size_t i = 0; i < arena->count; i++) EBM_TRY(cut_part(arena, &arena->reservations[i]));
    return ebm_device_finish(arena->device);
}

static const reservation *reservation_of(const ebm_arena *arena, const ebm_slice *slice)
{
    for (size_t i = 0; i < arena->count; i++)
        if (arena->reservations[i].slice == slice) return &arena->reservations[i];
    return NULL;
}

bool ebm_arena_may_join(const ebm_arena *arena, const ebm_slice *first, const ebm_slice *last)
{
    const reservation *from = reservation_of(arena, first), *to = reservation_of(arena, last);
    return from && to && from <= to && from->buffer == to->buffer;
}

ebm_status ebm_arena_join(ebm_arena *arena, const ebm_slice *first, const ebm_slice *last, ebm_slice *joined)
{
    if (!arena->buffers || !ebm_arena_may_join(arena, first, last))
        return ebm_fail(EBM_ERROR_DEVICE, "%s: slices that cannot be joined", arena->name);
    const reservation *from = reservation_of(arena, first), *to = reservation_of(arena, last);
    cl_mem *more = realloc(arena->joined, (arena->joined_count + 1) * sizeof *more);
    if (!more) return ebm_fail(EBM_ERROR_MEMORY, "%s: no host memory for a slice", arena->name);
    arena->joined = more;
    const size_t bytes = (size_t)(to->start_bytes - from->start_bytes) + 4 * to->slice->count;
    const cl_buffer_region region = {(size_t)from->start_bytes, bytes};
    cl_int code = CL_SUCCESS;
    const cl_mem part = clCreateSubBuffer(arena->buffers[from->buffer], CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION,
                                          &region, &code);
    EBM_TRY_CL(code, "%s: joining slices of %zu bytes", arena->name, bytes);
    more[arena->joined_count++] = part;
    *joined = (ebm_slice){part, bytes / 4};
    return ebm_ok();
}

static ebm_status check_range(ebm_slice slice, size_t first, size_t count, const char *what)
{
    if (first > slice.count || count > slice.count - first)
        return ebm_fail(EBM_ERROR_DEVICE, "%s: elements %zu to %zu of a slice of %zu", what, first, first + count,
                        slice.count);
    if (count > 0 && !slice.memory) return ebm_fail(EBM_ERROR_DEVICE, "%s: the slice is not allocated", what);
    return ebm_ok();
}

ebm_status ebm_slice_write(ebm_device *device, ebm_slice to, size_t first, size_t count, const void *from)
{
    EBM_TRY(check_range(to, first, count, "writing"));
    if (count == 0) return ebm_ok();
    return ebm_cl_status(
        clEnqueueWriteBuffer(device->queue, to.memory, CL_TRUE, 4 * first, 4 * count, from, 0, NULL, NULL),
        "writing %zu elements", count);
}

ebm_status ebm_slice_read(ebm_device *device, ebm_slice from, size_t first, size_t count, void *to)
{
    EBM_TRY(check_range(from, first, count, "reading"));
    if (count == 0) return ebm_ok();
    return ebm_cl_status(
        clEnqueueReadBuffer(device->queue, from.memory, CL_TRUE, 4 * first, 4 * count, to, 0, NULL, NULL),
        "reading %zu elements", count);
}

ebm_status ebm_slice_copy(ebm_device *device, ebm_slice to, size_t to_first, ebm_slice from, size_t from_first,
                          size_t count)
{
    EBM_TRY(check_range(to, to_first, count, "copying to"));
    EBM_TRY(check_range(from, from_first, count, "copying from"));
    if (count == 0) return ebm_ok();
    return ebm_cl_status(clEnqueueCopyBuffer(device->queue, from.memory, to.memory, 4 * from_first, 4 * to_first,
                                             4 * count, 0, NULL, NULL),
                         "copying %zu elements", count);
}

ebm_status ebm_slice_zero(ebm_device *device, ebm_slice slice, size_t first, size_t count)
{
    EBM_TRY(check_range(slice, first, count, "clearing"));
    if (count == 0) return ebm_ok();
    const cl_uint zero = 0;
    return ebm_cl_status(
        clEnqueueFillBuffer(device->queue, slice.memory, &zero, sizeof zero, 4 * first, 4 * count, 0, NULL, NULL),
        "clearing %zu elements", count);
}
