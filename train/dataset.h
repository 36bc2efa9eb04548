// Rows of one text or a pair of texts with a label, from files or made in memory.
//
//     ebm_dataset *train = NULL, *dev = NULL;
//     EBM_CHECK(ebm_dataset_read("train.csv", &(ebm_dataset_format){.labels = EBM_LABELS_REQUIRED}, &train), end);
//     EBM_CHECK(ebm_dataset_read("dev.csv", &(ebm_dataset_format){.known_labels = ebm_dataset_labels(train)}, &dev),
//     end); ebm_row row = ebm_dataset_row(dev, 0); // row.text_a, row.text_b (NULL in a set of single texts), row.label
// end:
//     ebm_dataset_free(dev), ebm_dataset_free(train);
//
// The name's ending says the format: .tsv or .txt (cut at tabs only; quote marks are text), .csv (RFC 4180), .jsonl or
// .json (one object a line), each also with .gz. The first record of TSV and CSV names the columns.
//
// Complaints are EBM_ERROR_INPUT beginning "path:line: " and say what was expected and found. No row is passed over
// unless the caller asks for it, and then the rows are counted.
#ifndef EBM_DATASET_H
#define EBM_DATASET_H

#include <stdbool.h>

#include "labels.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EBM_PAIR_SEPARATOR " <SEP> " // between the texts of a pair in a noise file

typedef struct ebm_dataset ebm_dataset;

typedef struct {
    const char *text_a, *text_b; // zero-terminated, borrowed until the set changes; text_b NULL for a single text
    size_t text_a_length, text_b_length; // bytes
    int32_t label;                       // id, -1 when unlabelled
    size_t line;                         // where the row begins in its file, from 1; 0 when it is from no file
} ebm_row;

typedef enum {
    EBM_LABELS_OPTIONAL, // read where there are any; an empty cell, a JSON null, or -1 that is no label: unlabelled
    EBM_LABELS_REQUIRED, // every row must have one
    EBM_LABELS_IGNORED,
} ebm_label_use;

// Zeroed is the usual case. Strings and lists are borrowed during the call.
typedef struct {
    // NULL: the first of these that the file has. Pairs: sentence1 + sentence2, premise + hypothesis, question1 +
    // question2, question + sentence, text_a + text_b, "#1 String" + "#2 String"; single: sentence, text, sentence1,
    // premise, question, text_a. Naming text_column alone makes a set of single texts.
    const char *text_column, *text_pair_column;
    const char *label_column; // NULL: the first of label, gold_label, labels, is_duplicate, Quality
    ebm_label_use labels;
    // What several annotators called each row, besides its label: columns of a label each (label1 ... label5 of MNLI's
    // and SNLI's files; no vote where a cell is empty, "-" or null), or of JSONL a list of labels (annotator_labels).
    // Every row must have a vote. Names of labels are as in the column of labels.
    const char *const *annotator_columns;
    size_t annotator_count;
    // NULL: names are collected from the file and sorted, by value when all are integers, else by bytes. Otherwise
    // every label must be one of these (ebm_labels_read says how) and ids are theirs.
    const ebm_labels *known_labels;
    // Column names of a file that has none, as GLUE's CoLA; used when the first record does not hold text_column.
    const char *const *headerless_columns;
    size_t headerless_count;
    bool empty_text;     // an empty text is a text, not an error
    bool skip_malformed; // rows with a wrong number of columns or an empty text are counted and left out
} ebm_dataset_format;

// An empty set, to be filled by ebm_dataset_add. `labels` is copied; NULL: no names.
ebm_status ebm_dataset_create(const ebm_labels *labels, ebm_dataset **dataset);

// Copies the texts; text_b is NULL in every row or in none. label is -1 or below the number of labels.
ebm_status ebm_dataset_add(ebm_dataset *dataset, const char *text_a, const char *text_b, int32_t label, size_t line);

// The rows `row[0]` to `row[count - 1]` of a set, in that order, with the same labels and votes.
ebm_status ebm_dataset_select(const ebm_dataset *dataset, const uint32_t *row, size_t count, ebm_dataset **selected);

// At least one row, or EBM_ERROR_INPUT.
ebm_status ebm_dataset_read(const char *path, const ebm_dataset_format *format, ebm_dataset **dataset);

// Noise samples, unlabelled: one text a line; with `pairs` two, cut at the one EBM_PAIR_SEPARATOR. Where the first line
// of text has no <SEP>, none may (plain text of any kind), and lines are taken two by two as pairs. Blank lines are
// passed over.
ebm_status ebm_dataset_read_noise(const char *path, bool pairs, ebm_dataset **dataset);

size_t ebm_dataset_count(const ebm_dataset *dataset);
ebm_row ebm_dataset_row(const ebm_dataset *dataset, size_t index); // index < count
bool ebm_dataset_is_pairs(const ebm_dataset *dataset);             // false when empty
const ebm_labels *ebm_dataset_labels(const ebm_dataset *dataset);  // borrowed; none in an unlabelled set
size_t ebm_dataset_labelled_count(const ebm_dataset *dataset);     // rows with a label
// How many annotators gave each label (annotators.h), rows x labels, for the caller to free(); NULL when the format had
// no columns of theirs.
ebm_status ebm_dataset_annotations(const ebm_dataset *dataset, double **counts);
size_t ebm_dataset_text_bytes(const ebm_dataset *dataset);         // of all texts
size_t ebm_dataset_skipped(const ebm_dataset *dataset);            // rows left out by skip_malformed
const char *ebm_dataset_first_skipped(const ebm_dataset *dataset); // the sentence on the first of them, or ""
void ebm_dataset_free(ebm_dataset *dataset);                       // NULL is accepted

#ifdef __cplusplus
}
#endif
#endif
