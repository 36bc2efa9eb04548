// Noise of a task in a comparison: a model trained once, and samples of it drawn once, shared by all cells.
#ifndef EBM_COMPARE_NOISE_H
#define EBM_COMPARE_NOISE_H

#include "compare_cell.h"

// Makes what is missing. COMPARE_FAILED: `why` says so in one line.
ebm_status compare_noise_make(const compare_place *place, const compare_task *task, json_t *noise,
                              compare_outcome *outcome, char *why, size_t size);
// Sets noise_model or noise_file among the options of ebmcl train.
ebm_status compare_noise_options(const compare_place *place, const compare_task *task, json_t *noise, json_t *options);

#endif
