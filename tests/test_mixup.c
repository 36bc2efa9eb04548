// Mixup: its kernels against double precision, how lambda and partners are drawn, and the margins of texts.
#include "mixup.h"

#include "folder.h"
#include "margins.h"
#include "mixing.h"
#include "on_device.h"
#include "safetensors.h"

enum { MOST_LABELS = 17 };

// ---- the kernels

// Some texts are chosen often, some never, some choose themselves.
static void choose(int32_t *partner, size_t rows)
{
    for (size_t i = 0; i < rows; i++) partner[i] = (int32_t)(i % 3 == 0 ? i : (i * i + 1) % (rows / 2 + 1));
}

static ebm_mixing mixing_of(const int32_t *partner, size_t rows, float lambda)
{
    int32_t *starts = host_array(rows + 1, 4), *users = host_array(rows, 4);
    ebm_mixup_users(partner, rows, starts, users);
    const ebm_mixing m = {put(partner, rows), put(starts, rows + 1), put(users, rows), lambda, rows};
    free(starts), free(users);
    return m;
}

// Values below 4 in size: a mixed one has three roundings of at most 4 * 2^-24; the way back adds up to `rows` of them.
static void check_vectors(size_t rows, size_t C, float lambda)
{
    const size_t n = rows * C;
    float *x = host_array(n, 4), *y = host_array(n, 4), *dy = host_array(n, 4), *dx = host_array(n, 4);
    float *before = host_array(n, 4);
    double *expected = host_array(n, sizeof *expected);
    int32_t *partner = host_array(rows, 4);
    uint32_t state = (uint32_t)(rows * 31 + C);
    for (size_t i = 0; i < n; i++) x[i] = pseudo(&state, 4), dy[i] = pseudo(&state, 4), before[i] = pseudo(&state, 4);
    choose(partner, rows);
    const ebm_mixing m = mixing_of(partner, rows, lambda);
    const ebm_slice on_y = put(NULL, n), on_dx = put(before, n);
    assert_ok(ebm_mix_forward(device, on_y, put(x, n), &m, C));
    assert_ok(ebm_mix_backward(device, on_dx, put(dy, n), &m, C));
    get(on_y, n, y), get(on_dx, n, dx);
    const double own = (double)lambda, other = (double)(1 - lambda);
    for (size_t i = 0; i < n; i++) expected[i] = (double)before[i] + own * (double)dy[i];
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < C; c++) {
            const size_t chosen = (size_t)partner[r] * C + c, i = r * C + c;
            check_near("y", i, (double)y[i], own * (double)x[i] + other * (double)x[chosen], 1e-6);
            expected[chosen] += other * (double)dy[i];
        }
    for (size_t i = 0; i < n; i++)
        check_near("dx", i, (double)dx[i], expected[i], 1e-6 + 2.4e-7 * (double)(rows * rows));
    free(x), free(y), free(dy), free(dx), free(before), free(expected), free(partner);
}

static void test_vectors(void **state)
{
    const size_t rows[] = {1, 2, 17, 33}, channels[] = {16, 48, 128};
    for (size_t r = 0; r < 4; r++) {
        for (size_t c = 0; c < 3; c++)
            for (int l = 0; l < 3; l++) check_vectors(rows[r], channels[c], (float[]){0.3f, 0, 1}[l]);
        free_slices(state);
    }
}

// Logits are below 6 in size: a loss reaches 15, a dozen roundings of it make 2e-5; slopes 1: 1e-6.
static void check_losses(size_t rows, size_t Y, float lambda, float keep, float weight)
{
    const size_t n = rows * Y;
    float *f = host_array(n, 4), *df = host_array(n, 4), *before = host_array(rows, 4), *loss = host_array(rows, 4);
    int32_t *label = host_array(rows, 4), *partner = host_array(rows, 4);
    uint32_t state = (uint32_t)(rows * 131 + Y);
    for (size_t i = 0; i < n; i++) f[i] = pseudo(&state, 6);
    for (size_t i = 0; i < rows; i++) label[i] = (int32_t)((i * 7 + 3) % Y), before[i] = pseudo(&state, 6);
    choose(partner, rows);
    const ebm_mixing m = mixing_of(partner, rows, lambda);
    const ebm_slice in_place = put(before, rows);
    const ebm_mixed_loss_rows r = {.loss = in_place,
                                   .dlogits = put(NULL, n),
                                   .before = in_place,
                                   .logits = put(f, n),
                                   .labels = put(label, rows),
                                   .label_count = Y,
                                   .keep = keep,
                                   .weight = weight};
    assert_ok(ebm_mixed_loss(device, &r, &m));
    get(r.loss, rows, loss), get(r.dlogits, n, df);
    for (size_t i = 0; i < rows; i++) {
        const int32_t a = label[i], b = label[partner[i]];
        double sum = 0;
        for (size_t y = 0; y < Y; y++) sum += exp((double)f[i * Y + y]);
        const double own = (double)lambda, other = (double)(1 - lambda);
        const double mixed = log(sum) - own * (double)f[i * Y + (size_t)a] - other * (double)f[i * Y + (size_t)b];
        check_near("loss", i, (double)loss[i], (double)keep * (double)before[i] + (double)weight * mixed, 2e-5);
        for (size_t y = 0; y < Y; y++) {
            const double target = ((size_t)a == y ? own : 0) + ((size_t)b == y ? other : 0);
            check_near("dlogits", i * Y + y, (double)df[i * Y + y],
                       (double)weight / (double)rows * (exp((double)f[i * Y + y]) / sum - target), 2e-6 / (double)rows);
        }
    }
    free(f), free(df), free(before), free(loss), free(label), free(partner);
}

static void test_losses(void **state)
{
    const size_t rows[] = {1, 15, 17, 33}, labels[] = {1, 2, 3, MOST_LABELS};
    for (size_t r = 0; r < 4; r++) {
        for (size_t y = 0; y < 4; y++) {
            check_losses(rows[r], labels[y], 0.3f, 0, 1);
            check_losses(rows[r], labels[y], 1, 0.8f, 0.1f);
            check_losses(rows[r], labels[y], 0, 1, 0.1f);
        }
        free_slices(state);
    }
}

// Two texts, each the other's partner; the loss of the first.
static float loss_of(const float f[4], const int32_t label[2], float df[4])
{
    const int32_t partner[2] = {1, 0};
    const ebm_mixing m = mixing_of(partner, 2, 0.5f);
    float loss[2];
    const ebm_mixed_loss_rows r = {put(NULL, 2), put(NULL, 4), put(NULL, 2), put(f, 4), put(label, 2), 2, 0, 1};
    assert_ok(ebm_mixed_loss(device, &r, &m));
    get(r.loss, 2, loss), get(r.dlogits, 4, df);
    return loss[0];
}

static void test_extremes(void **state)
{
    (void)state;
    const float far[4] = {1e4f, -1e4f, 0, 0}, bad[4] = {NAN, 0, 0, 0};
    float df[4];
    const float loss = loss_of(far, (int32_t[]){0, 1}, df);
    assert_true(loss == 1e4f && df[0] == 0.25f && df[1] == -0.25f); // half of 2e4; (1 - 0.5) / 2
    assert_true(isnan(loss_of(bad, (int32_t[]){0, 1}, df)));
    assert_true(isnan(loss_of(far, (int32_t[]){0, 2}, df)) && df[0] == 0 && df[1] == 0);
    assert_true(isnan(loss_of(far, (int32_t[]){-1, 1}, df)) && df[0] == 0 && df[1] == 0);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    const ebm_slice few = put(NULL, 4), many = put(NULL, 64), zeros = put(NULL, 64);
    const ebm_mixing good = {zeros, zeros, zeros, 0.5f, 2};
    ebm_mixing m = good;
    const ebm_mixed_loss_rows losses = {many, put(NULL, 64), zeros, zeros, zeros, 2, 0, 1};
    ebm_mixed_loss_rows r = losses;
    assert_ok(ebm_mix_forward(device, many, put(NULL, 32), &good, 16));
    assert_ok(ebm_mixed_loss(device, &losses, &good));
    assert_fails(ebm_mix_forward(device, many, many, &good, 24), EBM_ERROR_INPUT, "a multiple of 16, found 24");
    assert_fails(ebm_mix_backward(device, few, many, &good, 16), EBM_ERROR_INPUT, "32 elements needed, found 28");
    m.rows = 64;
    m.partners.count = 3;
    assert_fails(ebm_mix_forward(device, many, many, &m, 16), EBM_ERROR_INPUT, "3 partners, 88 starts and 88 users");
    m = good, m.lambda = NAN;
    assert_fails(ebm_mix_backward(device, many, many, &m, 16), EBM_ERROR_INPUT, "lambda must lie in [0, 1]");
    assert_fails(ebm_mixed_loss(device, &losses, &m), EBM_ERROR_INPUT, "lambda must lie in [0, 1]");
    r.label_count = 0;
    assert_fails(ebm_mixed_loss(device, &r, &good), EBM_ERROR_INPUT, "at least one label");
    r = losses, r.logits.count = 3;
    assert_fails(ebm_mixed_loss(device, &r, &good), EBM_ERROR_INPUT, "4 elements needed, found 3");
    r = losses, r.before.count = 1;
    assert_fails(ebm_mixed_loss(device, &r, &good), EBM_ERROR_INPUT, "2 elements needed, found 1");
    m = good, m.rows = 0;
    assert_ok(ebm_mixed_loss(device, &losses, &m)); // nothing
}

// ---- settings

static void test_settings(void **state)
{
    (void)state;
    char text[100];
    const ebm_mixup none = {0}, random = {0.4f, EBM_MIXUP_RANDOM}, aum = {0.2f, EBM_MIXUP_AUM};
    assert_ok(ebm_mixup_check(&none));
    assert_ok(ebm_mixup_check(&random));
    assert_ok(ebm_mixup_check(&aum));
    assert_fails(ebm_mixup_check(&(ebm_mixup){-1, EBM_MIXUP_RANDOM}), EBM_ERROR_INPUT, "from 0 on, found -1");
    assert_fails(ebm_mixup_check(&(ebm_mixup){NAN, EBM_MIXUP_RANDOM}), EBM_ERROR_INPUT, "found nan");
    assert_fails(ebm_mixup_check(&(ebm_mixup){INFINITY, EBM_MIXUP_AUM}), EBM_ERROR_INPUT, "found inf");
    assert_fails(ebm_mixup_check(&(ebm_mixup){0, EBM_MIXUP_AUM}), EBM_ERROR_INPUT, "needs an alpha above 0");
    assert_false(ebm_mixup_is_on(&none));
    ebm_mixup_text(&none, text, sizeof text);
    assert_string_equal(text, "");
    ebm_mixup_text(&random, text, sizeof text);
    assert_string_equal(text, "mixup with alpha 0.4");
    ebm_mixup_text(&aum, text, sizeof text);
    assert_string_equal(text, "mixup by area under the margin and saliency with alpha 0.2");
}

// ---- what is drawn

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double arcsine(double x) { return 2 / 3.14159265358979 * asin(sqrt(x)); }
static double uniform(double x) { return x; }
static double parabola(double x) { return x * x * (3 - 2 * x); }

// Kolmogorov-Smirnov over 4000 draws: 1.95 / sqrt(4000) = 0.031 is passed by one sample in a thousand; these are fixed.
static void check_distribution(double alpha, double (*below)(double))
{
    enum { DRAWS = 4000 };
    double *x = host_array(DRAWS, sizeof *x);
    for (uint32_t i = 0; i < DRAWS; i++) {
        ebm_random stream = ebm_random_stream(9, i, EBM_SITE_MIXUP);
        x[i] = ebm_mixup_lambda(&stream, alpha);
        assert_true(x[i] >= 0 && x[i] <= 1);
    }
    qsort(x, DRAWS, sizeof *x, ascending);
    for (size_t i = 0; i < DRAWS; i++) check_near("share below", i, (double)(i + 1) / DRAWS, below(x[i]), 0.031);
    free(x);
}

static void test_lambda(void **state)
{
    (void)state;
    check_distribution(0.5, arcsine);
    check_distribution(1, uniform);
    check_distribution(2, parabola);
    size_t ones = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        ebm_random stream = ebm_random_stream(9, i, EBM_SITE_MIXUP);
        const double x = ebm_mixup_lambda(&stream, 1e-5), y = ebm_mixup_lambda(&stream, 1e6);
        assert_true((x < 1e-3 || x > 0.999) && fabs(y - 0.5) < 0.002); // 6 deviations of 0.5 / sqrt(2e6 + 1)
        ones += x > 0.5;
    }
    assert_true(ones > 400 && ones < 600);
}

static void test_random_partners(void **state)
{
    (void)state;
    int32_t first[40], second[40], seen[40] = {0};
    ebm_random stream = ebm_random_stream(9, 1, EBM_SITE_MIXUP);
    ebm_mixup_random_partners(&stream, 40, first);
    ebm_mixup_random_partners(&stream, 40, second);
    for (size_t i = 0; i < 40; i++) seen[first[i]]++;
    for (size_t i = 0; i < 40; i++) assert_int_equal(seen[i], 1);
    assert_true(memcmp(first, second, sizeof first) != 0);
}

static void test_salient_partners(void **state)
{
    (void)state;
    // Hard: 0, 3. Text 1 points as 0 does (signs do not count), 2 and 4 as 3 does, 2 and 4 alike.
    const float saliency[5][3] = {{1, 0, 0}, {-5, 0.1f, 0}, {0, 1, 1}, {0.1f, 2, -2}, {0, 2, 2}};
    const uint8_t hard[5] = {1, 0, 0, 1, 0}, all[5] = {1, 1, 1, 1, 1};
    int32_t similar[5], dissimilar[5];
    assert_ok(ebm_mixup_salient_partners(&saliency[0][0], hard, 5, 3, similar, dissimilar));
    assert_memory_equal(similar, ((int32_t[]){1, 0, 3, 2, 3}), sizeof similar);
    assert_memory_equal(dissimilar, ((int32_t[]){2, 3, 0, 1, 0}), sizeof dissimilar);
    assert_ok(ebm_mixup_salient_partners(&saliency[0][0], all, 5, 3, similar, dissimilar));
    assert_memory_equal(similar, ((int32_t[]){0, 1, 2, 3, 4}), sizeof similar);
    assert_memory_equal(dissimilar, similar, sizeof similar);
    // Without any slope a text is as unlike as can be, and not NaN; the first of equals is taken.
    const float none[3][2] = {{0, 0}, {1, 1}, {2, 2}};
    assert_ok(ebm_mixup_salient_partners(&none[0][0], (uint8_t[]){1, 0, 0}, 3, 2, similar, dissimilar));
    assert_true(similar[0] == 1 && dissimilar[0] == 1 && similar[1] == 0 && similar[2] == 0);
}

static void test_users(void **state)
{
    (void)state;
    int32_t starts[6], users[5];
    ebm_mixup_users((int32_t[]){2, 2, 0, 4, 2}, 5, starts, users);
    assert_memory_equal(starts, ((int32_t[]){0, 1, 1, 4, 4, 5}), sizeof starts);
    assert_memory_equal(users, ((int32_t[]){2, 0, 1, 4, 3}), sizeof users);
    ebm_mixup_users(NULL, 0, starts, users);
    assert_int_equal(starts[0], 0);
}

// ---- margins

static void test_margins_of_logits(void **state)
{
    (void)state;
    const float f[6] = {1, 4, 2.5f, -1, -3, -2};
    float margin[2];
    ebm_mixup_margins(f, (int32_t[]){1, 1}, 2, 3, margin);
    assert_true(margin[0] == 1.5f && margin[1] == -2);
    ebm_mixup_margins(f, (int32_t[]){0}, 1, 1, margin);
    assert_true(margin[0] == 0);
}

static void check_hard(const ebm_margins *m, size_t count, const uint8_t *expected)
{
    uint32_t rows[8];
    uint8_t hard[8];
    for (uint32_t i = 0; i < count; i++) rows[i] = i;
    ebm_margins_hard(m, rows, count, hard);
    assert_memory_equal(hard, expected, count);
}

static void test_split(void **state)
{
    (void)state;
    ebm_margins *m = NULL;
    assert_ok(ebm_margins_create(5, &m));
    assert_false(ebm_margins_is_split(m));
    ebm_margins_add(m, (uint32_t[]){3, 0, 4}, (float[]){-1, 2, 3}, 3);
    ebm_margins_add(m, (uint32_t[]){1, 2}, (float[]){1, 2}, 2);
    assert_false(ebm_margins_is_split(m));
    assert_ok(ebm_margins_split(m));
    assert_true(ebm_margins_is_split(m));
    check_hard(m, 5, (uint8_t[]){0, 1, 0, 1, 0}); // the middle one, 2, is easy
    ebm_margins_add(m, (uint32_t[]){3}, (float[]){9}, 1);
    check_hard(m, 5, (uint8_t[]){0, 1, 0, 1, 0}); // until the next split
    assert_ok(ebm_margins_split(m));
    check_hard(m, 5, (uint8_t[]){1, 1, 0, 0, 0}); // 0 and 2 are equal: the lower number
    ebm_margins_free(m);
    assert_ok(ebm_margins_create(1, &m));
    assert_ok(ebm_margins_split(m));
    check_hard(m, 1, (uint8_t[]){0});
    ebm_margins_free(m);
    assert_fails(ebm_margins_create(0, &m), EBM_ERROR_INPUT, "at least one");
    ebm_margins_free(NULL);
}

// A file of these tensors is not one of `m`.
static void refuse(ebm_margins *m, const char *folder, size_t count, const float *sum, const float *part,
                   const char *what)
{
    char *path = in_folder(folder, "margins.safetensors");
    ebm_safetensors_writer *w = NULL;
    assert_ok(ebm_safetensors_writer_open(path, &w));
    assert_ok(ebm_safetensors_writer_declare(w, "margin_sum", EBM_DTYPE_F32, 1, &count));
    if (part) assert_ok(ebm_safetensors_writer_declare(w, "part", EBM_DTYPE_F32, 1, &count));
    assert_ok(ebm_safetensors_writer_append(w, sum, count));
    if (part) assert_ok(ebm_safetensors_writer_append(w, part, count));
    assert_ok(ebm_safetensors_writer_finish(w));
    ebm_safetensors_writer_free(w);
    assert_fails(ebm_margins_read(m, folder), EBM_ERROR_INPUT, what);
    free(path);
}

static void test_margins_file(void **state)
{
    char *path = in_folder(*state, "margins.safetensors");
    const float sum[3] = {0.1f, 1e-30f, -7}, nan[3] = {0, NAN, 0};
    ebm_margins *a = NULL, *b = NULL;
    assert_ok(ebm_margins_create(3, &a));
    assert_ok(ebm_margins_create(3, &b));
    assert_ok(ebm_margins_write(a, *state));
    assert_ok(ebm_margins_read(b, *state));
    assert_false(ebm_margins_is_split(b));
    ebm_margins_add(a, (uint32_t[]){0, 1, 2}, sum, 3);
    assert_ok(ebm_margins_split(a));
    assert_ok(ebm_margins_write(a, *state));
    assert_ok(ebm_margins_read(b, *state));
    assert_true(ebm_margins_is_split(b));
    check_hard(b, 3, (uint8_t[]){0, 0, 1});
    for (int i = 0; i < 2; i++) ebm_margins_add(i ? b : a, (uint32_t[]){2}, (float[]){7.05f}, 1); // 0.05 < 0.1
    assert_ok(ebm_margins_split(b));
    check_hard(b, 3, (uint8_t[]){0, 1, 0});
    refuse(b, *state, 2, sum, (float[]){0, 1}, "\"margin_sum\" must hold a number for each of 3 texts");
    refuse(b, *state, 3, sum, NULL, "\"part\" must hold a number for each of 3 texts");
    refuse(b, *state, 3, sum, (float[]){0, 1, 2}, "\"part\" of text 3 is 2");
    refuse(b, *state, 3, sum, (float[]){0, -1, 1}, "\"part\" of text 2 is -1");
    refuse(b, *state, 3, nan, (float[]){0, 1, 0}, "margin_sum");
    assert_int_equal(remove(path), 0);
    assert_true(ebm_margins_read(b, *state).code != EBM_OK);
    ebm_margins_free(a);
    ebm_margins_free(b);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_vectors, free_slices),
        cmocka_unit_test_teardown(test_losses, free_slices),
        cmocka_unit_test_teardown(test_extremes, free_slices),
        cmocka_unit_test_teardown(test_bad_arguments, free_slices),
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_lambda),
        cmocka_unit_test(test_random_partners),
        cmocka_unit_test(test_salient_partners),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_margins_of_logits),
        cmocka_unit_test(test_split),
        in_own_folder(test_margins_file),
    };
    return cmocka_run_group_tests_name("mixup", tests, open_device, close_device);
}
