#include <stdlib.h>
#include <string.h>

#include "csv.h"
#include "predictions_read_internal.h"

enum { NONE = -1 };

typedef struct {
    size_t count; // columns
    // count: the label whose score, probability beside logits or number of annotators the column holds, or NONE
    int *score, *other, *counter;
    size_t label, energy;             // columns; count: none
    double *scores, *others, *counts; // labels, of the row at hand
    bool has_others;
} table;

static void table_free(table *t)
{
    free(t->score);
    free(t->other);
    free(t->counter);
    free(t->scores);
    free(t->others);
    free(t->counts);
}

static ebm_status table_create(size_t columns, table *t)
{
    *t = (table){.count = columns, .label = columns, .energy = columns};
    t->score = malloc(columns * sizeof *t->score);
    t->other = malloc(columns * sizeof *t->other);
    t->counter = malloc(columns * sizeof *t->counter);
    t->scores = calloc(columns, sizeof *t->scores);
    t->others = calloc(columns, sizeof *t->others);
    t->counts = calloc(columns, sizeof *t->counts);
    if (t->score && t->other && t->counter && t->scores && t->others && t->counts) return ebm_ok();
    table_free(t);
    *t = (table){0};
    return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu columns", columns);
}

// ---- the header

// What stands behind the first of the beginnings that the name has; NULL when it has none.
static const char *behind(const char *name, const char *const *beginnings)
{
    for (; *beginnings; beginnings++) {
        const size_t length = strlen(*beginnings);
        if (strncmp(name, *beginnings, length) == 0 && name[length]) return name + length;
    }
    return NULL;
}

static const char *const logit_names[] = {"logit_", "logits_", NULL};
static const char *const probability_names[] = {"probability_", "prob_", "p_", NULL};
static const char *const count_names[] = {"count_", NULL};

static size_t columns_of(const ebm_csv *csv, const char *const *beginnings)
{
    size_t count = 0;
    for (size_t i = 0; i < csv->cell_count; i++) count += behind(csv->cells[i].text, beginnings) != NULL;
    return count;
}

// "0" to "labels - 1" as that number, otherwise NONE.
static int number_of(const char *text, int labels)
{
    char *end;
    if (*text < '0' || *text > '9' || (text[0] == '0' && text[1])) return NONE;
    const long number = strtol(text, &end, 10);
    return *end || number >= labels ? NONE : (int)number;
}

static bool all_numbered(const ebm_csv *csv, const char *const *beginnings, int labels)
{
    for (size_t i = 0; i < csv->cell_count; i++) {
        const char *name = behind(csv->cells[i].text, beginnings);
        if (name && number_of(name, labels) == NONE) return false;
    }
    return true;
}

static ebm_status take_scores(ebm_prediction_builder *b, const ebm_csv *csv, const char *const *beginnings, table *t)
{
    const bool numbered = all_numbered(csv, beginnings, b->labels);
    int next = 0;
    for (size_t i = 0; i < csv->cell_count; i++) {
        const char *name = behind(csv->cells[i].text, beginnings);
        t->score[i] = NONE;
        if (!name) continue;
        t->score[i] = numbered ? number_of(name, b->labels) : next++;
        for (size_t j = 0; j < i; j++)
            if (t->score[j] != NONE && strcmp(behind(csv->cells[j].text, beginnings), name) == 0)
                return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: the columns %zu and %zu are both of label %.60s", b->path,
                                csv->line, j + 1, i + 1, name);
        EBM_TRY(ebm_prediction_builder_name(b, (size_t)t->score[i], name));
    }
    return ebm_ok();
}

// Columns of labels whose names are known; how many there are.
static int find_columns(const ebm_prediction_builder *b, const ebm_csv *csv, const char *const *beginnings, int *column)
{
    int found = 0;
    for (size_t i = 0; i < csv->cell_count; i++) {
        const char *name = behind(csv->cells[i].text, beginnings);
        column[i] = NONE;
        for (int y = 0; name && y < b->labels; y++)
            if (strcmp(b->names[y], name) == 0) column[i] = y;
        found += column[i] != NONE;
    }
    return found;
}

static ebm_status take_counters(ebm_prediction_builder *b, const ebm_csv *csv, table *t)
{
    const int found = find_columns(b, csv, count_names, t->counter);
    b->has_counts = found == b->labels;
    if (!found || b->has_counts) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: a column count_X for each of the %d labels expected, found %d", b->path,
                    csv->line, b->labels, found);
}

static size_t column_named(const ebm_csv *csv, const char *name)
{
    size_t i = 0;
    while (i < csv->cell_count && strcmp(csv->cells[i].text, name) != 0) i++;
    return i;
}

static ebm_status take_label(ebm_prediction_builder *b, const ebm_csv *csv, table *t)
{
    if (!b->needs_labels) return ebm_ok();
    if (b->label_column) t->label = column_named(csv, b->label_column);
    for (size_t i = 0; i < EBM_LABEL_COLUMNS && !b->label_column && t->label == t->count; i++)
        t->label = column_named(csv, ebm_label_columns[i]);
    if (t->label == t->count)
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: a column %.60s expected, found none", b->path, csv->line,
                        b->label_column ? b->label_column : "label");
    b->has_labels = true;
    return ebm_ok();
}

static ebm_status take_header(ebm_prediction_builder *b, const ebm_csv *csv, table *t)
{
    EBM_TRY(table_create(csv->cell_count, t));
    EBM_TRY(take_label(b, csv, t));
    if (b->labels_only) return ebm_ok();
    const size_t logits = columns_of(csv, logit_names), probabilities = columns_of(csv, probability_names);
    if (!logits && !probabilities)
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s:%zu: columns logit_0, logit_1, ... or prob_0, prob_1, ... expected, found none", b->path,
                        csv->line);
    b->probabilities = !logits || (probabilities && b->scores == EBM_SCORES_PROBABILITIES);
    EBM_TRY(ebm_prediction_builder_begin(b, b->probabilities ? probabilities : logits));
    EBM_TRY(take_scores(b, csv, b->probabilities ? probability_names : logit_names, t));
    const int others = find_columns(b, csv, probability_names, t->other);
    t->has_others = !b->probabilities && others == b->labels && b->scores == EBM_SCORES_AUTO;
    EBM_TRY(take_counters(b, csv, t));
    t->energy = column_named(csv, "energy");
    b->has_energy = t->energy < t->count;
    return ebm_ok();
}

// ---- rows

static ebm_status number_in(const ebm_prediction_builder *b, const ebm_csv *csv, size_t column, double *number)
{
    const char *text = csv->cells[column].text;
    char *end;
    *number = strtod(text, &end);
    if (end != text && !*end) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: column %zu: a number expected, found \"%.40s\"", b->path, csv->line,
                    column + 1, text);
}

static ebm_status take_row(ebm_prediction_builder *b, const ebm_csv *csv, table *t)
{
    if (csv->cell_count != t->count)
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: %zu columns expected, found %zu", b->path, csv->line, t->count,
                        csv->cell_count);
    ebm_prediction_line line = {.line = csv->line, .scores = t->scores, .counts = t->counts};
    if (t->has_others) line.other = t->others;
    for (size_t i = 0; i < t->count && !b->labels_only; i++) {
        if (t->score[i] != NONE) EBM_TRY(number_in(b, csv, i, t->scores + t->score[i]));
        if (t->has_others && t->other[i] != NONE) EBM_TRY(number_in(b, csv, i, t->others + t->other[i]));
        if (t->counter[i] != NONE) EBM_TRY(number_in(b, csv, i, t->counts + t->counter[i]));
    }
    if (b->has_energy) EBM_TRY(number_in(b, csv, t->energy, &line.energy));
    if (b->has_labels) line.label = csv->cells[t->label].text;
    return ebm_prediction_builder_add(b, &line);
}

ebm_status ebm_predictions_read_table(ebm_prediction_builder *b, ebm_text_file *file, bool commas)
{
    ebm_status status = ebm_ok();
    bool more = false;
    table t = {0};
    ebm_csv csv;
    ebm_csv_begin(&csv, b->path, file, commas ? EBM_CSV_COMMAS : EBM_CSV_TABS);
    EBM_CHECK(ebm_csv_next(&csv, &more), end);
    EBM_CHECK(take_header(b, &csv, &t), end);
    EBM_CHECK(ebm_csv_next(&csv, &more), end);
    while (more) {
        EBM_CHECK(take_row(b, &csv, &t), end);
        EBM_CHECK(ebm_csv_next(&csv, &more), end);
    }
end:
    table_free(&t);
    ebm_csv_free(&csv);
    return status;
}
