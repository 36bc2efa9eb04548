// Checks of a matrix product, choice of the backend, and the plain backend.
#include "gemm.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "device_internal.h"
#include "gemm_internal.h"

enum { TILE = 16 }; // of cl/gemm_plain.cl

typedef ebm_gemm_backend_entry backend;

static const backend backends[] = {
    {"cpu", ebm_gemm_cpu}, {"bf16", ebm_gemm_bf16}, {"clblast", ebm_gemm_clblast}, {"plain", ebm_gemm_plain}};
enum { CPU, BF16, CLBLAST, PLAIN, BACKENDS };

static ebm_status choose(const ebm_device *device, const backend **chosen)
{
    *chosen = &backends[ebm_device_uses_cpu_kernels(device) ? CPU : CLBLAST];
    const char *wanted = getenv("EBMCL_GEMM");
    if (!wanted || !*wanted) return ebm_ok();
    for (int i = 0; i < BACKENDS; i++)
        if (strcmp(wanted, backends[i].name) == 0) {
            *chosen = &backends[i];
            return ebm_ok();
        }
    return ebm_fail(EBM_ERROR_INPUT, "EBMCL_GEMM: expected cpu, bf16, clblast or plain, found '%s'", wanted);
}

const char *ebm_gemm_backend(const ebm_device *device)
{
    const backend *chosen = NULL;
    if (device->gemm) return device->gemm->backend->name;
    (void)choose(device, &chosen); // a wrong choice is reported by the first product
    return chosen->name;
}

bool ebm_gemm_rows_independent(const ebm_device *device)
{
    return strcmp(ebm_gemm_backend(device), backends[CLBLAST].name) != 0;
}

static ebm_status prepare(ebm_device *device)
{
    if (device->gemm) return ebm_ok();
    const backend *chosen = NULL;
    EBM_TRY(choose(device, &chosen));
    if (chosen == &backends[CLBLAST]) EBM_TRY(ebm_gemm_clblast_prepare(device));
    const bool bf16 = chosen == &backends[BF16];
    if (bf16) EBM_TRY(ebm_gemm_bf16_check(device));
    device->gemm = calloc(1, sizeof *device->gemm);
    if (!device->gemm) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the state of matrix products");
    *device->gemm = (ebm_gemm_state){.backend = chosen, .bf16_checked = bf16};
    return ebm_ok();
}

void ebm_gemm_state_free(ebm_gemm_state *state)
{
    if (!state) return;
    if (state->backend == &backends[CLBLAST]) ebm_gemm_clblast_forget();
    if (state->temporary) clReleaseMemObject(state->temporary);
    free(state);
}

// Rows and columns as stored must lie inside the slice; sizes are bounded first so that nothing overflows.
static ebm_status check_matrix(const char *name, ebm_matrix matrix, size_t rows, size_t columns)
{
    if (rows == 0 || columns == 0) return ebm_ok();
    if (rows > INT_MAX || columns > INT_MAX || matrix.stride > INT_MAX)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "gemm: %s of %zu x %zu with stride %zu is too large", name, rows,
                        columns, matrix.stride);
    if (rows > 1 && matrix.stride < columns)
        return ebm_fail(EBM_ERROR_DEVICE, "gemm: rows of %s have %zu elements and a stride of %zu", name, columns,
                        matrix.stride);
    const size_t needed = (rows - 1) * matrix.stride + columns, available = matrix.slice.count;
    if (matrix.first > available || needed > available - matrix.first)
        return ebm_fail(EBM_ERROR_DEVICE, "gemm: %s (%zu x %zu, stride %zu) ends at element %zu of a slice of %zu",
                        name, rows, columns, matrix.stride, matrix.first + needed, available);
    if (!matrix.slice.memory) return ebm_fail(EBM_ERROR_DEVICE, "gemm: the slice of %s is not allocated", name);
    return ebm_ok();
}

static ebm_status check_product(const ebm_product *p, float beta)
{
    const bool a_transposed = p->form == EBM_GEMM_TN, b_transposed = p->form == EBM_GEMM_NT;
    if (beta != 0 && beta != 1) return ebm_fail(EBM_ERROR_DEVICE, "gemm: beta must be 0 or 1, found %g", (double)beta);
    if (p->bias.count != 0 && p->bias.count != p->n)
        return ebm_fail(EBM_ERROR_DEVICE, "gemm: a bias of %zu elements for %zu columns", p->bias.count, p->n);
    if (p->bias.count != 0 && p->accumulate) return ebm_fail(EBM_ERROR_DEVICE, "gemm: a bias needs beta = 0");
    EBM_TRY(check_matrix("A", p->a, a_transposed ? p->k : p->m, a_transposed ? p->m : p->k));
    EBM_TRY(check_matrix("B", p->b, b_transposed ? p->n : p->k, b_transposed ? p->k : p->n));
    return check_matrix("C", p->c, p->m, p->n);
}

ebm_status ebm_gemm(ebm_device *device, ebm_gemm_form form, size_t m, size_t n, size_t k, ebm_matrix a, ebm_matrix b,
                    float beta, ebm_matrix c, ebm_slice bias)
{
    if (bias.count == 0) bias.memory = NULL; // kernels know no bias by a null pointer
    const ebm_product product = {device, form, m, n, k, a, b, c, beta != 0, bias};
    EBM_TRY(check_product(&product, beta));
    EBM_TRY(prepare(device));
    if (m == 0 || n == 0) return ebm_ok();
    if (k == 0) return product.accumulate ? ebm_ok() : ebm_gemm_fill(&product);
    return device->gemm->backend->run(&product);
}

ebm_status ebm_gemm_prepare(ebm_device *device) { return prepare(device); }

const char *ebm_precision_name(ebm_precision precision) { return precision == EBM_BF16 ? "bf16" : "fp32"; }

ebm_precision ebm_gemm_precision(const ebm_device *device)
{
    return strcmp(ebm_gemm_backend(device), backends[BF16].name) == 0 ? EBM_BF16 : EBM_FP32;
}

ebm_status ebm_gemm_set_precision(ebm_device *device, ebm_precision precision)
{
    EBM_TRY(prepare(device));
    if (ebm_gemm_precision(device) == precision) return ebm_ok();
    if (precision == EBM_BF16 && device->gemm->backend != &backends[CPU])
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "products in bf16 need the CPU kernels, %s has them done by %s",
                        device->info.name, device->gemm->backend->name);
    if (precision == EBM_BF16 && !device->gemm->bf16_checked) EBM_TRY(ebm_gemm_bf16_check(device));
    device->gemm->bf16_checked |= precision == EBM_BF16;
    device->gemm->backend = &backends[precision == EBM_BF16 ? BF16 : CPU];
    return ebm_ok();
}

const char *ebm_gemm_name(const ebm_product *p)
{
    return p->form == EBM_GEMM_NN ? "gemm_nn" : p->form == EBM_GEMM_NT ? "gemm_nt" : "gemm_tn";
}

double ebm_gemm_flops(const ebm_product *p) { return 2.0 * (double)p->m * (double)p->n * (double)p->k; }

double ebm_gemm_bytes(const ebm_product *p)
{
    const double m = (double)p->m, n = (double)p->n, k = (double)p->k;
    return sizeof(float) * (m * k + k * n + (p->accumulate ? 2 : 1) * m * n);
}

void ebm_gemm_arguments(ebm_launch *launch, const ebm_product *p)
{
    ebm_arg_slice(launch, p->c.slice);
    ebm_arg_slice(launch, p->a.slice);
    ebm_arg_slice(launch, p->b.slice);
    ebm_arg_slice(launch, p->bias);
    ebm_arg_u64(launch, p->c.first);
    ebm_arg_u64(launch, p->a.first);
    ebm_arg_u64(launch, p->b.first);
    ebm_arg_u32(launch, (uint32_t)p->c.stride);
    ebm_arg_u32(launch, (uint32_t)p->a.stride);
    ebm_arg_u32(launch, (uint32_t)p->b.stride);
    ebm_arg_i32(launch, (int64_t)p->m);
    ebm_arg_i32(launch, (int64_t)p->n);
    ebm_arg_i32(launch, (int64_t)p->k);
    ebm_arg_i32(launch, p->accumulate);
    launch->name = ebm_gemm_name(p);
    ebm_launch_cost(launch, ebm_gemm_flops(p), ebm_gemm_bytes(p));
}

static ebm_status launch_tiles(ebm_launch *launch, const ebm_product *p)
{
    const size_t groups[2] = {(p->n + TILE - 1) / TILE, (p->m + TILE - 1) / TILE}, local[2] = {TILE, TILE};
    return ebm_launch_groups(launch, groups, local);
}

ebm_status ebm_gemm_plain(const ebm_product *p)
{
    ebm_launch l = ebm_launch_begin(p->device, "gemm_plain.cl", "gemm", "-DA_TRANSPOSED=%d -DB_TRANSPOSED=%d",
                                    p->form == EBM_GEMM_TN, p->form == EBM_GEMM_NT);
    ebm_gemm_arguments(&l, p);
    return launch_tiles(&l, p);
}

ebm_status ebm_gemm_fill(const ebm_product *p)
{
    ebm_launch l = ebm_launch_begin(p->device, "gemm_plain.cl", "gemm_fill", "-DA_TRANSPOSED=0 -DB_TRANSPOSED=0");
    ebm_arg_slice(&l, p->c.slice);
    ebm_arg_slice(&l, p->bias);
    ebm_arg_u64(&l, p->c.first);
    ebm_arg_u32(&l, (uint32_t)p->c.stride);
    ebm_arg_i32(&l, (int64_t)p->m);
    ebm_arg_i32(&l, (int64_t)p->n);
    ebm_launch_cost(&l, 0, sizeof(float) * (double)(p->m * p->n));
    return launch_tiles(&l, p);
}
