#include "optimizer.h"

#include "on_device.h"

enum { TENSORS = 3, STEPS = 10 };
static const size_t sizes[TENSORS] = {165, 7, 4133}; // as in fixtures/make_adamw.py
static const bool decays[TENSORS] = {true, false, true};
static const char *const tensor_names[TENSORS] = {"matrix", "bias", "table"};
enum { ALL = 165 + 7 + 4133, LARGEST = 4133 };

// A table of three tensors, drawn from `state`, and its optimiser.
typedef struct {
    ebm_parameters *parameters;
    ebm_optimizer *optimizer;
    ebm_arena *arena;
    ebm_tensor *tensors[TENSORS];
} setting;

static setting make(const ebm_adamw *how, uint32_t *state)
{
    setting s;
    s.parameters = ebm_parameters_create(device, true);
    for (size_t i = 0; i < TENSORS; i++) {
        s.tensors[i] = ebm_parameters_tensor(s.parameters, sizes[i], decays[i]);
        ebm_parameters_name(s.parameters, s.tensors[i], 0, 0, sizes[i], EBM_INIT_ZERO, "%s", tensor_names[i]);
    }
    s.arena = ebm_arena_create(device, "optimiser");
    assert_ok(ebm_optimizer_create(device, s.parameters, how, s.arena, &s.optimizer));
    assert_ok(ebm_parameters_allocate(s.parameters));
    assert_ok(ebm_arena_allocate(s.arena));
    float values[LARGEST];
    for (size_t i = 0; i < TENSORS; i++) {
        for (size_t j = 0; j < sizes[i]; j++) values[j] = pseudo(state, 1);
        assert_ok(ebm_slice_write(device, s.tensors[i]->weight, 0, sizes[i], values));
    }
    return s;
}

static void unmake(setting *s)
{
    ebm_optimizer_free(s->optimizer);
    ebm_parameters_free(s->parameters);
    ebm_arena_free(s->arena);
}

// The gradients of make_adamw.py for this step. Returns their norm.
static double put_gradients(const setting *s, size_t step, uint32_t *state)
{
    float values[LARGEST];
    double squares = 0;
    for (size_t i = 0; i < TENSORS; i++) {
        for (size_t j = 0; j < sizes[i]; j++) {
            values[j] = pseudo(state, 0.0078125f * (float)(1 + 12 * (step % 3)));
            if (j % 3 == 0) values[j] *= 0.0009765625f;
            squares += (double)values[j] * (double)values[j];
        }
        assert_ok(ebm_slice_write(device, s->tensors[i]->gradient, 0, sizes[i], values));
    }
    return sqrt(squares);
}

typedef enum { WEIGHT, MOMENT1, MOMENT2, GRADIENT, PARTS } part;

static void read_part(const setting *s, part which, float *all)
{
    for (size_t i = 0; i < TENSORS; all += sizes[i++]) {
        const ebm_tensor *t = s->tensors[i];
        const ebm_slice slices[PARTS] = {t->weight, t->moment1, t->moment2, t->gradient};
        assert_ok(ebm_slice_read(device, slices[which], 0, sizes[i], all));
    }
}

static FILE *open_fixture(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", FIXTURES, name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is missing", path);
    return file;
}

// Weights are at most about 1: each of ten steps rounds them three times, 30 * 2^-24 = 1.8e-6, and the update of 1e-2
// has a relative error of a few 1e-6. Moments: ten steps of three roundings, 2e-6 relative, of values that are sums of
// terms of both signs not larger than the clipped gradients (0.1).
static void test_ten_steps_of_torch(void **state)
{
    (void)state;
    const ebm_adamw how = {0.9, 0.98, 1e-4, 0.1, 1};
    const ebm_schedule schedule = {1e-2, 3, 12};
    static float expected[3][ALL], found[PARTS][ALL];
    uint32_t numbers = 42;
    setting s = make(&how, &numbers);
    FILE *steps = open_fixture("adamw.txt"), *values = open_fixture("adamw.f32");
    for (size_t step = 0; step < STEPS; step++) {
        double rate, norm, measured;
        assert_int_equal(fscanf(steps, "%lf %lf", &rate, &norm), 2);
        check_near("rate", step, ebm_learning_rate_at(&schedule, step), rate, 1e-16);
        put_gradients(&s, step, &numbers);
        assert_ok(ebm_optimizer_step(s.optimizer, rate, step + 1, step % 2));
        assert_ok(ebm_optimizer_norm(s.optimizer, &measured));
        check_near("norm", step, measured, norm, 1e-6 * norm);
    }
    assert_int_equal(fread(expected, sizeof(float), (size_t)3 * ALL, values), 3 * ALL);
    fclose(steps), fclose(values);
    for (part p = WEIGHT; p < PARTS; p++) read_part(&s, p, found[p]);
    for (size_t i = 0; i < ALL; i++) {
        check_near("weight", i, (double)found[WEIGHT][i], (double)expected[0][i], 2.5e-6);
        check_near("moment 1", i, (double)found[MOMENT1][i], (double)expected[1][i], 1e-7);
        check_near("moment 2", i, (double)found[MOMENT2][i], (double)expected[2][i],
                   2e-6 * (double)expected[2][i] + 1e-20);
        assert_true(found[GRADIENT][i] == 0); // the tenth step was asked to zero them
    }
    unmake(&s);
}

static void test_gradients_are_kept_unless_asked(void **state)
{
    (void)state;
    const ebm_adamw how = {0.9, 0.999, 1e-8, 0, 0};
    static float before[ALL], after[ALL];
    uint32_t numbers = 1;
    setting s = make(&how, &numbers);
    const double norm = put_gradients(&s, 1, &numbers);
    read_part(&s, GRADIENT, before);
    assert_ok(ebm_optimizer_step(s.optimizer, 1e-3, 1, false));
    read_part(&s, GRADIENT, after);
    assert_memory_equal(before, after, sizeof after);
    double measured;
    assert_ok(ebm_optimizer_norm(s.optimizer, &measured));
    check_near("norm", 0, measured, norm, 1e-6 * norm);
    unmake(&s);
}

// Without clipping the first update is rate * g / (|g| + epsilon): the size of the gradient does not matter. With it
// neither; so clipping is told from none by the first moment.
static void test_clipping_switch(void **state)
{
    (void)state;
    static float moment[ALL], gradient[ALL];
    const double bounds[3] = {0, 0.5, 1e9};
    for (int i = 0; i < 3; i++) {
        const ebm_adamw how = {0.9, 0.999, 1e-8, 0.1, bounds[i]};
        uint32_t numbers = 1;
        setting s = make(&how, &numbers);
        const double norm = put_gradients(&s, 2, &numbers);
        const double clip = i == 1 ? 0.5 / (norm + 1e-6) : 1;
        read_part(&s, GRADIENT, gradient);
        assert_ok(ebm_optimizer_step(s.optimizer, 1e-3, 1, true));
        read_part(&s, MOMENT1, moment);
        for (size_t j = 0; j < ALL; j++)
            check_near("moment", j, (double)moment[j], 0.1 * clip * (double)gradient[j],
                       2e-6 * fabs((double)gradient[j]) + 1e-12);
        unmake(&s);
    }
}

static void test_same_bits(void **state)
{
    (void)state;
    static float weights[2][ALL];
    for (int run = 0; run < 2; run++) {
        const ebm_adamw how = {0.9, 0.999, 1e-8, 0.1, 1};
        uint32_t numbers = 9;
        setting s = make(&how, &numbers);
        for (size_t step = 0; step < 3; step++) {
            put_gradients(&s, step, &numbers);
            assert_ok(ebm_optimizer_step(s.optimizer, 1e-3, step + 1, true));
        }
        read_part(&s, WEIGHT, weights[run]);
        unmake(&s);
    }
    assert_memory_equal(weights[0], weights[1], sizeof weights[0]);
}

static void check_nonfinite(float bad, size_t tensor, size_t element, const char *sentence)
{
    static float before[PARTS][ALL], after[PARTS][ALL];
    const ebm_adamw how = {0.9, 0.999, 1e-8, 0.1, 1};
    uint32_t numbers = 5;
    double norm;
    setting s = make(&how, &numbers);
    put_gradients(&s, 0, &numbers);
    assert_ok(ebm_optimizer_step(s.optimizer, 1e-3, 1, false));
    assert_ok(ebm_slice_write(device, s.tensors[tensor]->gradient, element, 1, &bad));
    for (part p = WEIGHT; p < PARTS; p++) read_part(&s, p, before[p]);
    assert_ok(ebm_optimizer_step(s.optimizer, 1e-3, 2, true));
    for (part p = WEIGHT; p < PARTS; p++) read_part(&s, p, after[p]);
    assert_memory_equal(before, after, sizeof before);
    assert_fails(ebm_optimizer_norm(s.optimizer, &norm), EBM_ERROR_NONFINITE, sentence);
    assert_false(isfinite(norm));
    unmake(&s);
}

static void test_nonfinite_changes_nothing(void **state)
{
    (void)state;
    check_nonfinite(NAN, 0, 3, "the gradient of matrix is not finite (norm nan)");
    check_nonfinite(INFINITY, 1, 6, "the gradient of bias is not finite (norm inf)");
    check_nonfinite(-INFINITY, 2, 4132, "the gradient of table is not finite (norm inf)");
    check_nonfinite(1e30f, 2, 0, "the gradient of table is not finite (norm inf)"); // its square overflows
}

static void test_schedule(void **state)
{
    (void)state;
    const ebm_schedule plain = {2, 0, 4}, warm = {3, 4, 6}, only_warm = {1, 5, 5}, none = {1, 0, 0};
    const double plain_rates[6] = {2, 1.5, 1, 0.5, 0, 0}, warm_rates[7] = {0, 0.75, 1.5, 2.25, 3, 1.5, 0};
    for (uint64_t i = 0; i < 6; i++) check_near("plain", i, ebm_learning_rate_at(&plain, i), plain_rates[i], 0);
    for (uint64_t i = 0; i < 7; i++) check_near("warm", i, ebm_learning_rate_at(&warm, i), warm_rates[i], 1e-15);
    check_near("only warm", 4, ebm_learning_rate_at(&only_warm, 4), 0.8, 1e-15);
    assert_true(ebm_learning_rate_at(&only_warm, 5) == 0 && ebm_learning_rate_at(&none, 0) == 0);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    ebm_optimizer *o = NULL;
    const ebm_adamw beta = {1, 0.999, 1e-8, 0.1, 1}, negative = {0.9, 0.999, 1e-8, -0.1, 1};
    assert_fails(ebm_optimizer_create(device, NULL, &beta, NULL, &o), EBM_ERROR_INPUT, "[0, 1), found 1 and 0.999");
    assert_fails(ebm_optimizer_create(device, NULL, &negative, NULL, &o), EBM_ERROR_INPUT, "1e-08, -0.1 and 1");
    assert_null(o);
    ebm_optimizer_free(o);
    uint32_t numbers = 5;
    const ebm_adamw good = {0.9, 0.999, 1e-8, 0.1, 1};
    setting s = make(&good, &numbers);
    assert_fails(ebm_optimizer_step(s.optimizer, 1e-3, 0, true), EBM_ERROR_INPUT, "counted from 1");
    unmake(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ten_steps_of_torch),
        cmocka_unit_test(test_gradients_are_kept_unless_asked),
        cmocka_unit_test(test_clipping_switch),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_nonfinite_changes_nothing),
        cmocka_unit_test(test_schedule),
        cmocka_unit_test(test_bad_arguments),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
