// Text files, plain or .gz, read whole and checked: UTF-8 without NUL bytes, a byte-order mark removed.
//
//     ebm_text_lines lines = {0};
//     EBM_TRY(ebm_text_lines_read("corpus.txt.gz", EBM_TEXT_PARAGRAPHS, &lines));
//     for (size_t i = 0; i < lines.count; i++) use(lines.items[i].text, lines.items[i].length);
//     ebm_text_lines_free(&lines);
//
// Every complaint is EBM_ERROR_INPUT and begins with "path:line: " where a line is at fault. Lines count from 1 and end
// in LF or CR LF; the last one may lack its end.
#ifndef EBM_TEXT_FILE_H
#define EBM_TEXT_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

bool ebm_name_ends_in(const char *name, const char *ending); // letter case of ASCII ignored

typedef struct {
    char *bytes; // size bytes and a zero byte, owned
    size_t size; // > 0
} ebm_text_file;

// The content of a file; one whose name ends in .gz is unpacked. An empty, truncated or damaged file, a .gz that is not
// gzip data, a NUL byte and a byte that is not UTF-8 are refused. `file` is untouched on failure.
ebm_status ebm_text_file_read(const char *path, ebm_text_file *file);
void ebm_text_file_free(ebm_text_file *file); // {NULL, 0} is accepted, and what is left

// The bytes from *position to the next line end, which is overwritten by a zero byte (with a CR before it); *position
// moves behind it. NULL at the end of the file. `length` does not count the zero byte.
char *ebm_text_file_line(ebm_text_file *file, size_t *position, size_t *length);

typedef enum {
    EBM_TEXT_LINES,      // a text is a line, as it is; lines of nothing but blanks are passed over
    EBM_TEXT_PARAGRAPHS, // a text is the lines up to a blank line, trimmed and joined by single blanks
} ebm_text_unit;

typedef struct {
    const char *text; // zero-terminated, inside the file's bytes
    size_t length;    // bytes, > 0
    size_t line;      // of its first line
} ebm_text_line;

typedef struct {
    ebm_text_line *items;
    size_t count; // > 0
    ebm_text_file file;
} ebm_text_lines;

// Plain text for a language model. A file without any text is refused.
ebm_status ebm_text_lines_read(const char *path, ebm_text_unit unit, ebm_text_lines *lines);
void ebm_text_lines_free(ebm_text_lines *lines); // zeroed is accepted, and what is left

#ifdef __cplusplus
}
#endif
#endif
