// A page of HTML in one file, without scripts and without references to anything outside: headings, paragraphs, tables;
// figures are in figure.h. Readable on a narrow screen, in the dark and on paper.
//
//     ebm_html *page = NULL;
//     EBM_TRY(ebm_html_create("Two models", &page));
//     ebm_html_heading(page, 2, "Accuracy");
//     ebm_html_table_begin(page, "On 1,043 texts", (const char *const[]){"model", "accuracy"}, 2);
//     ebm_html_row(page, "bert");
//     ebm_html_cell(page, true, ".83 to .86", "%.3f", 0.845);
//     ebm_html_table_end(page);
//     EBM_CHECK(ebm_html_save(page, "report.html"), end);   // appears whole or not at all
// end:
//     ebm_html_free(page);
//
// All text is escaped, whatever it holds: what is not UTF-8, and control characters, become U+FFFD. The page is in
// memory until it is saved; a failure before that (no memory) is what save returns.
#ifndef EBM_HTML_H
#define EBM_HTML_H

#include <stdbool.h>
#include <stdio.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_html ebm_html;

ebm_status ebm_html_create(const char *title, ebm_html **page);   // with the title as its first heading
ebm_status ebm_html_save(const ebm_html *page, const char *path); // the page as it is now, replacing an old file
ebm_status ebm_html_bytes(const ebm_html *page, char **text);     // the same in memory, for the caller to free()
void ebm_html_free(ebm_html *page);                               // NULL is accepted

void ebm_html_heading(ebm_html *page, int level, const char *text); // 2 to 4
void ebm_html_paragraph(ebm_html *page, const char *format, ...) __attribute__((format(printf, 2, 3)));
void ebm_html_note(ebm_html *page, const char *format, ...) __attribute__((format(printf, 2, 3))); // small print

// A table whose first column names the rows. It scrolls by itself where the screen is too narrow.
void ebm_html_table_begin(ebm_html *page, const char *caption /* or NULL */, const char *const *head, size_t columns);
void ebm_html_row(ebm_html *page, const char *name);
// The next cell of the row, a number: `best` marks it, note (or NULL) stands below in small print.
void ebm_html_cell(ebm_html *page, bool best, const char *note, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
void ebm_html_text_cell(ebm_html *page, const char *text);                         // running text, which wraps
void ebm_html_noted_text_cell(ebm_html *page, const char *text, const char *note); // with small print below
void ebm_html_table_end(ebm_html *page);

// Figures between these stand side by side where there is room.
void ebm_html_grid_begin(ebm_html *page);
void ebm_html_grid_end(ebm_html *page);

// For markup of one's own: where it goes, and text escaped for contents and for attributes in quotes.
FILE *ebm_html_stream(ebm_html *page);
void ebm_html_text(FILE *out, const char *text);
unsigned ebm_html_next_id(ebm_html *page); // 1, 2, ...: for id attributes

#ifdef __cplusplus
}
#endif
#endif
