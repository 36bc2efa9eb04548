// Energies of sets, their correlation with another number, importance weights and quasi-rejection: against definitions
// written out and closed forms of Gaussian energies.
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "check.h"
#include "correlation.h"
#include "energies.h"
#include "importance.h"
#include "random.h"

static void near(const char *what, double found, double expected, double within)
{
    if (!(fabs(found - expected) <= within * fmax(1, fabs(expected))))
        fail_msg("%s: %.12g, expected %.12g", what, found, expected);
}

static double normal_cdf(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
static double normal_density(double x) { return exp(-x * x / 2) / sqrt(2 * M_PI); }

static double normal_quantile(double p)
{
    double low = -9, high = 9;
    for (int i = 0; i < 60; i++) {
        const double middle = (low + high) / 2;
        *(normal_cdf(middle) < p ? &low : &high) = middle;
    }
    return (low + high) / 2;
}

// ---- weights and quasi-rejection

enum { POINTS = 20000, SOME = 300 };

// Energies at the middles of equal shares of N(mean, deviation^2): means over them are integrals.
static void fill_gaussian(double *energy, double mean, double deviation)
{
    for (int i = 0; i < POINTS; i++) energy[i] = mean + deviation * normal_quantile((i + 0.5) / POINTS);
}

// w = e^{-E} is log-normal: Z = e^{m + s^2 / 2} with m = -mean, and sum of w^2 over that of w squared e^{s^2}.
static void gaussian_weights_have_a_closed_form(void **state)
{
    static double energy[POINTS];
    (void)state;
    for (int c = 0; c < 3; c++) {
        const double mean = (double[]){0.3, -2, 40}[c], s = (double[]){0.5, 0.8, 1}[c];
        ebm_importance w;
        fill_gaussian(energy, mean, s);
        assert_ok(ebm_importance_measure(energy, POINTS, 0, 1, &w));
        near("ln Z", w.log_z, -mean + s * s / 2, 2e-3);
        near("Z", w.z, exp(-mean + s * s / 2), 2e-3);
        near("effective share", w.effective_share, exp(-s * s), 1e-2);
        near("effective", w.effective, w.effective_share * POINTS, 1e-12);
        near("largest share", w.largest_share, exp(-energy[0]) / (POINTS * w.z), 1e-9);
        assert_true(isnan(w.log_z_interval.low) && isnan(w.log_z_interval.high));
    }
}

// L = ln w is N(m, s^2) over the noise and N(m + s^2, s^2) over p; b = ln beta, A the acceptance. p is above r where
// w > Z / A, which is at least beta; ln w - ln a = max(L, b).
static void gaussian_rejection_has_a_closed_form(void **state)
{
    static double energy[POINTS];
    (void)state;
    const double mean = 0.4, s = 0.8, m = -mean, M = m + s * s, Z = exp(m + s * s / 2);
    fill_gaussian(energy, mean, s);
    for (double b = -2; b <= 2; b += 0.5) {
        ebm_rejection r;
        const double below = Z * normal_cdf((b - M) / s); // E[w; w < beta]
        const double A = normal_cdf((m - b) / s) + exp(-b) * below, t = log(Z / A);
        const double most_p =
            b * normal_cdf((b - M) / s) + M * normal_cdf((M - b) / s) + s * normal_density((M - b) / s);
        const double most_r = (m * normal_cdf((m - b) / s) + s * normal_density((m - b) / s) + b * exp(-b) * below) / A;
        const double square = exp(b) * below + exp(2 * m + 2 * s * s) * normal_cdf((m + 2 * s * s - b) / s);
        assert_ok(ebm_rejection_measure(energy, POINTS, exp(b), &r));
        near("acceptance", r.acceptance, A, 1e-3);
        near("above", r.above, normal_cdf((M - b) / s), 2e-3);
        near("total variation", r.total_variation, normal_cdf((M - t) / s) - normal_cdf((m - t) / s) / A, 2e-3);
        near("KL(p | r)", r.kl, most_p - log(Z) + log(A), 4e-3);
        near("KL(r | p)", r.reverse_kl, log(Z) - log(A) - most_r, 4e-3);
        near("effective share", r.effective_share, Z * Z / (A * square), 6e-3);
        assert_true(r.total_variation <= r.above + 1e-12);
    }
}

static void draw_energies(double *energy, size_t count, uint64_t seed)
{
    ebm_random random = ebm_random_stream(seed, 0, EBM_SITE_BENCHMARK);
    for (size_t i = 0; i < count; i++) energy[i] = 0.5 + 1.3 * ebm_random_normal(&random);
}

// The definitions, without logarithms.
static void rejection_equals_its_definition(void **state)
{
    static const double betas[] = {1e-6, 0.2, 1, 3, 1e6};
    double energy[SOME];
    (void)state;
    draw_energies(energy, SOME, 3);
    for (size_t c = 0; c < 5; c++) {
        double w = 0, a = 0, ratio = 0, above = 0, variation = 0, kl = 0, reverse = 0;
        for (int i = 0; i < SOME; i++) {
            const double wi = exp(-energy[i]), ai = fmin(1, wi / betas[c]);
            w += wi;
            a += ai;
            ratio += wi * wi / ai;
        }
        for (int i = 0; i < SOME; i++) {
            const double wi = exp(-energy[i]), p = wi / w, r = fmin(1, wi / betas[c]) / a;
            above += wi > betas[c] ? p : 0;
            variation += fabs(p - r) / 2;
            kl += p * log(p / r);
            reverse += r * log(r / p);
        }
        ebm_rejection r;
        assert_ok(ebm_rejection_measure(energy, SOME, betas[c], &r));
        near("acceptance", r.acceptance, a / SOME, 1e-12);
        near("above", r.above, above, 1e-12);
        near("total variation", r.total_variation, variation, 1e-12);
        near("kl", r.kl, kl, 1e-12);
        near("reverse kl", r.reverse_kl, reverse, 1e-12);
        near("effective", r.effective_share, w * w / (a * ratio), 1e-12);
    }
}

// A tiny beta accepts everything: the noise itself. One above all weights gives p.
static void rejection_has_two_ends(void **state)
{
    double energy[SOME];
    ebm_rejection r;
    ebm_importance w;
    (void)state;
    draw_energies(energy, SOME, 4);
    assert_ok(ebm_importance_measure(energy, SOME, 0, 1, &w));
    assert_ok(ebm_rejection_measure(energy, SOME, 1e-9, &r));
    assert_true(r.acceptance == 1);
    near("effective share", r.effective_share, w.effective_share, 1e-12);
    near("above", r.above, 1, 1e-12);
    for (size_t i = 0; i < SOME; i++) assert_true(ebm_rejection_accepts(energy[i], 1e-9, 5, i));
    assert_ok(ebm_rejection_measure(energy, SOME, 1e9, &r));
    near("acceptance", r.acceptance, w.z / 1e9, 1e-20);
    assert_true(r.above == 0 && r.kl < 1e-12 && r.reverse_kl < 1e-12 && r.total_variation < 1e-12);
    near("effective share", r.effective_share, 1, 1e-12);
}

static void acceptances_are_nested_and_as_frequent_as_they_should_be(void **state)
{
    enum { MANY = 20000 };
    static double energy[MANY];
    (void)state;
    draw_energies(energy, MANY, 6);
    size_t before = MANY + 1;
    for (double beta = 0.25; beta <= 64; beta *= 4) {
        ebm_rejection r;
        size_t count = 0, other_seed = 0, both = 0;
        assert_ok(ebm_rejection_measure(energy, MANY, beta, &r));
        for (size_t i = 0; i < MANY; i++) {
            const bool accepted = ebm_rejection_accepts(energy[i], beta, 9, i);
            assert_true(accepted == ebm_rejection_accepts(energy[i], beta, 9, i));
            assert_true(!accepted || ebm_rejection_accepts(energy[i], beta / 2, 9, i));
            count += accepted;
            other_seed += ebm_rejection_accepts(energy[i], beta, 10, i);
            both += accepted && ebm_rejection_accepts(energy[i], beta, 10, i);
        }
        const double within = 4.5 * sqrt(MANY * r.acceptance * (1 - r.acceptance)) + 1; // 4.5 deviations
        if (fabs((double)count - MANY * r.acceptance) > within) fail_msg("%zu at beta %g", count, beta);
        assert_true(count < before && both < count && both < other_seed);
        before = count;
    }
}

static void weights_of_far_energies_are_finite(void **state)
{
    static const double far[] = {-1e4, 1e4, 1e4, 0}, same[] = {1e4, 1e4};
    ebm_importance w;
    ebm_rejection r;
    (void)state;
    assert_ok(ebm_importance_measure(far, 4, 20, 1, &w));
    near("ln Z", w.log_z, 1e4 - log(4), 1e-12);
    assert_true(w.z == DBL_MAX && w.effective == 1 && w.largest_share == 1);
    assert_true(isfinite(w.log_z_interval.low) && isfinite(w.log_z_interval.high));
    for (double beta = DBL_MIN; beta <= DBL_MAX && isfinite(beta); beta *= 1e100) {
        assert_ok(ebm_rejection_measure(far, 4, beta, &r));
        assert_true(isfinite(r.kl) && isfinite(r.reverse_kl) && r.total_variation <= 1 && r.effective_share <= 1);
    }
    assert_ok(ebm_rejection_measure(same, 2, 3, &r));
    assert_true(r.acceptance == 0 && r.kl == 0 && r.total_variation == 0 && r.effective_share == 1);
    assert_true(!ebm_rejection_accepts(1e4, 3, 1, 0) && ebm_rejection_accepts(-1e4, 3, 1, 0));
}

// The interval of ln Z is the one of means written out.
static void weights_have_bootstrap_intervals(void **state)
{
    enum { DRAWS = 40 };
    double energy[SOME], value[DRAWS];
    ebm_importance w;
    (void)state;
    draw_energies(energy, SOME, 7);
    assert_ok(ebm_importance_measure(energy, SOME, DRAWS, 8, &w));
    for (uint32_t d = 0; d < DRAWS; d++) {
        ebm_random random = ebm_random_stream(8, d, EBM_SITE_BOOTSTRAP);
        double sum = 0;
        for (int i = 0; i < SOME; i++) sum += exp(-energy[ebm_random_below(&random, SOME)]);
        value[d] = log(sum / SOME);
    }
    size_t lower = 0, higher = 0; // the 2.5 % quantile lies between order statistics 0 and 1 of 40
    for (int d = 0; d < DRAWS; d++) {
        lower += value[d] < w.log_z_interval.low;
        higher += value[d] > w.log_z_interval.high;
    }
    assert_true(lower == 1 && higher == 1 && w.log_z_interval.low < w.log_z && w.log_z < w.log_z_interval.high);
}

static void wrong_weights_are_refused(void **state)
{
    static const double good[] = {0, 1}, broken[] = {0, NAN}, endless[] = {INFINITY};
    ebm_importance w;
    ebm_rejection r;
    (void)state;
    assert_fails(ebm_importance_measure(good, 0, 0, 1, &w), EBM_ERROR_INPUT, "at least one expected");
    assert_fails(ebm_importance_measure(broken, 2, 0, 1, &w), EBM_ERROR_NONFINITE, "row 1 is nan");
    assert_fails(ebm_importance_measure(endless, 1, 0, 1, &w), EBM_ERROR_NONFINITE, "row 0 is inf");
    assert_fails(ebm_importance_measure(good, 2, -1, 1, &w), EBM_ERROR_INPUT, "resamples");
    assert_fails(ebm_rejection_measure(good, 0, 1, &r), EBM_ERROR_INPUT, "at least one expected");
    assert_fails(ebm_rejection_measure(broken, 2, 1, &r), EBM_ERROR_NONFINITE, "row 1 is nan");
    for (int c = 0; c < 4; c++)
        assert_fails(ebm_rejection_measure(good, 2, (double[]){0, -1, INFINITY, NAN}[c], &r), EBM_ERROR_INPUT, "beta");
}

// ---- correlation

// One more than the number of smaller values, ties at the mean of their places.
static double rank_in(const double *x, size_t count, size_t i)
{
    double below = 0, equal = 0;
    for (size_t j = 0; j < count; j++) {
        below += x[j] < x[i];
        equal += x[j] == x[i];
    }
    return below + (equal + 1) / 2;
}

static double pearson_of(const double *x, const double *y, size_t count)
{
    double mx = 0, my = 0, xx = 0, yy = 0, xy = 0;
    for (size_t i = 0; i < count; i++) {
        mx += x[i] / (double)count;
        my += y[i] / (double)count;
    }
    for (size_t i = 0; i < count; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xy / sqrt(xx * yy);
}

enum { PAIRS = 60 };

static double spearman_of(const double *x, const double *y)
{
    double rx[PAIRS], ry[PAIRS];
    for (size_t i = 0; i < PAIRS; i++) {
        rx[i] = rank_in(x, PAIRS, i);
        ry[i] = rank_in(y, PAIRS, i);
    }
    return pearson_of(rx, ry, PAIRS);
}

static void draw_pairs(double *x, double *y)
{
    ebm_random random = ebm_random_stream(2, 0, EBM_SITE_BENCHMARK);
    for (int i = 0; i < PAIRS; i++) {
        x[i] = round(4 * ebm_random_normal(&random)) / 4; // some are equal
        y[i] = round(3 * (0.5 * x[i] + ebm_random_normal(&random))) / 3;
    }
}

static void correlations_equal_their_definition(void **state)
{
    double x[PAIRS], y[PAIRS];
    ebm_correlation c, again;
    (void)state;
    draw_pairs(x, y);
    assert_ok(ebm_correlation_measure(x, y, PAIRS, 0, 1, &c));
    near("Pearson", c.pearson, pearson_of(x, y, PAIRS), 1e-12);
    near("Spearman", c.spearman, spearman_of(x, y), 1e-12);
    assert_true(isnan(c.pearson_interval.low) && isnan(c.spearman_interval.high));
    // One resample: its interval is its value, which the drawn examples give when written out.
    double drawn_x[PAIRS], drawn_y[PAIRS];
    ebm_random random = ebm_random_stream(5, 0, EBM_SITE_BOOTSTRAP);
    for (int i = 0; i < PAIRS; i++) {
        const uint32_t k = ebm_random_below(&random, PAIRS);
        drawn_x[i] = x[k];
        drawn_y[i] = y[k];
    }
    assert_ok(ebm_correlation_measure(x, y, PAIRS, 1, 5, &c));
    near("drawn Pearson", c.pearson_interval.low, pearson_of(drawn_x, drawn_y, PAIRS), 1e-12);
    near("drawn Spearman", c.spearman_interval.high, spearman_of(drawn_x, drawn_y), 1e-12);
    assert_ok(ebm_correlation_measure(x, y, PAIRS, 200, 5, &c));
    assert_ok(ebm_correlation_measure(x, y, PAIRS, 200, 5, &again));
    assert_memory_equal(&c, &again, sizeof c);
    assert_true(c.spearman_interval.low < c.spearman && c.spearman < c.spearman_interval.high);
    assert_true(c.pearson_interval.low < c.pearson && c.pearson < c.pearson_interval.high);
}

static void correlations_at_their_ends(void **state)
{
    static const double up[] = {1, 2, 3, 50}, down[] = {9, 1, 0, -7}, flat[] = {3, 3, 3, 3}, broken[] = {0, 1, NAN, 2};
    ebm_correlation c;
    (void)state;
    assert_ok(ebm_correlation_measure(up, up, 4, 0, 1, &c));
    near("Pearson", c.pearson, 1, 1e-12);
    near("Spearman", c.spearman, 1, 1e-12);
    assert_ok(ebm_correlation_measure(up, down, 4, 0, 1, &c));
    near("Spearman", c.spearman, -1, 1e-12);
    assert_true(c.pearson > -1 && c.pearson < 0);
    assert_ok(ebm_correlation_measure(up, flat, 4, 10, 1, &c));
    assert_true(isnan(c.pearson) && isnan(c.spearman) && isnan(c.spearman_interval.low));
    assert_ok(ebm_correlation_measure(up, down, 1, 0, 1, &c));
    assert_true(isnan(c.pearson));
    assert_fails(ebm_correlation_measure(up, down, 0, 0, 1, &c), EBM_ERROR_INPUT, "at least one expected");
    assert_fails(ebm_correlation_measure(up, broken, 4, 0, 1, &c), EBM_ERROR_NONFINITE, "second values: row 2");
    assert_fails(ebm_correlation_measure(up, down, 4, -3, 1, &c), EBM_ERROR_INPUT, "resamples");
}

// ---- sets

static void summaries_equal_their_definition(void **state)
{
    static const double energy[] = {3, -1, 2, 0, 1}, one[] = {7}, broken[] = {0, INFINITY};
    ebm_energy_summary s;
    (void)state;
    assert_ok(ebm_energy_summarize(&(ebm_energy_set){"data", energy, 5}, &s));
    near("mean", s.mean, 1, 1e-15);
    near("deviation", s.deviation, sqrt(2.5), 1e-15);
    static const double quantiles[] = {-1, -0.8, 0, 1, 2, 2.8, 3};
    for (int q = 0; q < EBM_ENERGY_QUANTILES; q++) near("quantile", s.quantile[q], quantiles[q], 1e-12);
    assert_ok(ebm_energy_summarize(&(ebm_energy_set){"data", one, 1}, &s));
    assert_true(s.mean == 7 && s.deviation == 0 && s.quantile[0] == 7 && s.quantile[6] == 7);
    assert_fails(ebm_energy_summarize(&(ebm_energy_set){"noise", one, 0}, &s), EBM_ERROR_INPUT, "energies of noise");
    assert_fails(ebm_energy_summarize(&(ebm_energy_set){"noise", broken, 2}, &s), EBM_ERROR_NONFINITE, "row 1 is inf");
}

static void bins_hold_every_energy(void **state)
{
    static const struct {
        double low, high, width; // width: expected
    } cases[] = {{-4.2, 3.1, 0.5},  {-0.01, 0.02, 0.002}, {0, 100, 5},
                 {-1e4, 1e4, 1000}, {5, 5, 0.001},        {-1e9, -1e9, 0.001}};
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const double ends[] = {cases[c].low, cases[c].high}, middle[] = {(cases[c].low + cases[c].high) / 2};
        const ebm_energy_set sets[] = {{"a", ends, 2}, {"b", middle, 1}};
        ebm_energy_bins bins;
        size_t count[EBM_ENERGY_BINS_MOST], total = 0;
        assert_ok(ebm_energy_bins_choose(sets, 2, 0, &bins));
        near("width", bins.width, cases[c].width, 1e-12);
        assert_true(bins.count >= 1 && bins.count <= 24);
        near("first edge", ebm_energy_bin_edge(&bins, 0), floor(cases[c].low / bins.width) * bins.width, 1e-12);
        assert_true(ebm_energy_bin_edge(&bins, bins.count) > cases[c].high);
        for (int s = 0; s < 2; s++) {
            ebm_energy_histogram(&bins, sets[s].energy, sets[s].count, count);
            for (size_t b = 0; b < bins.count; b++) total += count[b];
        }
        assert_int_equal(total, 3);
    }
}

static void a_histogram_counts_and_draws(void **state)
{
    static const double a[] = {-1, -0.5, 0, 0.999, 1, 2.5}, b[] = {2.1, 2.2, 2.3, 0.1};
    const ebm_energy_set sets[] = {{"data", a, 6}, {"noise", b, 4}};
    ebm_energy_bins bins;
    size_t count[4];
    char text[2048] = "";
    (void)state;
    assert_ok(ebm_energy_bins_choose(sets, 2, 1, &bins));
    assert_true(bins.first == -1 && bins.count == 4);
    ebm_energy_histogram(&bins, a, 6, count);
    assert_true(count[0] == 2 && count[1] == 2 && count[2] == 1 && count[3] == 1);
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_ok(ebm_energy_histogram_print(stream, &bins, sets, 2));
    fclose(stream);
    // The longest bar is noise's three of four, 56 characters; two of six are 25 then.
    assert_non_null(strstr(text, "data (6)\n        -1         2 #########################\n"));
    assert_non_null(strstr(text, "         2         3 ########################################################\n"));
    assert_non_null(strstr(text, "noise (4)\n        -1         0 \n"));
    assert_fails(ebm_energy_bins_choose(sets, 2, 1e-6, &bins), EBM_ERROR_INPUT, "at most 1000 bins");
    assert_fails(ebm_energy_bins_choose(sets, 0, 1, &bins), EBM_ERROR_INPUT, "at least one set");
    for (int c = 0; c < 3; c++)
        assert_fails(ebm_energy_bins_choose(sets, 2, (double[]){-1, NAN, INFINITY}[c], &bins), EBM_ERROR_INPUT,
                     "width");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gaussian_weights_have_a_closed_form),
        cmocka_unit_test(gaussian_rejection_has_a_closed_form),
        cmocka_unit_test(rejection_equals_its_definition),
        cmocka_unit_test(rejection_has_two_ends),
        cmocka_unit_test(acceptances_are_nested_and_as_frequent_as_they_should_be),
        cmocka_unit_test(weights_of_far_energies_are_finite),
        cmocka_unit_test(weights_have_bootstrap_intervals),
        cmocka_unit_test(wrong_weights_are_refused),
        cmocka_unit_test(correlations_equal_their_definition),
        cmocka_unit_test(correlations_at_their_ends),
        cmocka_unit_test(summaries_equal_their_definition),
        cmocka_unit_test(bins_hold_every_energy),
        cmocka_unit_test(a_histogram_counts_and_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
