// Products of each backend against double precision, for kernel_check.h.
#ifndef EBM_GEMM_CHECK_H
#define EBM_GEMM_CHECK_H

#include "tuning.h"

// All three forms at sizes with borders, few rows and many, with and without bias and adding. *worst: the largest
// error as a share of its bound, if larger than what it was. Whatever is in force for the device's products is not
// changed; with EBM_BACKEND_CLBLAST parameters of a tuning are.
// EBM_ERROR_UNSUPPORTED where the backend cannot be used with the device's form of the kernels.
ebm_status ebm_gemm_check(ebm_device *device, ebm_backend backend, double *worst);
// The same in bf16, where the device can.
ebm_status ebm_gemm_check_bf16(ebm_device *device, double *worst);

#endif
