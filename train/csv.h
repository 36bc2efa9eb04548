// Records of a table in memory: TSV (cut at tabs only, quote marks are text) or CSV (RFC 4180).
//
//     ebm_csv csv = {0};
//     ebm_csv_begin(&csv, "train.csv", &file, EBM_CSV_COMMAS);
//     for (bool more; (status = ebm_csv_next(&csv, &more)).code == EBM_OK && more;)
//         use(csv.cells[0].text, csv.line);
//     ebm_csv_free(&csv);
//
// Cells are cut in place: zero bytes overwrite separators, doubled quote marks become single ones.
#ifndef EBM_CSV_H
#define EBM_CSV_H

#include <stdbool.h>

#include "text_file.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_CSV_TABS, EBM_CSV_COMMAS } ebm_csv_kind;

typedef struct {
    const char *text; // zero-terminated, inside the file's bytes
    size_t length;
} ebm_cell;

typedef struct {
    ebm_cell *cells; // of the record last read, valid until the next one is; owned
    size_t cell_count;
    size_t line; // where the record begins
    const char *path;
    ebm_text_file *file;
    ebm_csv_kind kind;
    size_t capacity, position, next_line;
} ebm_csv;

// path (for messages) and file are borrowed and must outlive the reader.
void ebm_csv_begin(ebm_csv *csv, const char *path, ebm_text_file *file, ebm_csv_kind kind);

// The next record, blank lines included (one empty cell); *more is false at the end of the file. In CSV a quoted cell
// may hold separators, line ends and doubled quote marks; a quote mark inside an unquoted cell, text behind a closing
// quote mark and a quote mark never closed are EBM_ERROR_INPUT with the line.
ebm_status ebm_csv_next(ebm_csv *csv, bool *more);

void ebm_csv_free(ebm_csv *csv); // zeroed is accepted, and what is left

#ifdef __cplusplus
}
#endif
#endif
