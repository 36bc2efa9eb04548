// What sampling from logits and from hidden states (screen.c) share.
#ifndef EBM_SAMPLING_INTERNAL_H
#define EBM_SAMPLING_INTERNAL_H

#include "launch.h"
#include "sampling.h"

ebm_status ebm_sampling_check(ebm_slice next, ebm_slice texts, ebm_slice positions, size_t slots, size_t vocabulary,
                              const ebm_sampling *sampling);

// The kernels' last arguments, from banned_count on.
void ebm_sampling_arguments(ebm_launch *launch, const ebm_sampling *sampling);

#endif
