#include "html.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "html_style.h"
#include "utf8.h"

struct ebm_html {
    FILE *stream;
    char *bytes; // of the stream, after a flush
    size_t size;
    unsigned ids;
    bool in_row;
};

// ---- text

static bool is_control(uint32_t c) { return (c < 0x20 && c != '\t' && c != '\n') || (c >= 0x7F && c <= 0x9F); }

static void put_character(FILE *out, uint32_t c)
{
    char bytes[4];
    if (is_control(c) || c == 0xFFFE || c == 0xFFFF) c = 0xFFFD;
    if (c == '&')
        fputs("&amp;", out);
    else if (c == '<')
        fputs("&lt;", out);
    else if (c == '>')
        fputs("&gt;", out);
    else if (c == '"')
        fputs("&quot;", out);
    else if (c == '\'')
        fputs("&#39;", out);
    else
        fwrite(bytes, 1, ebm_utf8_put(c, bytes), out);
}

void ebm_html_text(FILE *out, const char *text)
{
    const size_t bytes = strlen(text);
    for (size_t i = 0, bad = 0; i < bytes;) {
        if (ebm_utf8_character(text + i, bytes - i, &bad) > 0) {
            put_character(out, ebm_utf8_next(text, &i));
        } else {
            put_character(out, 0xFFFD);
            i += bad;
        }
    }
}

__attribute__((format(printf, 2, 0))) static void put_format(FILE *out, const char *format, va_list arguments)
{
    char *text = NULL;
    if (vasprintf(&text, format, arguments) < 0) return; // the page lacks a sentence only when nothing works any more
    ebm_html_text(out, text);
    free(text);
}

// ---- the page

ebm_status ebm_html_create(const char *title, ebm_html **page)
{
    ebm_html *made = calloc(1, sizeof *made);
    if (made) made->stream = open_memstream(&made->bytes, &made->size);
    if (!made || !made->stream) {
        free(made);
        return ebm_fail(EBM_ERROR_MEMORY, "no memory for a page");
    }
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>",
          made->stream);
    ebm_html_text(made->stream, title);
    fprintf(made->stream, "</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n<h1>", ebm_html_style);
    ebm_html_text(made->stream, title);
    fputs("</h1>\n", made->stream);
    *page = made;
    return ebm_ok();
}

ebm_status ebm_html_bytes(const ebm_html *page, char **text)
{
    static const char end[] = "</main>\n</body>\n</html>\n";
    *text = NULL;
    if (fflush(page->stream) == 0 && !ferror(page->stream)) *text = malloc(page->size + sizeof end);
    if (!*text) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a page");
    memcpy(*text, page->bytes, page->size);
    memcpy(*text + page->size, end, sizeof end);
    return ebm_ok();
}

ebm_status ebm_html_save(const ebm_html *page, const char *path)
{
    char *text = NULL;
    EBM_TRY(ebm_html_bytes(page, &text));
    const ebm_status status = ebm_file_write(path, text, strlen(text));
    free(text);
    return status;
}

void ebm_html_free(ebm_html *page)
{
    if (!page) return;
    fclose(page->stream);
    free(page->bytes);
    free(page);
}

FILE *ebm_html_stream(ebm_html *page) { return page->stream; }
unsigned ebm_html_next_id(ebm_html *page) { return ++page->ids; }

// ---- parts

void ebm_html_heading(ebm_html *page, int level, const char *text)
{
    fprintf(page->stream, "<h%d>", level);
    ebm_html_text(page->stream, text);
    fprintf(page->stream, "</h%d>\n", level);
}

void ebm_html_paragraph(ebm_html *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("<p>", page->stream);
    put_format(page->stream, format, arguments);
    fputs("</p>\n", page->stream);
    va_end(arguments);
}

void ebm_html_note(ebm_html *page, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("<p class=\"note\">", page->stream);
    put_format(page->stream, format, arguments);
    fputs("</p>\n", page->stream);
    va_end(arguments);
}

void ebm_html_grid_begin(ebm_html *page) { fputs("<div class=\"grid\">\n", page->stream); }
void ebm_html_grid_end(ebm_html *page) { fputs("</div>\n", page->stream); }

// ---- tables

void ebm_html_table_begin(ebm_html *page, const char *caption, const char *const *head, size_t columns)
{
    fputs("<div class=\"scroll\"><table>\n", page->stream);
    if (caption) {
        fputs("<caption><span>", page->stream);
        ebm_html_text(page->stream, caption);
        fputs("</span></caption>\n", page->stream);
    }
    fputs("<thead><tr>", page->stream);
    for (size_t i = 0; i < columns; i++) {
        fputs("<th scope=\"col\">", page->stream);
        ebm_html_text(page->stream, head[i]);
        fputs("</th>", page->stream);
    }
    fputs("</tr></thead>\n<tbody>\n", page->stream);
    page->in_row = false;
}

static void end_row(ebm_html *page)
{
    if (page->in_row) fputs("</tr>\n", page->stream);
    page->in_row = false;
}

void ebm_html_row(ebm_html *page, const char *name)
{
    end_row(page);
    fputs("<tr><th scope=\"row\">", page->stream);
    ebm_html_text(page->stream, name);
    fputs("</th>", page->stream);
    page->in_row = true;
}

void ebm_html_cell(ebm_html *page, bool best, const char *note, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs(best ? "<td class=\"best\"><b>" : "<td>", page->stream);
    put_format(page->stream, format, arguments);
    if (best) fputs("</b>", page->stream);
    if (note && *note) {
        fputs("<small>", page->stream);
        ebm_html_text(page->stream, note);
        fputs("</small>", page->stream);
    }
    fputs("</td>", page->stream);
    va_end(arguments);
}

void ebm_html_text_cell(ebm_html *page, const char *text) { ebm_html_noted_text_cell(page, text, NULL); }

void ebm_html_noted_text_cell(ebm_html *page, const char *text, const char *note)
{
    fputs("<td class=\"text\">", page->stream);
    ebm_html_text(page->stream, text);
    if (note) {
        fputs("<small>", page->stream);
        ebm_html_text(page->stream, note);
        fputs("</small>", page->stream);
    }
    fputs("</td>", page->stream);
}

void ebm_html_table_end(ebm_html *page)
{
    end_row(page);
    fputs("</tbody></table></div>\n", page->stream);
}
