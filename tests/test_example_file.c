// Texts with predictions: what is written reads back exactly, truth and prediction are not taken for each other.
#include "folder.h"

#include <jansson.h>
#include <math.h>

#include "example_file.h"

enum { COUNT = 3, LABELS = 2 };

// Names that look like the other's id, and text that JSON must quote.
static const char *const NAMES[LABELS] = {"1", "0 \"no\""};
static const char *const TEXT[COUNT] = {"a <b> \"c\" \\", "two\nlines\t\xC3\xBC", ""};
static const char *const PAIR[COUNT] = {"x", NULL, "z"};
static const float LOGITS[COUNT * LABELS] = {0.1f, 3.1415927f, 1e-30f, -16777216, 2, 2};
static const float ENERGY[COUNT] = {-3.25f, 1e-8f, 12345678};
static const int32_t LABEL[COUNT] = {0, 1, 1};

static ebm_example_rows all_rows(void)
{
    return (ebm_example_rows){{COUNT, LABELS, LOGITS, LABEL, ENERGY}, NAMES, TEXT, PAIR};
}

static char *write_rows(const char *folder, const ebm_example_rows *rows)
{
    char *path = in_folder(folder, "rows.jsonl");
    assert_ok(ebm_example_file_write(path, rows));
    assert_int_equal(entries_of(folder), 1);
    return path;
}

static void what_is_written_reads_back(void **state)
{
    const ebm_example_rows rows = all_rows();
    char *path = write_rows(*state, &rows);
    ebm_examples e;
    assert_ok(ebm_examples_read(path, true, &e));
    assert_int_equal(e.read.rows.count, COUNT);
    assert_int_equal(e.read.rows.labels, LABELS);
    assert_false(e.read.probabilities);
    assert_memory_equal(e.read.logits, LOGITS, sizeof LOGITS);
    assert_memory_equal(e.read.energy, ENERGY, sizeof ENERGY);
    assert_memory_equal(e.read.label, LABEL, sizeof LABEL);
    for (size_t i = 0; i < COUNT; i++) assert_string_equal(e.text[i], TEXT[i]);
    for (size_t i = 0; i < COUNT; i++) {
        if (PAIR[i]) assert_string_equal(e.text_pair[i], PAIR[i]);
        assert_int_equal(e.text_pair[i] == NULL, PAIR[i] == NULL);
    }
    for (size_t y = 0; y < LABELS; y++) assert_string_equal(e.names[y], NAMES[y]);
    ebm_examples_free(&e);
    ebm_examples_free(&e); // and once more, of what is left
    free(path);
}

static json_t *first_line(const char *path)
{
    char *text = NULL;
    assert_ok(ebm_file_read(path, 1 << 16, &text, NULL));
    *strchr(text, '\n') = 0;
    json_t *object = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(object);
    free(text);
    return object;
}

static void a_line_says_truth_and_prediction(void **state)
{
    const ebm_example_rows rows = all_rows();
    char *path = write_rows(*state, &rows);
    json_t *line = first_line(path);
    assert_int_equal(json_integer_value(json_object_get(line, "index")), 0);
    assert_string_equal(json_string_value(json_object_get(line, "label")), NAMES[0]);
    assert_int_equal(json_integer_value(json_object_get(line, "label_id")), 0);
    assert_string_equal(json_string_value(json_object_get(line, "prediction")), NAMES[1]);
    const double p = json_number_value(json_array_get(json_object_get(line, "probabilities"), 1));
    assert_true(fabs(p - 1 / (1 + exp(0.1 - 3.1415927))) < 1e-7);
    json_decref(line);
    free(path);
}

static void truth_and_energy_may_be_missing(void **state)
{
    ebm_example_rows rows = all_rows();
    ebm_examples e;
    rows.predictions.label = NULL;
    rows.predictions.energy = NULL;
    rows.text_pair = NULL;
    char *path = write_rows(*state, &rows);
    assert_fails(ebm_examples_read(path, true, &e), EBM_ERROR_INPUT, "labels expected");
    assert_ok(ebm_examples_read(path, false, &e));
    assert_null(e.read.label);
    assert_null(e.read.energy);
    assert_null(e.text_pair[0]);
    assert_string_equal(e.names[1], NAMES[1]); // from the predictions
    ebm_examples_free(&e);
    free(path);
}

// Without "prediction" the label is ebmcl predict's own, and no truth.
static void a_predicted_label_is_no_truth(void **state)
{
    static const char text[] = "{\"label\": \"good\", \"label_id\": 1, \"logits\": [0, 1]}\n";
    char *path = in_folder(*state, "predicted.jsonl");
    ebm_examples e;
    put_file(path, text, strlen(text));
    assert_fails(ebm_examples_read(path, true, &e), EBM_ERROR_INPUT, "ebmcl predict wrote its own");
    assert_ok(ebm_examples_read(path, false, &e));
    assert_string_equal(e.names[1], "good");
    assert_null(e.names[0]);
    assert_null(e.text[0]);
    ebm_examples_free(&e);
    free(path);
}

static void bad_rows_leave_no_file(void **state)
{
    static const char *const bad_text[COUNT] = {"a", "\xFF", "b"}, *const bad_names[LABELS] = {"\xC3", "b"};
    const float not_finite[COUNT * LABELS] = {0, 0, 0, NAN, 0, 0}, infinite[COUNT] = {0, 0, INFINITY};
    char *path = in_folder(*state, "rows.jsonl"), *missing = in_folder(*state, "missing/rows.jsonl");
    ebm_example_rows rows = all_rows();
    rows.text = bad_text;
    assert_fails(ebm_example_file_write(path, &rows), EBM_ERROR_INPUT, "row 1");
    rows = all_rows();
    rows.names = bad_names;
    assert_fails(ebm_example_file_write(path, &rows), EBM_ERROR_INPUT, "row 0");
    rows = all_rows();
    rows.predictions.logits = not_finite;
    assert_fails(ebm_example_file_write(path, &rows), EBM_ERROR_NONFINITE, "1");
    rows = all_rows();
    rows.predictions.energy = infinite;
    assert_fails(ebm_example_file_write(path, &rows), EBM_ERROR_NONFINITE, "2");
    rows = all_rows();
    assert_fails(ebm_example_file_write(missing, &rows), EBM_ERROR_INPUT, "missing");
    assert_true(ebm_directory_is_empty(*state));
    free(path);
    free(missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        in_own_folder(what_is_written_reads_back),      in_own_folder(a_line_says_truth_and_prediction),
        in_own_folder(truth_and_energy_may_be_missing), in_own_folder(a_predicted_label_is_no_truth),
        in_own_folder(bad_rows_leave_no_file),
    };
    return cmocka_run_group_tests_name("example_file", tests, NULL, NULL);
}
