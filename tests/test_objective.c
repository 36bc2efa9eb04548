#include "objective.h"

#include "on_device.h"
#include "reference_loss.h"

// --- cross-entropy ---

// Logits are below 8 in size: a loss reaches 19, 16 roundings of it are 1.8e-5. Gradients are at most `scale`, with an
// error of exp's 3 ulp and a sum of 17 terms, 20 * 2^-24 = 1.2e-6 of it.
static void check_cross_entropy(size_t rows, size_t labels, size_t first, size_t total, float weight)
{
    const size_t n = first + rows + 2;
    float *f = host_array(n * labels, 4), *df = host_array(n * labels, 4), *loss = host_array(n, 4);
    int32_t *label = host_array(n, 4);
    uint32_t state = (uint32_t)(rows * 131 + labels);
    for (size_t i = 0; i < n * labels; i++) f[i] = pseudo(&state, 8), df[i] = 5;
    for (size_t i = 0; i < n; i++) label[i] = (int32_t)((i * 7 + 3) % labels), loss[i] = 6;
    const ebm_slice losses = put(loss, n), dlogits = put(df, n * labels), logits = put(f, n * labels);
    const ebm_rows range = {first, rows};
    assert_ok(ebm_cross_entropy(device, losses, dlogits, logits, put(label, n), labels, range, total, weight));
    get(losses, n, loss);
    get(dlogits, n * labels, df);
    const double scale = (double)weight / (double)total;
    for (size_t i = 0; i < n; i++) {
        const bool asked = i >= first && i < first + rows;
        const double sum = ebm_reference_log_sum_exp(f + i * labels, labels);
        const double expected = sum - (double)f[i * labels + (size_t)label[i]];
        check_near("loss", i, (double)loss[i], asked ? expected : 6, asked ? 1.8e-5 : 0);
        for (size_t y = 0; y < labels; y++) {
            const double slope = exp((double)f[i * labels + y] - sum) - (y == (size_t)label[i]);
            check_near("dlogits", i * labels + y, (double)df[i * labels + y], asked ? scale * slope : 5,
                       asked ? 1.2e-6 * scale : 0);
        }
    }
    free(f), free(df), free(loss), free(label);
}

static void test_cross_entropy_shapes(void **state)
{
    const size_t rows[] = {1, 15, 17, 33}, labels[] = {1, 2, 3, 5, 17};
    for (size_t r = 0; r < 4; r++)
        for (size_t y = 0; y < 5; y++) {
            check_cross_entropy(rows[r], labels[y], 0, rows[r], 1);
            check_cross_entropy(rows[r], labels[y], 3, 2 * rows[r], 0.25f); // half of a split step
            free_slices(state);
        }
}

static float cross_entropy_of(const float *f, size_t labels, int32_t label, float *df)
{
    float loss = 0;
    const ebm_slice losses = put(NULL, 1), dlogits = put(NULL, labels);
    const ebm_rows one = {0, 1};
    assert_ok(ebm_cross_entropy(device, losses, dlogits, put(f, labels), put(&label, 1), labels, one, 1, 1));
    get(losses, 1, &loss);
    if (df) get(dlogits, labels, df);
    return loss;
}

// (L(f + h) - L(f - h)) / 2h with h = 2^-6: truncation h^2 / 6 * 0.1 = 4e-6, rounding of losses near 2: 3e-5. Margin
// 1e-4.
static void test_cross_entropy_finite_differences(void **state)
{
    (void)state;
    const float f[3] = {0.5f, -1.25f, 0.75f}, h = 0.015625f;
    float df[3];
    cross_entropy_of(f, 3, 1, df);
    for (size_t y = 0; y < 3; y++) {
        float up[3], down[3];
        memcpy(up, f, sizeof f), memcpy(down, f, sizeof f);
        up[y] += h, down[y] -= h;
        const float difference = cross_entropy_of(up, 3, 1, NULL) - cross_entropy_of(down, 3, 1, NULL);
        check_near("slope", y, (double)df[y], (double)difference / (2 * (double)h), 1e-4);
    }
}

static void test_cross_entropy_extremes(void **state)
{
    (void)state;
    const float far[2] = {1e4f, -1e4f}, bad[2] = {NAN, 0};
    float df[2];
    assert_true(cross_entropy_of(far, 2, 0, df) == 0 && df[0] == 0 && df[1] == 0);
    assert_true(cross_entropy_of(far, 2, 1, df) == 2e4f && df[0] == 1 && df[1] == -1);
    assert_true(isnan(cross_entropy_of(bad, 2, 1, df)));
    assert_true(isnan(cross_entropy_of(far, 2, 2, df)) && df[0] == 0 && df[1] == 0); // no such label
    assert_true(isnan(cross_entropy_of(far, 2, -1, df)) && df[0] == 0 && df[1] == 0);
}

// --- NCE ---

typedef struct {
    float loss[128], denergy[128];
} nce_result;

static nce_result nce_of(const float *energy, size_t n, const ebm_nce_rows *contrast)
{
    nce_result r;
    for (size_t i = 0; i < n; i++) r.loss[i] = 6, r.denergy[i] = 5;
    const ebm_slice loss = put(r.loss, n), denergy = put(r.denergy, n);
    assert_ok(ebm_nce(device, loss, denergy, put(energy, n), contrast));
    get(loss, n, r.loss);
    get(denergy, n, r.denergy);
    return r;
}

// |E| < 8, K <= 8: losses reach 8 * 10, errors 8 roundings of 8 * 10, 4e-5; gradients 8 roundings, 5e-7 relative.
static void check_nce(size_t data, size_t noise, int k, float weight, size_t spread)
{
    const ebm_nce_rows c = {{2, data}, {2 + data + 1, noise}, spread * data, spread * noise, k, weight};
    const size_t n = c.noise.first + noise + 2;
    float energy[128] = {0};
    uint32_t state = (uint32_t)(data * 17 + noise);
    for (size_t i = 0; i < n; i++) energy[i] = pseudo(&state, 8);
    const nce_result r = nce_of(energy, n, &c);
    for (size_t i = 0; i < n; i++) {
        const bool data_row = i >= 2 && i < 2 + data, noise_row = i >= c.noise.first && i < c.noise.first + noise;
        double loss = 6, slope = 5;
        if (data_row || noise_row) {
            loss = ebm_reference_nce((double)energy[i], k, data_row, &slope);
            slope *= (double)weight / (double)(data_row ? c.total_data : c.total_noise);
        }
        const bool asked = data_row || noise_row;
        check_near("loss", i, (double)r.loss[i], loss, asked ? 4e-5 : 0);
        check_near("denergy", i, (double)r.denergy[i], slope, asked ? 2e-6 * fabs(slope) + 1e-9 : 0);
    }
}

static void test_nce_shapes(void **state)
{
    const size_t rows[] = {1, 15, 17, 33};
    for (size_t r = 0; r < 4; r++) {
        check_nce(rows[r], rows[r], 1, 1, 1);
        check_nce(rows[r], rows[r] * 2, 8, 0.5f, 1);
        check_nce(rows[r], rows[r], 4, 1, 3);
        check_nce(rows[r], 0, 1, 1, 1);
        check_nce(0, rows[r], 1, 1, 1);
        free_slices(state);
    }
}

// The value METHOD section 2 states for E = 0 in the published form: (K + 1) ln(K + 1).
static void test_nce_published_constants(void **state)
{
    (void)state;
    const int ratios[2] = {1, 8};
    const double published[2] = {1.386, 19.775};
    for (int i = 0; i < 2; i++) {
        const int k = ratios[i];
        const float zero[27] = {0};
        const ebm_nce_rows c = {{0, 3}, {3, (size_t)(3 * k)}, 3, (size_t)(3 * k), k, 1};
        const size_t n = (size_t)(3 + 3 * k);
        const nce_result r = nce_of(zero, n, &c);
        double data = 0, noise = 0;
        for (size_t j = 0; j < 3; j++) data += (double)r.loss[j] / 3;
        for (size_t j = 3; j < n; j++) noise += (double)r.loss[j] / (3 * k);
        check_near("published", (size_t)k, data + noise + ebm_nce_published_constant(k), published[i], 6e-4);
        check_near("(K+1)ln(K+1)", (size_t)k, data + noise + ebm_nce_published_constant(k), (k + 1) * log(k + 1), 1e-5);
    }
}

static void test_nce_is_finite_far_out(void **state)
{
    (void)state;
    const float energy[8] = {1e4f, -1e4f, 1e4f, -1e4f, 1e30f, -1e30f, 1e30f, -1e30f};
    const int ratios[2] = {1, 8};
    for (int i = 0; i < 2; i++) {
        const int k = ratios[i];
        for (size_t block = 0; block < 2; block++) {
            const ebm_nce_rows c = {{4 * block, 2}, {4 * block + 2, 2}, 2, 2, k, 1};
            const nce_result r = nce_of(energy, 8, &c);
            const double high = (double)energy[4 * block];
            const double loss[4] = {high + log(k), 0, 0, k * (high - log(k))}, slope[4] = {0.5, 0, 0, -0.5 * k};
            for (size_t j = 0; j < 4; j++) {
                check_near("loss", j, (double)r.loss[4 * block + j], loss[j], fabs(loss[j]) * 3e-7);
                check_near("denergy", j, (double)r.denergy[4 * block + j], slope[j], 1e-6);
            }
        }
    }
    const float bad[2] = {NAN, NAN};
    const ebm_nce_rows c = {{0, 1}, {1, 1}, 1, 1, 1, 1};
    const nce_result r = nce_of(bad, 2, &c);
    assert_true(isnan(r.loss[0]) && isnan(r.loss[1]) && isnan(r.denergy[0]) && isnan(r.denergy[1]));
}

// h = 2^-6 around |E| < 2: truncation h^2 / 6 * K * 0.1 = 3.3e-5 for K = 8, rounding of losses near 16: 2^-24 * 16 / h
// = 6e-5. Margin 2e-4.
static void test_nce_finite_differences(void **state)
{
    (void)state;
    const ebm_nce_rows c = {{0, 1}, {1, 1}, 1, 1, 8, 1};
    const float energy[2] = {-1.5f, 0.75f}, h = 0.015625f;
    const float up[2] = {energy[0] + h, energy[1] + h}, down[2] = {energy[0] - h, energy[1] - h};
    const nce_result at = nce_of(energy, 2, &c), above = nce_of(up, 2, &c), below = nce_of(down, 2, &c);
    for (size_t i = 0; i < 2; i++)
        check_near("slope", i, (double)at.denergy[i], (double)(above.loss[i] - below.loss[i]) / (2 * (double)h), 2e-4);
}

// --- statistics ---

enum { LABELS = 3 };
typedef struct {
    float logits[160 * LABELS], ce[160], label_loss[160], nce[160], energy[160];
    int32_t labels[160];
} batch;

static void fill(batch *b, uint32_t state)
{
    for (size_t i = 0; i < 160; i++) {
        for (size_t y = 0; y < LABELS; y++) b->logits[i * LABELS + y] = floorf(pseudo(&state, 4)); // with ties
        b->labels[i] = (int32_t)(i % LABELS);
        b->ce[i] = 2 + pseudo(&state, 2);
        b->label_loss[i] = 3 + pseudo(&state, 2);
        b->nce[i] = 3 + pseudo(&state, 2);
        b->energy[i] = i % 11 == 4 ? 0 : pseudo(&state, 3);
    }
}

static ebm_objective_sums expected_sums(const batch *b, ebm_rows rows, const ebm_nce_rows *c)
{
    ebm_objective_sums s = {0};
    for (size_t i = rows.first; i < rows.first + rows.count; i++) {
        size_t best = 0;
        for (size_t y = 1; y < LABELS; y++)
            if (b->logits[i * LABELS + y] > b->logits[i * LABELS + best]) best = y;
        s.cross_entropy += (double)b->ce[i];
        s.correct += (int32_t)best == b->labels[i];
        s.label_loss += (double)b->label_loss[i];
    }
    s.labelled = (double)rows.count;
    if (!c) return s;
    for (size_t i = c->data.first; i < c->data.first + c->data.count; i++) {
        s.nce_data += (double)b->nce[i];
        s.data_energy += (double)b->energy[i];
        s.data_apart += b->energy[i] < 0 ? 1 : b->energy[i] > 0 ? 0 : 0.5;
    }
    for (size_t i = c->noise.first; i < c->noise.first + c->noise.count; i++) {
        s.nce_noise += (double)b->nce[i];
        s.noise_energy += (double)b->energy[i];
        s.noise_apart += b->energy[i] > 0 ? 1 : b->energy[i] < 0 ? 0 : 0.5;
        s.noise_z += exp(-(double)b->energy[i]);
    }
    s.data = (double)c->data.count;
    s.noise = (double)c->noise.count;
    return s;
}

// Sums of at most 99 terms below 20.1 each: 99 roundings of the running sum (below 2000) in the worst case, 0.012; in
// practice far less. Counts are exact.
static void compare_sums(const ebm_objective_sums *found, const ebm_objective_sums *expected, double times)
{
    const double *f = (const double *)found, *e = (const double *)expected;
    const bool exact[EBM_STATISTICS_COUNT] = {
        [1] = true, [4] = true, [5] = true, [9] = true, [10] = true, [11] = true, [12] = true};
    for (size_t i = 0; i < EBM_STATISTICS_COUNT; i++)
        check_near("sum", i, f[i], times * e[i], exact[i] ? 0 : 1e-6 * 100 * (1 + fabs(e[i])));
}

static void check_statistics(size_t labelled, const ebm_nce_rows *c)
{
    batch b;
    fill(&b, (uint32_t)labelled + 5);
    const ebm_rows rows = {1, labelled};
    const ebm_slice statistics = put(NULL, EBM_STATISTICS_COUNT);
    const ebm_objective_rows all = {put(b.ce, 160),
                                    put(b.logits, (size_t)160 * LABELS),
                                    put(b.labels, 160),
                                    LABELS,
                                    rows,
                                    put(b.nce, 160),
                                    put(b.energy, 160),
                                    c,
                                    put(b.label_loss, 160)};
    const ebm_objective_sums expected = expected_sums(&b, rows, c);
    for (int times = 1; times <= 2; times++) { // the second call adds to the first
        ebm_objective_sums found;
        assert_ok(ebm_objective_add_statistics(device, statistics, &all));
        float raw[EBM_STATISTICS_COUNT];
        get(statistics, EBM_STATISTICS_COUNT, raw);
        assert_ok(ebm_objective_read(device, statistics, &found));
        compare_sums(&found, &expected, times);
        assert_ok(ebm_objective_check(&found));
    }
}

static void test_statistics(void **state)
{
    const size_t rows[] = {1, 15, 17, 33};
    for (size_t r = 0; r < 4; r++) {
        const size_t n = rows[r];
        const ebm_nce_rows separate = {{1 + n, n}, {1 + 2 * n, n}, n, n, 1, 1},
                           shared = {{1, n}, {1 + n, 3 * n}, n, 3 * n, 3, 1};
        check_statistics(n, &separate);
        check_statistics(n, &shared);
        check_statistics(n, NULL);
        check_statistics(0, &shared);
        free_slices(state);
    }
}

static void test_statistics_report_nonfinite(void **state)
{
    (void)state;
    const float ce[3] = {1, NAN, 1}, nce[4] = {1, 1, INFINITY, 1}, energy[4] = {0, -INFINITY, 1, -1e4f};
    const float logits[6] = {0};
    const int32_t labels[3] = {0};
    const ebm_nce_rows c = {{0, 2}, {2, 2}, 2, 2, 1, 1};
    const ebm_slice statistics = put(NULL, EBM_STATISTICS_COUNT);
    const ebm_objective_rows all = {.ce_loss = put(ce, 3),
                                    .logits = put(logits, 6),
                                    .labels = put(labels, 3),
                                    .label_count = 2,
                                    .rows = {0, 3},
                                    .nce_loss = put(nce, 4),
                                    .energy = put(energy, 4),
                                    .contrast = &c};
    assert_ok(ebm_objective_add_statistics(device, statistics, &all));
    ebm_objective_sums sums;
    assert_ok(ebm_objective_read(device, statistics, &sums));
    assert_true(sums.nonfinite == 3);
    assert_true(isnan(sums.cross_entropy) && isnan(sums.label_loss)); // the same where there is no other loss
    assert_true(isfinite(sums.noise_z) && sums.noise_z > 1e26);       // E = -1e4: the exponent is clamped
    assert_fails(ebm_objective_check(&sums), EBM_ERROR_NONFINITE, "the loss is not finite: 3 of 7 rows");
}

// ---- margin loss

// |E| < 8, margins below 4: losses reach 144, errors 4 roundings, 4e-5; gradients as many of 24 weight / total.
static void check_margin(size_t data, size_t noise, float margin, float weight, size_t spread)
{
    const ebm_nce_rows c = {{2, data}, {2 + data + 1, noise}, spread * data, spread * noise, 1, weight};
    const size_t n = c.noise.first + noise + 2;
    float energy[128] = {0}, loss[128], denergy[128];
    uint32_t state = (uint32_t)(data * 19 + noise);
    for (size_t i = 0; i < n; i++) energy[i] = pseudo(&state, 8), loss[i] = 6, denergy[i] = 5;
    const ebm_slice losses = put(loss, n), slopes = put(denergy, n);
    assert_ok(ebm_energy_margin(device, losses, slopes, put(energy, n), &c, margin));
    get(losses, n, loss);
    get(slopes, n, denergy);
    for (size_t i = 0; i < n; i++) {
        const double e = (double)energy[i], m = (double)margin;
        double expected = 6, slope = 5, scale = 0;
        if (i >= 2 && i < 2 + data) {
            expected = pow(fmax(0, e + m), 2);
            scale = (double)weight / (double)c.total_data;
            slope = scale * 2 * fmax(0, e + m);
        }
        if (i >= c.noise.first && i < c.noise.first + noise) {
            expected = pow(fmax(0, m - e), 2);
            scale = (double)weight / (double)c.total_noise;
            slope = -scale * 2 * fmax(0, m - e);
        }
        check_near("loss", i, (double)loss[i], expected, scale > 0 ? 4e-5 : 0);
        check_near("denergy", i, (double)denergy[i], slope, scale * 6e-6);
    }
}

static void test_margin_shapes(void **state)
{
    const size_t rows[] = {1, 15, 17, 33};
    for (size_t r = 0; r < 4; r++) {
        check_margin(rows[r], rows[r] * 2, 2, 1, 1);
        check_margin(rows[r], rows[r], 0.5f, 0.25f, 3);
        check_margin(rows[r], 0, 4, 1, 1);
        check_margin(0, rows[r], 4, 1, 1);
        free_slices(state);
    }
}

static float margin_of(const float *energy, float *denergy)
{
    const ebm_nce_rows c = {{0, 1}, {1, 1}, 1, 1, 1, 1};
    const ebm_slice losses = put(NULL, 2), slopes = put(NULL, 2);
    float loss[2];
    assert_ok(ebm_energy_margin(device, losses, slopes, put(energy, 2), &c, 2));
    get(losses, 2, loss);
    if (denergy) get(slopes, 2, denergy);
    return loss[0] + loss[1];
}

// A square has no third derivative: only roundings of losses near 12, 2 * 2^-20 / 2h = 6e-5.
static void test_margin_finite_differences(void **state)
{
    (void)state;
    const float energy[2] = {1.25f, -0.75f}, h = 0.015625f;
    float slope[2];
    margin_of(energy, slope);
    for (size_t i = 0; i < 2; i++) {
        float up[2], down[2];
        memcpy(up, energy, sizeof up), memcpy(down, energy, sizeof down);
        up[i] += h, down[i] -= h;
        const float difference = margin_of(up, NULL) - margin_of(down, NULL);
        check_near("slope", i, (double)slope[i], (double)difference / (2 * (double)h), 2e-4);
    }
}

static void test_margin_extremes(void **state)
{
    (void)state;
    const float far[2] = {-1e4f, 1e4f}, bad[2] = {NAN, 0};
    float slope[2];
    assert_true(margin_of(far, slope) == 0 && slope[0] == 0 && slope[1] == 0);
    assert_true(isnan(margin_of(bad, slope)));
    const ebm_nce_rows c = {{0, 1}, {1, 1}, 1, 1, 1, 1};
    const ebm_slice two = put(NULL, 2);
    assert_fails(ebm_energy_margin(device, two, two, two, &c, 0), EBM_ERROR_INPUT, "a finite number above 0");
    assert_fails(ebm_energy_margin(device, two, two, two, &c, NAN), EBM_ERROR_INPUT, "a finite number above 0");
}

static void test_bad_arguments(void **state)
{
    (void)state;
    const ebm_slice four = put(NULL, 4);
    const ebm_rows outside = {20, 10}, inside = {0, 4};
    assert_fails(ebm_cross_entropy(device, four, four, four, four, 1, outside, 10, 1), EBM_ERROR_INPUT,
                 "rows 20 to 30");
    assert_fails(ebm_cross_entropy(device, four, four, four, four, 1, inside, 3, 1), EBM_ERROR_INPUT, "step of 3");
    const ebm_nce_rows overlap = {{0, 3}, {2, 2}, 3, 2, 1, 1}, no_ratio = {{0, 2}, {2, 2}, 2, 2, 0, 1};
    assert_fails(ebm_nce(device, four, four, four, &overlap), EBM_ERROR_INPUT, "overlap");
    assert_fails(ebm_nce(device, four, four, four, &no_ratio), EBM_ERROR_INPUT, "K: expected at least 1, found 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_cross_entropy_shapes, free_slices),
        cmocka_unit_test_teardown(test_cross_entropy_finite_differences, free_slices),
        cmocka_unit_test_teardown(test_cross_entropy_extremes, free_slices),
        cmocka_unit_test_teardown(test_nce_shapes, free_slices),
        cmocka_unit_test_teardown(test_nce_published_constants, free_slices),
        cmocka_unit_test_teardown(test_nce_is_finite_far_out, free_slices),
        cmocka_unit_test_teardown(test_nce_finite_differences, free_slices),
        cmocka_unit_test_teardown(test_statistics, free_slices),
        cmocka_unit_test_teardown(test_statistics_report_nonfinite, free_slices),
        cmocka_unit_test_teardown(test_margin_shapes, free_slices),
        cmocka_unit_test_teardown(test_margin_finite_differences, free_slices),
        cmocka_unit_test_teardown(test_margin_extremes, free_slices),
        cmocka_unit_test_teardown(test_bad_arguments, free_slices),
    };
    return cmocka_run_group_tests(tests, open_device, close_device);
}
