// The checks of the families, for the table in kernel_check.c. Each is as ebm_kernel_check.run.
#ifndef EBM_KERNEL_CHECK_INTERNAL_H
#define EBM_KERNEL_CHECK_INTERNAL_H

#include "trial.h"

typedef ebm_status ebm_kernel_check_run(ebm_device *device, double *worst);

// Rows and channels of row operations: more rows than a slab of a column sum, channels past one round of a GPU's
// work-group (256) and no multiple of the strips of CPUs.
enum { EBM_CHECK_ROWS = 37, EBM_CHECK_CHANNELS = 272 };

// kernel_check_rows.c
ebm_kernel_check_run ebm_check_random, ebm_check_layernorm, ebm_check_residual, ebm_check_gelu, ebm_check_embedding,
    ebm_check_sums, ebm_check_head, ebm_check_rotary, ebm_check_half;
// kernel_check_attention.c
ebm_kernel_check_run ebm_check_attention, ebm_check_attention_64, ebm_check_attention_cache;
// kernel_check_attention_first.c
ebm_kernel_check_run ebm_check_attention_first;
// kernel_check_losses.c
ebm_kernel_check_run ebm_check_energy, ebm_check_cross_entropy, ebm_check_objective, ebm_check_label_loss,
    ebm_check_mixup, ebm_check_lm_loss, ebm_check_optimizer;
// kernel_check_sampling.c
ebm_kernel_check_run ebm_check_sampling, ebm_check_screen, ebm_check_generate;

#endif
