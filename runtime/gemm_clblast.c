// The backend of CLBlast.
#include <clblast_c.h>

#include "device_internal.h"
#include "gemm_internal.h"
#include "timing.h"

// The words of clblast_c.h for what a kernel with other parameters may meet with.
static const char *words_for(CLBlastStatusCode code)
{
    static const struct {
        CLBlastStatusCode code;
        const char *words;
    } known[] = {
        {CLBlastOpenCLBuildProgramFailure, "its kernel does not compile"},
        {CLBlastOpenCLOutOfResources, "out of resources"},
        {CLBlastTempBufferAllocFailure, "no memory for a temporary buffer"},
        {CLBlastInvalidLocalNumDimensions, "too many dimensions of work-items"},
        {CLBlastInvalidLocalThreadsTotal, "too many work-items in a group"},
        {CLBlastInvalidLocalThreadsDim, "too many work-items in a dimension of a group"},
        {CLBlastInvalidLocalMemUsage, "more local memory than the device has"},
        {CLBlastMissingOverrideParameter, "other parameters than this version has"},
        {CLBlastInvalidOverrideKernel, "a kernel that this version does not have"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].code == code) return known[i].words;
    return "error";
}

ebm_status ebm_gemm_clblast_override(ebm_device *device, const ebm_clblast_parameters *parameters)
{
    for (size_t kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++) {
        const ebm_clblast_names *names = &EBM_CLBLAST_NAMES[kernel];
        const char *parameter[EBM_CLBLAST_MOST];
        size_t value[EBM_CLBLAST_MOST];
        if (!parameters->overrides[kernel]) continue;
        for (size_t i = 0; i < names->count; i++) {
            parameter[i] = names->parameters[i];
            value[i] = parameters->values[kernel][i];
        }
        const CLBlastStatusCode code = CLBlastOverrideParameters(device->id, names->kernel, CLBlastPrecisionSingle,
                                                                 names->count, parameter, value);
        if (code != CLBlastSuccess)
            return ebm_fail(EBM_ERROR_DEVICE, "parameters for CLBlast's %s: %s (CLBlast status %d)", names->kernel,
                            words_for(code), (int)code);
    }
    return ebm_ok();
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
    return ebm_fail(EBM_ERROR_DEVICE, "%s of %zu x %zu x %zu: %s (CLBlast status %d)", ebm_gemm_name(p), p->m, p->n,
                    p->k, words_for(code), (int)code);
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
