// Floats stored as halves (IEEE 754 binary16), and back. In whole numbers, so that it needs no extension and gives the
// same bits on every device, whatever that does with subnormal floats: what vstore_half may do is left to it.
//
//   half_pack     halves = x * scale, rounded to nearest, ties to even; from 65520 on infinite; NaN stays NaN
//   half_unpack   x = halves * scale, exact where scale is a power of two
//
//   x   (count)     halves   (count), two bytes each
//
// Macros   CHUNK   elements a work-group handles, a multiple of LANES * GROUP
// Launch   one work-group of GROUP items per CHUNK elements
// Writes   halves; x

#include "lanes.h"

typedef JOIN(ushort, LANES) half_lanes;
#define narrow JOIN(convert_ushort, LANES)
#define widen JOIN(convert_uint, LANES)
#define as_float_lanes JOIN(as_float, LANES)
#define as_uint_lanes JOIN(as_uint, LANES)

// Smaller than 2^-14: added to 1/2, whose last bit is 2^-24, the float unit rounds to a whole number of subnormal
// halves. Else the exponent is rebiased and 13 bits are rounded off; the carry may reach infinity.
#define HALF_CONVERSIONS(floats, uints, as_floats, as_uints)                                                           \
    static inline __attribute__((overloadable, always_inline)) uints to_half(floats value)                             \
    {                                                                                                                  \
        const uints signed_bits = as_uints(value), sign = signed_bits & 0x80000000u, bits = signed_bits ^ sign;        \
        const uints subnormal = as_uints(as_floats(bits) + 0.5f) - 0x3f000000u;                                        \
        const uints normal = (bits + (0xc8000fffu + ((bits >> 13) & 1u))) >> 13;                                       \
        const uints special = bits > 0x7f800000u ? (uints)0x7e00u : (uints)0x7c00u;                                    \
        const uints finite = bits < 0x38800000u ? subnormal : normal;                                                  \
        return (bits < 0x47800000u ? finite : special) | (sign >> 16);                                                 \
    }                                                                                                                  \
    static inline __attribute__((overloadable, always_inline)) floats from_half(uints half_bits)                       \
    {                                                                                                                  \
        const uints bits = (half_bits & 0x7fffu) << 13, exponent = bits & 0x0f800000u;                                 \
        const uints normal = bits + (exponent == 0x0f800000u ? (uints)0x70000000u : (uints)0x38000000u);               \
        const uints subnormal = as_uints(as_floats(bits + 0x38800000u) - 0x1p-14f);                                    \
        return as_floats((exponent == 0u ? subnormal : normal) | ((half_bits & 0x8000u) << 16));                       \
    }
HALF_CONVERSIONS(float, uint, as_float, as_uint)
HALF_CONVERSIONS(lanes, uint_lanes, as_float_lanes, as_uint_lanes)

ROW_KERNEL void half_pack(__global ushort *restrict halves, __global const float *restrict x, const ulong count,
                          const float scale)
{
    const ulong start = get_group_id(0) * (ulong)CHUNK;
    const int size = min((ulong)CHUNK, count - start);
    halves += start;
    x += start;
    FOR_BLOCKS(b, size) ((__global half_lanes *)halves)[b] = narrow(to_half(load_block(b, x) * scale));
    for (int i = size / LANES * LANES + (int)get_local_id(0); i < size; i += GROUP) halves[i] = to_half(x[i] * scale);
}

ROW_KERNEL void half_unpack(__global float *restrict x, __global const ushort *restrict halves, const ulong count,
                            const float scale)
{
    const ulong start = get_group_id(0) * (ulong)CHUNK;
    const int size = min((ulong)CHUNK, count - start);
    halves += start;
    x += start;
    FOR_BLOCKS(b, size) store_block(from_half(widen(((__global const half_lanes *)halves)[b])) * scale, b, x);
    for (int i = size / LANES * LANES + (int)get_local_id(0); i < size; i += GROUP)
        x[i] = from_half((uint)halves[i]) * scale;
}
