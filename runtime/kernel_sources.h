// The kernels of cl/, embedded by cmake/EmbedKernels.cmake.
#ifndef EBM_KERNEL_SOURCES_H
#define EBM_KERNEL_SOURCES_H

#include <stddef.h>

typedef struct {
    const char *name; // "layernorm.cl"
    const char *text; // zero-terminated
    size_t length;
} ebm_kernel_source;

extern const ebm_kernel_source ebm_kernel_sources[];
extern const size_t ebm_kernel_source_count;

#endif
