#include "lm_loss.h"

#include "on_device.h"

// Logits reach 12 in size: a loss is below 24 + ln V < 36; its error is a dozen roundings of that, 12 * 2^-24 * 36 =
// 2.6e-5, and the sum's relative error: at most V / LANES / GROUP + 16 additions in a row, V * 2^-24 / 4 worst, 2e-6 *
// V / 100 seen. A gradient has the relative error of one exp (3e-7 with the rounding of x - max: 24 * 2^-24 = 1.4e-6)
// and of the sum.
static void check_rows(size_t rows, size_t vocabulary, size_t stride, float scale, bool gradient)
{
    const size_t n = rows * stride;
    float *f = host_array(n, 4), *got = host_array(n, 4), *loss = host_array(rows, 4);
    int32_t *target = host_array(rows, 4);
    uint32_t state = (uint32_t)(rows * 7 + vocabulary);
    for (size_t i = 0; i < n; i++) f[i] = pseudo(&state, 12);
    for (size_t r = 0; r < rows; r++) target[r] = r % 5 == 3 ? -1 : (int32_t)((r * 7919 + vocabulary - 1) % vocabulary);
    const ebm_slice losses = put(loss, rows), logits = put(f, n), targets = put(target, rows);
    if (gradient)
        assert_ok(ebm_lm_loss_and_gradient(device, losses, logits, stride, targets, rows, vocabulary, scale));
    else
        assert_ok(ebm_lm_loss(device, losses, logits, stride, targets, rows, vocabulary));
    get(losses, rows, loss);
    get(logits, n, got);
    const double sum_error = 2.0 * sqrt((double)vocabulary) * 6e-8 + 2e-6;
    for (size_t r = 0; r < rows; r++) {
        const float *row = f + r * stride;
        double max = -INFINITY, sum = 0;
        for (size_t v = 0; v < vocabulary; v++) max = fmax(max, (double)row[v]);
        for (size_t v = 0; v < vocabulary; v++) sum += exp((double)row[v] - max);
        const bool ignored = target[r] < 0;
        const double expected = ignored ? 0 : max + log(sum) - (double)row[target[r]];
        check_near("loss", r, (double)loss[r], expected, ignored ? 0 : 2.6e-5 + sum_error);
        for (size_t v = 0; v < stride; v++) {
            const double p = v < vocabulary ? exp((double)row[v] - max) / sum : 0, hit = (int32_t)v == target[r];
            const bool touched = gradient && v < vocabulary;
            const double slope = ignored ? 0 : (double)scale * (p - hit);
            check_near("gradient", r * stride + v, (double)got[r * stride + v], touched ? slope : (double)row[v],
                       touched && !ignored ? (double)scale * (p * sum_error + hit * 1.2e-7) + 1e-37 : 0);
        }
    }
    free(f), free(got), free(loss), free(target);
}

static void test_shapes(void **state)
{
    const size_t rows[] = {1, 15, 17, 33}, vocabularies[] = {1, 2, 15, 16, 17, 63, 257, 1001};
    for (size_t r = 0; r < (small_test() ? 2 : 4); r++)
        for (size_t v = 0; v < (small_test() ? 7 : 8); v++) {
            check_rows(rows[r], vocabularies[v], vocabularies[v], 0.25f, true);
            check_rows(rows[r], vocabularies[v], vocabularies[v] + 3, 1, true);
            check_rows(rows[r], vocabularies[v], vocabularies[v] + 3, 1, false);
            free_slices(state);
        }
}

static void test_whole_vocabulary(void **state)
{
    (void)state;
    if (small_test()) return;
    check_rows(3, 30522, 30522, 1, true);
    check_rows(3, 30522, 30528, 1, false);
}

static float loss_of(const float *f, size_t vocabulary, int32_t target, float *df)
{
    float loss = 0;
    const ebm_slice losses = put(NULL, 1), logits = put(f, vocabulary), targets = put(&target, 1);
    if (df)
        assert_ok(ebm_lm_loss_and_gradient(device, losses, logits, vocabulary, targets, 1, vocabulary, 1));
    else
        assert_ok(ebm_lm_loss(device, losses, logits, vocabulary, targets, 1, vocabulary));
    get(losses, 1, &loss);
    if (df) get(logits, vocabulary, df);
    return loss;
}

// As in test_objective.c: h = 2^-6, losses near 4, margin 2e-4.
static void test_finite_differences(void **state)
{
    (void)state;
    enum { V = 19 };
    float f[V], df[V];
    uint32_t seed = 3;
    const float h = 0.015625f;
    for (size_t v = 0; v < V; v++) f[v] = pseudo(&seed, 2);
    loss_of(f, V, 17, df);
    for (size_t v = 0; v < V; v++) {
        float up[V], down[V];
        memcpy(up, f, sizeof f), memcpy(down, f, sizeof f);
        up[v] += h, down[v] -= h;
        const float difference = loss_of(up, V, 17, NULL) - loss_of(down, V, 17, NULL);
        check_near("slope", v, (double)df[v], (double)difference / (2 * (double)h), 2e-4);
    }
}

static void test_extremes(void **state)
{
    (void)state;
    enum { V = 37 };
    float f[V] = {0}, df[V];
    f[5] = 1e4f, f[36] = -1e4f, f[7] = -INFINITY;
    assert_true(loss_of(f, V, 5, df) == 0 && df[5] == 0);
    assert_true(loss_of(f, V, 36, df) == 2e4f && df[5] == 1 && df[36] == -1 && df[7] < 1e-37f);
    assert_true(isnan(loss_of(f, V, V, df)) && isnan(loss_of(f, V, -2, df)));
    for (size_t v = 0; v < V; v++) assert_true(df[v] == 0);
    f[5] = 0;
    for (size_t v = 0; v < V; v += 4) { // a NaN is seen wherever it sits: block or rest
        const float kept = f[v];
        f[v] = NAN;
        assert_true(isnan(loss_of(f, V, 1, NULL)) && isnan(loss_of(f, V, 1, df)) && isnan(df[V - 1]));
        f[v] = kept;
    }
}

static void test_bad_arguments(void **state)
{
    (void)state;
    const ebm_slice many = put(NULL, 100);
    assert_fails(ebm_lm_loss(device, many, many, 9, many, 1, 10), EBM_ERROR_INPUT, "vocabulary of 10");
    assert_fails(ebm_lm_loss(device, many, many, 0, many, 1, 0), EBM_ERROR_INPUT, "vocabulary of 0");
    assert_fails(ebm_lm_loss(device, many, many, 50, many, 4, 50), EBM_ERROR_INPUT, "4 rows do not fit");
    assert_ok(ebm_lm_loss(device, many, many, 50, many, 0, 50));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_shapes, free_slices),
        cmocka_unit_test_teardown(test_whole_vocabulary, free_slices),
        cmocka_unit_test_teardown(test_finite_differences, free_slices),
        cmocka_unit_test_teardown(test_extremes, free_slices),
        cmocka_unit_test_teardown(test_bad_arguments, free_slices),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
