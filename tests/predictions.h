// Predictions for the tests: those of fixtures/metrics.json, and random ones whose labels are drawn from
// softmax(logits / temperature) and so are perfectly calibrated at that temperature.
#ifndef EBM_TESTS_PREDICTIONS_H
#define EBM_TESTS_PREDICTIONS_H

#include "check.h"

#include <jansson.h>
#include <math.h>

#include "metrics.h"
#include "random.h"

typedef struct {
    ebm_predictions rows;
    float *logits;
    int32_t *label;
} test_predictions;

static inline test_predictions allocate_predictions(size_t count, int labels)
{
    test_predictions p = {.logits = malloc(count * (size_t)labels * sizeof(float)),
                          .label = malloc(count * sizeof(int32_t))};
    assert_non_null(p.logits);
    assert_non_null(p.label);
    p.rows = (ebm_predictions){count, labels, p.logits, p.label, NULL};
    return p;
}

static inline void free_predictions(test_predictions *p)
{
    free(p->logits);
    free(p->label);
}

static inline test_predictions random_predictions(size_t count, int labels, double scale, double temperature,
                                                  uint64_t seed)
{
    test_predictions p = allocate_predictions(count, labels);
    ebm_random random = ebm_random_stream(seed, 0, EBM_SITE_GRAMMAR);
    double *probability = NULL;
    for (size_t i = 0; i < count * (size_t)labels; i++) p.logits[i] = (float)(scale * ebm_random_normal(&random));
    memset(p.label, 0, count * sizeof *p.label);
    assert_ok(ebm_probabilities_create(&p.rows, temperature, &probability));
    for (size_t i = 0; i < count; i++) {
        double u = ebm_random_uniform(&random);
        while (p.label[i] < labels - 1 && (u -= probability[i * (size_t)labels + (size_t)p.label[i]]) >= 0)
            p.label[i]++;
    }
    free(probability);
    return p;
}

static inline json_t *load_json(const char *path)
{
    json_error_t error;
    json_t *root = json_load_file(path, 0, &error);
    if (!root) fail_msg("%s:%d: %s", error.source, error.line, error.text);
    return root;
}

static inline json_t *load_fixture(void) { return load_json(FIXTURES "/metrics.json"); }

static inline double number_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value)) fail_msg("fixture: no number at %s", key);
    return json_number_value(value);
}

static inline test_predictions fixture_predictions(const json_t *one)
{
    const json_t *logits = json_object_get(one, "logits"), *label = json_object_get(one, "label");
    const int labels = (int)number_at(one, "labels");
    test_predictions p = allocate_predictions(json_array_size(label), labels);
    assert_int_equal(json_array_size(logits), json_array_size(label) * (size_t)labels);
    for (size_t i = 0; i < json_array_size(logits); i++)
        p.logits[i] = (float)json_number_value(json_array_get(logits, i));
    for (size_t i = 0; i < json_array_size(label); i++)
        p.label[i] = (int32_t)json_integer_value(json_array_get(label, i));
    return p;
}

static inline void check_close(const char *what, double got, double expected, double tolerance)
{
    if (!(fabs(got - expected) <= tolerance))
        fail_msg("%s: expected %.12g within %g, got %.12g", what, expected, tolerance, got);
}

#endif
