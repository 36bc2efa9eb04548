// What the readers share with dataset.c.
#ifndef EBM_DATASET_INTERNAL_H
#define EBM_DATASET_INTERNAL_H

#include "dataset.h"

typedef struct {
    size_t text_a, text_b; // offsets in the arena; text_b EBM_NO_TEXT for a single text
    size_t text_a_length, text_b_length, line;
    int32_t label;
    size_t votes, vote_count; // in the set's votes
} ebm_stored_row;

#define EBM_NO_TEXT SIZE_MAX

struct ebm_dataset {
    char *arena; // texts, each with a zero byte
    size_t arena_size, arena_capacity;
    ebm_stored_row *rows;
    size_t count, capacity, skipped;
    int32_t *votes; // ids of labels; those of rows behind one another, then those of the row that is read
    size_t votes_used, votes_taken, votes_capacity;
    ebm_labels labels;
    char first_skipped[sizeof((ebm_status *)0)->message];
};

// The row's columns as a reader found them. A NULL text_b: single; a NULL label: none in this row.
typedef struct {
    const char *text_a, *text_b, *label;
    size_t text_a_length, text_b_length, line;
} ebm_raw_row;

// A label that an annotator gave the row that is taken next; NULL, "" and "-" are none (dataset_votes.c).
ebm_status ebm_dataset_vote(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format, size_t line,
                            const char *name);

// A name's id; known_labels NULL: the name is collected.
ebm_status ebm_dataset_label(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format, size_t line,
                             const char *name, int32_t *id);

// Room for `needed` items.
ebm_status ebm_dataset_grow(void **items, size_t *capacity, size_t needed, size_t item_bytes);

// Checks texts, votes and label against the format and adds the row.
ebm_status ebm_dataset_take(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format,
                            const ebm_raw_row *row);

// A row that is wrong, with its votes: counts it when the format says so, else passes its status on.
ebm_status ebm_dataset_reject(ebm_dataset *dataset, const ebm_dataset_format *format, ebm_status status);

// The names of the columns to read; pair and label may be NULL.
typedef struct {
    const char *text, *pair, *label;
} ebm_columns;

// Chooses among `names` by the format's rules. EBM_ERROR_INPUT "path:line: ..." names what is missing and the columns.
ebm_status ebm_columns_choose(const char *path, size_t line, const ebm_dataset_format *format, const char *const *names,
                              size_t count, ebm_columns *columns);

#endif
