// Parameters of CLBlast's kernels for products in fp32, and the sets of them that `ebmcl tune` tries.
//
// CLBlast has a database of parameters for the devices it knows, and its own tuner (C++ only). From C they can be
// overridden for a device, kernel by kernel, for as long as the process lives; what its database says cannot be had
// back. So sets stand in an order: a kernel that one of them overrides, all later ones override too (XgemmDirect apart,
// where it is never taken), and what is measured in this order does not depend on what was measured before.
#ifndef EBM_CLBLAST_PARAMETERS_H
#define EBM_CLBLAST_PARAMETERS_H

#include <stdbool.h>
#include <stddef.h>

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_CLBLAST_XGEMM,     // the kernel for larger products, of padded matrices
    EBM_CLBLAST_DIRECT,    // XgemmDirect: without padding, for smaller ones
    EBM_CLBLAST_ROUTINE,   // GemmRoutine: XgemmDirect where m n k is below the cube of its one parameter
    EBM_CLBLAST_TRANSPOSE, // Transpose: operands of Xgemm that are stored the other way round
    EBM_CLBLAST_KERNELS
} ebm_clblast_kernel;

enum { EBM_CLBLAST_MOST = 16 }; // parameters of a kernel

typedef struct {
    bool overrides[EBM_CLBLAST_KERNELS];
    unsigned values[EBM_CLBLAST_KERNELS][EBM_CLBLAST_MOST]; // in the order of ebm_clblast_names
} ebm_clblast_parameters;

typedef struct {
    const char *kernel;
    size_t count;
    const char *parameters[EBM_CLBLAST_MOST];
} ebm_clblast_names;
extern const ebm_clblast_names EBM_CLBLAST_NAMES[EBM_CLBLAST_KERNELS];

// What CLBlast's kernels ask of their parameters (its src/tuning/kernels/xgemm.hpp, xgemm_direct.hpp): tiles that are
// multiples of what work-items take, no zeros to divide by. EBM_ERROR_INPUT names the kernel and the rule.
ebm_status ebm_clblast_parameters_check(const ebm_clblast_parameters *parameters);

typedef struct {
    const char *name;
    bool cpu, gpu, quick; // tried on CPU devices, on others, with --quick
    ebm_clblast_parameters parameters;
} ebm_clblast_set;
extern const ebm_clblast_set EBM_CLBLAST_SETS[];
extern const size_t EBM_CLBLAST_SET_COUNT;
// The set that is in force without tuning: CLBlast's database; on PoCL's CPU devices, which it does not know, ours. On
// other CPU devices ours is the slower one: on Intel's runtime an eighth as fast as the database, on llvmpipe far less.
const ebm_clblast_set *ebm_clblast_default_set(const ebm_device_info *info);

#ifdef __cplusplus
}
#endif
#endif
