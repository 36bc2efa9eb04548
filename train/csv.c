#include "csv.h"

#include <stdlib.h>
#include <string.h>

void ebm_csv_begin(ebm_csv *csv, const char *path, ebm_text_file *file, ebm_csv_kind kind)
{
    *csv = (ebm_csv){.path = path, .file = file, .kind = kind, .next_line = 1};
}

void ebm_csv_free(ebm_csv *csv)
{
    free(csv->cells);
    *csv = (ebm_csv){0};
}

static ebm_status add_cell(ebm_csv *csv, const char *text, size_t length)
{
    if (csv->cell_count == csv->capacity) {
        const size_t wanted = csv->capacity ? csv->capacity * 2 : 16;
        ebm_cell *cells = realloc(csv->cells, wanted * sizeof *cells);
        if (!cells) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a record of %zu cells", wanted);
        csv->cells = cells;
        csv->capacity = wanted;
    }
    csv->cells[csv->cell_count++] = (ebm_cell){text, length};
    return ebm_ok();
}

static ebm_status next_tabs(ebm_csv *csv)
{
    size_t length;
    char *line = ebm_text_file_line(csv->file, &csv->position, &length);
    csv->next_line++;
    for (char *tab; (tab = memchr(line, '\t', length));) {
        *tab = 0;
        const size_t cell = (size_t)(tab - line);
        EBM_TRY(add_cell(csv, line, cell));
        line += cell + 1;
        length -= cell + 1;
    }
    return add_cell(csv, line, length);
}

// Takes the quoted cell whose opening mark stands before csv->position; position is left behind the closing mark.
static ebm_status quoted_cell(ebm_csv *csv)
{
    const size_t opening_line = csv->next_line;
    char *bytes = csv->file->bytes, *text = bytes + csv->position, *out = text;
    for (size_t i = csv->position; i < csv->file->size; i++) {
        if (bytes[i] == '"') {
            if (bytes[i + 1] != '"') { // the zero byte behind the file makes this safe at its end
                csv->position = i + 1;
                const char end = bytes[i + 1];
                if (end && end != ',' && end != '\n' && !(end == '\r' && bytes[i + 2] == '\n'))
                    return ebm_fail(EBM_ERROR_INPUT,
                                    "%s:%zu: expected a comma or the line's end behind the closing "
                                    "quote mark of column %zu, found '%.1s'",
                                    csv->path, csv->next_line, csv->cell_count + 1, (end & 0x80) ? "?" : bytes + i + 1);
                *out = 0;
                return add_cell(csv, text, (size_t)(out - text));
            }
            i++;
        } else if (bytes[i] == '\n') {
            csv->next_line++;
        }
        *out++ = bytes[i];
    }
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: the quote mark that opens column %zu is never closed", csv->path,
                    opening_line, csv->cell_count + 1);
}

static ebm_status plain_cell(ebm_csv *csv)
{
    char *text = csv->file->bytes + csv->position;
    size_t length = strcspn(text, ",\n\"");
    if (text[length] == '"')
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s:%zu: a quote mark inside column %zu, which is not quoted; expected the "
                        "whole cell in quote marks and the mark doubled",
                        csv->path, csv->next_line, csv->cell_count + 1);
    csv->position += length;
    if (text[length] != ',' && length > 0 && text[length - 1] == '\r') length--;
    return add_cell(csv, text, length);
}

// Ends are zeroed one cell late: until then the byte behind a cell says whether the record goes on.
static ebm_status next_commas(ebm_csv *csv)
{
    char *bytes = csv->file->bytes;
    for (;;) {
        if (bytes[csv->position] == '"') {
            csv->position++;
            EBM_TRY(quoted_cell(csv));
            if (bytes[csv->position] == '\r') csv->position++;
        } else {
            EBM_TRY(plain_cell(csv));
        }
        const char separator = bytes[csv->position];
        const ebm_cell *cell = &csv->cells[csv->cell_count - 1];
        bytes[(size_t)(cell->text - bytes) + cell->length] = 0;
        csv->position++;
        if (separator != ',') break;
    }
    csv->next_line++;
    return ebm_ok();
}

ebm_status ebm_csv_next(ebm_csv *csv, bool *more)
{
    csv->cell_count = 0;
    csv->line = csv->next_line;
    *more = csv->position < csv->file->size;
    if (!*more) return ebm_ok();
    return csv->kind == EBM_CSV_TABS ? next_tabs(csv) : next_commas(csv);
}
