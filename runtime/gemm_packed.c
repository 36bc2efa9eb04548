#include "gemm_packed.h"

#include "device_internal.h"
#include "gemm_internal.h"

// Our CPU kernels do every product of the form, whatever its rows: what others do would not read what is packed.
static bool packs(const ebm_device *device, ebm_gemm_form form)
{
    ebm_gemm_plan to_come;
    return ebm_gemm_plan_all(ebm_gemm_plan_of(device, &to_come), form, EBM_BACKEND_CPU);
}

void ebm_packed_reserve(ebm_device *device, ebm_gemm_form form, size_t n, size_t k, ebm_arena *arena,
                        ebm_packed *packed)
{
    (void)ebm_gemm_prepare(device); // which form bf16 has; a failure is told by the first product
    const ebm_precision precision = ebm_gemm_precision(device);
    *packed = (ebm_packed){.form = form, .n = n, .k = k, .precision = precision};
    if (form == EBM_GEMM_TN || !packs(device, form)) return;
    ebm_arena_reserve(arena, &packed->memory, ebm_gemm_cpu_packed_count(device, precision == EBM_BF16, n, k));
}

ebm_status ebm_packed_take(ebm_device *device, ebm_matrix b, ebm_packed *packed)
{
    const bool rows_are_n = packed->form == EBM_GEMM_NT;
    const size_t rows = rows_are_n ? packed->n : packed->k, columns = rows_are_n ? packed->k : packed->n;
    packed->is_taken = false;
    if (packed->memory.count == 0) return ebm_ok();
    EBM_TRY(ebm_gemm_check_matrix("B", b, rows, columns));
    if (!packed->memory.memory) return ebm_fail(EBM_ERROR_DEVICE, "gemm: the slice of a packed B is not allocated");
    EBM_TRY(ebm_gemm_cpu_pack(device, packed->form, packed->precision == EBM_BF16, packed->n, packed->k, b,
                              packed->memory));
    packed->is_taken = true;
    return ebm_ok();
}

ebm_status ebm_gemm_packed(ebm_device *device, size_t m, ebm_matrix a, ebm_matrix b, const ebm_packed *packed,
                           ebm_matrix c, ebm_slice bias)
{
    if (bias.count == 0) bias.memory = NULL;
    ebm_product product = {.device = device,
                           .form = packed->form,
                           .m = m,
                           .n = packed->n,
                           .k = packed->k,
                           .a = a,
                           .b = b,
                           .c = c,
                           .bias = bias};
    EBM_TRY(ebm_gemm_product_check(&product, 0));
    if (packed->is_taken && packed->precision == ebm_gemm_precision(device)) product.packed = packed->memory;
    return ebm_gemm_dispatch(&product);
}
