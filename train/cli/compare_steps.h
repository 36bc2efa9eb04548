// The evaluations of a training: their predictions on disk, and its training cross-entropy at each of them.
#ifndef EBM_COMPARE_STEPS_H
#define EBM_COMPARE_STEPS_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct {
    int64_t step;
    double cross_entropy; // mean over the training texts since the evaluation before; NaN when the log does not tell
} compare_step;

typedef struct {
    compare_step *steps; // ascending, at least one
    size_t count;
} compare_steps;

// Of a cell's model/ folder: predictions/step-N.jsonl and trainer_log.jsonl.
ebm_status compare_steps_read(const char *model, compare_steps *steps);
void compare_steps_free(compare_steps *steps); // zeroed is accepted

// "<model>/predictions/step-<step>.jsonl" for the caller to free(); NULL when memory ran out.
char *compare_step_path(const char *model, int64_t step);

#endif
