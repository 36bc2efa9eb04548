#include "label_loss.h"

#include "on_device.h"
#include "posterior.h"
#include "reference_loss.h"

enum { MOST_LABELS = 17, BINS = 20 };

static const ebm_label_loss PLAIN = {0, 0, 0, 0};
static const ebm_label_loss SETTINGS[] = {
    {0, 0, 0, 0},    {0.1f, 0, 0, 0}, {0, 2, 0, 0},    {0, 0.5f, 0, 0},        {0, 0, 0.3f, 0},
    {0, 0, 0, 0.5f}, {0.2f, 1, 0, 0}, {0, 3, 0.1f, 0}, {0.05f, 2, 0.2f, 0.7f},
};
enum { SETTING_COUNT = sizeof SETTINGS / sizeof *SETTINGS };

// ---- the kernel

// A posterior that has gaps.
static void fill_posterior(float *q, size_t Y)
{
    for (size_t i = 0; i < Y * BINS; i++) q[i] = i % 7 == 3 ? 0.0f : 0.05f + 0.9f * (float)(i % BINS) / BINS;
}

// Whether a probability lies so near the edge of a bin that float may take the other one.
static bool is_at_an_edge(const float *f, size_t Y)
{
    double most = (double)f[0], sum = 0;
    for (size_t y = 1; y < Y; y++) most = fmax(most, (double)f[y]);
    for (size_t y = 0; y < Y; y++) sum += exp((double)f[y] - most);
    for (size_t y = 0; y < Y; y++) {
        const double place = exp((double)f[y] - most) / sum * BINS;
        if (fabs(place - round(place)) < 1e-4 && round(place) > 0) return true;
    }
    return false;
}

// Logits are below 6 in size: -ln p reaches 15, and sums of 17 of them 250 before they are divided by Y; a dozen
// roundings of each make 3e-5. Gradients: terms up to 15 (1 + b + w), the power's error 4 ulp of at most 1: 5e-6.
static void check_rows(const ebm_label_loss *l, size_t rows, size_t Y, size_t first, size_t total)
{
    const size_t n = first + rows + 2;
    float *f = host_array(n * Y, 4), *df = host_array(n * Y, 4), *loss = host_array(n, 4), *plain = host_array(n, 4);
    float q[MOST_LABELS * BINS];
    int32_t *label = host_array(n, 4);
    uint32_t state = (uint32_t)(rows * 131 + Y);
    const bool known = l->posterior_weight > 0;
    for (size_t i = 0; i < n * Y; i++) f[i] = pseudo(&state, 6), df[i] = 5;
    for (size_t i = 0; i < n; i++) label[i] = (int32_t)((i * 7 + 3) % Y), loss[i] = 6, plain[i] = 7;
    fill_posterior(q, Y);
    const ebm_label_loss_rows r = {put(loss, n),
                                   put(plain, n),
                                   put(df, n * Y),
                                   put(f, n * Y),
                                   put(label, n),
                                   known ? put(q, Y * BINS) : put(NULL, 0),
                                   Y,
                                   known ? BINS : 0,
                                   {first, rows},
                                   total};
    assert_ok(ebm_label_loss_run(device, l, &r));
    get(r.loss, n, loss);
    get(r.plain, n, plain);
    get(r.dlogits, n * Y, df);
    for (size_t i = 0; i < n; i++) {
        const bool asked = i >= first && i < first + rows;
        double slope[MOST_LABELS];
        const ebm_reference_loss expected =
            ebm_reference_label_loss(l, f + i * Y, Y, (size_t)label[i], known ? q : NULL, BINS, slope);
        if (known && is_at_an_edge(f + i * Y, Y)) continue;
        check_near("loss", i, (double)loss[i], asked ? expected.loss : 6, asked ? 3e-5 : 0);
        check_near("plain", i, (double)plain[i], asked ? expected.plain : 7, asked ? 2e-5 : 0);
        for (size_t y = 0; y < Y; y++)
            check_near("dlogits", i * Y + y, (double)df[i * Y + y], asked ? slope[y] / (double)total : 5,
                       asked ? 5e-6 / (double)total : 0);
    }
    free(f), free(df), free(loss), free(plain), free(label);
}

static void test_shapes(void **state)
{
    const size_t rows[] = {1, 15, 17, 33}, labels[] = {1, 2, 3, MOST_LABELS};
    for (size_t s = 0; s < SETTING_COUNT; s++)
        for (size_t r = 0; r < (small_test() ? 2 : 4); r++) {
            for (size_t y = 0; y < 4; y++) {
                check_rows(SETTINGS + s, rows[r], labels[y], 0, rows[r]);
                check_rows(SETTINGS + s, rows[r], labels[y], 3, 2 * rows[r]); // half of a split step
            }
            free_slices(state);
        }
}

static float loss_of(const ebm_label_loss *l, const float *f, size_t Y, int32_t label, const float *q, float *df)
{
    float loss = 0;
    const ebm_label_loss_rows r = {
        put(NULL, 1), put(NULL, 1), put(NULL, Y), put(f, Y), put(&label, 1), put(q, Y * BINS), Y, BINS, {0, 1}, 1};
    assert_ok(ebm_label_loss_run(device, l, &r));
    get(r.loss, 1, &loss);
    if (df) get(r.dlogits, Y, df);
    return loss;
}

// (L(f + h) - L(f - h)) / 2h with h = 2^-6: truncation h^2 / 6 times a third derivative below 6, 2.5e-4; rounding of
// losses near 2: 3e-5. The table is constant, so that no bin's edge is crossed.
static void test_finite_differences(void **state)
{
    const float f[3] = {0.5f, -1.25f, 0.75f}, h = 0.015625f;
    float q[3 * BINS];
    for (size_t i = 0; i < (size_t)3 * BINS; i++) q[i] = 0.2f + 0.25f * (float)(i / BINS);
    for (size_t s = 0; s < SETTING_COUNT; s++) {
        float df[3];
        loss_of(SETTINGS + s, f, 3, 1, q, df);
        for (size_t y = 0; y < 3; y++) {
            float up[3], down[3];
            memcpy(up, f, sizeof f), memcpy(down, f, sizeof f);
            up[y] += h, down[y] -= h;
            const float difference =
                loss_of(SETTINGS + s, up, 3, 1, q, NULL) - loss_of(SETTINGS + s, down, 3, 1, q, NULL);
            check_near("slope", y, (double)df[y], (double)difference / (2 * (double)h), 3e-4);
        }
        free_slices(state);
    }
}

// Certain and right: p_t = 1 and 1 - p_t = 0 to the last bit; certain and wrong; NaN; a label there is not.
static void test_extremes(void **state)
{
    const float far[2] = {1e4f, -1e4f}, bad[2] = {NAN, 0};
    float q[2 * BINS], df[2];
    for (size_t i = 0; i < (size_t)2 * BINS; i++) q[i] = 0.5f;
    for (size_t s = 0; s < SETTING_COUNT; s++) {
        const float right = loss_of(SETTINGS + s, far, 2, 0, q, df);
        assert_true(isfinite(right) && isfinite(df[0]) && isfinite(df[1]));
        const float wrong = loss_of(SETTINGS + s, far, 2, 1, q, df);
        assert_true(isfinite(wrong) && wrong > 5e3f && df[0] > 0 && df[1] < 0);
        assert_true(isnan(loss_of(SETTINGS + s, bad, 2, 1, q, df)));
        assert_true(isnan(loss_of(SETTINGS + s, far, 2, 2, q, df)) && df[0] == 0 && df[1] == 0);
        assert_true(isnan(loss_of(SETTINGS + s, far, 2, -1, q, df)) && df[0] == 0 && df[1] == 0);
        free_slices(state);
    }
}

static void test_bad_arguments(void **state)
{
    (void)state;
    const ebm_label_loss_rows good = {
        put(NULL, 4), put(NULL, 4), put(NULL, 4), put(NULL, 4), put(NULL, 4), put(NULL, 4), 2, 0, {0, 2}, 2};
    ebm_label_loss_rows r = good;
    assert_ok(ebm_label_loss_run(device, &PLAIN, &good));
    r.rows.first = 20;
    assert_fails(ebm_label_loss_run(device, &PLAIN, &r), EBM_ERROR_INPUT, "rows to 22 asked for");
    r = good, r.label_count = 0;
    assert_fails(ebm_label_loss_run(device, &PLAIN, &r), EBM_ERROR_INPUT, "at least one label");
    r = good, r.bins = 20;
    assert_fails(ebm_label_loss_run(device, &PLAIN, &r), EBM_ERROR_INPUT, "a posterior of 2 x 20 expected");
    r = good, r.total = 1;
    assert_fails(ebm_label_loss_run(device, &PLAIN, &r), EBM_ERROR_INPUT, "2 rows cannot be part of a step of 1");
    assert_fails(ebm_label_loss_check(&(ebm_label_loss){1, 0, 0, 0}), EBM_ERROR_INPUT, "in [0, 1) expected");
    assert_fails(ebm_label_loss_check(&(ebm_label_loss){NAN, 0, 0, 0}), EBM_ERROR_INPUT, "in [0, 1) expected");
    assert_fails(ebm_label_loss_check(&(ebm_label_loss){0, -1, 0, 0}), EBM_ERROR_INPUT, "focal loss, gamma");
    assert_fails(ebm_label_loss_check(&(ebm_label_loss){0, 0, INFINITY, 0}), EBM_ERROR_INPUT, "confidence penalty");
    assert_fails(ebm_label_loss_check(&(ebm_label_loss){0, 0, 0, NAN}), EBM_ERROR_INPUT, "PosCal, weight");
}

static void test_text(void **state)
{
    (void)state;
    char text[200];
    ebm_label_loss_text(&PLAIN, text, sizeof text);
    assert_string_equal(text, "cross-entropy");
    ebm_label_loss_text(&(ebm_label_loss){0.1f, 2, 0.25f, 1}, text, sizeof text);
    assert_string_equal(text,
                        "label smoothing 0.1, focal loss with gamma 2, confidence penalty 0.25, PosCal with weight 1");
}

// ---- the posterior

static float logit(double p) { return (float)log(p / (1 - p)); }

static void test_gamma_of_passes(void **state)
{
    static const float passes[] = {0, 0.3f, 1, 1.5f, 2, 3, 4, 6, 6.1f, 100},
                       gammas[] = {0, 0, 0, 0.5f, 1, 2, 3, 5, 5, 5};
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
        assert_true(ebm_focal_gamma_of_passes((double)passes[i]) == gammas[i]);
}

static void add(ebm_posterior *posterior, double p, int32_t label)
{
    const float f[2] = {0, logit(p)}; // p is label 1's
    ebm_posterior_add(posterior, f, &label, 1);
}

// Two updates in an epoch of 5 steps, after the third and the last: a table is made of the last two windows.
static void test_posterior_counts_the_last_epoch(void **state)
{
    (void)state;
    ebm_posterior *p = NULL;
    assert_ok(ebm_posterior_create(2, 10, 2, 5, &p));
    const float *q = ebm_posterior_table(p);
    for (size_t i = 0; i < 20; i++) assert_true(q[i] == 0);
    add(p, 0.73, 1), add(p, 0.78, 0), add(p, 0.71, 1);
    assert_false(ebm_posterior_step(p));
    assert_false(ebm_posterior_step(p));
    assert_true(q[10 + 7] == 0); // not before the window is over
    add(p, 0.75, 1);
    assert_true(ebm_posterior_step(p));
    assert_true(q[10 + 7] == 0.75f && q[2] == 0.25f && q[7] == 0 && q[10 + 2] == 0);
    add(p, 0.75, 0);
    assert_false(ebm_posterior_step(p));
    assert_true(ebm_posterior_step(p)); // the epoch's end
    assert_true(q[10 + 7] == 0.6f);
    ebm_posterior_step(p), ebm_posterior_step(p);
    assert_true(ebm_posterior_step(p));
    assert_true(q[10 + 7] == 0); // the first window is forgotten, one wrong answer is left
    ebm_posterior_free(p);
}

static void test_posterior_edges(void **state)
{
    (void)state;
    ebm_posterior *p = NULL;
    assert_ok(ebm_posterior_create(2, 10, 10, 3, &p)); // fewer steps than updates: one a step
    const float certain[2] = {-1e4f, 1e4f}, bad[2] = {NAN, 0};
    const int32_t label = 1;
    ebm_posterior_add(p, certain, &label, 1);
    ebm_posterior_add(p, bad, &label, 1); // left out
    assert_true(ebm_posterior_step(p) && ebm_posterior_step(p) && ebm_posterior_step(p));
    assert_true(ebm_posterior_table(p)[10 + 9] == 1 && ebm_posterior_table(p)[0] == 0);
    assert_true(ebm_posterior_step(p));
    assert_true(ebm_posterior_table(p)[10 + 9] == 0); // three windows, the first is forgotten
    ebm_posterior_free(p);
    assert_fails(ebm_posterior_create(0, 10, 10, 3, &p), EBM_ERROR_INPUT, "must be at least 1");
    assert_fails(ebm_posterior_create(2, 10, 10, 0, &p), EBM_ERROR_INPUT, "must be at least 1");
    ebm_posterior_free(NULL);
}

static void test_posterior_is_restored(void **state)
{
    (void)state;
    ebm_posterior *a = NULL, *b = NULL;
    assert_ok(ebm_posterior_create(2, 10, 3, 6, &a));
    assert_ok(ebm_posterior_create(2, 10, 3, 6, &b));
    for (int i = 0; i < 7; i++) add(a, 0.05 + 0.13 * i, i % 2), ebm_posterior_step(a);
    json_t *json = ebm_posterior_json(a);
    assert_ok(ebm_posterior_restore(b, json));
    for (int i = 0; i < 9; i++) {
        assert_memory_equal(ebm_posterior_table(a), ebm_posterior_table(b), 20 * sizeof(float));
        add(a, 0.9 - 0.1 * i, i % 2), add(b, 0.9 - 0.1 * i, i % 2);
        assert_int_equal(ebm_posterior_step(a), ebm_posterior_step(b));
    }
    static const char *const keys[] = {"steps", "window", "counts", "hits", "table"};
    for (size_t i = 0; i < 5; i++) {
        json_t *less = json_copy(json);
        json_object_set_new(less, keys[i], i < 2 ? json_integer(99) : json_pack("[i]", 1));
        assert_fails(ebm_posterior_restore(b, less), EBM_ERROR_INPUT, "\"posterior\" is not one of 2 labels");
        json_decref(less);
    }
    assert_fails(ebm_posterior_restore(b, NULL), EBM_ERROR_INPUT, "\"posterior\"");
    json_decref(json);
    ebm_posterior_free(a);
    ebm_posterior_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_shapes, free_slices),
        cmocka_unit_test_teardown(test_finite_differences, free_slices),
        cmocka_unit_test_teardown(test_extremes, free_slices),
        cmocka_unit_test_teardown(test_bad_arguments, free_slices),
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_gamma_of_passes),
        cmocka_unit_test(test_posterior_counts_the_last_epoch),
        cmocka_unit_test(test_posterior_edges),
        cmocka_unit_test(test_posterior_is_restored),
    };
    return cmocka_run_group_tests_name("label loss", tests, open_device, close_device);
}
