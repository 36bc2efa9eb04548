// Whether products in bf16 can be had on a device: what the processor says, and a known answer.
#include "device_internal.h"
#include "gemm_internal.h"

#include <stdlib.h>
#include <string.h>

#include "known_answer.h"
#include "processor.h"

// CPU devices compute on this machine's processor. Simulators call themselves CPUs too, but have no vectors of 16.
static ebm_status check_device(ebm_device *device)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    if (!info->is_cpu || !ebm_device_uses_cpu_kernels(device))
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "products in bf16 need a CPU device with CPU kernels, found %s with %s",
                        info->name, ebm_device_uses_cpu_kernels(device) ? "CPU kernels" : "GPU kernels");
    if (!ebm_processor_has_bf16())
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "products in bf16 need a processor with AVX512-BF16, this one (%s) has"
                        " not",
                        info->name);
    if (ebm_device_lanes(device) != 16)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "products in bf16 need vectors of 16 floats, %s works with %d",
                        info->name, ebm_device_lanes(device));
    if (!ebm_device_takes_assembly(device))
        return ebm_fail(EBM_ERROR_UNSUPPORTED,
                        "products in bf16 need a driver that compiles instructions of the processor, %s does not",
                        info->platform_name);
    device->amx = ebm_processor_allows_amx() && ebm_device_takes_amx(device);
    return ebm_ok();
}

const char *ebm_gemm_bf16_means(ebm_device *device)
{
    ebm_gemm_plan to_come;
    if (!ebm_gemm_plan_of(device, &to_come)->own_kernels || check_device(device).code != EBM_OK) return "";
    return device->amx ? "AMX" : "AVX512-BF16";
}

// ---- a known answer

enum { M = 27, N = 51, K = 67, LARGEST = K * N }; // more rows than dot products take, all with borders, an odd k

// Numbers from 2 to 4 and -2 to -4 in steps of 2^-8; bf16 go in steps of 2^-6 there, so some lie halfway. Sums of
// products of rounded ones are multiples of 2^-12 below 2^11: exact in fp32, in whatever order they are made.
static float input_at(size_t i, unsigned seed)
{
    const uint32_t hash = (uint32_t)(i + 1) * 2654435761u ^ seed * 40503u;
    const float magnitude = 2 + (float)(hash >> 8 & 511) * 0x1p-8f;
    return hash >> 20 & 1 ? magnitude : -magnitude;
}

static float rounded(float value)
{
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float expected_at(ebm_gemm_form form, size_t row, size_t column, const float *a, const float *b)
{
    float sum = 0;
    for (size_t k = 0; k < K; k++)
        sum += rounded(a[form == EBM_GEMM_TN ? k * M + row : row * K + k]) *
               rounded(b[form == EBM_GEMM_NT ? column * K + k : k * N + column]);
    return sum;
}

typedef struct {
    ebm_slice a, b, c;
    float host_a[LARGEST], host_b[LARGEST], host_c[M * N];
} workspace;

static ebm_status check_form(ebm_device *device, ebm_gemm_form form, size_t m, workspace *w)
{
    const ebm_product product = {.device = device,
                                 .form = form,
                                 .m = m,
                                 .n = N,
                                 .k = K,
                                 .a = ebm_matrix_of(w->a, form == EBM_GEMM_TN ? M : K),
                                 .b = ebm_matrix_of(w->b, form == EBM_GEMM_NT ? K : N),
                                 .c = ebm_matrix_of(w->c, N)};
    EBM_TRY(ebm_gemm_bf16(&product));
    EBM_TRY(ebm_slice_read(device, w->c, 0, m * N, w->host_c));
    for (size_t i = 0; i < m * N; i++) {
        const float expected = expected_at(form, i / N, i % N, w->host_a, w->host_b);
        if (w->host_c[i] != expected)
            return ebm_fail(EBM_ERROR_DEVICE, "%s in bf16 on %s: expected %g at element %zu, found %g",
                            ebm_gemm_name(&product), ebm_device_info_view(device)->name, (double)expected, i,
                            (double)w->host_c[i]);
    }
    return ebm_ok();
}

static ebm_status check_answers(ebm_device *device, ebm_arena *arena, workspace *w)
{
    for (size_t i = 0; i < LARGEST; i++) {
        w->host_a[i] = input_at(i, 1);
        w->host_b[i] = input_at(i, 2);
    }
    ebm_arena_reserve(arena, &w->a, LARGEST);
    ebm_arena_reserve(arena, &w->b, LARGEST);
    ebm_arena_reserve(arena, &w->c, (size_t)M * N);
    EBM_TRY(ebm_arena_allocate(arena));
    EBM_TRY(ebm_slice_write(device, w->a, 0, LARGEST, w->host_a));
    EBM_TRY(ebm_slice_write(device, w->b, 0, LARGEST, w->host_b));
    for (int form = EBM_GEMM_NN; form <= EBM_GEMM_TN; form++) EBM_TRY(check_form(device, (ebm_gemm_form)form, M, w));
    return check_form(device, EBM_GEMM_NT, 3, w); // by dot products
}

ebm_status ebm_gemm_bf16_check(ebm_device *device)
{
    EBM_TRY(check_device(device));
    workspace *w = calloc(1, sizeof *w);
    ebm_arena *arena = ebm_arena_create(device, "known answer");
    const ebm_status status = w && arena ? check_answers(device, arena, w)
                                         : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a check of the device");
    ebm_arena_free(arena);
    free(w);
    return status;
}
