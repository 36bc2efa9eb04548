// Element-wise operations, dropout, residuals and first tokens against double precision; the device's random numbers.
#include <math.h>

#include "launch.h"
#include "operations.h"
#include "random.h"
#include "reference.h"
#include "tensors.h"

static const double u = UNIT_ROUNDOFF;

static double *doubles(size_t count)
{
    double *all = calloc(count, sizeof *all);
    assert_non_null(all);
    return all;
}

static void check_random(uint64_t seed, uint32_t step, uint32_t site, uint64_t first)
{
    enum { GROUPS = 3 };
    const size_t words = GROUPS * (size_t)(ebm_device_lanes(device) * ebm_device_group(device));
    tensors all = {.device = device};
    tensor *vectors = tensors_zero(&all, words), *scalars = tensors_zero(&all, words);
    tensors_upload(&all);
    ebm_launch l = ebm_launch_begin(device, "random_check.cl", "random_check", "%s", "");
    ebm_arg_slice(&l, vectors->slice);
    ebm_arg_slice(&l, scalars->slice);
    ebm_arg_u64(&l, seed);
    ebm_arg_u32(&l, step);
    ebm_arg_u32(&l, site);
    ebm_arg_u64(&l, first);
    assert_ok(ebm_launch_rows(&l, GROUPS));
    tensors_download(&all);
    for (size_t i = 0; i < words; i += 4) {
        uint32_t block[4];
        ebm_random_block(block, seed, step, site, (first + i) >> 2);
        assert_memory_equal(vectors->now + i, block, sizeof block);
        assert_memory_equal(scalars->now + i, block, sizeof block);
    }
    tensors_free(&all);
}

static void the_device_draws_the_numbers_of_the_host(void **state)
{
    check_random(0, 0, 0, 0);
    check_random(UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX - 4095); // the last blocks there are
    check_random(UINT64_C(0x299f31d0a4093822), 0x03707344, 0x13198a2e, UINT64_C(0x85a308d3243f6a88));
    check_random(42, 7, 96, (UINT64_C(1) << 34) - 8); // the block's index passes 32 bits within a vector
}

// Phi: fit and its rounding 2e-7, exp within 3 ulp of at most 1 / 2. Slope: besides x phi(x), at most 0.25, times exp's
// 3 ulp and the rounding of its argument, x^2 u, where x^3 phi(x) is at most 0.47. Last, the roundings of the products.
static void gelu_on(ebm_gelu kind, size_t rows, size_t channels, bool sweep)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, count, 0, 2), *dy = tensors_normal(&all, count, 0, 1);
    tensor *y = tensors_zero(&all, count), *dx = tensors_zero(&all, count), *again = tensors_zero(&all, count);
    if (sweep)
        for (size_t i = 0; i < count; i++) x->before[i] = -12.0f + 24.0f * (float)i / (float)(count - 1);
    tensors_upload(&all);
    assert_ok(ebm_gelu_forward(device, y->slice, x->slice, kind, rows, channels));
    assert_ok(ebm_gelu_backward(device, dx->slice, again->slice, dy->slice, x->slice, kind, rows, channels));
    tensors_download(&all);
    assert_unchanged(x);
    const ebm_slice none = {0};
    assert_ok(ebm_gelu_backward(device, again->slice, none, dy->slice, x->slice, kind, rows, channels));
    assert_ok(ebm_gelu_backward(device, dy->slice, x->slice, dy->slice, x->slice, kind, rows, channels)); // in place
    float *first = malloc(count * sizeof *first);
    memcpy(first, again->now, count * sizeof *first);
    tensors_download(&all);
    assert_memory_equal(again->now, dx->now, count * sizeof(float));
    double *expected = doubles(count), *slope = doubles(count), *allowed = doubles(count),
           *slope_allowed = doubles(count);
    for (size_t i = 0; i < count; i++) {
        const double v = (double)x->before[i], d = (double)dy->before[i];
        expected[i] = ebm_reference_gelu(v, kind);
        allowed[i] = (2e-7 + 3 * u + 2 * u) * fabs(v) + 1e-30;
        slope[i] = d * ebm_reference_gelu_slope(v, kind);
        slope_allowed[i] = (2e-7 + 3 * u + 0.25 * 8 * u + 0.47 * 2 * u + 4 * u) * fabs(d) + 1e-30;
    }
    assert_within("gelu", y->now, expected, allowed, count);
    assert_within("gelu gradient", dx->now, slope, slope_allowed, count);
    assert_memory_equal(dx->now, dy->now, count * sizeof(float));
    assert_memory_equal(y->now, first, count * sizeof(float));
    free(first);
    assert_memory_equal(y->now, x->now, count * sizeof(float));
    free(expected);
    free(slope);
    free(allowed);
    free(slope_allowed);
    tensors_free(&all);
}

static void gelu_case(size_t rows, size_t channels)
{
    gelu_on(EBM_GELU_ERF, rows, channels, false);
    gelu_on(EBM_GELU_TANH, rows, channels, false);
}

static void gelu_is_exact_at_all_sizes(void **state) { for_sizes(gelu_case); }

static void gelu_is_exact_from_minus_12_to_12(void **state)
{
    const size_t rows = getenv("EBMCL_TEST_SMALL") ? 4 : 200;
    gelu_on(EBM_GELU_ERF, rows, 48, true);
    gelu_on(EBM_GELU_TANH, rows, 48, true);
}

// Central differences of the double-precision forward: error h^2 / 6 times the third derivative, below 1e-9 for h =
// 1e-5, and rounding 1e-16 * 12 / h.
static void gelu_slopes_are_finite_differences(void **state)
{
    for (int kind = EBM_GELU_ERF; kind <= EBM_GELU_TANH; kind++)
        for (double x = -12; x <= 12; x += 0.01) {
            const double h = 1e-5;
            const double difference = (ebm_reference_gelu(x + h, kind) - ebm_reference_gelu(x - h, kind)) / (2 * h);
            assert_true(fabs(difference - ebm_reference_gelu_slope(x, kind)) < 1e-9);
        }
}

// z = dropout(gelu(a) b): gelu's own tolerance times |b|, and one or two products more.
static void geglu_on(const ebm_dropout *dropout, size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *ab = tensors_normal(&all, 2 * count, 0, 2), *dz = tensors_normal(&all, count, 0, 1);
    tensor *z = tensors_zero(&all, count), *dab = tensors_zero(&all, 2 * count), *same = tensors_zero(&all, 2 * count),
           *again = tensors_zero(&all, count);
    memcpy(same->before, ab->before, 2 * count * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_geglu_forward(device, z->slice, ab->slice, dropout, rows, channels));
    assert_ok(ebm_geglu_backward(device, dab->slice, again->slice, dz->slice, ab->slice, dropout, rows, channels));
    const ebm_slice none = {0};
    assert_ok(
        ebm_geglu_backward(device, same->slice, none, dz->slice, same->slice, dropout, rows, channels)); // in place
    tensors_download(&all);
    double *expected = doubles(2 * count), *allowed = doubles(2 * count), *value = doubles(count),
           *value_allowed = doubles(count);
    for (size_t i = 0; i < count; i++) {
        const size_t row = i / channels, c = i % channels, at = 2 * row * channels + c;
        const double a = (double)ab->before[at], b = (double)ab->before[at + channels];
        const double mask = ebm_reference_mask(dropout, row, c, channels), d = mask * (double)dz->before[i];
        const double gelu = ebm_reference_gelu(a, EBM_GELU_ERF), gelu_allowed = (2e-7 + 5 * u) * fabs(a);
        value[i] = mask * gelu * b;
        value_allowed[i] = mask * (gelu_allowed + 4 * u * fabs(a)) * fabs(b) + 1e-30;
        expected[at] = d * b * ebm_reference_gelu_slope(a, EBM_GELU_ERF);
        allowed[at] = (2e-7 + 3 * u + 0.25 * 8 * u + 0.47 * 2 * u + 8 * u) * fabs(d * b) + 1e-30;
        expected[at + channels] = d * gelu;
        allowed[at + channels] = (gelu_allowed + 4 * u * fabs(a)) * fabs(d) + 1e-30;
    }
    assert_within("GeGLU", z->now, value, value_allowed, count);
    assert_within("GeGLU again", again->now, value, value_allowed, count);
    assert_within("GeGLU gradient", dab->now, expected, allowed, 2 * count);
    assert_memory_equal(same->now, dab->now, 2 * count * sizeof(float));
    assert_unchanged(ab);
    free(expected);
    free(allowed);
    free(value);
    free(value_allowed);
    tensors_free(&all);
}

static void geglu_case(size_t rows, size_t channels)
{
    const ebm_dropout some = {.probability = 0.1f, .seed = 5, .step = 1, .site = 2, .first_row = 3};
    geglu_on(&(ebm_dropout){0}, rows, channels);
    geglu_on(&some, rows, channels);
}

static void geglu_is_exact(void **state) { for_sizes(geglu_case); }

// The formulas the kernel is compared with, against central differences as above.
static void geglu_slopes_are_finite_differences(void **state)
{
    for (double a = -6; a <= 6; a += 0.1)
        for (double b = -2; b <= 2; b += 0.5) {
            const double h = 1e-5;
            const double along_a =
                (ebm_reference_gelu(a + h, EBM_GELU_ERF) - ebm_reference_gelu(a - h, EBM_GELU_ERF)) * b;
            const double along_b = ebm_reference_gelu(a, EBM_GELU_ERF) * ((b + h) - (b - h));
            assert_true(fabs(along_a / (2 * h) - b * ebm_reference_gelu_slope(a, EBM_GELU_ERF)) < 1e-8);
            assert_true(fabs(along_b / (2 * h) - ebm_reference_gelu(a, EBM_GELU_ERF)) < 1e-8);
        }
}

static void head_case(size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, count, 0, 2), *dy = tensors_normal(&all, count, 0, 1);
    tensor *y = tensors_zero(&all, count), *dx = tensors_zero(&all, count), *sum = tensors_normal(&all, count, 0, 1);
    tensor *in_place = tensors_normal(&all, count, 0, 1), *dy_in_place = tensors_zero(&all, count);
    memcpy(in_place->before, x->before, count * sizeof(float));
    memcpy(dy_in_place->before, dy->before, count * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_tanh_forward(device, y->slice, x->slice, rows, channels));
    assert_ok(ebm_tanh_forward(device, in_place->slice, in_place->slice, rows, channels));
    assert_ok(ebm_tanh_backward(device, dx->slice, dy->slice, y->slice, rows, channels));
    assert_ok(ebm_tanh_backward(device, dy_in_place->slice, dy_in_place->slice, y->slice, rows, channels));
    assert_ok(ebm_add(device, sum->slice, x->slice, rows, channels));
    tensors_download(&all);
    double *expected = doubles(count), *allowed = doubles(count);
    for (size_t i = 0; i < count; i++) {
        expected[i] = tanh((double)x->before[i]);
        allowed[i] = 2 * 5 * u; // OpenCL allows tanh 5 ulp
    }
    assert_within("tanh", y->now, expected, allowed, count);
    for (size_t i = 0; i < count; i++) {
        const double v = (double)y->now[i], d = (double)dy->before[i];
        expected[i] = d * (1 - v * v);
        allowed[i] = 3 * u * fabs(d); // y^2, 1 - y^2 and the product
    }
    assert_within("tanh gradient", dx->now, expected, allowed, count);
    for (size_t i = 0; i < count; i++) {
        expected[i] = (double)sum->before[i] + (double)x->before[i];
        allowed[i] = u * fabs(expected[i]);
    }
    assert_within("sum", sum->now, expected, allowed, count);
    assert_memory_equal(in_place->now, y->now, count * sizeof(float));
    assert_memory_equal(dy_in_place->now, dx->now, count * sizeof(float));
    assert_unchanged(x);
    assert_unchanged(dy);
    free(expected);
    free(allowed);
    tensors_free(&all);
}

static void tanh_and_addition_are_exact(void **state) { for_sizes(head_case); }

static void dropout_on(const ebm_dropout *dropout, size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, count, 0, 1), *y = tensors_zero(&all, count), *same = tensors_zero(&all, count);
    memcpy(same->before, x->before, count * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_dropout_apply(device, y->slice, x->slice, dropout, rows, channels));
    assert_ok(ebm_dropout_apply(device, same->slice, same->slice, dropout, rows, channels));
    tensors_download(&all);
    double *dropped = doubles(count), *dropped_allowed = doubles(count);
    for (size_t i = 0; i < count; i++) {
        const double mask = ebm_reference_mask(dropout, i / channels, i % channels, channels);
        dropped[i] = mask * (double)x->before[i];
        dropped_allowed[i] = 2 * u * fabs(dropped[i]); // of the scale and of the product; 0 when dropped
    }
    assert_within("dropout", y->now, dropped, dropped_allowed, count);
    if (dropout->probability == 0.0f) assert_memory_equal(y->now, x->now, count * sizeof(float));
    assert_memory_equal(same->now, y->now, count * sizeof(float));
    free(dropped);
    free(dropped_allowed);
    tensors_free(&all);
}

static void dropout_case(size_t rows, size_t channels)
{
    const ebm_dropout none = {.probability = 0, .seed = 5, .step = 1, .site = 2};
    const ebm_dropout some = {.probability = 0.1f, .seed = 5, .step = 1, .site = 2, .first_row = 3};
    const ebm_dropout far = {.probability = 0.5f,
                             .seed = UINT64_C(0xfedcba9876543210),
                             .step = 9,
                             .site = 99,
                             .first_row = (UINT64_C(1) << 40) + 1};
    dropout_on(&none, rows, channels);
    dropout_on(&some, rows, channels);
    dropout_on(&far, rows, channels);
}

static void dropout_follows_the_mask(void **state) { for_sizes(dropout_case); }

// Of n elements the dropped are binomial: mean n p, deviation sqrt(n p (1 - p)); 5 deviations.
static void dropout_drops_its_share(void **state)
{
    const size_t rows = getenv("EBMCL_TEST_SMALL") ? 8 : 200, channels = 48, count = rows * channels;
    const ebm_dropout dropout = {.probability = 0.1f, .seed = 11, .step = 3, .site = 64};
    tensors all = {.device = device};
    tensor *x = tensors_zero(&all, count), *y = tensors_zero(&all, count);
    for (size_t i = 0; i < count; i++) x->before[i] = 1;
    tensors_upload(&all);
    assert_ok(ebm_dropout_apply(device, y->slice, x->slice, &dropout, rows, channels));
    tensors_download(&all);
    double dropped = 0;
    for (size_t i = 0; i < count; i++) dropped += y->now[i] == 0.0f;
    assert_true(fabs(dropped - 0.1 * (double)count) < 5 * sqrt(0.09 * (double)count));
    tensors_free(&all);
}

static void first_tokens_case(size_t rows, size_t channels)
{
    tensors all = {.device = device};
    tensor *starts = tensors_zero(&all, rows + 1);
    int32_t *start = tensor_integers(starts);
    for (size_t s = 0; s < rows; s++) start[s + 1] = start[s] + 1 + (int32_t)(s * 7 % 5); // 1 to 5 tokens
    const size_t tokens = (size_t)start[rows];
    tensor *x = tensors_normal(&all, tokens * channels, 0, 1), *y = tensors_zero(&all, rows * channels);
    tensor *dy = tensors_normal(&all, rows * channels, 0, 1), *dx = tensors_normal(&all, tokens * channels, 0, 1);
    tensors_upload(&all);
    const ebm_batch batch = {.sequences = rows, .tokens = tokens, .longest = 5, .starts = starts->slice};
    assert_ok(ebm_first_tokens_forward(device, y->slice, x->slice, &batch, channels));
    assert_ok(ebm_first_tokens_backward(device, dx->slice, dy->slice, &batch, channels));
    tensors_download(&all);
    float *expected = calloc(tokens * channels, sizeof *expected);
    assert_non_null(expected);
    for (size_t s = 0; s < rows; s++) {
        const size_t at = (size_t)start[s] * channels;
        assert_memory_equal(y->now + s * channels, x->before + at, channels * sizeof(float));
        memcpy(expected + at, dy->before + s * channels, channels * sizeof(float));
    }
    assert_memory_equal(dx->now, expected, tokens * channels * sizeof(float));
    free(expected);
    tensors_free(&all);
}

static void first_tokens_go_there_and_back(void **state) { for_sizes(first_tokens_case); }

static void wrong_arguments_are_refused(void **state)
{
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, 64, 0, 1), *y = tensors_zero(&all, 64);
    tensors_upload(&all);
    const ebm_dropout wrong = {.probability = 1.0f}, nan = {.probability = NAN};
    assert_fails(ebm_add(device, y->slice, x->slice, 4, 17), EBM_ERROR_INPUT, "positive multiple of 16, found 17");
    assert_fails(ebm_add(device, y->slice, x->slice, 4, 0), EBM_ERROR_INPUT, "positive multiple of 16, found 0");
    assert_fails(ebm_add(device, y->slice, x->slice, 5, 16), EBM_ERROR_DEVICE, "y needs 80 elements, its slice has 64");
    assert_fails(ebm_dropout_apply(device, y->slice, x->slice, &wrong, 4, 16), EBM_ERROR_INPUT, "must be in [0, 1)");
    assert_fails(ebm_dropout_apply(device, y->slice, x->slice, &nan, 4, 16), EBM_ERROR_INPUT, "must be in [0, 1)");
    assert_ok(ebm_add(device, y->slice, x->slice, 0, 16)); // nothing to do
    tensors_download(&all);
    assert_unchanged(y);
    tensors_free(&all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_device_draws_the_numbers_of_the_host),
        cmocka_unit_test(gelu_is_exact_at_all_sizes),
        cmocka_unit_test(gelu_is_exact_from_minus_12_to_12),
        cmocka_unit_test(gelu_slopes_are_finite_differences),
        cmocka_unit_test(geglu_is_exact),
        cmocka_unit_test(geglu_slopes_are_finite_differences),
        cmocka_unit_test(tanh_and_addition_are_exact),
        cmocka_unit_test(dropout_follows_the_mask),
        cmocka_unit_test(dropout_drops_its_share),
        cmocka_unit_test(first_tokens_go_there_and_back),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests_name("element-wise operations", tests, open_device, close_device);
}
