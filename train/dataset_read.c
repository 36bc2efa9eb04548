#include "dataset_internal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "csv.h"

// ---- which columns

static bool has(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

// "a", "b" for a message, shortened to fit.
static const char *names_text(const char *const *names, size_t count, char *text, size_t size)
{
    if (count == 0) return "none";
    ebm_labels labels = {0};
    int32_t id;
    for (size_t i = 0; i < count; i++)
        if (ebm_labels_add(&labels, names[i], &id).code != EBM_OK) break;
    ebm_labels_text(&labels, text, size);
    ebm_labels_free(&labels);
    return text;
}

static const char *const default_pairs[][2] = {
    {"sentence1", "sentence2"}, {"premise", "hypothesis"}, {"question1", "question2"},
    {"question", "sentence"},   {"text_a", "text_b"},      {"#1 String", "#2 String"},
};
static const char *const default_texts[] = {"sentence", "text", "sentence1", "premise", "question", "text_a"};
static const char *const default_labels[] = {"label", "gold_label", "labels", "is_duplicate", "Quality"};

static void choose_texts(const ebm_dataset_format *format, const char *const *names, size_t count, ebm_columns *columns)
{
    columns->text = format->text_column;
    columns->pair = format->text_pair_column;
    if (columns->text) return;
    for (size_t i = 0; i < sizeof default_pairs / sizeof *default_pairs; i++) {
        if (!has(names, count, default_pairs[i][0]) || !has(names, count, default_pairs[i][1])) continue;
        columns->text = default_pairs[i][0];
        columns->pair = default_pairs[i][1];
        return;
    }
    for (size_t i = 0; i < sizeof default_texts / sizeof *default_texts && !columns->text; i++)
        if (has(names, count, default_texts[i])) columns->text = default_texts[i];
}

static ebm_status missing_column(const char *path, size_t line, const char *wanted, const char *const *names,
                                 size_t count)
{
    char found[240];
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: expected a column %.100s, found %s", path, line, wanted,
                    names_text(names, count, found, sizeof found));
}

ebm_status ebm_columns_choose(const char *path, size_t line, const ebm_dataset_format *format, const char *const *names,
                              size_t count, ebm_columns *columns)
{
    *columns = (ebm_columns){0};
    if (format->text_pair_column && !format->text_column)
        return ebm_fail(EBM_ERROR_INPUT, "text_pair_column needs text_column beside it");
    choose_texts(format, names, count, columns);
    if (!columns->text)
        return missing_column(path, line,
                              "of texts by a usual name (sentence, text, sentence1, ...; or name it by "
                              "text_column)",
                              names, count);
    if (!has(names, count, columns->text)) return missing_column(path, line, columns->text, names, count);
    if (columns->pair && !has(names, count, columns->pair))
        return missing_column(path, line, columns->pair, names, count);
    for (size_t i = 0; i < format->annotator_count; i++)
        if (!has(names, count, format->annotator_columns[i]))
            return missing_column(path, line, format->annotator_columns[i], names, count);
    if (format->labels == EBM_LABELS_IGNORED) return ebm_ok();
    columns->label = format->label_column;
    for (size_t i = 0; i < sizeof default_labels / sizeof *default_labels && !columns->label; i++)
        if (has(names, count, default_labels[i])) columns->label = default_labels[i];
    const bool found = columns->label && has(names, count, columns->label);
    if (!found && (columns->label || format->labels == EBM_LABELS_REQUIRED))
        return missing_column(path, line,
                              columns->label ? columns->label : "of labels (label; or name it by label_column)", names,
                              count);
    return ebm_ok();
}

// ---- TSV and CSV

typedef struct {
    size_t text, pair, label, count; // column numbers, SIZE_MAX: none
    size_t *annotators;              // the format's annotator_count
} table_columns;

static ebm_status column_number(const char *path, const char *const *names, size_t count, const char *name,
                                size_t *number)
{
    *number = SIZE_MAX;
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(names[i], name) != 0) continue;
        if (*number != SIZE_MAX)
            return ebm_fail(EBM_ERROR_INPUT, "%s:1: the columns %zu and %zu are both named %.100s", path, *number + 1,
                            i + 1, name);
        *number = i;
    }
    return ebm_ok();
}

static ebm_status number_columns(const ebm_csv *csv, const ebm_dataset_format *format, const char *const *names,
                                 size_t count, table_columns *numbers)
{
    ebm_columns columns;
    EBM_TRY(ebm_columns_choose(csv->path, csv->line, format, names, count, &columns));
    EBM_TRY(column_number(csv->path, names, count, columns.text, &numbers->text));
    EBM_TRY(column_number(csv->path, names, count, columns.pair, &numbers->pair));
    EBM_TRY(column_number(csv->path, names, count, columns.label, &numbers->label));
    numbers->annotators = malloc((format->annotator_count + 1) * sizeof *numbers->annotators);
    if (!numbers->annotators) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu columns", format->annotator_count);
    for (size_t i = 0; i < format->annotator_count; i++)
        EBM_TRY(column_number(csv->path, names, count, format->annotator_columns[i], numbers->annotators + i));
    numbers->count = count;
    return ebm_ok();
}

// The first record is the header unless the format has names for files without one and the text column is not in it.
static ebm_status take_header(ebm_csv *csv, const ebm_dataset_format *format, table_columns *numbers, bool *headerless)
{
    const char **names = malloc(csv->cell_count * sizeof *names);
    if (!names) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu columns", csv->cell_count);
    for (size_t i = 0; i < csv->cell_count; i++) names[i] = csv->cells[i].text;
    *headerless =
        format->headerless_count > 0 && format->text_column && !has(names, csv->cell_count, format->text_column);
    ebm_status status;
    if (!*headerless) {
        status = number_columns(csv, format, names, csv->cell_count, numbers);
    } else {
        status = number_columns(csv, format, format->headerless_columns, format->headerless_count, numbers);
    }
    free(names);
    return status;
}

static ebm_status take_record(ebm_dataset *dataset, const ebm_csv *csv, const ebm_dataset_format *format,
                              const table_columns *columns)
{
    if (csv->cell_count != columns->count)
        return ebm_dataset_reject(dataset, format,
                                  ebm_fail(EBM_ERROR_INPUT, "%s:%zu: expected %zu columns, found %zu%s", csv->path,
                                           csv->line, columns->count, csv->cell_count,
                                           csv->cell_count == 1 && csv->cells[0].length == 0 ? " (a blank line)" : ""));
    const ebm_cell *text = &csv->cells[columns->text];
    ebm_raw_row row = {.text_a = text->text, .text_a_length = text->length, .line = csv->line};
    if (columns->pair != SIZE_MAX) {
        row.text_b = csv->cells[columns->pair].text;
        row.text_b_length = csv->cells[columns->pair].length;
    }
    if (columns->label != SIZE_MAX) row.label = csv->cells[columns->label].text;
    for (size_t i = 0; i < format->annotator_count; i++)
        EBM_TRY(ebm_dataset_vote(dataset, csv->path, format, csv->line, csv->cells[columns->annotators[i]].text));
    return ebm_dataset_take(dataset, csv->path, format, &row);
}

static ebm_status read_table(const char *path, ebm_text_file *file, ebm_csv_kind kind, const ebm_dataset_format *format,
                             ebm_dataset *dataset)
{
    ebm_status status = ebm_ok();
    table_columns columns = {0};
    bool more = false, headerless = false;
    ebm_csv csv;
    ebm_csv_begin(&csv, path, file, kind);
    EBM_CHECK(ebm_csv_next(&csv, &more), end);
    EBM_CHECK(take_header(&csv, format, &columns, &headerless), end);
    if (!headerless) EBM_CHECK(ebm_csv_next(&csv, &more), end);
    while (more) {
        EBM_CHECK(take_record(dataset, &csv, format, &columns), end);
        EBM_CHECK(ebm_csv_next(&csv, &more), end);
    }
end:
    free(columns.annotators);
    ebm_csv_free(&csv);
    return status;
}

// ---- JSONL

static const char *kind_name(const json_t *value)
{
    static const char *const names[] = {"an object",     "an array", "a string", "an integer",
                                        "a real number", "true",     "false",    "null"};
    return value ? names[json_typeof(value)] : "nothing";
}

static ebm_status json_text(const char *path, size_t line, const json_t *object, const char *key, const char **text,
                            size_t *length)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_string(value))
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: %.100s: expected a string, found %s", path, line, key,
                        kind_name(value));
    *text = json_string_value(value);
    *length = json_string_length(value);
    return ebm_ok();
}

static ebm_status json_label(const char *path, size_t line, const json_t *value, const char *key, char number[24],
                             const char **label)
{
    if (!value || json_is_null(value)) return ebm_ok();
    if (json_is_string(value)) {
        *label = json_string_value(value);
    } else if (json_is_integer(value)) {
        snprintf(number, 24, "%lld", (long long)json_integer_value(value));
        *label = number;
    } else {
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: %.100s: expected a string or an integer, found %s", path, line, key,
                        kind_name(value));
    }
    return ebm_ok();
}

// One annotator's label, or a list of several's.
static ebm_status json_votes(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format, size_t line,
                             const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const size_t count = json_is_array(value) ? json_array_size(value) : 1;
    for (size_t i = 0; i < count; i++) {
        const char *name = NULL;
        char number[24];
        EBM_TRY(json_label(path, line, json_is_array(value) ? json_array_get(value, i) : value, key, number, &name));
        EBM_TRY(ebm_dataset_vote(dataset, path, format, line, name));
    }
    return ebm_ok();
}

static ebm_status choose_keys(const char *path, size_t line, json_t *object, const ebm_dataset_format *format,
                              ebm_columns *columns)
{
    const size_t count = json_object_size(object);
    const char **names = malloc((count + 1) * sizeof *names), *key;
    if (!names) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu keys", count);
    json_t *value;
    size_t i = 0;
    json_object_foreach(object, key, value) names[i++] = key;
    ebm_columns chosen;
    const ebm_status status = ebm_columns_choose(path, line, format, names, count, &chosen);
    // Chosen names are the format's or constants, never the object's keys, so they outlive it.
    if (status.code == EBM_OK) *columns = chosen;
    free(names);
    return status;
}

static ebm_status take_object(ebm_dataset *dataset, const char *path, const ebm_dataset_format *format,
                              const ebm_columns *columns, const json_t *object, size_t line)
{
    ebm_raw_row row = {.line = line};
    char number[24];
    EBM_TRY(json_text(path, line, object, columns->text, &row.text_a, &row.text_a_length));
    if (columns->pair) EBM_TRY(json_text(path, line, object, columns->pair, &row.text_b, &row.text_b_length));
    if (columns->label)
        EBM_TRY(json_label(path, line, json_object_get(object, columns->label), columns->label, number, &row.label));
    for (size_t i = 0; i < format->annotator_count; i++)
        EBM_TRY(json_votes(dataset, path, format, line, object, format->annotator_columns[i]));
    return ebm_dataset_take(dataset, path, format, &row);
}

static ebm_status read_jsonl(const char *path, ebm_text_file *file, const ebm_dataset_format *format,
                             ebm_dataset *dataset)
{
    ebm_columns columns = {0};
    size_t position = 0, length, line = 0;
    for (const char *text; (text = ebm_text_file_line(file, &position, &length));) {
        line++;
        json_error_t error;
        json_t *object = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
        if (!object)
            return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: expected a JSON object, found %s", path, line,
                            length == 0 ? "a blank line" : error.text);
        ebm_status status = ebm_ok();
        if (!json_is_object(object)) {
            status =
                ebm_fail(EBM_ERROR_INPUT, "%s:%zu: expected a JSON object, found %s", path, line, kind_name(object));
        } else if (!columns.text) {
            status = choose_keys(path, line, object, format, &columns);
        }
        if (status.code == EBM_OK) status = take_object(dataset, path, format, &columns, object, line);
        json_decref(object);
        EBM_TRY(status);
    }
    return ebm_ok();
}

// ---- whole files

typedef enum { TABLE_TABS, TABLE_COMMAS, JSON_LINES } file_kind;

static ebm_status kind_of(const char *path, file_kind *kind)
{
    static const struct {
        const char *ending;
        file_kind kind;
    } endings[] = {{".tsv", TABLE_TABS},   {".txt", TABLE_TABS},  {".csv", TABLE_COMMAS},
                   {".jsonl", JSON_LINES}, {".json", JSON_LINES}, {".ndjson", JSON_LINES}};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        char packed[16];
        snprintf(packed, sizeof packed, "%s.gz", endings[i].ending);
        *kind = endings[i].kind;
        if (ebm_name_ends_in(path, endings[i].ending) || ebm_name_ends_in(path, packed)) return ebm_ok();
    }
    return ebm_fail(EBM_ERROR_INPUT, "%s: expected a name ending in .tsv, .csv or .jsonl (or one of these and .gz)",
                    path);
}

// A file whose labels are all -1 (as test sets of the datasets library) has none.
static ebm_status finish_labels(const char *path, const ebm_dataset_format *format, ebm_dataset *dataset)
{
    if (format->known_labels) return ebm_ok();
    if (dataset->labels.count == 1 && strcmp(dataset->labels.names[0], "-1") == 0) {
        if (format->labels == EBM_LABELS_REQUIRED)
            return ebm_fail(EBM_ERROR_INPUT, "%s: expected labels, found -1 (unlabelled) in every row", path);
        for (size_t i = 0; i < dataset->count; i++) {
            dataset->rows[i].label = -1;
            dataset->rows[i].vote_count = 0;
        }
        dataset->votes_used = dataset->votes_taken = 0;
        ebm_labels_free(&dataset->labels);
    }
    int32_t moved[EBM_LABELS_MAX];
    ebm_labels_sort(&dataset->labels, moved);
    for (size_t i = 0; i < dataset->count; i++)
        if (dataset->rows[i].label >= 0) dataset->rows[i].label = moved[dataset->rows[i].label];
    for (size_t i = 0; i < dataset->votes_taken; i++) dataset->votes[i] = moved[dataset->votes[i]];
    return ebm_ok();
}

ebm_status ebm_dataset_read(const char *path, const ebm_dataset_format *format, ebm_dataset **dataset)
{
    file_kind kind;
    EBM_TRY(kind_of(path, &kind));
    ebm_status status = ebm_ok();
    ebm_text_file file = {0};
    ebm_dataset *read = NULL;
    EBM_CHECK(ebm_text_file_read(path, &file), end);
    EBM_CHECK(ebm_dataset_create(format->known_labels, &read), end);
    if (kind == JSON_LINES) {
        EBM_CHECK(read_jsonl(path, &file, format, read), end);
    } else {
        EBM_CHECK(read_table(path, &file, kind == TABLE_TABS ? EBM_CSV_TABS : EBM_CSV_COMMAS, format, read), end);
    }
    if (read->count == 0) {
        status = read->skipped
                     ? ebm_fail(EBM_ERROR_INPUT, "%s: no row is well-formed; the first: %s", path, read->first_skipped)
                     : ebm_fail(EBM_ERROR_INPUT, "%s: expected rows behind the header, found none", path);
        goto end;
    }
    EBM_CHECK(finish_labels(path, format, read), end);
    *dataset = read;
    read = NULL;
end:
    ebm_dataset_free(read);
    ebm_text_file_free(&file);
    return status;
}

// ---- noise samples

typedef struct {
    ebm_dataset *dataset;
    const char *path;
    bool pairs;
    bool begun, separated; // pairs: there was a text; its line held the separator, so all do
    char *first;           // of a pair on two lines, waiting for the second
    size_t first_length, first_line;
} noise_reader;

static bool is_blank_line(const char *text) { return text[strspn(text, " \t\r\v\f")] == 0; }

static ebm_status take_row(noise_reader *r, const ebm_raw_row *row)
{
    return ebm_dataset_take(r->dataset, r->path, &(ebm_dataset_format){.labels = EBM_LABELS_IGNORED}, row);
}

static ebm_status take_single(noise_reader *r, char *text, size_t length, size_t line)
{
    if (strstr(text, EBM_PAIR_SEPARATOR))
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: expected a single text, found a pair (\"" EBM_PAIR_SEPARATOR "\")",
                        r->path, line);
    return take_row(r, &(ebm_raw_row){.text_a = text, .text_a_length = length, .line = line});
}

static ebm_status take_separated(noise_reader *r, char *text, size_t length, size_t line)
{
    const size_t separator_length = sizeof EBM_PAIR_SEPARATOR - 1;
    char *cut = strstr(text, EBM_PAIR_SEPARATOR);
    if (!cut || strstr(cut + separator_length, EBM_PAIR_SEPARATOR))
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s:%zu: expected two texts with one \"" EBM_PAIR_SEPARATOR "\" between them, "
                        "found %s",
                        r->path, line, cut ? "more than one" : "none");
    *cut = 0;
    ebm_raw_row row = {.text_a = text, .text_a_length = (size_t)(cut - text), .line = line};
    row.text_b = cut + separator_length;
    row.text_b_length = length - row.text_a_length - separator_length;
    return take_row(r, &row);
}

// Plain text for a task of pairs: lines two by two. One that is left over has no second and is not taken.
static ebm_status take_half(noise_reader *r, char *text, size_t length, size_t line)
{
    if (strstr(text, "<SEP>"))
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s:%zu: \"" EBM_PAIR_SEPARATOR "\" found, which the lines before it lack: all lines or none "
                        "must have it",
                        r->path, line);
    if (!r->first) {
        r->first = text;
        r->first_length = length;
        r->first_line = line;
        return ebm_ok();
    }
    const ebm_raw_row row = {.text_a = r->first,
                             .text_a_length = r->first_length,
                             .text_b = text,
                             .text_b_length = length,
                             .line = r->first_line};
    r->first = NULL;
    return take_row(r, &row);
}

static ebm_status take_noise(noise_reader *r, char *text, size_t length, size_t line)
{
    if (is_blank_line(text)) return ebm_ok();
    if (!r->begun) r->separated = strstr(text, "<SEP>") != NULL;
    r->begun = true;
    if (!r->pairs) return take_single(r, text, length, line);
    return r->separated ? take_separated(r, text, length, line) : take_half(r, text, length, line);
}

ebm_status ebm_dataset_read_noise(const char *path, bool pairs, ebm_dataset **dataset)
{
    ebm_status status = ebm_ok();
    ebm_text_file file = {0};
    noise_reader r = {.path = path, .pairs = pairs};
    EBM_CHECK(ebm_text_file_read(path, &file), end);
    EBM_CHECK(ebm_dataset_create(NULL, &r.dataset), end);
    size_t position = 0, length, line = 0;
    for (char *text; (text = ebm_text_file_line(&file, &position, &length));)
        EBM_CHECK(take_noise(&r, text, length, ++line), end);
    if (ebm_dataset_count(r.dataset) == 0)
        status = ebm_fail(EBM_ERROR_INPUT, "%s: expected %s, found %s", path, pairs ? "pairs of texts" : "texts",
                          r.begun ? "one line" : "only blank lines");
    EBM_CHECK(status, end);
    *dataset = r.dataset;
    r.dataset = NULL;
end:
    ebm_dataset_free(r.dataset);
    ebm_text_file_free(&file);
    return status;
}
