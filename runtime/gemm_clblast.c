// The backend of CLBlast.
#include <clblast_c.h>

#include "device_internal.h"
#include "gemm_internal.h"
#include "timing.h"

static ebm_status check(CLBlastStatusCode code, const char *what)
{
    if (code == CLBlastSuccess) return ebm_ok();
    return ebm_fail(EBM_ERROR_DEVICE, "%s: CLBlast status %d", what, (int)code);
}

// CLBlast has no entry for PoCL's CPU device, and its defaults reach a tenth of what these do there: work-groups of one
// row of items that a compiler turns into vector lanes, and no "direct" kernel for small sizes.
static ebm_status tune_for_cpu(cl_device_id device)
{
    static const char *gemm_names[] = {"GEMMK", "MWG", "NWG", "KWG", "MDIMC", "NDIMC", "MDIMA", "NDIMB",
                                       "KWI",   "VWM", "VWN", "SA",  "SB",    "STRM",  "STRN",  "KREG"};
    static const size_t gemm[] = {0, 48, 128, 64, 1, 16, 1, 16, 1, 16, 1, 0, 0, 0, 0, 1};
    static const char *routine_names[] = {"XGEMM_MIN_INDIRECT_SIZE"};
    static const size_t routine[] = {1};
    static const char *transpose_names[] = {"TRA_WPT", "TRA_DIM", "TRA_PAD", "TRA_SHUFFLE"};
    static const size_t transpose[] = {8, 4, 0, 0};
    const CLBlastPrecision single = CLBlastPrecisionSingle;
    EBM_TRY(check(CLBlastOverrideParameters(device, "Xgemm", single, 16, gemm_names, gemm), "tuning Xgemm"));
    EBM_TRY(check(CLBlastOverrideParameters(device, "GemmRoutine", single, 1, routine_names, routine),
                  "tuning GemmRoutine"));
    return check(CLBlastOverrideParameters(device, "Transpose", single, 4, transpose_names, transpose),
                 "tuning Transpose");
}

ebm_status ebm_gemm_clblast_prepare(ebm_device *device)
{
    return device->info.is_cpu ? tune_for_cpu(device->id) : ebm_ok();
}

void ebm_gemm_clblast_forget(void) { CLBlastClearCache(); }

static CLBlastTranspose transpose_a(const ebm_product *p)
{
    return p->form == EBM_GEMM_TN ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static CLBlastTranspose transpose_b(const ebm_product *p)
{
    return p->form == EBM_GEMM_NT ? CLBlastTransposeYes : CLBlastTransposeNo;
}

static ebm_status check_product(CLBlastStatusCode code, const ebm_product *p)
{
    if (code == CLBlastSuccess) return ebm_ok();
    return ebm_fail(EBM_ERROR_DEVICE, "%s of %zu x %zu x %zu: CLBlast status %d", ebm_gemm_name(p), p->m, p->n, p->k,
                    (int)code);
}

// CLBlast's kernel for larger products wants padded matrices in its own order. Left alone it allocates a buffer for
// them with every product; the device's own one is allocated again only when a product needs more. Products queued
// before keep the old one until they are done.
static ebm_status reserve_temporary(const ebm_product *p)
{
    ebm_gemm_state *state = p->device->gemm;
    size_t bytes = 0;
    EBM_TRY(check_product(CLBlastSGemmTempBufferSize(CLBlastLayoutRowMajor, transpose_a(p), transpose_b(p), p->m, p->n,
                                                     p->k, p->a.first, p->a.stride, p->b.first, p->b.stride, p->c.first,
                                                     p->c.stride, &p->device->queue, &bytes),
                          p));
    if (bytes <= state->temporary_bytes) return ebm_ok();
    cl_int code = CL_SUCCESS;
    cl_mem grown = clCreateBuffer(p->device->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    EBM_TRY_CL(code, "%s of %zu x %zu x %zu: %zu bytes for CLBlast", ebm_gemm_name(p), p->m, p->n, p->k, bytes);
    if (state->temporary) clReleaseMemObject(state->temporary);
    state->temporary = grown;
    state->temporary_bytes = bytes;
    return ebm_ok();
}

static ebm_status multiply(const ebm_product *p, float beta)
{
    EBM_TRY(reserve_temporary(p));
    return check_product(CLBlastSgemmWithTempBuffer(CLBlastLayoutRowMajor, transpose_a(p), transpose_b(p), p->m, p->n,
                                                    p->k, 1.0f, p->a.slice.memory, p->a.first, p->a.stride,
                                                    p->b.slice.memory, p->b.first, p->b.stride, beta, p->c.slice.memory,
                                                    p->c.first, p->c.stride, &p->device->queue, NULL,
                                                    p->device->gemm->temporary),
                         p);
}

// CLBlast starts its kernels itself, so they are timed here and not in launch.c.
static ebm_status multiply_profiled(const ebm_product *p, float beta)
{
    EBM_TRY(ebm_device_finish(p->device));
    const double start = ebm_now();
    EBM_TRY(multiply(p, beta));
    EBM_TRY(ebm_device_finish(p->device));
    ebm_profile_add(p->device, ebm_gemm_name(p), ebm_now() - start, ebm_gemm_flops(p), ebm_gemm_bytes(p));
    return ebm_ok();
}

ebm_status ebm_gemm_clblast(const ebm_product *p)
{
    const bool from_bias = p->bias.count > 0;
    if (from_bias) EBM_TRY(ebm_gemm_fill(p)); // CLBlast adds no bias: C = bias, then C += AB
    const float beta = p->accumulate || from_bias ? 1.0f : 0.0f;
    return ebm_profile_is_on(p->device) ? multiply_profiled(p, beta) : multiply(p, beta);
}
