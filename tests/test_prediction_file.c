// Prediction files: both formats, numbers that read back exactly, nothing left behind when writing fails.
#include "check.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "file.h"
#include "prediction_file.h"
#include "task.h"

static char folder[] = "/tmp/ebmcl-test-prediction-XXXXXX";

static int make_folder(void **state) { return mkdtemp(folder) ? 0 : -1; }
static int remove_folder(void **state) { return ebm_directory_remove(folder).code == EBM_OK ? 0 : -1; }

static const ebm_labels labels = {.names = (const char *const[]){"no \"way\"", "yes", "caf\xC3\xA9"}, .count = 3};
static const float probabilities[2][3] = {{0.1f, 0.4f, 0.4f}, {1e-30f, 1.0f / 3, 2.0f / 3}};
static const float logits[2][3] = {{-1.5f, 3.1415927f, 3.1415927f}, {-1e30f, 0, 16777216}};
static const float energies[2] = {-12.345678f, 1e-8f};

static char *write_two(ebm_prediction_format format, bool with_energy)
{
    char *path = ebm_path_join(folder, "predictions"), *text = NULL;
    ebm_prediction_file *file = NULL;
    assert_ok(ebm_prediction_file_open(path, format, &labels, &file));
    for (int i = 0; i < 2; i++)
        assert_ok(ebm_prediction_file_add(file, probabilities[i], logits[i], with_energy ? &energies[i] : NULL));
    assert_false(ebm_file_exists(path));
    assert_ok(ebm_prediction_file_finish(file));
    ebm_prediction_file_free(file);
    assert_ok(ebm_file_read(path, 1 << 20, &text, NULL));
    assert_int_equal(unlink(path), 0);
    free(path);
    return text;
}

static void assert_list(const json_t *list, const float *numbers)
{
    assert_int_equal(json_array_size(list), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true((float)json_number_value(json_array_get(list, i)) == numbers[i]); // exactly: 9 digits give it back
}

static void test_jsonl(void **state)
{
    static const int winners[] = {1, 2}; // row 0: a tie goes to the lower id
    for (int with_energy = 0; with_energy < 2; with_energy++) {
        char *text = write_two(EBM_PREDICTIONS_JSONL, with_energy), *rest = text;
        for (int i = 0; i < 2; i++) {
            char *line = strsep(&rest, "\n");
            json_t *object = json_loads(line, 0, NULL);
            assert_non_null(object);
            assert_int_equal(json_integer_value(json_object_get(object, "index")), i);
            assert_string_equal(json_string_value(json_object_get(object, "label")), labels.names[winners[i]]);
            assert_int_equal(json_integer_value(json_object_get(object, "label_id")), winners[i]);
            assert_list(json_object_get(object, "probabilities"), probabilities[i]);
            assert_list(json_object_get(object, "logits"), logits[i]);
            const json_t *energy = json_object_get(object, "energy");
            assert_int_equal(energy != NULL, with_energy);
            if (energy) assert_true((float)json_number_value(energy) == energies[i]);
            json_decref(object);
        }
        assert_string_equal(rest, "");
        free(text);
    }
}

static void test_glue(void **state)
{
    char *text = write_two(EBM_PREDICTIONS_GLUE_IDS, false);
    assert_string_equal(text, "index\tprediction\n0\t1\n1\t2\n");
    free(text);
    text = write_two(EBM_PREDICTIONS_GLUE_NAMES, false);
    assert_string_equal(text, "index\tprediction\n0\tyes\n1\tcaf\xC3\xA9\n");
    free(text);
}

static void test_failures_leave_nothing(void **state)
{
    ebm_prediction_file *file = NULL;
    char *path = ebm_path_join(folder, "missing/predictions");
    assert_fails(ebm_prediction_file_open(path, EBM_PREDICTIONS_JSONL, &labels, &file), EBM_ERROR_INPUT, "missing");
    assert_null(file);
    free(path);
    path = ebm_path_join(folder, "predictions");
    assert_ok(ebm_prediction_file_open(path, EBM_PREDICTIONS_JSONL, &labels, &file));
    assert_ok(ebm_prediction_file_add(file, probabilities[0], logits[0], NULL));
    const float bad[3] = {0, NAN, 0}, infinite = INFINITY;
    assert_fails(ebm_prediction_file_add(file, bad, logits[0], NULL), EBM_ERROR_NONFINITE,
                 "row 1: probability 1 is nan");
    assert_fails(ebm_prediction_file_add(file, logits[0], bad, NULL), EBM_ERROR_NONFINITE, "row 1: logit 1 is nan");
    assert_fails(ebm_prediction_file_add(file, logits[0], logits[0], &infinite), EBM_ERROR_NONFINITE,
                 "energy 0 is inf");
    ebm_prediction_file_free(file);
    assert_true(ebm_directory_is_empty(folder));
    ebm_prediction_file_free(NULL);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_glue),
        cmocka_unit_test(test_failures_leave_nothing),
    };
    return cmocka_run_group_tests_name("prediction_file", tests, make_folder, remove_folder);
}
