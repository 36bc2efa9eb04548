// One matrix product on its way to a backend, checked: no empty dimension, everything inside its slice.
#ifndef EBM_GEMM_INTERNAL_H
#define EBM_GEMM_INTERNAL_H

#include <CL/cl.h>
#include <stdbool.h>

#include "gemm_plan.h"
#include "launch.h"

// What CLBlast's parameters in force on a device say (clblast_calls.h); gemm_clblast.c finds it out.
typedef struct {
    bool known; // false: all products are handed over by rows, whole
    bool gemmk; // GEMMK = 1
    size_t mwg, nwg, kwg;
    size_t least_indirect; // XgemmDirect where m n k < its cube
    size_t units;          // of the device
} ebm_clblast_form;

// What products keep with a device.
struct ebm_gemm_state {
    ebm_gemm_plan plan;
    ebm_precision precision;
    bool bf16_checked; // once a device is enough
    ebm_clblast_form clblast;
    bool clblast_asked; // for that form, with the parameters in force now
    // Of CLBlast: padded and transposed matrices; the queue is in order, so one buffer serves all products. Planned for
    // those of the models (ebm_gemm_reserve), it grows only for others.
    cl_mem temporary;
    size_t temporary_bytes, temporary_planned;
};

typedef struct {
    ebm_device *device;
    ebm_gemm_form form;
    size_t m, n, k;
    ebm_matrix a, b, c;
    bool accumulate;
    ebm_slice bias;   // 0 elements: none
    ebm_slice sums;   // tn: the columns of A are added to it; 0 elements: they are not
    ebm_slice packed; // B as ebm_gemm_cpu_pack left it; 0 elements: B is taken as it is
} ebm_product;

// One of matrices without gaps that are not there yet, for plans.
static inline ebm_product ebm_product_of_size(ebm_device *device, ebm_gemm_form form, size_t m, size_t n, size_t k,
                                              bool adds)
{
    return (ebm_product){.device = device,
                         .form = form,
                         .m = m,
                         .n = n,
                         .k = k,
                         .a = {.stride = form == EBM_GEMM_TN ? m : k},
                         .b = {.stride = form == EBM_GEMM_NT ? k : n},
                         .c = {.stride = n},
                         .accumulate = adds};
}

typedef ebm_status ebm_gemm_run(const ebm_product *product);

ebm_gemm_run ebm_gemm_cpu;      // gemm_cpu.c: cl/gemm_cpu.cl, cl/gemm_dot.cl
ebm_gemm_run ebm_gemm_bf16;     // gemm_cpu.c: cl/gemm_cpu_bf16.cl, cl/gemm_dot.cl
ebm_gemm_run ebm_gemm_clblast;  // gemm_clblast.c, the only file that knows CLBlast
ebm_gemm_run ebm_gemm_plain;    // gemm.c: cl/gemm_plain.cl
ebm_gemm_run ebm_gemm_fill;     // gemm.c: C = bias or 0
ebm_gemm_run ebm_gemm_add_bias; // gemm.c: C += bias

ebm_gemm_run *ebm_gemm_run_of(ebm_backend backend);

// The packed form of an n x k B for our CPU kernels (gemm_cpu.c): its elements, 0 where the device cannot hold what
// those need; B -> packed; whether a product takes it.
size_t ebm_gemm_cpu_packed_count(const ebm_device *device, bool bf16, size_t n, size_t k);
ebm_status ebm_gemm_cpu_pack(ebm_device *device, ebm_gemm_form form, bool bf16, size_t n, size_t k, ebm_matrix b,
                             ebm_slice packed);

// For a device that is to be tuned: no parameters of CLBlast are touched, whatever file there is. EBM_ERROR_INPUT when
// it had products before.
ebm_status ebm_gemm_begin_tuning(ebm_device *device);

// Parameters in force for this device until the process ends; kernels that they do not override keep what they have.
ebm_status ebm_gemm_clblast_override(ebm_device *device, const ebm_clblast_parameters *parameters);
// What is in force, asked for once; borrowed. Needs the device's state.
const ebm_clblast_form *ebm_gemm_clblast_form(ebm_device *device);
// The device's buffer for copies of matrices has at least so many bytes from now on.
ebm_status ebm_gemm_clblast_temporary(ebm_device *device, size_t bytes);
// When a device that used CLBlast closes.
void ebm_gemm_clblast_forget(void);
ebm_status ebm_gemm_bf16_check(ebm_device *device); // gemm_bf16.c: can the device do it, and does it come out right?

// What is in force, or in *to_come what will be where there were no products yet.
const ebm_gemm_plan *ebm_gemm_plan_of(const ebm_device *device, ebm_gemm_plan *to_come);

// Bounds and sizes of all operands.
ebm_status ebm_gemm_product_check(const ebm_product *product, float beta);
ebm_status ebm_gemm_check_matrix(const char *name, ebm_matrix matrix, size_t rows, size_t columns);
// Gives it to whom the plan says.
ebm_status ebm_gemm_dispatch(const ebm_product *product);

const char *ebm_gemm_name(const ebm_product *product); // "gemm_nn"..., for the profile
double ebm_gemm_flops(const ebm_product *product);
double ebm_gemm_bytes(const ebm_product *product); // each operand moved once

// The arguments all our kernels begin with; also names the launch and states its cost.
void ebm_gemm_arguments(ebm_launch *launch, const ebm_product *product);

#endif
