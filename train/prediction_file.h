// Predictions written to a file that appears whole or not at all.
//
//     ebm_prediction_file *file = NULL;
//     EBM_TRY(ebm_prediction_file_open("predictions.jsonl", EBM_PREDICTIONS_JSONL, labels, &file));
//     EBM_CHECK(ebm_prediction_file_add(file, probabilities, logits, &energy), end); // row 0, then 1, ...
//     EBM_CHECK(ebm_prediction_file_finish(file), end);
// end:
//     ebm_prediction_file_free(file); // leaves nothing behind when not finished
//
// JSONL, one object a line: "index" (from 0), "label" (name), "label_id", "probabilities" and "logits" (lists in id
// order, 9 significant digits: the floats' exact values), and "energy" where there is one.
// GLUE: a header line index<TAB>prediction, then the index and the label's id or name.
#ifndef EBM_PREDICTION_FILE_H
#define EBM_PREDICTION_FILE_H

#include "labels.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_PREDICTIONS_JSONL, EBM_PREDICTIONS_GLUE_IDS, EBM_PREDICTIONS_GLUE_NAMES } ebm_prediction_format;

typedef struct ebm_prediction_file ebm_prediction_file;

// labels (at least one) is borrowed until the file is freed.
ebm_status ebm_prediction_file_open(const char *path, ebm_prediction_format format, const ebm_labels *labels,
                                    ebm_prediction_file **file);

// The next row's numbers, `labels->count` each; the label is the largest probability's (ties: the lowest id). energy
// may be NULL. A number that is not finite is EBM_ERROR_NONFINITE naming the row.
ebm_status ebm_prediction_file_add(ebm_prediction_file *file, const float *probabilities, const float *logits,
                                   const float *energy);

ebm_status ebm_prediction_file_finish(ebm_prediction_file *file); // the file appears under its name
void ebm_prediction_file_free(ebm_prediction_file *file);         // NULL is accepted

#ifdef __cplusplus
}
#endif
#endif
