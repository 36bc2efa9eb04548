#include "energy.h"

#include "on_device.h"
#include "reference_loss.h"

static const size_t row_counts[] = {1, 15, 17, 33};
static const size_t label_counts[] = {1, 2, 3, 5, 17};
enum { FIRST = 3, BEHIND = 2 }; // rows around those asked for, which must not change

static size_t arg_max(const float *f, size_t labels)
{
    size_t best = 0;
    for (size_t y = 1; y < labels; y++)
        if (f[y] > f[best]) best = y;
    return best;
}

// Forward and backward of one shape. Values are below 8 and a few operations deep: 16 roundings of 2^-24 * 16 (energies
// reach 8 + ln 17) are 1.6e-5; gradients are below 2 with exp's 3 ulp and a sum of 17: 2e-6.
static void check_shape(size_t rows, size_t labels, ebm_energy_kind kind)
{
    const size_t n = FIRST + rows + BEHIND;
    float *f = host_array(n * labels, sizeof *f), *df = host_array(n * labels, sizeof *df);
    float *e = host_array(n, sizeof *e), *de = host_array(n, sizeof *de), *got = host_array(n * labels, sizeof *got);
    uint32_t state = (uint32_t)(rows * 31 + labels);
    for (size_t i = 0; i < n * labels; i++) f[i] = pseudo(&state, 8), df[i] = pseudo(&state, 1);
    for (size_t i = 0; i < n; i++) e[i] = 99, de[i] = pseudo(&state, 1);
    const ebm_slice logits = put(f, n * labels), dlogits = put(df, n * labels), energy = put(e, n),
                    denergy = put(de, n);
    assert_ok(ebm_energy_forward(device, energy, logits, kind, FIRST, rows, labels));
    get(energy, n, e);
    for (size_t i = 0; i < n; i++) {
        const bool asked = i >= FIRST && i < FIRST + rows;
        check_near("energy", i, (double)e[i], asked ? ebm_reference_energy(f + i * labels, labels, kind) : 99,
                   asked ? 1.6e-5 : 0);
    }
    assert_ok(ebm_energy_backward(device, dlogits, denergy, logits, kind, FIRST, rows, labels));
    get(dlogits, n * labels, got);
    for (size_t i = 0; i < n * labels; i++) {
        const size_t row = i / labels;
        const bool asked = row >= FIRST && row < FIRST + rows;
        const double hidden = exp((double)f[i] + ebm_reference_energy(f + row * labels, labels, EBM_ENERGY_HIDDEN));
        const double sharp = arg_max(f + row * labels, labels) == i % labels;
        const double slope = asked ? (kind == EBM_ENERGY_HIDDEN ? hidden : sharp) : 0;
        check_near("dlogits", i, (double)got[i], (double)df[i] - (double)de[row] * slope, asked ? 2e-6 : 0);
    }
    free(f), free(df), free(e), free(de), free(got);
}

static void test_shapes(void **state)
{
    for (size_t r = 0; r < 4; r++)
        for (size_t y = 0; y < 5; y++) {
            check_shape(row_counts[r], label_counts[y], EBM_ENERGY_HIDDEN);
            check_shape(row_counts[r], label_counts[y], EBM_ENERGY_SHARP_HIDDEN);
            free_slices(state);
        }
}

static float energy_of(const float *f, size_t labels, ebm_energy_kind kind)
{
    float e = 0;
    const ebm_slice energy = put(NULL, 1), logits = put(f, labels);
    assert_ok(ebm_energy_forward(device, energy, logits, kind, 0, 1, labels));
    get(energy, 1, &e);
    return e;
}

// (E(f + h) - E(f - h)) / 2h with h = 2^-6: truncation h^2 / 6 * |E'''| < 4e-6 (third derivatives of logsumexp are
// below 0.1), rounding of two energies near 2: 2.4e-7 * few / 2h < 3e-5. Margin 1e-4.
static void test_finite_differences(void **state)
{
    (void)state;
    const float f[3] = {0.5f, -1.25f, 0.75f}, one = 1, h = 0.015625f;
    const ebm_energy_kind kinds[2] = {EBM_ENERGY_HIDDEN, EBM_ENERGY_SHARP_HIDDEN};
    for (int k = 0; k < 2; k++) {
        float df[3];
        const ebm_slice dlogits = put(NULL, 3), denergy = put(&one, 1), logits = put(f, 3);
        assert_ok(ebm_energy_backward(device, dlogits, denergy, logits, kinds[k], 0, 1, 3));
        get(dlogits, 3, df);
        for (size_t y = 0; y < 3; y++) {
            float up[3], down[3];
            memcpy(up, f, sizeof f), memcpy(down, f, sizeof f);
            up[y] += h, down[y] -= h;
            const double slope = (double)(energy_of(up, 3, kinds[k]) - energy_of(down, 3, kinds[k])) / (2 * (double)h);
            check_near("slope", y, (double)df[y], slope, 1e-4);
        }
    }
}

static void test_ties_extremes_and_nan(void **state)
{
    (void)state;
    const float tied[4] = {1, 3, 3, 2}, one = 1, large[2] = {1e4f, -1e4f}, low[2] = {-1e4f, -1e4f};
    float df[4];
    const ebm_slice dlogits = put(NULL, 4), denergy = put(&one, 1), logits = put(tied, 4);
    assert_ok(ebm_energy_backward(device, dlogits, denergy, logits, EBM_ENERGY_SHARP_HIDDEN, 0, 1, 4));
    get(dlogits, 4, df);
    for (size_t y = 0; y < 4; y++) check_near("tie", y, (double)df[y], y == 1 ? -1 : 0, 0);
    assert_true(energy_of(large, 2, EBM_ENERGY_HIDDEN) == -1e4f);
    check_near("low", 0, (double)energy_of(low, 2, EBM_ENERGY_HIDDEN), 1e4 - log(2), 1e-3); // half an ulp of 1e4
    for (size_t y = 0; y < 3; y++) {
        float bad[3] = {1, 2, 3};
        bad[y] = NAN;
        assert_true(isnan(energy_of(bad, 3, EBM_ENERGY_HIDDEN)));
        assert_true(isnan(energy_of(bad, 3, EBM_ENERGY_SHARP_HIDDEN)));
    }
}

static void test_names_and_bad_arguments(void **state)
{
    (void)state;
    const ebm_energy_kind kinds[3] = {EBM_ENERGY_SCALAR, EBM_ENERGY_HIDDEN, EBM_ENERGY_SHARP_HIDDEN};
    for (int k = 0; k < 3; k++) {
        ebm_energy_kind back;
        assert_ok(ebm_energy_parse(ebm_energy_name(kinds[k]), &back));
        assert_int_equal(back, kinds[k]);
    }
    ebm_energy_kind kind = EBM_ENERGY_HIDDEN;
    assert_fails(ebm_energy_parse("sharp", &kind), EBM_ERROR_INPUT, "energy \"sharp\": expected scalar, hidden or");
    const ebm_slice energy = put(NULL, 4), logits = put(NULL, 8);
    assert_fails(ebm_energy_forward(device, energy, logits, EBM_ENERGY_SCALAR, 0, 4, 2), EBM_ERROR_UNSUPPORTED,
                 "scalar");
    assert_fails(ebm_energy_forward(device, energy, logits, EBM_ENERGY_HIDDEN, 100, 4, 2), EBM_ERROR_INPUT, "rows 100");
    assert_fails(ebm_energy_forward(device, energy, logits, EBM_ENERGY_HIDDEN, 0, 4, 0), EBM_ERROR_INPUT, "label");
    assert_ok(ebm_energy_forward(device, energy, logits, EBM_ENERGY_HIDDEN, 0, 0, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_shapes, free_slices),
        cmocka_unit_test_teardown(test_finite_differences, free_slices),
        cmocka_unit_test_teardown(test_ties_extremes_and_nan, free_slices),
        cmocka_unit_test_teardown(test_names_and_bad_arguments, free_slices),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
