// LayerNorm, alone and at the end of a sublayer, against double precision.
#include <math.h>

#include "operations.h"
#include "random.h"
#include "reference.h"
#include "tensors.h"

static const double u = UNIT_ROUNDOFF, epsilon = 1e-5;

static double *doubles(size_t count)
{
    double *all = calloc(count, sizeof *all);
    assert_non_null(all);
    return all;
}

// Additions one after another in a sum over C channels: at least 4 lanes, then their tree and the work-group's.
static double depth(size_t channels)
{
    return (double)channels / (ebm_device_lanes(device) * ebm_device_group(device)) + 1 + 2 + 6;
}

typedef struct {
    double *y, *y_allowed, *mean, *mean_allowed, *rstd, *rstd_allowed;
} norm_expected;

// Errors of y = gain * h + shift, h = (x - mean) * rstd. rstd: half of what the sum of squares and its mending have,
// (depth + 4) u, and 2 ulp of rsqrt. mean: its last rounding and the mending's, 2 u |mean| + (depth + 2) u deviation.
static norm_expected expect_norm(const double *x, const float *gain, const float *shift, size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    norm_expected e = {doubles(count), doubles(count), doubles(rows), doubles(rows), doubles(rows), doubles(rows)};
    for (size_t row = 0; row < rows; row++) {
        const size_t at = row * channels;
        ebm_reference_norm(e.y + at, &e.mean[row], &e.rstd[row], x + at, gain, shift, epsilon, channels);
        e.mean_allowed[row] = 2 * u * fabs(e.mean[row]) + (depth(channels) + 2) * u / e.rstd[row];
        const double rstd_relative = (0.5 * (depth(channels) + 4) + 4) * u;
        e.rstd_allowed[row] = rstd_relative * e.rstd[row];
        for (size_t c = 0; c < channels; c++) {
            const double g = fabs((double)gain[c]), scaled = g * fabs(x[at + c] - e.mean[row]) * e.rstd[row];
            e.y_allowed[at + c] = (rstd_relative + 4 * u) * scaled + g * e.rstd[row] * e.mean_allowed[row] +
                                  u * fabs((double)shift[c]) + u * fabs(e.y[at + c]);
        }
    }
    return e;
}

static void norm_expected_free(norm_expected *e)
{
    free(e->y);
    free(e->y_allowed);
    free(e->mean);
    free(e->mean_allowed);
    free(e->rstd);
    free(e->rstd_allowed);
}

static void assert_norm(const norm_expected *e, const tensor *y, const tensor *mean, const tensor *rstd, size_t rows,
                        size_t channels)
{
    assert_within("mean", mean->now, e->mean, e->mean_allowed, rows);
    assert_within("rstd", rstd->now, e->rstd, e->rstd_allowed, rows);
    assert_within("y", y->now, e->y, e->y_allowed, rows * channels);
}

static void forward_on(double mean_of_x, double deviation, size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, count, mean_of_x, deviation), *same = tensors_zero(&all, count);
    memcpy(same->before, x->before, count * sizeof(float));
    tensor *gain = tensors_normal(&all, channels, 1, 0.5), *shift = tensors_normal(&all, channels, 0, 1);
    tensor *y = tensors_zero(&all, count), *mean = tensors_zero(&all, rows), *rstd = tensors_zero(&all, rows);
    tensors_upload(&all);
    for (int in_place = 0; in_place < 2; in_place++)
        assert_ok(ebm_layernorm_forward(device, in_place ? same->slice : y->slice, mean->slice, rstd->slice,
                                        in_place ? same->slice : x->slice, gain->slice, shift->slice, (float)epsilon,
                                        rows, channels));
    tensors_download(&all);
    double *wide = doubles(count);
    for (size_t i = 0; i < count; i++) wide[i] = (double)x->before[i];
    norm_expected e = expect_norm(wide, gain->before, shift->before, rows, channels);
    assert_norm(&e, y, mean, rstd, rows, channels);
    assert_memory_equal(same->now, y->now, count * sizeof(float));
    assert_unchanged(x);
    norm_expected_free(&e);
    free(wide);
    tensors_free(&all);
}

static void forward_case(size_t rows, size_t channels)
{
    forward_on(0.3, 1.5, rows, channels);
    forward_on(1000, 1, rows, channels);  // |mean| >> deviation
    forward_on(-7, 1e-3, rows, channels); // variance below epsilon
}

static void layernorm_forward_is_exact(void **state) { for_sizes(forward_case); }

static void a_constant_row_gives_its_shift(void **state)
{
    const size_t channels = 48;
    tensors all = {.device = device};
    tensor *x = tensors_zero(&all, channels), *y = tensors_zero(&all, channels), *moments = tensors_zero(&all, 2);
    tensor *gain = tensors_normal(&all, channels, 1, 1), *shift = tensors_normal(&all, channels, 0, 1);
    tensor *rstd = tensors_zero(&all, 1);
    for (size_t c = 0; c < channels; c++) x->before[c] = 3.14159f;
    tensors_upload(&all);
    assert_ok(ebm_layernorm_forward(device, y->slice, moments->slice, rstd->slice, x->slice, gain->slice, shift->slice,
                                    1e-12f, 1, channels));
    tensors_download(&all);
    for (size_t c = 0; c < channels; c++) // rstd is 1e6: the mean's last bit, 2 u |mean|, would weigh 0.4
        assert_true(fabs((double)y->now[c] - (double)shift->before[c]) <= 0.4 * fabs((double)gain->before[c]));
    assert_true(isfinite(rstd->now[0]));
    tensors_free(&all);
}

// dx = rstd (g - average(g) - h average(g h)): each average has depth + 3 roundings of terms of the size max|g| or
// max|g h|; g, h and the differences five more.
static void expect_gradient(double *dx, double *allowed, const float *dy, const float *x, const float *mean,
                            const float *rstd, const float *gain, size_t channels)
{
    double *wide_dy = doubles(channels), *wide_x = doubles(channels), largest_g = 0, largest_h = 0;
    for (size_t c = 0; c < channels; c++) {
        wide_dy[c] = (double)dy[c];
        wide_x[c] = (double)x[c];
        largest_g = fmax(largest_g, fabs((double)dy[c] * (double)gain[c]));
        largest_h = fmax(largest_h, fabs(((double)x[c] - (double)*mean) * (double)*rstd));
    }
    ebm_reference_norm_backward(dx, wide_dy, wide_x, (double)*mean, (double)*rstd, gain, channels);
    for (size_t c = 0; c < channels; c++)
        allowed[c] = (depth(channels) + 8) * u * (double)*rstd * largest_g * (1 + largest_h * largest_h);
    free(wide_dy);
    free(wide_x);
}

static void backward_case(size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, count, 0.3, 1.5), *dy = tensors_normal(&all, count, 0, 1);
    tensor *gain = tensors_normal(&all, channels, 1, 0.5), *mean = tensors_normal(&all, rows, 0.3, 0.1);
    tensor *rstd = tensors_normal(&all, rows, 0.7, 0.05), *dx = tensors_normal(&all, count, 0, 1);
    tensor *added = tensors_normal(&all, count, 0, 1), *same = tensors_zero(&all, count);
    memcpy(same->before, dy->before, count * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_layernorm_backward(device, dx->slice, dy->slice, x->slice, mean->slice, rstd->slice, gain->slice,
                                     false, rows, channels));
    assert_ok(ebm_layernorm_backward(device, added->slice, dy->slice, x->slice, mean->slice, rstd->slice, gain->slice,
                                     true, rows, channels));
    assert_ok(ebm_layernorm_backward(device, same->slice, same->slice, x->slice, mean->slice, rstd->slice, gain->slice,
                                     false, rows, channels));
    tensors_download(&all);
    double *expected = doubles(count), *allowed = doubles(count);
    for (size_t row = 0; row < rows; row++) {
        const size_t at = row * channels;
        expect_gradient(expected + at, allowed + at, dy->before + at, x->before + at, mean->before + row,
                        rstd->before + row, gain->before, channels);
    }
    assert_within("dx", dx->now, expected, allowed, count);
    assert_memory_equal(same->now, dx->now, count * sizeof(float));
    for (size_t i = 0; i < count; i++) {
        expected[i] += (double)added->before[i];
        allowed[i] += u * fabs(expected[i]);
    }
    assert_within("dx added to", added->now, expected, allowed, count);
    free(expected);
    free(allowed);
    tensors_free(&all);
}

static void layernorm_backward_is_exact(void **state) { for_sizes(backward_case); }

typedef struct {
    tensor *x, *dy, *mean, *rstd, *dgain, *dshift;
} weights_tensors;

static weights_tensors make_weights(tensors *all, size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    return (weights_tensors){tensors_normal(all, count, 0.3, 1.5), tensors_normal(all, count, 0, 1),
                             tensors_normal(all, rows, 0.3, 0.1),  tensors_normal(all, rows, 0.7, 0.05),
                             tensors_normal(all, channels, 0, 1),  tensors_normal(all, channels, 0, 1)};
}

// A column's sum has at most rows of a slab + slabs + 2 roundings one after another, each of at most the sum of
// absolute values; a term of dgain has three of its own.
static void check_weights(const weights_tensors *w, size_t rows, size_t channels)
{
    double *gains = doubles(channels), *shifts = doubles(channels), *gain_allowed = doubles(channels);
    double *shift_allowed = doubles(channels);
    for (size_t c = 0; c < channels; c++) {
        gains[c] = (double)w->dgain->before[c];
        shifts[c] = (double)w->dshift->before[c];
        double gain_size = fabs(gains[c]), shift_size = fabs(shifts[c]);
        for (size_t row = 0; row < rows; row++) {
            const double d = (double)w->dy->before[row * channels + c];
            const double h = ((double)w->x->before[row * channels + c] - (double)w->mean->before[row]) *
                             (double)w->rstd->before[row];
            gains[c] += d * h;
            shifts[c] += d;
            gain_size += fabs(d * h);
            shift_size += fabs(d);
        }
        const double roundings = 32 + (double)rows / 32 + 2 + (double)rows / EBM_COLUMN_SLABS;
        gain_allowed[c] = (roundings + 3) * u * gain_size;
        shift_allowed[c] = roundings * u * shift_size;
    }
    assert_within("dgain", w->dgain->now, gains, gain_allowed, channels);
    assert_within("dshift", w->dshift->now, shifts, shift_allowed, channels);
    free(gains);
    free(shifts);
    free(gain_allowed);
    free(shift_allowed);
}

static void weights_case(size_t rows, size_t channels)
{
    tensors all = {.device = device};
    const weights_tensors w = make_weights(&all, rows, channels);
    tensor *scratch = tensors_normal(&all, EBM_COLUMN_SLABS * 2 * channels, 0, 1);
    tensors_upload(&all);
    assert_ok(ebm_layernorm_backward_weights(device, w.dgain->slice, w.dshift->slice, w.dy->slice, w.x->slice,
                                             w.mean->slice, w.rstd->slice, scratch->slice, rows, channels));
    tensors_download(&all);
    check_weights(&w, rows, channels);
    tensors_free(&all);
}

static void layernorm_weight_gradients_are_exact(void **state)
{
    for_sizes(weights_case);
    if (!getenv("EBMCL_TEST_SMALL")) weights_case(5000, 80); // every slab in use, a strip that is not whole
}

static void sublayer_on(const ebm_dropout *dropout, size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    tensors all = {.device = device};
    tensor *a = tensors_normal(&all, count, 0, 1), *bias = tensors_normal(&all, channels, 0, 1);
    tensor *residual = tensors_normal(&all, count, 0, 1), *gain = tensors_normal(&all, channels, 1, 0.5);
    tensor *shift = tensors_normal(&all, channels, 0, 1), *s = tensors_zero(&all, count),
           *y = tensors_zero(&all, count);
    tensor *mean = tensors_zero(&all, rows), *rstd = tensors_zero(&all, rows), *in_place = tensors_zero(&all, count);
    tensor *dy = tensors_normal(&all, count, 0, 1), *ds = tensors_zero(&all, count), *da = tensors_zero(&all, count);
    tensor *y_again = tensors_zero(&all, count), *ds_in_place = tensors_zero(&all, count),
           *da_again = tensors_zero(&all, count);
    memcpy(in_place->before, a->before, count * sizeof(float));
    memcpy(ds_in_place->before, dy->before, count * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_residual_layernorm_forward(device, y->slice, s->slice, mean->slice, rstd->slice, a->slice,
                                             bias->slice, residual->slice, gain->slice, shift->slice, (float)epsilon,
                                             dropout, rows, channels));
    assert_ok(ebm_residual_layernorm_forward(device, y_again->slice, in_place->slice, mean->slice, rstd->slice,
                                             in_place->slice, bias->slice, residual->slice, gain->slice, shift->slice,
                                             (float)epsilon, dropout, rows, channels));
    assert_ok(ebm_residual_layernorm_backward(device, ds->slice, da->slice, dy->slice, s->slice, mean->slice,
                                              rstd->slice, gain->slice, dropout, rows, channels));
    assert_ok(ebm_residual_layernorm_backward(device, ds_in_place->slice, da_again->slice, ds_in_place->slice, s->slice,
                                              mean->slice, rstd->slice, gain->slice, dropout, rows, channels));
    tensors_download(&all);
    double *sum = doubles(count), *allowed = doubles(count), *wide = doubles(count);
    for (size_t i = 0; i < count; i++) {
        const double mask = ebm_reference_mask(dropout, i / channels, i % channels, channels);
        const double dropped = mask * ((double)a->before[i] + (double)bias->before[i % channels]);
        sum[i] = (double)residual->before[i] + dropped;
        allowed[i] = 4 * u * (fabs(dropped) + fabs((double)residual->before[i]));
        wide[i] = (double)s->now[i]; // LayerNorm is judged on the s it was given
    }
    assert_within("s", s->now, sum, allowed, count);
    norm_expected e = expect_norm(wide, gain->before, shift->before, rows, channels);
    assert_norm(&e, y, mean, rstd, rows, channels);
    for (size_t row = 0; row < rows; row++) {
        const size_t at = row * channels;
        expect_gradient(sum + at, allowed + at, dy->before + at, s->now + at, mean->now + row, rstd->now + row,
                        gain->before, channels);
    }
    assert_within("ds", ds->now, sum, allowed, count);
    for (size_t i = 0; i < count; i++) {
        const double mask = ebm_reference_mask(dropout, i / channels, i % channels, channels);
        sum[i] = mask * (double)ds->now[i];
        allowed[i] = 2 * u * fabs(sum[i]);
    }
    assert_within("da", da->now, sum, allowed, count);
    assert_memory_equal(y_again->now, y->now, count * sizeof(float));
    assert_memory_equal(in_place->now, s->now, count * sizeof(float));
    assert_memory_equal(ds_in_place->now, ds->now, count * sizeof(float));
    assert_memory_equal(da_again->now, da->now, count * sizeof(float));
    norm_expected_free(&e);
    free(sum);
    free(allowed);
    free(wide);
    tensors_free(&all);
}

static void sublayer_case(size_t rows, size_t channels)
{
    const ebm_dropout none = {.probability = 0},
                      some = {.probability = 0.1f, .seed = 77, .step = 4, .site = 97, .first_row = 1000};
    sublayer_on(&none, rows, channels);
    sublayer_on(&some, rows, channels);
}

static void the_end_of_a_sublayer_is_exact(void **state) { for_sizes(sublayer_case); }

// In one call the bits of ds and da are the same, dy being overwritten, and the weights' gradients as good.
static void together_case(size_t rows, size_t channels)
{
    const ebm_dropout dropout = {.probability = 0.1f, .seed = 77, .step = 4, .site = 97, .first_row = 1000};
    const size_t count = rows * channels;
    tensors all = {.device = device};
    const weights_tensors w = make_weights(&all, rows, channels);
    tensor *gain = tensors_normal(&all, channels, 1, 0.5), *in_place = tensors_zero(&all, count);
    tensor *ds = tensors_zero(&all, count), *da = tensors_zero(&all, count), *da_together = tensors_zero(&all, count);
    tensor *scratch = tensors_normal(&all, EBM_COLUMN_SLABS * 2 * channels, 0, 1);
    memcpy(in_place->before, w.dy->before, count * sizeof(float));
    tensors_upload(&all);
    assert_ok(ebm_residual_layernorm_backward(device, ds->slice, da->slice, w.dy->slice, w.x->slice, w.mean->slice,
                                              w.rstd->slice, gain->slice, &dropout, rows, channels));
    assert_ok(ebm_residual_layernorm_backward_all(
        device, in_place->slice, da_together->slice, w.dgain->slice, w.dshift->slice, in_place->slice, w.x->slice,
        w.mean->slice, w.rstd->slice, gain->slice, &dropout, scratch->slice, rows, channels));
    tensors_download(&all);
    assert_memory_equal(in_place->now, ds->now, count * sizeof(float));
    assert_memory_equal(da_together->now, da->now, count * sizeof(float));
    check_weights(&w, rows, channels);
    tensors_free(&all);
}

static void all_of_a_sublayers_end_at_once(void **state)
{
    for_sizes(together_case);
    if (!getenv("EBMCL_TEST_SMALL")) together_case(5000, 80);
}

// A slice of no elements for the shift: the bits of a shift of zeros, and of dgain with a dshift beside it.
static void no_shift_case(size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    const ebm_slice none = {0};
    tensors all = {.device = device};
    tensor *x = tensors_normal(&all, count, 0.3, 1.5), *dy = tensors_normal(&all, count, 0, 1);
    tensor *gain = tensors_normal(&all, channels, 1, 0.5), *zeros = tensors_zero(&all, channels);
    tensor *mean = tensors_zero(&all, rows), *rstd = tensors_zero(&all, rows);
    tensor *y = tensors_zero(&all, count), *expected = tensors_zero(&all, count);
    tensor *dgain = tensors_zero(&all, channels), *dgain_expected = tensors_zero(&all, channels);
    tensor *dshift = tensors_zero(&all, channels), *scratch = tensors_zero(&all, EBM_COLUMN_SLABS * 2 * channels);
    tensors_upload(&all);
    for (int without = 0; without < 2; without++) {
        assert_ok(ebm_layernorm_forward(device, without ? y->slice : expected->slice, mean->slice, rstd->slice,
                                        x->slice, gain->slice, without ? none : zeros->slice, (float)epsilon, rows,
                                        channels));
        assert_ok(ebm_layernorm_backward_weights(device, without ? dgain->slice : dgain_expected->slice,
                                                 without ? none : dshift->slice, dy->slice, x->slice, mean->slice,
                                                 rstd->slice, scratch->slice, rows, channels));
    }
    tensors_download(&all);
    for (size_t i = 0; i < count; i++) assert_true(y->now[i] == expected->now[i]); // 0 and -0 are the same
    assert_memory_equal(dgain->now, dgain_expected->now, channels * sizeof(float));
    tensors_free(&all);
}

// The same at the end of a sublayer, and a slice of no elements for the bias there.
static void bare_sublayer_case(size_t rows, size_t channels)
{
    const size_t count = rows * channels;
    const ebm_slice none = {0};
    const ebm_dropout dropout = {.probability = 0.1f, .seed = 77, .step = 4, .site = 97, .first_row = 1000};
    tensors all = {.device = device};
    tensor *a = tensors_normal(&all, count, 0, 1), *residual = tensors_normal(&all, count, 0, 1);
    tensor *gain = tensors_normal(&all, channels, 1, 0.5), *other = tensors_normal(&all, channels, 0, 1);
    tensor *zeros = tensors_zero(&all, channels), *mean = tensors_zero(&all, rows), *rstd = tensors_zero(&all, rows);
    tensor *y[6], *s[6];
    for (size_t i = 0; i < 6; i++) y[i] = tensors_zero(&all, count), s[i] = tensors_zero(&all, count);
    tensors_upload(&all);
    const ebm_slice bias[6] = {zeros->slice, none, other->slice, other->slice, zeros->slice, none};
    const ebm_slice shift[6] = {zeros->slice, none, zeros->slice, none, other->slice, other->slice};
    for (size_t i = 0; i < 6; i++)
        assert_ok(ebm_residual_layernorm_forward(device, y[i]->slice, s[i]->slice, mean->slice, rstd->slice, a->slice,
                                                 bias[i], residual->slice, gain->slice, shift[i], (float)epsilon,
                                                 &dropout, rows, channels));
    tensors_download(&all);
    for (size_t pair = 0; pair < 6; pair += 2)
        for (size_t i = 0; i < count; i++) {
            assert_true(s[pair]->now[i] == s[pair + 1]->now[i]);
            assert_true(y[pair]->now[i] == y[pair + 1]->now[i]);
        }
    tensors_free(&all);
}

static void the_end_of_a_bare_sublayer_is_exact(void **state) { for_sizes(bare_sublayer_case); }

static void a_layernorm_without_a_shift_is_exact(void **state) { for_sizes(no_shift_case); }

// The reference's gradients against central differences of the reference's forward, in double precision with h = 1e-5:
// h^2 / 6 times a third derivative of the order of 10, and rounding 1e-15 / h.
static void layernorm_gradients_are_finite_differences(void **state)
{
    enum { CHANNELS = 16 };
    ebm_random stream = ebm_random_stream(1, 1, 1);
    double x[CHANNELS], dy[CHANNELS], dx[CHANNELS], y[CHANNELS], mean, rstd;
    float gain[CHANNELS], shift[CHANNELS];
    for (size_t c = 0; c < CHANNELS; c++) {
        x[c] = ebm_random_normal(&stream);
        dy[c] = ebm_random_normal(&stream);
        gain[c] = (float)ebm_random_normal(&stream);
        shift[c] = (float)ebm_random_normal(&stream);
    }
    ebm_reference_norm(y, &mean, &rstd, x, gain, shift, epsilon, CHANNELS);
    ebm_reference_norm_backward(dx, dy, x, mean, rstd, gain, CHANNELS);
    for (size_t c = 0; c < CHANNELS; c++) {
        const double h = 1e-5, kept = x[c];
        double difference = 0;
        for (int side = -1; side <= 1; side += 2) {
            x[c] = kept + side * h;
            ebm_reference_norm(y, NULL, NULL, x, gain, shift, epsilon, CHANNELS);
            for (size_t k = 0; k < CHANNELS; k++) difference += side * y[k] * dy[k] / (2 * h);
        }
        x[c] = kept;
        assert_true(fabs(difference - dx[c]) < 1e-8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layernorm_forward_is_exact),
        cmocka_unit_test(a_constant_row_gives_its_shift),
        cmocka_unit_test(layernorm_backward_is_exact),
        cmocka_unit_test(layernorm_weight_gradients_are_exact),
        cmocka_unit_test(a_layernorm_without_a_shift_is_exact),
        cmocka_unit_test(the_end_of_a_sublayer_is_exact),
        cmocka_unit_test(all_of_a_sublayers_end_at_once),
        cmocka_unit_test(the_end_of_a_bare_sublayer_is_exact),
        cmocka_unit_test(layernorm_gradients_are_finite_differences),
    };
    return cmocka_run_group_tests_name("LayerNorm", tests, open_device, close_device);
}
