// Matrix products behind one interface: our CPU kernels on CPU devices, CLBlast on GPUs, or for each class of products
// what `ebmcl tune` found to be the fastest (tuning.h). EBMCL_GEMM=cpu|bf16|clblast|plain overrides; CLBlast takes its
// parameters from the tuning then too. Row-major. C (m x n) = op(A) op(B) + beta * C [+ bias]:
//     nn: A (m x k), B (k x n)       nt: A (m x k), B (n x k), rows times weights       tn: A (k x m), B (k x n)
#ifndef EBM_GEMM_H
#define EBM_GEMM_H

#include <stdbool.h>

#include "arena.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_GEMM_NN, EBM_GEMM_NT, EBM_GEMM_TN } ebm_gemm_form;

// A matrix inside a slice: `first` elements from its start, `stride` elements from row to row.
typedef struct {
    ebm_slice slice;
    size_t first, stride;
} ebm_matrix;

static inline ebm_matrix ebm_matrix_of(ebm_slice slice, size_t columns)
{
    const ebm_matrix matrix = {slice, 0, columns};
    return matrix;
}

// beta is 0 (C is overwritten, NaN in it does not matter) or 1 (added to). `bias`: n floats added to every row, or a
// slice of 0 elements; only with beta = 0. m, n or k = 0 is allowed. Bounds of all slices are checked.
// Same arguments, device, backend and tuning: same bits.
ebm_status ebm_gemm(ebm_device *device, ebm_gemm_form form, size_t m, size_t n, size_t k, ebm_matrix a, ebm_matrix b,
                    float beta, ebm_matrix c, ebm_slice bias);

// C += A^T B, as ebm_gemm with EBM_GEMM_TN and beta = 1, and in the same pass sums (m) += the columns of A (k x m):
// with A the gradient of a linear layer's output, those of its weights and bias. Only where ebm_gemm_sums_columns,
// which is where our CPU kernels do all such products, in either precision.
ebm_status ebm_gemm_with_sums(ebm_device *device, size_t m, size_t n, size_t k, ebm_matrix a, ebm_matrix b,
                              ebm_matrix c, ebm_slice sums);
bool ebm_gemm_sums_columns(const ebm_device *device);

// Plans for products of up to m rows (tn: of up to k steps, the other sizes as given; beta 1 with adds), of matrices
// without gaps: the temporary memory that CLBlast takes for the largest of all, which ebm_arena_plan counts and
// ebm_arena_allocate allocates. Other products are allowed; memory they need beside it is allocated when they come.
ebm_status ebm_gemm_reserve(ebm_device *device, ebm_gemm_form form, size_t m, size_t n, size_t k, bool adds);
uint64_t ebm_gemm_reserved_bytes(const ebm_device *device);

// Prepares the backends before the first step, so that a wrong EBMCL_GEMM or EBMCL_TUNING is reported there. What is in
// force then stays for as long as the device is open.
ebm_status ebm_gemm_prepare(ebm_device *device);

// The backends in use, for messages: "cpu", "bf16", "clblast", "plain" or, with a tuning, several: "clblast and plain".
const char *ebm_gemm_backend(const ebm_device *device);
// The same class by class, with what parameters CLBlast takes: same text, device and arguments: same bits. Returns
// text.
const char *ebm_gemm_describe(const ebm_device *device, char *text, size_t size);
// Whether a row of an nn product is the same in its last bit whatever rows stand beside it, and however many: not by
// CLBlast, which chooses its kernel by m, nor where a tuning has several backends for nn.
bool ebm_gemm_rows_independent(const ebm_device *device);
// After ebm_gemm_prepare: the file of the tuning in force, and why one that is there is not; "" when nothing is to be
// said.
const char *ebm_gemm_tuning(const ebm_device *device);
const char *ebm_gemm_note(const ebm_device *device);

// With EBM_BF16 the elements of A and B are rounded to bf16 (to nearest even; what is smaller than 2^-126 to 0) on
// their way into a product. Products, sums, C and all that lies in memory stay fp32.
typedef enum { EBM_FP32, EBM_BF16 } ebm_precision;

// Products queued from now on. EBM_BF16 needs our CPU kernels and a processor with AVX512-BF16, by tiles of AMX where it
// has them and EBMCL_AMX is not "off" (the order of sums, hence last bits, are others then), whose results are
// checked against known ones; elsewhere EBM_ERROR_UNSUPPORTED says what is missing, and nothing changes.
ebm_status ebm_gemm_set_precision(ebm_device *device, ebm_precision precision);
ebm_precision ebm_gemm_precision(const ebm_device *device);
const char *ebm_precision_name(ebm_precision precision); // "fp32", "bf16"
// Of the processor, what makes products in bf16 on this device: "AMX" or "AVX512-BF16"; "" where it cannot make them.
// Nothing is run: whether results are right is found out by ebm_gemm_set_precision.
const char *ebm_gemm_bf16_means(ebm_device *device);

#ifdef __cplusplus
}
#endif
#endif
