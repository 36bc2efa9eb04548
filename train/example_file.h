// Texts with what a model says of them, a line of JSON each: for people, reports and `ebmcl eval --predictions`.
//
//     ebm_example_rows rows = {.predictions = p, .names = labels->names, .text = texts};
//     EBM_TRY(ebm_example_file_write("model/eval_predictions.jsonl", &rows));
//
//     ebm_examples examples = {0};
//     EBM_TRY(ebm_examples_read("model/eval_predictions.jsonl", true, &examples));
//     use(&examples.read.rows, examples.text);
//     ebm_examples_free(&examples);
//
// {"index": 0, "text": "...", "text_pair": "..." (of pairs), "label": "good" and "label_id": 1 (the truth, where it is
// known), "prediction": "bad" (the largest logit; equal ones: the lowest id), "probabilities": [...], "logits": [...],
// "energy": -3.2 (of models that have one)}
//
// Numbers have 9 significant digits, the floats' exact values; probabilities are softmax(logits).
#ifndef EBM_EXAMPLE_FILE_H
#define EBM_EXAMPLE_FILE_H

#include "predictions_read.h"

#ifdef __cplusplus
extern "C" {
#endif

// What `ebmcl train` leaves in its output directory.
#define EBM_EVAL_PREDICTIONS "eval_predictions.jsonl"   // of the validation texts, by the model that was written
#define EBM_NOISE_PREDICTIONS "noise_predictions.jsonl" // of noise that was kept out of training

typedef struct {
    ebm_predictions predictions;  // label NULL: not known
    const char *const *names;     // of labels, in id order
    const char *const *text;      // count
    const char *const *text_pair; // count, NULL for single texts; a row of it may be NULL too
} ebm_example_rows;

// The file appears whole or not at all. EBM_ERROR_NONFINITE with the row for a number that is not finite,
// EBM_ERROR_INPUT for a name or a text that is not UTF-8.
ebm_status ebm_example_file_write(const char *path, const ebm_example_rows *rows);

typedef struct {
    ebm_read_predictions read; // label NULL where none were asked for
    char **text, **text_pair;  // count; NULL in rows without one
    char **names;              // read.rows.labels; NULL where the file does not name a label
} ebm_examples;

// Any .jsonl that predictions_read.h takes, texts and names as far as they are there.
ebm_status ebm_examples_read(const char *path, bool needs_labels, ebm_examples *out);
void ebm_examples_free(ebm_examples *examples); // zeroed is accepted, and what is left

#ifdef __cplusplus
}
#endif
#endif
