// The backend of CLBlast.
#include <clblast_c.h>

#include <limits.h>

#include "clblast_calls.h"
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
    if (device->gemm) device->gemm->clblast_asked = false;
    return ebm_ok();
}

void ebm_gemm_clblast_forget(void) { CLBlastClearCache(); }

// ---- what is in force

typedef struct {
    bool column_major, a_transposed, b_transposed;
} order;

static CLBlastLayout layout_of(bool column_major)
{
    return column_major ? CLBlastLayoutColMajor : CLBlastLayoutRowMajor;
}
static CLBlastTranspose transpose_of(bool yes) { return yes ? CLBlastTransposeYes : CLBlastTransposeNo; }

// Bytes of temporary memory for a product of matrices without gaps; false: CLBlast failed.
static bool ask(ebm_device *device, order o, size_t m, size_t n, size_t k, size_t *bytes)
{
    const size_t a_stride = o.column_major == o.a_transposed ? k : m,
                 b_stride = o.column_major == o.b_transposed ? n : k;
    return CLBlastSGemmTempBufferSize(layout_of(o.column_major), transpose_of(o.a_transposed),
                                      transpose_of(o.b_transposed), m, n, k, 0, a_stride, 0, b_stride, 0,
                                      o.column_major ? m : n, &device->queue, bytes) == CLBlastSuccess;
}

// A multiple of all usual tiles, and with one more the bytes of two matrices still fit 32 bits.
enum { EVEN = 15360 };

// The tile along m, n or k: with one more than whole tiles the two matrices that have it are padded to the next.
static bool ask_tile(ebm_device *device, order o, size_t m, size_t n, size_t k, size_t *tile)
{
    size_t bytes = 0;
    if (!ask(device, o, m, n, k, &bytes)) return false;
    const size_t padded = bytes / (2 * sizeof(float) * EVEN);
    *tile = padded - EVEN;
    return padded > EVEN && padded * 2 * sizeof(float) * EVEN == bytes && EVEN % *tile == 0;
}

// The least s for which s x s x s is not left to XgemmDirect, which needs no temporary memory; `o` always takes some.
static bool ask_least_indirect(ebm_device *device, order o, size_t *least)
{
    size_t low = 1, high = EVEN, bytes = 0;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (!ask(device, o, middle, middle, middle, &bytes)) return false;
        if (bytes > 0)
            high = middle;
        else
            low = middle + 1;
    }
    *least = low;
    return true;
}

// CLBlast's C interface does not tell its parameters, but how much temporary memory products take, and so all of those
// that decide about it.
static bool ask_form(ebm_device *device, ebm_clblast_form *form)
{
    const order by_columns = {true, false, true}, by_rows = {false, false, false}; // what takes none, GEMMK = 0 and 1
    size_t columns = 0, rows = 0;
    if (!ask(device, by_columns, EVEN, EVEN, EVEN, &columns) || !ask(device, by_rows, EVEN, EVEN, EVEN, &rows))
        return false;
    if (columns == 0 && rows == 0) { // XgemmDirect for everything; tiles do not matter
        form->least_indirect = INT_MAX;
        form->mwg = form->nwg = form->kwg = 1;
        return true;
    }
    if (columns > 0 && rows > 0) return false; // no kernel that is known here
    form->gemmk = rows == 0;
    const order best = form->gemmk ? by_rows : by_columns, other = form->gemmk ? by_columns : by_rows;
    return ask_tile(device, best, EVEN + 1, EVEN, EVEN, &form->mwg) &&
           ask_tile(device, best, EVEN, EVEN + 1, EVEN, &form->nwg) &&
           ask_tile(device, best, EVEN, EVEN, EVEN + 1, &form->kwg) &&
           ask_least_indirect(device, other, &form->least_indirect);
}

const ebm_clblast_form *ebm_gemm_clblast_form(ebm_device *device)
{
    ebm_gemm_state *state = device->gemm;
    if (!state->clblast_asked) {
        state->clblast = (ebm_clblast_form){.units = device->info.compute_units ? device->info.compute_units : 1};
        state->clblast.known = ask_form(device, &state->clblast);
        state->clblast_asked = true;
    }
    return &state->clblast;
}

// ---- a product

static ebm_status check_product(CLBlastStatusCode code, const ebm_product *p)
{
    if (code == CLBlastSuccess) return ebm_ok();
    return ebm_fail(EBM_ERROR_DEVICE, "%s of %zu x %zu x %zu: %s (CLBlast status %d)", ebm_gemm_name(p), p->m, p->n,
                    p->k, words_for(code), (int)code);
}

// Products queued before keep the old buffer until they are done.
ebm_status ebm_gemm_clblast_temporary(ebm_device *device, size_t bytes)
{
    ebm_gemm_state *state = device->gemm;
    cl_int code = CL_SUCCESS;
    if (bytes <= state->temporary_bytes) return ebm_ok();
    cl_mem grown = clCreateBuffer(device->context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    EBM_TRY_CL(code, "%zu bytes for CLBlast's copies of matrices", bytes);
    if (state->temporary) clReleaseMemObject(state->temporary);
    state->temporary = grown;
    state->temporary_bytes = bytes;
    return ebm_ok();
}

// What CLBlast says counts, not what clblast_calls.c would expect. Left alone it allocates with every product.
static ebm_status reserve_temporary(const ebm_product *p, const ebm_clblast_call *c)
{
    size_t bytes = 0;
    EBM_TRY(check_product(CLBlastSGemmTempBufferSize(layout_of(c->column_major), transpose_of(c->a_transposed),
                                                     transpose_of(c->b_transposed), c->m, c->n, c->k, c->a_first,
                                                     c->a_stride, c->b_first, c->b_stride, c->c_first, c->c_stride,
                                                     &p->device->queue, &bytes),
                          p));
    return ebm_in(ebm_gemm_clblast_temporary(p->device, bytes), "%s of %zu x %zu x %zu", ebm_gemm_name(p), p->m, p->n,
                  p->k);
}

static ebm_status call(const ebm_product *p, const ebm_clblast_call *c)
{
    const cl_mem a = c->column_major ? p->b.slice.memory : p->a.slice.memory;
    const cl_mem b = c->column_major ? p->a.slice.memory : p->b.slice.memory;
    EBM_TRY(reserve_temporary(p, c));
    return check_product(CLBlastSgemmWithTempBuffer(layout_of(c->column_major), transpose_of(c->a_transposed),
                                                    transpose_of(c->b_transposed), c->m, c->n, c->k, 1.0f, a,
                                                    c->a_first, c->a_stride, b, c->b_first, c->b_stride,
                                                    c->adds ? 1.0f : 0.0f, p->c.slice.memory, c->c_first, c->c_stride,
                                                    &p->device->queue, NULL, p->device->gemm->temporary),
                         p);
}

static ebm_status multiply(const ebm_product *p)
{
    const ebm_clblast_calls calls = ebm_clblast_calls_of(ebm_gemm_clblast_form(p->device), p);
    for (size_t i = 0; i < calls.count; i++) EBM_TRY(call(p, &calls.calls[i]));
    return ebm_ok();
}

// CLBlast starts its kernels itself, so they are timed here and not in launch.c.
static ebm_status multiply_profiled(const ebm_product *p)
{
    EBM_TRY(ebm_device_finish(p->device));
    const double start = ebm_now();
    EBM_TRY(multiply(p));
    EBM_TRY(ebm_device_finish(p->device));
    ebm_profile_add(p->device, ebm_gemm_name(p), ebm_now() - start, ebm_gemm_flops(p), ebm_gemm_bytes(p));
    return ebm_ok();
}

// CLBlast adds no bias. Added afterwards it costs no more than C = bias before, and C is not copied to be added to.
ebm_status ebm_gemm_clblast(const ebm_product *p)
{
    EBM_TRY(ebm_profile_is_on(p->device) ? multiply_profiled(p) : multiply(p));
    return p->bias.count > 0 ? ebm_gemm_add_bias(p) : ebm_ok();
}
