#include "gemm_check.h"

#include <math.h>

#include "gemm_internal.h"
#include "reference_gemm.h"
#include "trial.h"

// Borders everywhere and sums longer than a block of k; as many rows as the dot products of few rows take; more than
// one tile on both sides, and more than the 65,535 rounds of loops after which llvmpipe (Mesa 22.3.6) leaves them all.
static const struct {
    size_t m, n, k;
} SIZES[] = {{41, 67, 130}, {9, 50, 770}, {150, 131, 201}};
enum { SIZE_COUNT = sizeof SIZES / sizeof *SIZES };

typedef struct {
    ebm_gemm_form form;
    size_t m, n, k;
    bool accumulate, has_bias, bf16;
    ebm_trial_tensor *a, *b, *c, *bias;
} product_case;

static void compare(ebm_trial *t, const product_case *p)
{
    const ebm_reference_matrix a = {p->a->before, p->form == EBM_GEMM_TN ? p->m : p->k},
                               b = {p->b->before, p->form == EBM_GEMM_NT ? p->k : p->n};
    for (size_t i = 0; i < p->m * p->n; i++) {
        const float bias = p->has_bias ? p->bias->before[i % p->n] : 0, start = p->accumulate ? p->c->before[i] : bias;
        double bound = 0;
        const double expected = ebm_reference_product(p->form, i / p->n, i % p->n, p->k, a, b, (double)start, &bound);
        ebm_trial_near(t, p->c->now[i], expected, p->bf16 ? ebm_reference_bf16_bound(bound, p->k) : bound);
    }
}

static ebm_status run_case(ebm_device *device, ebm_gemm_run *run, product_case *p, double *worst)
{
    ebm_trial t;
    EBM_TRY(ebm_trial_begin(&t, device));
    p->a = ebm_trial_normal(&t, p->m * p->k, 0, 1);
    p->b = ebm_trial_normal(&t, p->k * p->n, 0, 1);
    p->c = ebm_trial_normal(&t, p->m * p->n, 0, 1);
    p->bias = ebm_trial_normal(&t, p->n, 0, 1);
    EBM_TRIAL(&t, ebm_trial_upload(&t));
    const ebm_slice none = {NULL, 0};
    const ebm_product product = {.device = device,
                                 .form = p->form,
                                 .m = p->m,
                                 .n = p->n,
                                 .k = p->k,
                                 .a = ebm_matrix_of(p->a->slice, p->form == EBM_GEMM_TN ? p->m : p->k),
                                 .b = ebm_matrix_of(p->b->slice, p->form == EBM_GEMM_NT ? p->k : p->n),
                                 .c = ebm_matrix_of(p->c->slice, p->n),
                                 .accumulate = p->accumulate,
                                 .bias = p->has_bias ? p->bias->slice : none};
    EBM_TRIAL(&t, run(&product));
    EBM_TRIAL(&t, ebm_trial_download(&t));
    compare(&t, p);
    return ebm_trial_end(&t, worst);
}

static ebm_status run_all(ebm_device *device, ebm_gemm_run *run, bool bf16, double *worst)
{
    EBM_TRY(ebm_gemm_prepare(device));
    for (int form = EBM_GEMM_NN; form <= EBM_GEMM_TN; form++)
        for (size_t s = 0; s < SIZE_COUNT; s++) {
            product_case p = {.form = (ebm_gemm_form)form,
                              .m = SIZES[s].m,
                              .n = SIZES[s].n,
                              .k = SIZES[s].k,
                              .accumulate = s == 1,
                              .has_bias = s == 0,
                              .bf16 = bf16};
            EBM_TRY(run_case(device, run, &p, worst));
        }
    return ebm_ok();
}

ebm_status ebm_gemm_check(ebm_device *device, ebm_backend backend, double *worst)
{
    return run_all(device, ebm_gemm_run_of(backend), false, worst);
}

ebm_status ebm_gemm_check_bf16(ebm_device *device, double *worst)
{
    EBM_TRY(ebm_gemm_bf16_check(device));
    return run_all(device, ebm_gemm_bf16, true, worst);
}
