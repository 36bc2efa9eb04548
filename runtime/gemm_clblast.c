// The backend of CLBlast.
#include <clblast_c.h>

#include "device_internal.h"
#include "gemm_internal.h"

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

ebm_status ebm_gemm_clblast(const ebm_product *p)
{
    const bool starts_from_bias = p->bias.count > 0;
    if (starts_from_bias) EBM_TRY(ebm_gemm_fill(p)); // CLBlast has no epilogue: C = bias, then C += AB
    const CLBlastTranspose a = p->form == EBM_GEMM_TN ? CLBlastTransposeYes : CLBlastTransposeNo;
    const CLBlastTranspose b = p->form == EBM_GEMM_NT ? CLBlastTransposeYes : CLBlastTransposeNo;
    const float beta = p->accumulate || starts_from_bias ? 1.0f : 0.0f;
    const CLBlastStatusCode code =
        CLBlastSgemm(CLBlastLayoutRowMajor, a, b, p->m, p->n, p->k, 1.0f, p->a.slice.memory, p->a.first, p->a.stride,
                     p->b.slice.memory, p->b.first, p->b.stride, beta, p->c.slice.memory, p->c.first, p->c.stride,
                     &p->device->queue, NULL);
    if (code == CLBlastSuccess) return ebm_ok();
    return ebm_fail(EBM_ERROR_DEVICE, "gemm of %zu x %zu x %zu: CLBlast status %d", p->m, p->n, p->k, (int)code);
}
