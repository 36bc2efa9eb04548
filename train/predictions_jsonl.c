#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "predictions_read_internal.h"

typedef struct {
    const char *scores, *other, *counts, *label; // keys; NULL: none
    double *score, *probability, *count;         // labels, of the row at hand
} keys;

static ebm_status not_a(const ebm_prediction_builder *b, size_t line, const char *key, const char *expected)
{
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: \"%.60s\": %s expected", b->path, line, key, expected);
}

static const char *first_key(const json_t *row, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (json_object_get(row, names[i])) return names[i];
    return NULL;
}

// ---- the first row says what there is

static ebm_status name_labels(ebm_prediction_builder *b, json_t *scores)
{
    const char *name;
    json_t *value;
    size_t id = 0;
    if (!json_is_object(scores)) return ebm_ok();
    json_object_foreach(scores, name, value) EBM_TRY(ebm_prediction_builder_name(b, id++, name));
    return ebm_ok();
}

static ebm_status begin_scores(ebm_prediction_builder *b, const json_t *row, size_t line, keys *k)
{
    static const char *const probability_keys[] = {"probabilities", "probs"};
    static const char *const count_keys[] = {"counts", "label_counts", "label_count"};
    const char *logits = json_object_get(row, "logits") ? "logits" : NULL;
    const char *probabilities = first_key(row, probability_keys, 2);
    if (!logits && !probabilities)
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: \"logits\" or \"probabilities\" expected, found neither", b->path,
                        line);
    b->probabilities = !logits || (probabilities && b->scores == EBM_SCORES_PROBABILITIES);
    k->scores = b->probabilities ? probabilities : logits;
    k->other = !b->probabilities && b->scores == EBM_SCORES_AUTO ? probabilities : NULL;
    json_t *scores = json_object_get(row, k->scores);
    EBM_TRY(
        ebm_prediction_builder_begin(b, json_is_object(scores) ? json_object_size(scores) : json_array_size(scores)));
    EBM_TRY(name_labels(b, scores));
    k->counts = first_key(row, count_keys, 3);
    b->has_counts = k->counts != NULL;
    b->has_energy = json_object_get(row, "energy") != NULL;
    k->score = malloc((size_t)b->labels * sizeof *k->score);
    k->probability = malloc((size_t)b->labels * sizeof *k->probability);
    k->count = malloc((size_t)b->labels * sizeof *k->count);
    return k->score && k->probability && k->count ? ebm_ok()
                                                  : ebm_fail(EBM_ERROR_MEMORY, "no memory for %d labels", b->labels);
}

static ebm_status begin(ebm_prediction_builder *b, const json_t *row, size_t line, keys *k)
{
    if (!b->labels_only) EBM_TRY(begin_scores(b, row, line, k));
    k->label = b->label_column ? b->label_column : first_key(row, ebm_label_columns, EBM_LABEL_COLUMNS);
    // What ebmcl predict writes: its "label" is the predicted one, named by "label_id". Beside a "prediction" it is the
    // true one (example_file.h).
    b->identified = !b->labels_only && json_object_get(row, "label_id") && json_object_get(row, "label");
    b->predicted = b->identified && !json_object_get(row, "prediction");
    if (b->predicted && k->label && strcmp(k->label, "label") == 0) k->label = NULL;
    if (!b->needs_labels) k->label = NULL;
    b->has_labels = k->label != NULL;
    if (b->has_labels || !b->labels_only) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: \"label\" expected", b->path, line);
}

// ---- rows

static ebm_status take_numbers(const ebm_prediction_builder *b, const json_t *row, size_t line, const char *key,
                               double *out)
{
    const json_t *numbers = json_object_get(row, key);
    const bool named = json_is_object(numbers);
    const size_t count = named ? json_object_size(numbers) : json_array_size(numbers);
    if (!named && !json_is_array(numbers)) return not_a(b, line, key, "a list, or an object by name,");
    if (count != (size_t)b->labels)
        return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: \"%s\": %d numbers expected, found %zu", b->path, line, key,
                        b->labels, count);
    for (int y = 0; y < b->labels; y++) {
        const json_t *number = !named        ? json_array_get(numbers, (size_t)y)
                               : b->names[y] ? json_object_get(numbers, b->names[y])
                                             : NULL;
        if (!json_is_number(number)) return not_a(b, line, key, "a number for each label");
        out[y] = json_number_value(number);
    }
    return ebm_ok();
}

static ebm_status take_label(const ebm_prediction_builder *b, const json_t *row, size_t line, const char *key,
                             char text[32], const char **label)
{
    const json_t *value = json_object_get(row, key);
    *label = json_is_string(value) ? json_string_value(value) : text;
    if (json_is_integer(value))
        snprintf(text, 32, "%lld", (long long)json_integer_value(value));
    else if (!json_is_string(value))
        return not_a(b, line, key, "a string or an integer");
    return ebm_ok();
}

// The names of labels, as these files say them one by one.
static ebm_status learn_name(ebm_prediction_builder *b, const json_t *row)
{
    const json_t *id = json_object_get(row, "label_id"), *name = json_object_get(row, "label");
    if (!json_is_integer(id) || !json_is_string(name)) return ebm_ok();
    const json_int_t number = json_integer_value(id);
    if (number < 0 || number >= b->labels) return ebm_ok();
    return ebm_prediction_builder_name(b, (size_t)number, json_string_value(name));
}

static ebm_status take_row(ebm_prediction_builder *b, const json_t *row, size_t number, const keys *k)
{
    ebm_prediction_line line = {.line = number, .scores = k->score, .counts = k->count};
    char text[32];
    if (!b->labels_only) EBM_TRY(take_numbers(b, row, number, k->scores, k->score));
    if (k->other) EBM_TRY(take_numbers(b, row, number, k->other, k->probability));
    if (k->other) line.other = k->probability;
    if (b->has_counts) EBM_TRY(take_numbers(b, row, number, k->counts, k->count));
    if (b->has_energy) {
        const json_t *energy = json_object_get(row, "energy");
        if (!json_is_number(energy)) return not_a(b, number, "energy", "a number");
        line.energy = json_number_value(energy);
    }
    if (b->has_labels) EBM_TRY(take_label(b, row, number, k->label, text, &line.label));
    if (b->identified) EBM_TRY(learn_name(b, row));
    return ebm_prediction_builder_add(b, &line);
}

static ebm_status take_line(ebm_prediction_builder *b, const char *text, size_t length, size_t line, keys *k)
{
    json_error_t error;
    json_t *row = json_loadb(text, length, JSON_REJECT_DUPLICATES, &error);
    if (!row) return ebm_fail(EBM_ERROR_INPUT, "%s:%zu: a JSON object expected: %s", b->path, line, error.text);
    ebm_status status = json_is_object(row)
                            ? ebm_ok()
                            : ebm_fail(EBM_ERROR_INPUT, "%s:%zu: a JSON object expected, found a list", b->path, line);
    if (status.code == EBM_OK && line == 1) status = begin(b, row, line, k);
    if (status.code == EBM_OK) status = take_row(b, row, line, k);
    json_decref(row);
    return status;
}

ebm_status ebm_predictions_read_jsonl(ebm_prediction_builder *b, ebm_text_file *file)
{
    ebm_status status = ebm_ok();
    keys k = {0};
    size_t position = 0, length, line = 0;
    for (const char *text; status.code == EBM_OK && (text = ebm_text_file_line(file, &position, &length));)
        status = take_line(b, text, length, ++line, &k);
    free(k.score);
    free(k.probability);
    free(k.count);
    return status;
}
