// What CLBlast does with a product, and how to call it so that it does the least.
//
// Its kernel for larger products ("indirect", GemmRoutine's threshold) takes matrices of whole tiles, in one order
// each, from the start of a buffer and without gaps between rows. All others go through a temporary buffer: one launch
// copies, transposes or pads A, one B, two C (one where beta = 0). Of our products, row-major, tokens down and features
// across:
//
//     C = A B' by rows            A and C are the wrong way round, and B in nt         (GEMMK = 0; with 1 only B in nt)
//     C' = B A' by columns        A is in nn and nt, B in nt; in tn nothing            (GEMMK = 0; with 1 C, A or B
//     too)
//
// So a product is handed over by columns where that is less. Tokens are never a multiple of a tile: where C would be
// copied for that, its last rows are a product of their own (mostly by XgemmDirect, which pads nothing); where A and B
// would be padded for the last few steps of k (the gradients of weights, k = tokens), these are added by a second one.
//
// Sources: CLBlast 1.5, src/routines/level3/xgemm.hpp (ProcessArguments, NoTempBuffer), xgemm.cpp (GemmIndirect).
#ifndef EBM_CLBLAST_CALLS_H
#define EBM_CLBLAST_CALLS_H

#include "gemm_internal.h"

typedef struct {
    bool column_major; // then A and B are exchanged, m and n too: C' = B' A'
    bool a_transposed, b_transposed, adds;
    size_t m, n, k;
    size_t a_first, a_stride, b_first, b_stride, c_first, c_stride;
} ebm_clblast_call;

enum { EBM_CLBLAST_CALLS = 3 };

// One product: C, or all rows of it but the last and these; and then what is left of k for the rows before.
typedef struct {
    ebm_clblast_call calls[EBM_CLBLAST_CALLS];
    size_t count;
} ebm_clblast_calls;

typedef struct {
    size_t launches;
    size_t temporary_bytes; // the most of a call
    double moved_bytes;     // read and written beside what the kernel itself reads and writes
    double cost;            // in bytes of traffic
} ebm_clblast_cost;

ebm_clblast_calls ebm_clblast_calls_of(const ebm_clblast_form *form, const ebm_product *product);
// The first m rows with the first k steps, their other steps, the other rows; of known forms.
ebm_clblast_calls ebm_clblast_calls_cut(const ebm_clblast_form *form, const ebm_product *product, size_t m, size_t k);
// By rows and whole, as a plain binding would.
ebm_clblast_calls ebm_clblast_calls_plain(const ebm_product *product);
ebm_clblast_cost ebm_clblast_cost_of(const ebm_clblast_form *form, const ebm_clblast_calls *calls);
// The most temporary memory that products of this form of up to m rows take (tn: of up to k steps). 0: not known.
size_t ebm_clblast_most_bytes(const ebm_clblast_form *form, const ebm_product *product);

#endif
