// The elements of a mapped tensor as float or int64_t.
#include <stdlib.h>
#include <string.h>

#include "safetensors.h"

// All conversions to float are exact, so the bits of a NaN's payload are all that could differ from other readers.
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

static void convert(ebm_dtype dtype, const unsigned char *from, size_t count, float *out)
{
    if (dtype == EBM_DTYPE_F32) {
        memcpy(out, from, count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, from + 2 * i, sizeof half);
        const uint32_t bits = dtype == EBM_DTYPE_BF16 ? (uint32_t)half << 16 : bits_of_f16(half);
        memcpy(&out[i], &bits, sizeof bits);
    }
}

static ebm_status check_finite(const char *path, const char *name, const float *values, size_t count, size_t first)
{
    for (size_t i = 0; i < count; i++) {
        if (__builtin_isfinite(values[i])) continue;
        return ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s: expected finite numbers, found %s at element %zu", path, name,
                        __builtin_isnan(values[i]) ? "NaN" : "infinity", first + i);
    }
    return ebm_ok();
}

ebm_status ebm_safetensors_floats_part(const ebm_safetensors *file, size_t index, size_t first, size_t count,
                                       bool finite, float *out)
{
    const char *path = ebm_safetensors_path(file);
    if (index >= ebm_safetensors_count(file))
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected a tensor index below %zu, found %zu", path,
                        ebm_safetensors_count(file), index);
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    if (tensor->dtype != EBM_DTYPE_F32 && tensor->dtype != EBM_DTYPE_F16 && tensor->dtype != EBM_DTYPE_BF16)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: tensor %s: expected dtype F32, F16 or BF16, found %s", path,
                        tensor->name, tensor->dtype_name);
    if (first > tensor->count || count > tensor->count - first)
        return ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s: expected a part of its %zu elements, found %zu from %zu on",
                        path, tensor->name, tensor->count, count, first);
    if (count == 0) return ebm_ok();
    const size_t size = tensor->dtype == EBM_DTYPE_F32 ? 4 : 2;
    convert(tensor->dtype, (const unsigned char *)tensor->bytes + first * size, count, out);
    return finite ? check_finite(path, tensor->name, out, count, first) : ebm_ok();
}

ebm_status ebm_safetensors_floats(const ebm_safetensors *file, size_t index, float *out)
{
    const size_t count = index < ebm_safetensors_count(file) ? ebm_safetensors_view(file, index)->count : 0;
    return ebm_safetensors_floats_part(file, index, 0, count, false, out);
}

ebm_status ebm_safetensors_finite_floats(const ebm_safetensors *file, size_t index, float *out)
{
    const size_t count = index < ebm_safetensors_count(file) ? ebm_safetensors_view(file, index)->count : 0;
    return ebm_safetensors_floats_part(file, index, 0, count, true, out);
}

const float *ebm_safetensors_floats_view(const ebm_safetensors *file, size_t index)
{
    if (index >= ebm_safetensors_count(file)) return NULL;
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    if (tensor->dtype != EBM_DTYPE_F32 || (uintptr_t)tensor->bytes % _Alignof(float) != 0) return NULL;
    return tensor->bytes;
}

ebm_status ebm_safetensors_check_finite(const ebm_safetensors *file, size_t index)
{
    const size_t count = index < ebm_safetensors_count(file) ? ebm_safetensors_view(file, index)->count : 0;
    const float *view = ebm_safetensors_floats_view(file, index);
    if (view) return check_finite(ebm_safetensors_path(file), ebm_safetensors_view(file, index)->name, view, count, 0);
    float part[1024];
    const size_t room = sizeof part / sizeof *part;
    size_t first = 0;
    do {
        const size_t now = count - first < room ? count - first : room;
        EBM_TRY(ebm_safetensors_floats_part(file, index, first, now, true, part));
        first += now;
    } while (first < count);
    return ebm_ok();
}

ebm_status ebm_safetensors_integers(const ebm_safetensors *file, size_t index, int64_t *out)
{
    const char *path = ebm_safetensors_path(file);
    if (index >= ebm_safetensors_count(file))
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected a tensor index below %zu, found %zu", path,
                        ebm_safetensors_count(file), index);
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    if (tensor->dtype != EBM_DTYPE_I64)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "%s: tensor %s: expected dtype I64, found %s", path, tensor->name,
                        tensor->dtype_name);
    if (tensor->count > 0) memcpy(out, tensor->bytes, tensor->byte_count);
    return ebm_ok();
}
