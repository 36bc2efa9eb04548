// The elements of a mapped tensor as float or int64_t.
#include <stdlib.h>
#include <string.h>

#include "safetensors_internal.h"

// Conversions of 16 bits to float are exact, so the bits of a NaN's payload are all that could differ from other
// readers.
static uint32_t bits_of_f16(uint16_t half)
{
    const uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 0x1F;
    uint32_t fraction = half & 0x3FF;
    if (exponent == 31) return sign | 0x7F800000 | fraction << 13;
    if (exponent > 0) return sign | (exponent + 112) << 23 | fraction << 13;
    if (fraction == 0) return sign;
    // Subnormal, fraction * 2^-24: shift the leading one to the implicit place.
    const uint32_t shift = (uint32_t)__builtin_clz(fraction) - 21;
    fraction = fraction << shift & 0x3FF;
    return sign | (113 - shift) << 23 | fraction << 13;
}

static size_t size_of(ebm_dtype dtype)
{
    return dtype == EBM_DTYPE_F64 ? sizeof(double) : dtype == EBM_DTYPE_F32 ? sizeof(float) : sizeof(uint16_t);
}

static void convert(ebm_dtype dtype, const unsigned char *from, size_t count, float *out)
{
    if (dtype == EBM_DTYPE_F32) {
        memcpy(out, from, count * sizeof *out);
        return;
    }
    if (dtype == EBM_DTYPE_F64) {
        for (size_t i = 0; i < count; i++) {
            double wide;
            memcpy(&wide, from + i * sizeof wide, sizeof wide);
            out[i] = (float)wide;
        }
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        const uint32_t bits = dtype == EBM_DTYPE_BF16 ? (uint32_t)half << 16 : bits_of_f16(half);
        memcpy(&out[i], &bits, sizeof bits);
    }
}

// Without a branch in the loop, so that compilers make vectors of it: a whole model passes through here.
static bool all_finite(const float *values, size_t count)
{
    uint32_t found = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        found |= (bits & 0x7F800000) == 0x7F800000;
    }
    return !found;
}

static ebm_status check_finite(const ebm_safetensors_tensor *tensor, const float *values, size_t count, size_t first)
{
    if (all_finite(values, count)) return ebm_ok();
    size_t i = 0;
    while (__builtin_isfinite(values[i])) i++;
    return ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s: expected finite numbers, found %s at element %zu", tensor->path,
                    tensor->name, __builtin_isnan(values[i]) ? "NaN" : "infinity", first + i);
}

static ebm_status check_index(const ebm_safetensors *file, size_t index)
{
    if (index < ebm_safetensors_count(file)) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s: expected a tensor index below %zu, found %zu", ebm_safetensors_path(file),
                    ebm_safetensors_count(file), index);
}

static ebm_status check_part(const ebm_safetensors *file, size_t index, size_t first, size_t count)
{
    EBM_TRY(check_index(file, index));
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    if (tensor->dtype == EBM_DTYPE_I64 || tensor->dtype == EBM_DTYPE_OTHER)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: tensor %s: expected dtype F32, F16, BF16 or F64, found %s",
                        tensor->path, tensor->name, tensor->dtype_name);
    if (first > tensor->count || count > tensor->count - first)
        return ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s: expected a part of its %zu elements, found %zu from %zu on",
                        tensor->path, tensor->name, tensor->count, count, first);
    return ebm_ok();
}

ebm_status ebm_safetensors_floats_part(const ebm_safetensors *file, size_t index, size_t first, size_t count,
                                       bool finite, float *out)
{
    EBM_TRY(check_part(file, index, first, count));
    if (count == 0) return ebm_ok();
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    convert(tensor->dtype, (const unsigned char *)tensor->bytes + first * size_of(tensor->dtype), count, out);
    return finite ? check_finite(tensor, out, count, first) : ebm_ok();
}

static size_t count_of(const ebm_safetensors *file, size_t index)
{
    return index < ebm_safetensors_count(file) ? ebm_safetensors_view(file, index)->count : 0;
}

ebm_status ebm_safetensors_floats(const ebm_safetensors *file, size_t index, float *out)
{
    return ebm_safetensors_floats_part(file, index, 0, count_of(file, index), false, out);
}

ebm_status ebm_safetensors_finite_floats(const ebm_safetensors *file, size_t index, float *out)
{
    return ebm_safetensors_floats_part(file, index, 0, count_of(file, index), true, out);
}

const float *ebm_safetensors_floats_view(const ebm_safetensors *file, size_t index)
{
    if (index >= ebm_safetensors_count(file)) return NULL;
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    if (tensor->dtype != EBM_DTYPE_F32 || (uintptr_t)tensor->bytes % _Alignof(float) != 0) return NULL;
    return tensor->bytes;
}

ebm_status ebm_safetensors_check_finite_part(const ebm_safetensors *file, size_t index, size_t first, size_t count)
{
    EBM_TRY(check_part(file, index, first, count));
    const float *view = ebm_safetensors_floats_view(file, index);
    if (view) return check_finite(ebm_safetensors_view(file, index), view + first, count, first);
    float part[1024];
    const size_t room = sizeof part / sizeof *part;
    for (size_t done = 0; done < count;) {
        const size_t now = count - done < room ? count - done : room;
        EBM_TRY(ebm_safetensors_floats_part(file, index, first + done, now, true, part));
        done += now;
    }
    return ebm_ok();
}

ebm_status ebm_safetensors_check_finite(const ebm_safetensors *file, size_t index)
{
    return ebm_safetensors_check_finite_part(file, index, 0, count_of(file, index));
}

ebm_status ebm_safetensors_integers(const ebm_safetensors *file, size_t index, int64_t *out)
{
    EBM_TRY(check_index(file, index));
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    if (tensor->dtype != EBM_DTYPE_I64)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: tensor %s: expected dtype I64, found %s", tensor->path,
                        tensor->name, tensor->dtype_name);
    if (tensor->count > 0) memcpy(out, tensor->bytes, tensor->byte_count);
    return ebm_ok();
}

void ebm_safetensors_forget(const ebm_safetensors *file, size_t index, size_t first, size_t count)
{
    if (check_part(file, index, first, count).code != EBM_OK) return;
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    const size_t size = size_of(tensor->dtype);
    ebm_safetensors_forget_bytes(file, (const unsigned char *)tensor->bytes + first * size, count * size);
}
