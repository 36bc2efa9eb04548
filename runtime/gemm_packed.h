// Weights packed once for many products. Our CPU kernels bring B into another order on its way into a product
// (cl/gemm_cpu.cl); where B stays as it is, as while a finished model generates, that can be kept.
//
//     ebm_packed_reserve(device, EBM_GEMM_NN, outputs, inputs, arena, &packed);  // plans its memory
//     ... arena allocated, weights loaded ...
//     EBM_TRY(ebm_packed_take(device, ebm_matrix_of(weight, outputs), &packed)); // again whenever the weights change
//     EBM_TRY(ebm_gemm_packed(device, m, a, ebm_matrix_of(weight, outputs), &packed, c, bias));
//
// Where products do not pack (CLBlast, the plain kernel, a tuning) nothing is planned and they read B as it lies.
#ifndef EBM_GEMM_PACKED_H
#define EBM_GEMM_PACKED_H

#include "gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

// Zero-filled before it is reserved; must stay in place until its arena is allocated.
typedef struct {
    // n rounded up to a panel, times k: floats, or pairs of bf16 (by AMX up to 15 more); 0 elements: not kept
    ebm_slice memory;
    ebm_gemm_form form;
    size_t n, k;
    ebm_precision precision; // that it was planned for
    bool is_taken;
} ebm_packed;

// form: EBM_GEMM_NN for a B of k rows of n, EBM_GEMM_NT for n rows of k. For the precision and backends in force now.
void ebm_packed_reserve(ebm_device *device, ebm_gemm_form form, size_t n, size_t k, ebm_arena *arena,
                        ebm_packed *packed);
// Packs B as it is now; queued like a product. Nothing to do where nothing is kept.
ebm_status ebm_packed_take(ebm_device *device, ebm_matrix b, ebm_packed *packed);
// C (m x n) = A op(B) [+ bias], with the bits of ebm_gemm (beta 0) with that B. B itself is read where nothing was
// taken, the precision is another one than was planned for, or m is so small that the product does not pack.
ebm_status ebm_gemm_packed(ebm_device *device, size_t m, ebm_matrix a, ebm_matrix b, const ebm_packed *packed,
                           ebm_matrix c, ebm_slice bias);

#ifdef __cplusplus
}
#endif
#endif
