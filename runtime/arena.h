// Device memory, planned before it is allocated: an arena is one family of tensors (parameters, gradients,
// activations), a slice is one tensor in it. Elements are 4 bytes: float, int32_t or uint32_t.
//
//     ebm_arena *arena = ebm_arena_create(device, "activations");
//     ebm_arena_reserve(arena, &layer->qkv, tokens * 3 * channels);     // filled in at allocation: must stay in place
//     ...
//     EBM_TRY(ebm_arena_plan(device, arenas, count, "lower --token_budget"));  // refused here when it does not fit
//     EBM_TRY(ebm_arena_allocate(arena));                               // zero-filled
//
// Slices start at the device's base alignment and are padded to it. An arena larger than the device's largest
// allocation is cut into several buffers between slices; one slice never spans two.
#ifndef EBM_ARENA_H
#define EBM_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_arena ebm_arena;

typedef struct {
    void *memory; // the cl_mem of this slice, owned by the arena; NULL before ebm_arena_allocate
    size_t count; // elements
} ebm_slice;

// NULL only when the host is out of memory. `name` is borrowed: pass a literal.
ebm_arena *ebm_arena_create(ebm_device *device, const char *name);
void ebm_arena_free(ebm_arena *arena); // NULL is accepted; its slices become invalid

// Plans a slice of `count` elements (0 is allowed: memory stays NULL). *slice is written now (count) and by
// ebm_arena_allocate (memory), so it must stay where it is until then.
void ebm_arena_reserve(ebm_arena *arena, ebm_slice *slice, size_t count);
// Plans a slice of the first `count` elements of another one of this arena: it has that one's memory and costs none.
// For tensors that are never in use at the same time. `of` must be reserved before and have at least as many elements,
// or planning and allocating fail; both slices must stay where they are.
void ebm_arena_share(ebm_arena *arena, ebm_slice *slice, const ebm_slice *of, size_t count);
const char *ebm_arena_name(const ebm_arena *arena);
uint64_t ebm_arena_bytes(const ebm_arena *arena); // planned so far, padding included

// Checks that all arenas together, with what was planned for products (ebm_gemm_reserve), and each slice alone fit the
// device. EBM_ERROR_MEMORY with the numbers and `suggestion` when not.
ebm_status ebm_arena_plan(ebm_device *device, ebm_arena *const *arenas, size_t count, const char *suggestion);
ebm_status ebm_arena_allocate(ebm_arena *arena); // once; fills with zeros

// Host transfers, in elements; blocking; bounds are checked. Copy and fill are queued like launches.
ebm_status ebm_slice_write(ebm_device *device, ebm_slice to, size_t first, size_t count, const void *from);
ebm_status ebm_slice_read(ebm_device *device, ebm_slice from, size_t first, size_t count, void *to);
ebm_status ebm_slice_copy(ebm_device *device, ebm_slice to, size_t to_first, ebm_slice from, size_t from_first,
                          size_t count);
ebm_status ebm_slice_zero(ebm_device *device, ebm_slice slice, size_t first, size_t count);

// Two slices that were reserved in this order, and all between them, as one more slice of the same memory, with the
// padding; after ebm_arena_allocate, and owned by the arena. EBM_ERROR_DEVICE when they are not slices of one buffer
// (see above).
ebm_status ebm_arena_join(ebm_arena *arena, const ebm_slice *first, const ebm_slice *last, ebm_slice *joined);
bool ebm_arena_may_join(const ebm_arena *arena, const ebm_slice *first, const ebm_slice *last);

#ifdef __cplusplus
}
#endif
#endif
