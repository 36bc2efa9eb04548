#include "bench_compare.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *const IDENTITY[] = {"device", "platform", "driver", "opencl", "version", "kernels", "products"};
enum { IDENTITIES = sizeof IDENTITY / sizeof *IDENTITY, MOST_COLUMNS = 26, CELL = 128 };

// identity: what the files of a column agree in; files: their names; parts: name of a part -> name of a result -> it.
// All are JSON values, which keep the order they were put in.
struct ebm_bench_page {
    json_t *columns; // list of {identity, files, parts}
    json_t *rows;    // part -> result -> true: every row of the page, in the order of the files
};

ebm_status ebm_bench_page_create(ebm_bench_page **page)
{
    ebm_bench_page *p = calloc(1, sizeof *p);
    *page = p;
    if (!p) return ebm_fail(EBM_ERROR_MEMORY, "no memory for a page");
    p->columns = json_array();
    p->rows = json_object();
    return ebm_ok();
}

void ebm_bench_page_free(ebm_bench_page *p)
{
    if (!p) return;
    json_decref(p->columns);
    json_decref(p->rows);
    free(p);
}

static const char *text_of(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

static const char *known_text(const json_t *object, const char *key)
{
    const char *text = text_of(object, key);
    return text ? text : "?";
}

static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static ebm_status check(const char *path, const json_t *file)
{
    const json_t *results = json_object_get(file, "results");
    if (!text_of(file, "bench") || !text_of(file, "version") || json_array_size(results) == 0)
        return ebm_fail(EBM_ERROR_INPUT, "%s: expected what ebmcl bench --json prints: bench, version and results",
                        path);
    for (size_t i = 0; i < json_array_size(results); i++) {
        const json_t *row = json_array_get(results, i);
        const double median = number_of(row, "median_s");
        if (!text_of(row, "name") || !(median > 0) || !(number_of(row, "min_s") > 0) ||
            !(number_of(row, "max_s") >= median))
            return ebm_fail(EBM_ERROR_INPUT, "%s: result %zu: expected a name and positive median_s, min_s, max_s",
                            path, i + 1);
    }
    return ebm_ok();
}

static json_t *identity_of(const json_t *file)
{
    json_t *identity = json_object();
    for (int i = 0; i < IDENTITIES; i++)
        if (text_of(file, IDENTITY[i])) json_object_set(identity, IDENTITY[i], json_object_get(file, IDENTITY[i]));
    return identity;
}

static json_t *part_of(const json_t *column, const json_t *file)
{
    return json_object_get(json_object_get(column, "parts"), text_of(file, "bench"));
}

static bool has_any_row(const json_t *column, const json_t *file)
{
    const json_t *part = part_of(column, file), *results = json_object_get(file, "results");
    for (size_t i = 0; i < json_array_size(results); i++)
        if (json_object_get(part, text_of(json_array_get(results, i), "name"))) return true;
    return false;
}

// Work of the host alone names no device: it goes to the first column that lacks it.
static bool takes(const json_t *column, const json_t *identity, const json_t *file)
{
    const json_t *own = json_object_get(column, "identity");
    const bool same = json_equal(own, identity) || (!text_of(identity, "device") &&
                                                    strcmp(text_of(own, "version"), text_of(identity, "version")) == 0);
    return same && !has_any_row(column, file);
}

static json_t *find_column(ebm_bench_page *p, const json_t *file)
{
    json_t *identity = identity_of(file), *found = NULL;
    for (size_t i = 0; i < json_array_size(p->columns) && !found; i++)
        if (takes(json_array_get(p->columns, i), identity, file)) found = json_array_get(p->columns, i);
    if (!found && json_array_size(p->columns) < MOST_COLUMNS) {
        found = json_pack("{s:O, s:[], s:{}}", "identity", identity, "files", "parts");
        if (found && json_array_append_new(p->columns, found) != 0) found = NULL;
    }
    json_decref(identity);
    return found;
}

static json_t *child(json_t *object, const char *key)
{
    if (!json_object_get(object, key)) json_object_set_new(object, key, json_object());
    return json_object_get(object, key);
}

static ebm_status add_file(ebm_bench_page *p, const char *path, const json_t *file)
{
    const char *slash = strrchr(path, '/'), *bench = text_of(file, "bench");
    const json_t *results = json_object_get(file, "results");
    EBM_TRY(check(path, file));
    json_t *column = find_column(p, file);
    if (!column) return ebm_fail(EBM_ERROR_INPUT, "%s: more than %d columns", path, (int)MOST_COLUMNS);
    json_array_append_new(json_object_get(column, "files"), json_string(slash ? slash + 1 : path));
    json_t *part = child(json_object_get(column, "parts"), bench), *rows = child(p->rows, bench);
    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *row = json_array_get(results, i);
        json_object_set(part, text_of(row, "name"), row);
        json_object_set_new(rows, text_of(row, "name"), json_true());
    }
    return ebm_ok();
}

ebm_status ebm_bench_page_add(ebm_bench_page *p, const char *path)
{
    json_error_t error;
    json_t *file = json_load_file(path, 0, &error);
    if (!file && error.line < 0) return ebm_fail(EBM_ERROR_INPUT, "%s", error.text); // names the file itself
    if (!file) return ebm_fail(EBM_ERROR_INPUT, "%s:%d: %s", path, error.line, error.text);
    const ebm_status status = add_file(p, path, file);
    json_decref(file);
    return status;
}

static void print_time(char *text, size_t size, double seconds)
{
    const double scale = seconds < 1e-3 ? 1e6 : seconds < 1 ? 1e3 : 1;
    snprintf(text, size, "%.*f %s", scale * seconds < 10 ? 2 : 1, scale * seconds,
             seconds < 1e-3 ? "us"
             : seconds < 1  ? "ms"
                            : "s");
}

// "193.1 GFLOP/s (190.2-194.0), 82 %": the rate with its spread and the share of the floor; a time where there is none.
static void format_result(const json_t *row, char text[CELL])
{
    const char *unit = text_of(row, "unit");
    const double share = number_of(row, "share");
    char least[24], most[24], median[24];
    if (unit) {
        snprintf(text, CELL, "%.1f %.16s (%.1f-%.1f)", number_of(row, "rate"), unit, number_of(row, "rate_min"),
                 number_of(row, "rate_max"));
    } else {
        print_time(median, sizeof median, number_of(row, "median_s"));
        print_time(least, sizeof least, number_of(row, "min_s"));
        print_time(most, sizeof most, number_of(row, "max_s"));
        snprintf(text, CELL, "%s (%s-%s)", median, least, most);
    }
    const size_t used = strlen(text);
    if (share > 0) snprintf(text + used, CELL - used, ", %.0f %%", 100 * share);
}

static double speed(const json_t *row)
{
    return text_of(row, "unit") ? number_of(row, "rate") : 1 / number_of(row, "median_s");
}

static const json_t *result_at(const ebm_bench_page *p, size_t column, const char *part, const char *name)
{
    const json_t *parts = json_object_get(json_array_get(p->columns, column), "parts");
    return json_object_get(json_object_get(parts, part), name);
}

// Column 0 is the row's name; then each column's result; then the ratios of all but the first to the first.
static void cell_text(const ebm_bench_page *p, const char *part, const char *name, size_t cell, char text[CELL])
{
    const size_t columns = json_array_size(p->columns);
    text[0] = 0;
    if (cell == 0) {
        snprintf(text, CELL, "%s", name);
        for (char *c = text; *c; c++) // would end the cell
            if (*c == '|' || *c == '\n') *c = '/';
    } else if (cell <= columns) {
        const json_t *row = result_at(p, cell - 1, part, name);
        if (row) format_result(row, text);
    } else {
        const json_t *first = result_at(p, 0, part, name), *other = result_at(p, cell - columns, part, name);
        if (first && other) snprintf(text, CELL, "%.2f", speed(other) / speed(first));
    }
}

static void heading(const ebm_bench_page *p, const char *part, size_t cell, char text[CELL])
{
    const size_t columns = json_array_size(p->columns);
    if (cell == 0)
        snprintf(text, CELL, "%s", part);
    else if (cell <= columns)
        snprintf(text, CELL, "%c", (char)('A' + (cell - 1)));
    else
        snprintf(text, CELL, "%c / A", (char)('A' + (cell - columns)));
}

static void print_cells(FILE *out, const char *text, size_t width, bool last)
{
    fprintf(out, "| %-*s %s", (int)width, text, last ? "|\n" : "");
}

static size_t cells_of(const ebm_bench_page *p) { return 2 * json_array_size(p->columns); } // the name, the ratios

static void measure_widths(const ebm_bench_page *p, const char *part, json_t *rows, size_t *widths)
{
    char text[CELL];
    const char *name;
    json_t *ignored;
    for (size_t c = 0; c < cells_of(p); c++) {
        heading(p, part, c, text);
        widths[c] = strlen(text) > 3 ? strlen(text) : 3;
        json_object_foreach(rows, name, ignored)
        {
            cell_text(p, part, name, c, text);
            if (strlen(text) > widths[c]) widths[c] = strlen(text);
        }
    }
}

static void print_part(const ebm_bench_page *p, const char *part, json_t *rows, FILE *out)
{
    static const char dashes[CELL] = "-------------------------------------------------------------------------------"
                                     "------------------------------------------------";
    size_t widths[2 * MOST_COLUMNS];
    const size_t cells = cells_of(p);
    char text[CELL];
    const char *name;
    json_t *ignored;
    measure_widths(p, part, rows, widths);
    fputc('\n', out);
    for (size_t c = 0; c < cells; c++) {
        heading(p, part, c, text);
        print_cells(out, text, widths[c], c + 1 == cells);
    }
    for (size_t c = 0; c < cells; c++) fprintf(out, "|%.*s%s", (int)widths[c] + 2, dashes, c + 1 == cells ? "|\n" : "");
    json_object_foreach(rows, name, ignored)
    {
        for (size_t c = 0; c < cells; c++) {
            cell_text(p, part, name, c, text);
            print_cells(out, text, widths[c], c + 1 == cells);
        }
    }
}

static void print_column(const json_t *column, char letter, FILE *out)
{
    const json_t *identity = json_object_get(column, "identity"), *files = json_object_get(column, "files");
    fprintf(out, "- %c: ", letter);
    if (text_of(identity, "device"))
        fprintf(out, "%s, %s, driver %s, %s; %s kernels, products by %s; ", known_text(identity, "device"),
                known_text(identity, "platform"), known_text(identity, "driver"), known_text(identity, "opencl"),
                known_text(identity, "kernels"), known_text(identity, "products"));
    fprintf(out, "ebmcl %s (", text_of(identity, "version"));
    for (size_t i = 0; i < json_array_size(files); i++)
        fprintf(out, "%s%s", i ? ", " : "", json_string_value(json_array_get(files, i)));
    fprintf(out, ")\n");
}

ebm_status ebm_bench_page_print(const ebm_bench_page *p, FILE *out)
{
    const char *part;
    json_t *rows;
    fprintf(out, "Medians, in brackets the spread, then the share of the floor: arithmetic or memory at the device's "
                 "peak.\n\n");
    for (size_t i = 0; i < json_array_size(p->columns); i++)
        print_column(json_array_get(p->columns, i), (char)('A' + i), out);
    json_object_foreach(p->rows, part, rows) print_part(p, part, rows, out);
    return ferror(out) ? ebm_fail(EBM_ERROR_IO, "writing the table failed") : ebm_ok();
}
