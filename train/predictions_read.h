// Predictions of any program, with the true labels: what `ebmcl eval --predictions` measures.
//
//     ebm_read_predictions read = {0};
//     EBM_TRY(ebm_predictions_read(&(ebm_prediction_source){.path = "p.csv", .needs_labels = true}, &read));
//     EBM_CHECK(ebm_metrics(&read.rows, 1.0, 20, value), end);
//     ebm_read_predictions_free(&read);
//
// By the name's ending (all but .npy also with .gz):
//   .csv .tsv  a header; columns logit_X or prob_X (probability_X, p_X) for each label X; label; perhaps energy and,
//   for
//              annotators, count_X. X: 0 to Y - 1 in any order of columns, or names of labels, whose ids are then their
//              places. Other columns are passed over.
//   .jsonl     objects with "logits" or "probabilities" (a list in id order, or an object by name), "label"; perhaps
//              "energy" and "counts". What `ebmcl predict` writes has the predicted label in "label": it needs labels
//              from elsewhere. Where there is a "prediction", "label" is the true one (example_file.h).
//              With both logits and probabilities `scores` says which count; by default the logits, if the
//              probabilities are theirs within .001: those of `ebmcl predict --calibrated` are not, and are refused
//              until it is said.
//   .npy       an array of f4 or f8, examples x labels; labels (i4 or i8, one dimension) are a file of their own
//
// A label is an id or the name of one. Probabilities must be in [0, 1] and sum to 1 within .001; they become logits
// ln p, with ln 0 = -746, whose exponential is 0 again in double; they are normalised by it. Scores are kept as floats.
#ifndef EBM_PREDICTIONS_READ_H
#define EBM_PREDICTIONS_READ_H

#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_SCORES_AUTO, // what a table names; of an .npy probabilities when every row is some, otherwise logits
    EBM_SCORES_LOGITS,
    EBM_SCORES_PROBABILITIES,
} ebm_score_kind;

typedef struct {
    const char *path;
    const char *labels_path;  // a file with a column of labels, or .npy; NULL: they are in `path`
    const char *counts_path;  // .npy, examples x labels: how many annotators gave each label; NULL: in `path`, if any
    const char *label_column; // or key; NULL: the first of gold_label, truth, target, label
    ebm_score_kind scores;    // of an .npy, or of a table that has both
    bool needs_labels;        // otherwise they are not read
} ebm_prediction_source;

typedef struct {
    ebm_predictions rows; // points into what is owned below
    bool probabilities;   // what was read: the level of logits is not known then
    double *counts;       // count x labels, or NULL
    float *logits, *energy;
    int32_t *label;
} ebm_read_predictions;

// Every complaint names the file and, where one is at fault, the line (of an .npy: the row, from 0).
ebm_status ebm_predictions_read(const ebm_prediction_source *source, ebm_read_predictions *out);
void ebm_read_predictions_free(ebm_read_predictions *read); // zeroed is accepted, and what is left

#ifdef __cplusplus
}
#endif
#endif
