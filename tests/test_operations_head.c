// What heads need beside tanh: the mean of each sequence's tokens, and ReLU, against double precision.
#include <math.h>

#include "operations.h"
#include "tensors.h"

static const double u = UNIT_ROUNDOFF;

static double *doubles(size_t count)
{
    double *all = calloc(count, sizeof *all);
    assert_non_null(all);
    return all;
}

// y of one sequence of `tokens` rows, and the gradient of each of its rows.
static void reference_mean(double *y, const double *x, size_t tokens, size_t channels)
{
    for (size_t c = 0; c < channels; c++) {
        y[c] = 0;
        for (size_t t = 0; t < tokens; t++) y[c] += x[t * channels + c] / (double)tokens;
    }
}

static double reference_mean_slope(double dy, size_t tokens) { return dy / (double)tokens; }

typedef struct {
    tensors all;
    tensor *starts, *x, *y, *dy, *dx;
    size_t sequences, tokens;
} sequences;

// In place: the arena knows where the slices are.
static void make_sequences(sequences *s, size_t count, size_t channels)
{
    *s = (sequences){.all = {.device = device}, .sequences = count};
    s->starts = tensors_zero(&s->all, count + 1);
    int32_t *start = tensor_integers(s->starts);
    for (size_t i = 0; i < count; i++) start[i + 1] = start[i] + 1 + (int32_t)(i * 7 % 11); // 1 to 11 tokens
    s->tokens = (size_t)start[count];
    s->x = tensors_normal(&s->all, s->tokens * channels, 0.5, 2);
    s->y = tensors_zero(&s->all, count * channels);
    s->dy = tensors_normal(&s->all, count * channels, 0, 1);
    s->dx = tensors_normal(&s->all, s->tokens * channels, 0, 1);
}

// Forward: a token's sum has at most as many roundings as there are tokens, each of at most the sum of absolute values;
// the division (2.5 ulp in OpenCL) comes last. Backward: the division alone.
static void check_means(const sequences *s, size_t channels)
{
    const int32_t *start = tensor_integers(s->starts);
    double *x = doubles(s->tokens * channels), *y = doubles(channels), *allowed = doubles(channels);
    double *dx = doubles(channels), *dx_allowed = doubles(channels);
    for (size_t i = 0; i < s->tokens * channels; i++) x[i] = (double)s->x->before[i];
    for (size_t i = 0; i < s->sequences; i++) {
        const size_t first = (size_t)start[i], tokens = (size_t)start[i + 1] - first;
        reference_mean(y, x + first * channels, tokens, channels);
        for (size_t c = 0; c < channels; c++) {
            double size = 0;
            for (size_t t = 0; t < tokens; t++) size += fabs(x[(first + t) * channels + c]) / (double)tokens;
            allowed[c] = ((double)tokens + 5) * u * size;
            dx[c] = reference_mean_slope((double)s->dy->before[i * channels + c], tokens);
            dx_allowed[c] = 5 * u * fabs(dx[c]);
        }
        assert_within("mean", s->y->now + i * channels, y, allowed, channels);
        for (size_t t = 0; t < tokens; t++)
            assert_within("gradient of a token", s->dx->now + (first + t) * channels, dx, dx_allowed, channels);
    }
    free(x);
    free(y);
    free(allowed);
    free(dx);
    free(dx_allowed);
}

static void mean_case(size_t rows, size_t channels)
{
    sequences s;
    make_sequences(&s, rows, channels);
    tensors_upload(&s.all);
    const ebm_batch batch = {.sequences = rows, .tokens = s.tokens, .longest = 11, .starts = s.starts->slice};
    assert_ok(ebm_mean_tokens_forward(device, s.y->slice, s.x->slice, &batch, channels));
    assert_ok(ebm_mean_tokens_backward(device, s.dx->slice, s.dy->slice, &batch, channels));
    tensors_download(&s.all);
    check_means(&s, channels);
    assert_unchanged(s.x);
    assert_unchanged(s.dy);
    tensors_free(&s.all);
}

static void means_are_exact(void **state) { for_sizes(mean_case); }

static void mean_slopes_are_finite_differences(void **state)
{
    enum { TOKENS = 5, CHANNELS = 3 };
    double x[TOKENS * CHANNELS], y[CHANNELS];
    for (size_t i = 0; i < TOKENS * CHANNELS; i++) x[i] = sin((double)i);
    for (size_t i = 0; i < TOKENS * CHANNELS; i++) {
        const double h = 1e-5, kept = x[i];
        double difference = 0;
        for (int side = -1; side <= 1; side += 2) {
            x[i] = kept + side * h;
            reference_mean(y, x, TOKENS, CHANNELS);
            for (size_t c = 0; c < CHANNELS; c++) difference += side * y[c] * (double)(c + 1) / (2 * h);
        }
        x[i] = kept;
        assert_true(fabs(difference - reference_mean_slope((double)(i % CHANNELS + 1), TOKENS)) < 1e-9);
    }
}

static void relu_case(size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, count, 0, 2), *dy = tensors_normal(&all, count, 0, 1);
    tensor *y = tensors_zero(&all, count), *dx = tensors_zero(&all, count);
    x->before[0] = 0, x->before[1] = -0.0f; // no slope there
    tensor *y_in_place = tensors_zero(&all, count), *dx_in_place = tensors_zero(&all, count);
    memcpy(y_in_place->before, x->before, count * sizeof(float));
    memcpy(dx_in_place->before, dy->before, count * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_relu_forward(device, y->slice, x->slice, rows, channels));
    assert_ok(ebm_relu_forward(device, y_in_place->slice, y_in_place->slice, rows, channels));
    assert_ok(ebm_relu_backward(device, dx->slice, dy->slice, y->slice, rows, channels));
    assert_ok(ebm_relu_backward(device, dx_in_place->slice, dx_in_place->slice, y->slice, rows, channels));
    tensors_download(&all);
    for (size_t i = 0; i < count; i++) {
        assert_true(y->now[i] == (x->before[i] > 0 ? x->before[i] : 0));
        assert_true(dx->now[i] == (x->before[i] > 0 ? dy->before[i] : 0));
    }
    assert_memory_equal(y_in_place->now, y->now, count * sizeof(float));
    assert_memory_equal(dx_in_place->now, dx->now, count * sizeof(float));
    assert_unchanged(x);
    assert_unchanged(dy);
    tensors_free(&all);
}

static void relu_is_exact(void **state) { for_sizes(relu_case); }

// What is not a number must not become one: the trainer stops at losses that are not finite.
static void relu_keeps_nan(void **state)
{
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, 64, 0, 1), *y = tensors_zero(&all, 64);
    for (size_t i = 0; i < 64; i += 5) x->before[i] = NAN;
    tensors_upload(&all);
    assert_ok(ebm_relu_forward(device, y->slice, x->slice, 4, 16));
    tensors_download(&all);
    for (size_t i = 0; i < 64; i++) assert_int_equal(isnan(y->now[i]) != 0, i % 5 == 0);
    tensors_free(&all);
}

// Rows from the second on: sums of squares, each product and sum rounded once, in any order; dx as two roundings.
static void norms_case(size_t rows, size_t channels)
{
    const float scale = 0.25f;
    tensors all = {.device = device};
    const size_t first = rows > 1;
    tensor *x = tensors_normal(&all, rows * channels, 0, 1), *dx = tensors_normal(&all, rows * channels, 0, 1);
    tensor *norms = tensors_zero(&all, rows);
    tensors_upload(&all);
    assert_ok(ebm_squared_norms(device, norms->slice, dx->slice, x->slice, scale, first, rows - first, channels));
    tensors_download(&all);
    for (size_t r = 0; r < rows; r++) {
        double square = 0;
        for (size_t i = r * channels; i < (r + 1) * channels; i++) {
            const double v = (double)x->before[i], step = (double)scale * v, sum = (double)dx->before[i] + step;
            const double slack = 2 * UNIT_ROUNDOFF * (fabs(step) + fabs(sum));
            square += v * v;
            if (r < first)
                assert_true(dx->now[i] == dx->before[i]);
            else
                assert_within("dx", dx->now + i, &sum, &slack, 1);
        }
        if (r < first) square = 0;
        const double slack = (double)(channels + 1) * UNIT_ROUNDOFF * square;
        assert_within("norms", norms->now + r, &square, &slack, 1);
    }
    tensors_free(&all);
}

static void squared_norms_are_exact(void **state) { for_sizes(norms_case); }

static void wrong_sizes_are_refused(void **state)
{
    sequences s;
    make_sequences(&s, 4, 16);
    tensors_upload(&s.all);
    ebm_batch batch = {.sequences = 5, .tokens = s.tokens, .longest = 11, .starts = s.starts->slice};
    assert_fails(ebm_mean_tokens_forward(device, s.y->slice, s.x->slice, &batch, 16), EBM_ERROR_DEVICE, "y needs 80");
    batch.sequences = 4;
    assert_fails(ebm_mean_tokens_backward(device, s.dx->slice, s.dy->slice, &batch, 17), EBM_ERROR_INPUT, "found 17");
    tensors_download(&s.all);
    assert_unchanged(s.y);
    tensors_free(&s.all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_exact),         cmocka_unit_test(mean_slopes_are_finite_differences),
        cmocka_unit_test(relu_is_exact),           cmocka_unit_test(relu_keeps_nan),
        cmocka_unit_test(squared_norms_are_exact), cmocka_unit_test(wrong_sizes_are_refused),
    };
    return cmocka_run_group_tests_name("operations of heads", tests, open_device, close_device);
}
