// Internal. Rows of predictions as the readers of tables and of JSONL hand them over.
#ifndef EBM_PREDICTIONS_READ_INTERNAL_H
#define EBM_PREDICTIONS_READ_INTERNAL_H

#include "predictions_read.h"
#include "text_file.h"

enum { EBM_PREDICTED_LABELS_MOST = 100000 };

typedef struct {
    const char *path, *label_column;
    ebm_score_kind scores; // which, where there are both; AUTO: logits that agree with the probabilities
    bool labels_only, needs_labels;
    // Set by the reader before the first row, with ebm_prediction_builder_begin.
    int labels;
    bool probabilities, has_energy, has_labels, has_counts;
    char **names;    // labels: what ids are called, NULL where that is not known; owned
    bool identified; // rows say what ids are called, "label" and "label_id"
    bool predicted;  // the labels in the file are ebmcl predict's
    // What has been read.
    size_t count, capacity;
    float *logits, *energy;
    int32_t *label;
    double *counts;
} ebm_prediction_builder;

typedef struct {
    size_t line;
    const double *scores; // labels; not read when labels_only
    const double *other;  // labels: probabilities beside logits, which must be theirs; NULL without
    double energy;
    const double *counts; // labels; NULL without
    const char *label;    // NULL without
} ebm_prediction_line;

// Checks the number of labels and makes room for their names.
ebm_status ebm_prediction_builder_begin(ebm_prediction_builder *builder, size_t labels);
ebm_status ebm_prediction_builder_name(ebm_prediction_builder *builder, size_t id, const char *name); // once for an id
ebm_status ebm_prediction_builder_add(ebm_prediction_builder *builder, const ebm_prediction_line *line);

ebm_status ebm_predictions_read_table(ebm_prediction_builder *builder, ebm_text_file *file, bool commas);
ebm_status ebm_predictions_read_jsonl(ebm_prediction_builder *builder, ebm_text_file *file);

// Where labels may stand, in the order of their claim.
#define EBM_LABEL_COLUMNS 4
extern const char *const ebm_label_columns[EBM_LABEL_COLUMNS];

#endif
