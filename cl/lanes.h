// Vectors of LANES floats, shared by the row kernels: 16 or 8 on CPUs (their registers), 4 on GPUs (coalesced loads).
// A row is read as blocks of LANES channels; item i of the work-group takes blocks i, i + GROUP, i + 2 GROUP, ...
//
// Macros   LANES   floats a load: 16 or 8 on CPUs, 4 on GPUs
//          GROUP   work-items a row: 1 on CPUs, a power of two on GPUs
#ifndef EBM_LANES_H
#define EBM_LANES_H

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
typedef JOIN(float, LANES) lanes;
typedef JOIN(int, LANES) int_lanes;
typedef JOIN(uint, LANES) uint_lanes;

// vload and vstore, as one instruction: PoCL 3.1 builds vstore16 of four smaller stores.
#if LANES == 4
#define load vload4
#define store vstore4
#else
#define LOAD_STORE(space, element)                                                                                     \
    static inline __attribute__((overloadable, always_inline)) JOIN(element, LANES)                                    \
        load(size_t block, space const element *from)                                                                  \
    {                                                                                                                  \
        return *(space const unaligned_##element *)(from + block * LANES);                                             \
    }                                                                                                                  \
    static inline __attribute__((overloadable, always_inline)) void store(JOIN(element, LANES) value, size_t block,    \
                                                                          space element *to)                           \
    {                                                                                                                  \
        *(space unaligned_##element *)(to + block * LANES) = value;                                                    \
    }
#define LOAD_STORE_ANYWHERE(element)                                                                                   \
    typedef JOIN(element, LANES) unaligned_##element __attribute__((aligned(4)));                                      \
    LOAD_STORE(__global, element) LOAD_STORE(__local, element) LOAD_STORE(__private, element)
LOAD_STORE_ANYWHERE(float)
LOAD_STORE_ANYWHERE(int)
LOAD_STORE_ANYWHERE(uint)
#endif

// The same for __global rows whose blocks start at multiples of LANES floats, as those of tensors with a multiple of 16
// channels do: one instruction, where PoCL makes up to eight of a vload16 and GPU compilers four of a vload4.
#define load_block(b, row) (((__global const lanes *)(row))[b])
#define store_block(value, b, row) (((__global lanes *)(row))[b] = (value))

#define FOR_BLOCKS(b, channels) for (int b = get_local_id(0); b < (channels) / LANES; b += GROUP)
#define ROW_KERNEL __kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))

// Kernels that walk down columns give each work-item STRIP neighbouring blocks: on a CPU one block alone would use one
// cache line of each row it walks past. model/operations_internal.h knows the same numbers.
#if GROUP == 1
#define STRIP 4
#else
#define STRIP 1
#endif
#define FIRST_BLOCK_OF_STRIP ((int)(get_group_id(0) * GROUP + get_local_id(0)) * STRIP)

// Adds the lanes up in a fixed order: the same input gives the same bits on every run.
static inline float sum4(float4 v) { return (v.x + v.z) + (v.y + v.w); }
static inline float sum8(float8 v) { return sum4(v.lo + v.hi); }
static inline float sum16(float16 v) { return sum8(v.lo + v.hi); }
#define sum_lanes JOIN(sum, LANES)

#endif
