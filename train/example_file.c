#include "example_file.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "text_file.h"

// ---- writing

static json_t *number_list(const double *numbers, int count)
{
    json_t *list = json_array();
    for (int y = 0; y < count; y++) json_array_append_new(list, json_real(numbers[y]));
    return list;
}

static json_t *logit_list(const float *logits, int count)
{
    json_t *list = json_array();
    for (int y = 0; y < count; y++) json_array_append_new(list, json_real((double)logits[y]));
    return list;
}

static int largest_of(const float *logits, int labels)
{
    int best = 0;
    for (int y = 1; y < labels; y++)
        if (logits[y] > logits[best]) best = y;
    return best;
}

// NULL when a text or a name is not UTF-8, or memory ran out.
static json_t *row_object(const ebm_example_rows *rows, const double *probabilities, size_t row)
{
    const ebm_predictions *p = &rows->predictions;
    const float *logits = p->logits + row * (size_t)p->labels;
    json_t *object = json_object();
    int failed = json_object_set_new(object, "index", json_integer((json_int_t)row));
    failed |= json_object_set_new(object, "text", json_string(rows->text[row]));
    if (rows->text_pair && rows->text_pair[row])
        failed |= json_object_set_new(object, "text_pair", json_string(rows->text_pair[row]));
    if (p->label) {
        failed |= json_object_set_new(object, "label", json_string(rows->names[p->label[row]]));
        failed |= json_object_set_new(object, "label_id", json_integer(p->label[row]));
    }
    failed |= json_object_set_new(object, "prediction", json_string(rows->names[largest_of(logits, p->labels)]));
    failed |=
        json_object_set_new(object, "probabilities", number_list(probabilities + row * (size_t)p->labels, p->labels));
    failed |= json_object_set_new(object, "logits", logit_list(logits, p->labels));
    if (p->energy) failed |= json_object_set_new(object, "energy", json_real((double)p->energy[row]));
    if (!failed) return object;
    json_decref(object);
    return NULL;
}

static ebm_status append_row(ebm_file_writer *writer, const ebm_example_rows *rows, const double *probabilities,
                             size_t row)
{
    json_t *object = row_object(rows, probabilities, row);
    char *line = object ? json_dumps(object, JSON_REAL_PRECISION(9)) : NULL;
    json_decref(object);
    if (!line) return ebm_fail(EBM_ERROR_INPUT, "row %zu: its text or label is not UTF-8", row);
    ebm_status status = ebm_file_writer_append(writer, line, strlen(line));
    if (status.code == EBM_OK) status = ebm_file_writer_append(writer, "\n", 1);
    free(line);
    return status;
}

static ebm_status check_energies(const ebm_predictions *p)
{
    for (size_t i = 0; p->energy && i < p->count; i++)
        if (!isfinite(p->energy[i]))
            return ebm_fail(EBM_ERROR_NONFINITE, "row %zu: its energy is %g", i, (double)p->energy[i]);
    return ebm_ok();
}

ebm_status ebm_example_file_write(const char *path, const ebm_example_rows *rows)
{
    ebm_file_writer *writer = NULL;
    double *probabilities = NULL;
    EBM_TRY(check_energies(&rows->predictions));
    ebm_status status = ebm_probabilities_create(&rows->predictions, 1.0, &probabilities);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_file_writer_open(path, &writer), end);
    for (size_t row = 0; row < rows->predictions.count; row++)
        EBM_CHECK(append_row(writer, rows, probabilities, row), end);
    status = ebm_file_writer_finish(writer);
end:
    ebm_file_writer_free(writer);
    free(probabilities);
    return status;
}

// ---- reading: numbers by predictions_read.h, then texts and names

static ebm_status copy_of(const json_t *value, char **copy)
{
    if (!json_is_string(value)) return ebm_ok();
    *copy = strdup(json_string_value(value));
    return *copy ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for texts");
}

static ebm_status learn_name(ebm_examples *e, json_int_t id, const json_t *name)
{
    if (id < 0 || id >= e->read.rows.labels || e->names[id]) return ebm_ok();
    return copy_of(name, &e->names[id]);
}

static ebm_status take_row(ebm_examples *e, size_t row, const json_t *object)
{
    const int labels = e->read.rows.labels;
    const json_t *id = json_object_get(object, "label_id"), *prediction = json_object_get(object, "prediction");
    EBM_TRY(copy_of(json_object_get(object, "text"), &e->text[row]));
    EBM_TRY(copy_of(json_object_get(object, "text_pair"), &e->text_pair[row]));
    if (json_is_integer(id)) EBM_TRY(learn_name(e, json_integer_value(id), json_object_get(object, "label")));
    return learn_name(e, largest_of(e->read.logits + row * (size_t)labels, labels), prediction);
}

static ebm_status take_lines(ebm_examples *e, const char *path)
{
    ebm_text_file file = {0};
    size_t position = 0, length, row = 0;
    EBM_TRY(ebm_text_file_read(path, &file));
    ebm_status status = ebm_ok();
    for (const char *text; status.code == EBM_OK && (text = ebm_text_file_line(&file, &position, &length)); row++) {
        json_t *object = row < e->read.rows.count ? json_loadb(text, length, 0, NULL) : NULL;
        status =
            object ? take_row(e, row, object) : ebm_fail(EBM_ERROR_IO, "%s: the file changed while it was read", path);
        json_decref(object);
    }
    ebm_text_file_free(&file);
    return status;
}

ebm_status ebm_examples_read(const char *path, bool needs_labels, ebm_examples *out)
{
    *out = (ebm_examples){0};
    EBM_TRY(ebm_predictions_read(&(ebm_prediction_source){.path = path, .needs_labels = needs_labels}, &out->read));
    const size_t count = out->read.rows.count;
    out->text = calloc(count, sizeof *out->text);
    out->text_pair = calloc(count, sizeof *out->text_pair);
    out->names = calloc((size_t)out->read.rows.labels, sizeof *out->names);
    ebm_status status = out->text && out->text_pair && out->names
                            ? take_lines(out, path)
                            : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu texts", count);
    if (status.code != EBM_OK) ebm_examples_free(out);
    return status;
}

void ebm_examples_free(ebm_examples *e)
{
    for (size_t i = 0; e->text && i < e->read.rows.count; i++) free(e->text[i]);
    for (size_t i = 0; e->text_pair && i < e->read.rows.count; i++) free(e->text_pair[i]);
    for (int y = 0; e->names && y < e->read.rows.labels; y++) free(e->names[y]);
    free(e->text);
    free(e->text_pair);
    free(e->names);
    ebm_read_predictions_free(&e->read);
    *e = (ebm_examples){0};
}
