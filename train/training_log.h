// trainer_log.jsonl of a training's output directory, read: for reports and comparisons. trainer.h says what is in it.
#ifndef EBM_TRAINING_LOG_H
#define EBM_TRAINING_LOG_H

#include <jansson.h>

#include "status.h"

#define EBM_TRAINING_LOG "trainer_log.jsonl"

// *log: a new list of objects, a line each, for the caller to json_decref(); empty without a file. A last line that is
// not whole is that of a run that was killed and is left out; any other is EBM_ERROR_INPUT with its number. *log is
// NULL after an error.
ebm_status ebm_training_log_read(const char *directory, json_t **log);

#endif
