// What a training says at its end of the model it wrote: whether the labels were learnt at all, and how far the
// probabilities can be believed.
#ifndef EBM_TRAIN_VERDICT_H
#define EBM_TRAIN_VERDICT_H

#include <jansson.h>
#include <stdbool.h>

#include "trainer.h"

// Says so where the labels predicted for the validation texts cannot be told from guessing; `advice`: what to try then.
void ebm_program_say_guessing(const ebm_trainer *trainer, size_t validation_texts, const char *advice);

// One line, or two, of eval_results.json (report_internal.h): how sure the model is of its labels, how often they are
// right, its class-wise ECE beside that of a calibrated model; and what helps where that difference is no chance
// (METHOD section 5: at most one in twenty of sets of labels redrawn from the model's own probabilities has such an
// ECE). `focal`: focal loss might have helped. Too few texts, and nothing is said.
void ebm_program_say_calibration(const json_t *results, bool focal);

#endif
