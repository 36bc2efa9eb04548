// One matrix product on its way to a backend, checked: no empty dimension, everything inside its slice.
#ifndef EBM_GEMM_INTERNAL_H
#define EBM_GEMM_INTERNAL_H

#include <CL/cl.h>
#include <stdbool.h>

#include "gemm.h"
#include "launch.h"

typedef struct ebm_product ebm_product;
typedef ebm_status ebm_gemm_run(const ebm_product *product);

typedef struct {
    const char *name;
    ebm_gemm_run *run;
} ebm_gemm_backend_entry;

// What products keep with a device.
struct ebm_gemm_state {
    const ebm_gemm_backend_entry *backend;
    bool bf16_checked; // once a device is enough
    cl_mem temporary; // of CLBlast: padded and transposed matrices; grows, and the queue is in order, so one serves all
    size_t temporary_bytes;
};

struct ebm_product {
    ebm_device *device;
    ebm_gemm_form form;
    size_t m, n, k;
    ebm_matrix a, b, c;
    bool accumulate;
    ebm_slice bias; // 0 elements: none
};

ebm_gemm_run ebm_gemm_cpu;     // gemm_cpu.c: cl/gemm_cpu.cl, cl/gemm_dot.cl
ebm_gemm_run ebm_gemm_bf16;    // gemm_cpu.c: cl/gemm_cpu_bf16.cl, cl/gemm_dot.cl
ebm_gemm_run ebm_gemm_clblast; // gemm_clblast.c, the only file that knows CLBlast
ebm_gemm_run ebm_gemm_plain;   // gemm.c: cl/gemm_plain.cl
ebm_gemm_run ebm_gemm_fill;    // gemm.c: C = bias or 0

// Once per device, before the first product; and once when a device that used it closes.
ebm_status ebm_gemm_clblast_prepare(ebm_device *device);
void ebm_gemm_clblast_forget(void);
ebm_status ebm_gemm_bf16_check(ebm_device *device); // gemm_bf16.c: can the device do it, and does it come out right?

const char *ebm_gemm_name(const ebm_product *product); // "gemm_nn"..., for the profile
double ebm_gemm_flops(const ebm_product *product);
double ebm_gemm_bytes(const ebm_product *product); // each operand moved once

// The arguments all our kernels begin with; also names the launch and states its cost.
void ebm_gemm_arguments(ebm_launch *launch, const ebm_product *product);

#endif
