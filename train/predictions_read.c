#include "predictions_read_internal.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "npy.h"

#define LOG_ZERO (-746.0)
#define SUM_OFF 1e-3   // of rounded probabilities
#define SHARE_OFF 1e-6 // of one probability, outside [0, 1]

const char *const ebm_label_columns[EBM_LABEL_COLUMNS] = {"gold_label", "truth", "target", "label"};

// ---- rows

ebm_status ebm_prediction_builder_begin(ebm_prediction_builder *b, size_t labels)
{
    if (labels < 2 || labels > EBM_PREDICTED_LABELS_MOST)
        return ebm_fail(EBM_ERROR_INPUT, "%s: scores of 2 to %d labels expected, found %zu", b->path,
                        EBM_PREDICTED_LABELS_MOST, labels);
    b->labels = (int)labels;
    b->names = calloc(labels, sizeof *b->names);
    if (!b->names) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the names of %zu labels", labels);
    return ebm_ok();
}

ebm_status ebm_prediction_builder_name(ebm_prediction_builder *b, size_t id, const char *name)
{
    if (b->names[id]) return ebm_ok();
    b->names[id] = strdup(name);
    return b->names[id] ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for a label's name");
}

static void builder_free(ebm_prediction_builder *b)
{
    for (int y = 0; b->names && y < b->labels; y++) free(b->names[y]);
    free(b->names);
    free(b->logits);
    free(b->energy);
    free(b->label);
    free(b->counts);
    *b = (ebm_prediction_builder){0};
}

static ebm_status grow_one(void **items, size_t capacity, size_t size)
{
    void *more = capacity > SIZE_MAX / size ? NULL : realloc(*items, capacity * size);
    if (!more) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu predictions", capacity);
    *items = more;
    return ebm_ok();
}

#define GROW(array, capacity, each) grow_one((void **)&(array), capacity, (each) * sizeof *(array))

static ebm_status grow(ebm_prediction_builder *b)
{
    const size_t labels = (size_t)b->labels, wanted = b->capacity ? b->capacity * 2 : 256;
    if (b->count < b->capacity) return ebm_ok();
    if (!b->labels_only) EBM_TRY(GROW(b->logits, wanted, labels));
    if (b->has_labels) EBM_TRY(GROW(b->label, wanted, 1));
    if (b->has_energy) EBM_TRY(GROW(b->energy, wanted, 1));
    if (b->has_counts) EBM_TRY(GROW(b->counts, wanted, labels));
    b->capacity = wanted;
    return ebm_ok();
}

static ebm_status check_probabilities(const char *path, size_t line, const double *p, int labels)
{
    double sum = 0;
    for (int y = 0; y < labels; y++) {
        if (!(p[y] >= -SHARE_OFF && p[y] <= 1 + SHARE_OFF))
            return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: probability of label %d: a number from 0 to 1 expected, found %g",
                            path, line, y, p[y]);
        sum += p[y];
    }
    if (fabs(sum - 1) <= SUM_OFF) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: probabilities with a sum of 1 (within %g) expected, found %.6g", path,
                    line, SUM_OFF, sum);
}

static ebm_status put_scores(ebm_prediction_builder *b, size_t line, const double *scores)
{
    float *logits = b->logits + b->count * (size_t)b->labels;
    if (b->probabilities) EBM_TRY(check_probabilities(b->path, line, scores, b->labels));
    for (int y = 0; y < b->labels; y++) {
        const double logit = !b->probabilities ? scores[y] : scores[y] > 0 ? fmax(log(scores[y]), LOG_ZERO) : LOG_ZERO;
        logits[y] = (float)logit;
        if (!isfinite(logits[y]))
            return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: logit of label %d: a finite float expected, found %g", b->path,
                            line, y, scores[y]);
    }
    return ebm_ok();
}

static bool whole_number(const char *text, long *number)
{
    char *end;
    errno = 0;
    *number = strtol(text, &end, 10);
    return end != text && !*end && !errno && (*text == '-' || (*text >= '0' && *text <= '9'));
}

static ebm_status put_label(ebm_prediction_builder *b, size_t line, const char *text)
{
    bool integers = false;
    long id;
    for (int y = 0; y < b->labels; y++) {
        if (!b->names[y]) continue;
        if (strcmp(b->names[y], text) == 0) {
            b->label[b->count] = y;
            return ebm_ok();
        }
        integers |= whole_number(b->names[y], &id);
    }
    if (integers || !whole_number(text, &id) || id < 0 || id >= b->labels)
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: a label from 0 to %d or the name of one expected, found \"%.60s\"",
                        b->path, line, b->labels - 1, text);
    b->label[b->count] = (int32_t)id;
    return ebm_ok();
}

static ebm_status put_counts(ebm_prediction_builder *b, size_t line, const double *counts)
{
    double sum = 0;
    for (int y = 0; y < b->labels; y++) {
        if (!(counts[y] >= 0 && isfinite(counts[y])))
            return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: count of label %d: a number of at least 0 expected, found %g",
                            b->path, line, y, counts[y]);
        sum += counts[y];
    }
    if (!(sum > 0)) return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: counts with a sum above 0 expected", b->path, line);
    memcpy(b->counts + b->count * (size_t)b->labels, counts, (size_t)b->labels * sizeof *counts);
    return ebm_ok();
}

// Probabilities beside logits that count: calibrated ones, say, are not these logits'.
static ebm_status check_other(const ebm_prediction_builder *b, const ebm_prediction_line *line)
{
    double largest = -INFINITY, sum = 0;
    for (int y = 0; y < b->labels; y++) largest = fmax(largest, line->scores[y]);
    for (int y = 0; y < b->labels; y++) sum += exp(line->scores[y] - largest);
    for (int y = 0; y < b->labels; y++)
        if (!(fabs(exp(line->scores[y] - largest) / sum - line->other[y]) <= SUM_OFF))
            return ebm_fail(EBM_ERROR_INPUT,
                            "%s:%zu: the probabilities are not those of the logits: say which of them count (scores)",
                            b->path, line->line);
    return ebm_ok();
}

ebm_status ebm_prediction_builder_add(ebm_prediction_builder *b, const ebm_prediction_line *line)
{
    EBM_TRY(grow(b));
    if (!b->labels_only) EBM_TRY(put_scores(b, line->line, line->scores));
    if (!b->labels_only && line->other) EBM_TRY(check_other(b, line));
    if (b->has_labels) EBM_TRY(put_label(b, line->line, line->label));
    if (b->has_counts) EBM_TRY(put_counts(b, line->line, line->counts));
    if (b->has_energy) {
        b->energy[b->count] = (float)line->energy;
        if (!isfinite(b->energy[b->count]))
            return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: energy: a finite float expected, found %g", b->path, line->line,
                            line->energy);
    }
    b->count++;
    return ebm_ok();
}

// ---- arrays

static bool are_probabilities(const ebm_npy *a)
{
    for (size_t i = 0; i < a->rows; i++)
        if (check_probabilities("", i, a->values + i * a->columns, (int)a->columns).code != EBM_OK) return false;
    return true;
}

static ebm_status add_array(ebm_prediction_builder *b, const ebm_npy *a, ebm_score_kind kind)
{
    if (a->dimensions != 2 || a->integers)
        return ebm_fail(EBM_ERROR_INPUT, "%s: floats of two dimensions, examples x labels, expected", b->path);
    EBM_TRY(ebm_prediction_builder_begin(b, a->columns));
    b->probabilities = kind == EBM_SCORES_PROBABILITIES || (kind == EBM_SCORES_AUTO && are_probabilities(a));
    for (size_t i = 0; i < a->rows; i++)
        EBM_TRY(ebm_prediction_builder_add(b, &(ebm_prediction_line){.line = i, .scores = a->values + i * a->columns}));
    return ebm_ok();
}

static ebm_status add_label_array(ebm_prediction_builder *b, const ebm_npy *a)
{
    if (a->columns != 1 || !a->integers)
        return ebm_fail(EBM_ERROR_INPUT, "%s: integers of one dimension, the labels, expected", b->path);
    for (size_t i = 0; i < a->rows; i++) {
        EBM_TRY(grow(b));
        if (!(a->values[i] >= 0 && a->values[i] < b->labels))
            return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: a label from 0 to %d expected, found %g", b->path, i,
                            b->labels - 1, a->values[i]);
        b->label[b->count++] = (int32_t)a->values[i];
    }
    return ebm_ok();
}

static ebm_status read_array(ebm_prediction_builder *b, ebm_score_kind kind)
{
    ebm_npy array;
    EBM_TRY(ebm_npy_read(b->path, &array));
    const ebm_status status = b->labels_only ? add_label_array(b, &array) : add_array(b, &array, kind);
    ebm_npy_free(&array);
    return status;
}

// ---- files

static bool ends_in(const char *path, const char *ending)
{
    char packed[16] = "";
    strcat(strcat(packed, ending), ".gz");
    return ebm_name_ends_in(path, ending) || ebm_name_ends_in(path, packed);
}

static ebm_status read_file(ebm_prediction_builder *b)
{
    const bool jsonl = ends_in(b->path, ".jsonl"), tabs = ends_in(b->path, ".tsv"), commas = ends_in(b->path, ".csv");
    ebm_text_file file = {0};
    if (ebm_name_ends_in(b->path, ".npy")) return read_array(b, b->scores);
    if (!jsonl && !tabs && !commas)
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s: a name ending in .csv, .tsv, .jsonl (or one of these and .gz) or .npy "
                        "expected",
                        b->path);
    EBM_TRY(ebm_text_file_read(b->path, &file));
    const ebm_status status =
        jsonl ? ebm_predictions_read_jsonl(b, &file) : ebm_predictions_read_table(b, &file, commas);
    ebm_text_file_free(&file);
    EBM_TRY(status);
    return b->count ? ebm_ok() : ebm_fail(EBM_ERROR_INPUT, "%s: at least one prediction expected, found none", b->path);
}

// Labels of another file, in the names of this one.
static ebm_status read_labels(ebm_prediction_builder *b, const ebm_prediction_source *source)
{
    ebm_prediction_builder labels = {.path = source->labels_path, .label_column = source->label_column};
    labels.labels_only = labels.needs_labels = labels.has_labels = true;
    labels.labels = b->labels;
    labels.names = b->names;
    ebm_status status = read_file(&labels);
    labels.names = NULL; // b's
    if (status.code == EBM_OK && labels.count != b->count)
        status = ebm_fail(EBM_ERROR_INPUT, "%s: %zu labels expected, one for each prediction in %s, found %zu",
                          source->labels_path, b->count, b->path, labels.count);
    if (status.code == EBM_OK) {
        free(b->label);
        b->label = labels.label;
        labels.label = NULL;
        b->has_labels = true;
    }
    builder_free(&labels);
    return status;
}

static ebm_status read_counts(ebm_prediction_builder *b, const char *path)
{
    ebm_npy a;
    ebm_prediction_builder counts = {.path = path, .labels = b->labels, .labels_only = true, .has_counts = true};
    EBM_TRY(ebm_npy_read(path, &a));
    ebm_status status = ebm_ok();
    if (a.rows != b->count || a.columns != (size_t)b->labels)
        status = ebm_fail(EBM_ERROR_INPUT, "%s: %zu x %d counts expected, as the predictions in %s, found %zu x %zu",
                          path, b->count, b->labels, b->path, a.rows, a.columns);
    for (size_t i = 0; i < a.rows && status.code == EBM_OK; i++)
        status =
            ebm_prediction_builder_add(&counts, &(ebm_prediction_line){.line = i, .counts = a.values + i * a.columns});
    if (status.code == EBM_OK) {
        free(b->counts);
        b->counts = counts.counts;
        counts.counts = NULL;
    }
    builder_free(&counts);
    ebm_npy_free(&a);
    return status;
}

static ebm_status check_labels(const ebm_prediction_builder *b)
{
    if (b->has_labels) return ebm_ok();
    if (b->predicted)
        return ebm_fail(EBM_ERROR_INPUT, "%s: true labels expected from another file: ebmcl predict wrote its own here",
                        b->path);
    return ebm_fail(EBM_ERROR_INPUT, "%s: labels expected, found none (a column or key label, or a file of labels)",
                    b->path);
}

static ebm_status read_all(ebm_prediction_builder *b, const ebm_prediction_source *source)
{
    EBM_TRY(read_file(b));
    if (source->needs_labels && source->labels_path) EBM_TRY(read_labels(b, source));
    if (source->needs_labels) EBM_TRY(check_labels(b));
    return source->counts_path ? read_counts(b, source->counts_path) : ebm_ok();
}

ebm_status ebm_predictions_read(const ebm_prediction_source *source, ebm_read_predictions *out)
{
    ebm_prediction_builder b = {.path = source->path, .label_column = source->label_column, .scores = source->scores};
    *out = (ebm_read_predictions){0};
    b.needs_labels = source->needs_labels && !source->labels_path;
    const ebm_status status = read_all(&b, source);
    if (status.code == EBM_OK) {
        out->probabilities = b.probabilities;
        out->counts = b.counts;
        out->logits = b.logits;
        out->energy = b.energy;
        out->label = b.label;
        out->rows = (ebm_predictions){b.count, b.labels, b.logits, b.label, b.energy};
        b.counts = NULL;
        b.logits = b.energy = NULL;
        b.label = NULL;
    }
    builder_free(&b);
    return status;
}

void ebm_read_predictions_free(ebm_read_predictions *read)
{
    free(read->counts);
    free(read->logits);
    free(read->energy);
    free(read->label);
    *read = (ebm_read_predictions){0};
}
