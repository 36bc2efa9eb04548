// A copy of a model with its calibrator (a temperature, or another affine function of the logits) in the weights of the
// last layer, so that every tool gets calibrated probabilities from softmax alone.
//
//     ebm_directory_writer *writer = NULL;
//     EBM_TRY(ebm_program_folded_open("model", "model-calibrated", false, &writer));    // before the model runs
//     ...
//     EBM_CHECK(ebm_program_folded_write(&scored, calibrator, "model", "model-calibrated", writer), end);
//     EBM_CHECK(ebm_directory_writer_finish(writer, overwrite), end);
//     end: ebm_directory_writer_free(writer);
#ifndef EBM_FOLDED_MODEL_H
#define EBM_FOLDED_MODEL_H

#include "calibrator.h"
#include "file.h"
#include "scored_texts.h"

// Refuses a directory in use unless `overwrite`, and the model's own in any case.
ebm_status ebm_program_folded_open(const char *model, const char *directory, bool overwrite,
                                   ebm_directory_writer **writer);

// Everything the directory is to hold, the model card included, which calls it by the last part of `name`. Folds the
// calibrator into scored->predictor, whose logits are others from then on, and marks it as folded.
ebm_status ebm_program_folded_write(ebm_scored_texts *scored, ebm_calibrator *calibrator, const char *source,
                                    const char *name, ebm_directory_writer *writer);

#endif
