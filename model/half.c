#include "half.h"

#include <math.h>

#include "launch.h"

enum { CHUNK = 4096 };

static ebm_status check(const char *operation, ebm_slice halves, ebm_slice x, size_t count, float scale)
{
    int exponent;
    if (!(frexpf(scale, &exponent) == 0.5f && exponent >= -23 && exponent <= 25))
        return ebm_fail(EBM_ERROR_INPUT, "%s: the scale must be a power of two from 2^-24 to 2^24, found %g", operation,
                        (double)scale);
    if (halves.count < ebm_half_elements(count) || x.count < count)
        return ebm_fail(EBM_ERROR_DEVICE, "%s: %zu elements need slices of %zu and %zu, found %zu and %zu", operation,
                        count, ebm_half_elements(count), count, halves.count, x.count);
    return ebm_ok();
}

static ebm_status launch(ebm_device *device, const char *kernel, ebm_slice to, ebm_slice from, size_t count,
                         float factor)
{
    ebm_launch l = ebm_launch_begin(device, "half.cl", kernel, "-DCHUNK=%d", (int)CHUNK);
    ebm_arg_slice(&l, to);
    ebm_arg_slice(&l, from);
    ebm_arg_u64(&l, count);
    ebm_arg_f32(&l, factor);
    ebm_launch_cost(&l, (double)count, 6.0 * (double)count);
    return ebm_launch_rows(&l, (count + CHUNK - 1) / CHUNK);
}

ebm_status ebm_half_pack(ebm_device *device, ebm_slice halves, ebm_slice x, size_t count, float scale)
{
    EBM_TRY(check("half_pack", halves, x, count, scale));
    return launch(device, "half_pack", halves, x, count, scale);
}

ebm_status ebm_half_unpack(ebm_device *device, ebm_slice x, ebm_slice halves, size_t count, float scale)
{
    EBM_TRY(check("half_unpack", halves, x, count, scale));
    return launch(device, "half_unpack", x, halves, count, 1 / scale);
}
