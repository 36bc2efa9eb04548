// Checks of a matrix product, its way to a backend, and the plain backend.
#include "gemm.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "clblast_calls.h"
#include "device_internal.h"
#include "gemm_internal.h"

enum { SIDE = 16, TILE = 64 }; // of cl/gemm_plain.cl

ebm_gemm_run *ebm_gemm_run_of(ebm_backend backend)
{
    static ebm_gemm_run *const runs[EBM_BACKENDS] = {ebm_gemm_cpu, ebm_gemm_clblast, ebm_gemm_plain};
    return runs[backend];
}

// ---- what is in force

// What will be in force, where nothing is yet; a wrong choice is reported by the first product.
const ebm_gemm_plan *ebm_gemm_plan_of(const ebm_device *device, ebm_gemm_plan *to_come)
{
    if (device->gemm) return &device->gemm->plan;
    if (ebm_gemm_plan_make(device, true, to_come).code != EBM_OK) ebm_gemm_plan_default(device, to_come);
    return to_come;
}

ebm_precision ebm_gemm_precision(const ebm_device *device)
{
    ebm_gemm_plan to_come;
    if (device->gemm) return device->gemm->precision;
    return ebm_gemm_plan_of(device, &to_come)->bf16 ? EBM_BF16 : EBM_FP32;
}

const char *ebm_gemm_backend(const ebm_device *device)
{
    ebm_gemm_plan to_come;
    return ebm_gemm_precision(device) == EBM_BF16 ? "bf16" : ebm_gemm_plan_name(ebm_gemm_plan_of(device, &to_come));
}

const char *ebm_gemm_describe(const ebm_device *device, char *text, size_t size)
{
    ebm_gemm_plan to_come;
    if (ebm_gemm_precision(device) == EBM_BF16)
        snprintf(text, size, device->amx ? "bf16 by AMX" : "bf16");
    else
        ebm_gemm_plan_text(ebm_gemm_plan_of(device, &to_come), text, size);
    return text;
}

bool ebm_gemm_rows_independent(const ebm_device *device)
{
    ebm_gemm_plan to_come;
    return ebm_gemm_precision(device) == EBM_BF16 || ebm_gemm_plan_rows_independent(ebm_gemm_plan_of(device, &to_come));
}

const char *ebm_gemm_tuning(const ebm_device *device) { return device->gemm ? device->gemm->plan.file : ""; }
const char *ebm_gemm_note(const ebm_device *device) { return device->gemm ? device->gemm->plan.note : ""; }

// Parameters that this version of CLBlast does not take are no more than a tuning that cannot be used.
static ebm_status start_clblast(ebm_device *device, ebm_gemm_plan *plan)
{
    const ebm_status status = ebm_gemm_clblast_override(device, &plan->parameters);
    if (status.code == EBM_OK || !plan->file[0]) return status;
    const ebm_status note = ebm_in(status, "%s", plan->file);
    if (plan->named) return note;
    EBM_TRY(ebm_gemm_plan_make(device, false, plan));
    snprintf(plan->note, sizeof plan->note, "%s", note.message);
    return plan->clblast ? ebm_gemm_clblast_override(device, &plan->parameters) : ebm_ok();
}

static ebm_status keep(ebm_device *device, const ebm_gemm_plan *plan)
{
    device->gemm = calloc(1, sizeof *device->gemm);
    if (!device->gemm) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the state of matrix products");
    device->gemm->plan = *plan;
    device->gemm->precision = plan->bf16 ? EBM_BF16 : EBM_FP32;
    device->gemm->bf16_checked = plan->bf16;
    return ebm_ok();
}

static ebm_status prepare(ebm_device *device)
{
    ebm_gemm_plan plan;
    if (device->gemm) return ebm_ok();
    EBM_TRY(ebm_gemm_plan_make(device, true, &plan));
    if (plan.clblast) EBM_TRY(start_clblast(device, &plan));
    if (plan.bf16) EBM_TRY(ebm_gemm_bf16_check(device));
    return keep(device, &plan);
}

ebm_status ebm_gemm_prepare(ebm_device *device) { return prepare(device); }

ebm_status ebm_gemm_begin_tuning(ebm_device *device)
{
    ebm_gemm_plan plan;
    if (device->gemm) return ebm_fail(EBM_ERROR_INPUT, "%s: products were taken before tuning", device->info.name);
    ebm_gemm_plan_default(device, &plan);
    plan.clblast = true;
    return keep(device, &plan);
}

void ebm_gemm_state_free(ebm_gemm_state *state)
{
    if (!state) return;
    if (state->plan.clblast) ebm_gemm_clblast_forget();
    if (state->temporary) clReleaseMemObject(state->temporary);
    free(state);
}

const char *ebm_precision_name(ebm_precision precision) { return precision == EBM_BF16 ? "bf16" : "fp32"; }

ebm_status ebm_gemm_set_precision(ebm_device *device, ebm_precision precision)
{
    EBM_TRY(prepare(device));
    ebm_gemm_state *state = device->gemm;
    if (state->precision == precision) return ebm_ok();
    if (precision == EBM_BF16 && !state->plan.own_kernels)
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "products in bf16 need the CPU kernels, %s has them done by %s",
                        device->info.name, ebm_gemm_backend(device));
    if (precision == EBM_BF16 && !state->bf16_checked) EBM_TRY(ebm_gemm_bf16_check(device));
    state->bf16_checked |= precision == EBM_BF16;
    state->precision = precision;
    return ebm_ok();
}

// ---- memory that products take

// Of up to m rows, or in tn of just as many.
static bool may_be_by_clblast(const ebm_gemm_state *state, ebm_gemm_form form, size_t m)
{
    const ebm_backend *backend = state->plan.backend[form];
    const size_t most = ebm_row_class(m);
    bool any = false;
    for (size_t rows = form == EBM_GEMM_TN ? most : 0; rows <= most; rows++)
        any |= backend[rows] == EBM_BACKEND_CLBLAST;
    return any && state->precision == EBM_FP32;
}

ebm_status ebm_gemm_reserve(ebm_device *device, ebm_gemm_form form, size_t m, size_t n, size_t k, bool adds)
{
    EBM_TRY(prepare(device));
    if (m == 0 || n == 0 || k == 0 || !may_be_by_clblast(device->gemm, form, m)) return ebm_ok();
    const ebm_product product = ebm_product_of_size(device, form, m, n, k, adds);
    const size_t bytes = ebm_clblast_most_bytes(ebm_gemm_clblast_form(device), &product);
    if (bytes > device->gemm->temporary_planned) device->gemm->temporary_planned = bytes;
    return ebm_ok();
}

uint64_t ebm_gemm_reserved_bytes(const ebm_device *device)
{
    return device->gemm ? device->gemm->temporary_planned : 0;
}

ebm_status ebm_gemm_allocate(ebm_device *device)
{
    return device->gemm ? ebm_gemm_clblast_temporary(device, device->gemm->temporary_planned) : ebm_ok();
}

// ---- a product

// Rows and columns as stored must lie inside the slice; sizes are bounded first so that nothing overflows.
ebm_status ebm_gemm_check_matrix(const char *name, ebm_matrix matrix, size_t rows, size_t columns)
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

ebm_status ebm_gemm_product_check(const ebm_product *p, float beta)
{
    const bool a_transposed = p->form == EBM_GEMM_TN, b_transposed = p->form == EBM_GEMM_NT;
    if (beta != 0 && beta != 1) return ebm_fail(EBM_ERROR_DEVICE, "gemm: beta must be 0 or 1, found %g", (double)beta);
    if (p->bias.count != 0 && p->bias.count != p->n)
        return ebm_fail(EBM_ERROR_DEVICE, "gemm: a bias of %zu elements for %zu columns", p->bias.count, p->n);
    if (p->bias.count != 0 && p->accumulate) return ebm_fail(EBM_ERROR_DEVICE, "gemm: a bias needs beta = 0");
    EBM_TRY(ebm_gemm_check_matrix("A", p->a, a_transposed ? p->k : p->m, a_transposed ? p->m : p->k));
    EBM_TRY(ebm_gemm_check_matrix("B", p->b, b_transposed ? p->n : p->k, b_transposed ? p->k : p->n));
    return ebm_gemm_check_matrix("C", p->c, p->m, p->n);
}

ebm_status ebm_gemm_dispatch(const ebm_product *p)
{
    EBM_TRY(prepare(p->device));
    if (p->m == 0 || p->n == 0) return ebm_ok();
    if (p->k == 0) return p->accumulate ? ebm_ok() : ebm_gemm_fill(p);
    if (p->device->gemm->precision == EBM_BF16) return ebm_gemm_bf16(p);
    return ebm_gemm_run_of(p->device->gemm->plan.backend[p->form][ebm_row_class(p->m)])(p);
}

ebm_status ebm_gemm(ebm_device *device, ebm_gemm_form form, size_t m, size_t n, size_t k, ebm_matrix a, ebm_matrix b,
                    float beta, ebm_matrix c, ebm_slice bias)
{
    if (bias.count == 0) bias.memory = NULL; // kernels know no bias by a null pointer
    const ebm_product product = {.device = device,
                                 .form = form,
                                 .m = m,
                                 .n = n,
                                 .k = k,
                                 .a = a,
                                 .b = b,
                                 .c = c,
                                 .accumulate = beta != 0,
                                 .bias = bias};
    EBM_TRY(ebm_gemm_product_check(&product, beta));
    return ebm_gemm_dispatch(&product);
}

bool ebm_gemm_sums_columns(const ebm_device *device)
{
    ebm_gemm_plan to_come;
    if (ebm_gemm_precision(device) == EBM_BF16) return true;
    return ebm_gemm_plan_all(ebm_gemm_plan_of(device, &to_come), EBM_GEMM_TN, EBM_BACKEND_CPU);
}

ebm_status ebm_gemm_with_sums(ebm_device *device, size_t m, size_t n, size_t k, ebm_matrix a, ebm_matrix b,
                              ebm_matrix c, ebm_slice sums)
{
    const ebm_product product = {.device = device,
                                 .form = EBM_GEMM_TN,
                                 .m = m,
                                 .n = n,
                                 .k = k,
                                 .a = a,
                                 .b = b,
                                 .c = c,
                                 .accumulate = true,
                                 .sums = sums};
    EBM_TRY(ebm_gemm_product_check(&product, 1));
    if (n == 0 || sums.count != m)
        return ebm_fail(EBM_ERROR_DEVICE, "gemm: %zu sums of %zu columns, in a product with %zu others", sums.count, m,
                        n);
    if (!ebm_gemm_sums_columns(device))
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "gemm: only the CPU kernels add columns up, %s has products by %s",
                        device->info.name, ebm_gemm_backend(device));
    return ebm_gemm_dispatch(&product);
}

const char *ebm_gemm_name(const ebm_product *p)
{
    if (p->packed.count > 0) return "gemm_packed";
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

// Work-groups of SIDE x SIDE items that make tile x tile elements of C each.
static ebm_status launch_tiles(ebm_launch *launch, const ebm_product *p, size_t tile)
{
    const size_t groups[2] = {(p->n + tile - 1) / tile, (p->m + tile - 1) / tile}, local[2] = {SIDE, SIDE};
    return ebm_launch_groups(launch, groups, local);
}

ebm_status ebm_gemm_plain(const ebm_product *p)
{
    ebm_launch l = ebm_launch_begin(p->device, "gemm_plain.cl", "gemm", "-DA_TRANSPOSED=%d -DB_TRANSPOSED=%d",
                                    p->form == EBM_GEMM_TN, p->form == EBM_GEMM_NT);
    ebm_gemm_arguments(&l, p);
    return launch_tiles(&l, p, TILE);
}

// C = bias or 0, or C += bias: the same arguments.
static ebm_status launch_bias(const ebm_product *p, const char *kernel, double passes)
{
    ebm_launch l = ebm_launch_begin(p->device, "gemm_plain.cl", kernel, "-DA_TRANSPOSED=0 -DB_TRANSPOSED=0");
    ebm_arg_slice(&l, p->c.slice);
    ebm_arg_slice(&l, p->bias);
    ebm_arg_u64(&l, p->c.first);
    ebm_arg_u32(&l, (uint32_t)p->c.stride);
    ebm_arg_i32(&l, (int64_t)p->m);
    ebm_arg_i32(&l, (int64_t)p->n);
    ebm_launch_cost(&l, 0, passes * sizeof(float) * (double)p->m * (double)p->n);
    return launch_tiles(&l, p, SIDE);
}

ebm_status ebm_gemm_fill(const ebm_product *p) { return launch_bias(p, "gemm_fill", 1); }
ebm_status ebm_gemm_add_bias(const ebm_product *p) { return launch_bias(p, "gemm_add_bias", 2); }
