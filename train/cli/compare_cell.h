// A cell of a comparison: one task, one method, one seed, trained by a process of its own.
//
// <output_dir>/cells/<task>/<method>/seed-<n>/
//   cell.json      what it was trained with, and the seconds it took; there when the training is done
//   train.json     the options of ebmcl train; log.txt: what it printed
//   model/         its output directory; weights are removed afterwards unless they are to be kept
//   ood-<name>.jsonl, <method>.jsonl, <method>.ood-<name>.jsonl     predictions of ebmcl predict
//   failed.txt     why it is not done, in one line
//   stopped.json   the seconds of a training that was stopped, until it is done
//   lock           held by the process that works on it
//
// <output_dir>/noise/<task>/<name>/ has the same for noise: noise.json, model/, samples.txt.
//
// A cell that is done is kept: asked for again with other settings it is an error that names the difference. One that
// was stopped goes on from its last checkpoint.
#ifndef EBM_COMPARE_CELL_H
#define EBM_COMPARE_CELL_H

#include "compare_plan.h"

typedef struct {
    const compare_plan *plan;
    const char *output_dir, *device;
    bool keep_models;
    json_t *failed_noise; // an array of the plan's noise that could not be made, so that it is tried once in a run
} compare_place;

typedef enum {
    COMPARE_DONE,   // was done before
    COMPARE_MADE,   // has just been made
    COMPARE_FAILED, // failed.txt says why
    COMPARE_BUSY,   // another process works on it
    COMPARE_WAITS,  // another process works on the noise it needs
} compare_outcome;

// Folder of a cell, for the caller to free(); NULL when memory ran out.
char *compare_cell_folder(const compare_place *place, const compare_task *task, const compare_variant *variant,
                          int64_t seed);
// Whether everything that the plan wants of it is there.
ebm_status compare_cell_is_done(const compare_place *place, const compare_task *task, const compare_variant *variant,
                                int64_t seed, bool *done);
// Makes what is missing of a trained variant's cell: noise, training, predictions. An error is returned for what
// concerns the comparison as a whole (the folder cannot be written, a signal); what concerns this cell alone is an
// outcome.
ebm_status compare_cell_make(const compare_place *place, const compare_task *task, const compare_variant *variant,
                             int64_t seed, compare_outcome *outcome);
// Seconds its training took; 0 when unknown.
double compare_cell_seconds(const char *folder);
// The one line of failed.txt, "" when there is none.
void compare_cell_failure(const char *folder, char *text, size_t size);

#endif
