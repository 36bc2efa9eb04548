// The minimiser of convex functions: quadratics, a logistic one, flat and unbounded ones.
#include <math.h>
#include <stdbool.h>

#include "check.h"
#include "newton.h"

// Sum over i of c_i (x_i - t_i)^2 / 2 + coupling (sum over i of x_i - t_i)^2 / 2, t_i = i.
typedef struct {
    size_t n;
    double *weight, coupling;
} quadratic;

static void quadratic_product(void *context, const double *d, double *out)
{
    const quadratic *q = context;
    double sum = 0;
    for (size_t i = 0; i < q->n; i++) sum += d[i];
    for (size_t i = 0; i < q->n; i++) out[i] = q->weight[i] * d[i] + q->coupling * sum;
}

static double quadratic_value(void *context, const double *x, double *gradient)
{
    const quadratic *q = context;
    double *offset = malloc(q->n * sizeof *offset), value = 0;
    assert_non_null(offset);
    for (size_t i = 0; i < q->n; i++) offset[i] = x[i] - (double)i;
    quadratic_product(context, offset, gradient);
    for (size_t i = 0; i < q->n; i++) value += offset[i] * gradient[i] / 2;
    free(offset);
    return value;
}

static void quadratics_are_solved(void **state)
{
    double weight[40], x[40] = {0};
    for (int i = 0; i < 40; i++) weight[i] = pow(10, -i / 20.0); // from 1 down to 0.01
    quadratic q = {40, weight, 0.5};
    assert_ok(ebm_newton_minimize(&(ebm_convex){&q, 40, quadratic_value, quadratic_product}, x));
    for (int i = 0; i < 40; i++)
        if (!(fabs(x[i] - i) <= 1e-6)) fail_msg("x[%d] = %.12g", i, x[i]);
    q.n = 0;
    assert_ok(ebm_newton_minimize(&(ebm_convex){&q, 0, quadratic_value, quadratic_product}, x));
}

// ln(1 + e^-mx) + ridge x^2 / 2: without a ridge it falls for ever.
typedef struct {
    double margin, ridge, at;
} logistic;

static double logistic_value(void *context, const double *x, double *gradient)
{
    logistic *l = context;
    const double e = exp(-l->margin * x[0]);
    l->at = x[0];
    gradient[0] = l->ridge * x[0] - l->margin * e / (1 + e);
    return log1p(e) + l->ridge * x[0] * x[0] / 2;
}

static void logistic_product(void *context, const double *d, double *out)
{
    const logistic *l = context;
    const double p = 1 / (1 + exp(-l->margin * l->at));
    out[0] = (l->margin * l->margin * p * (1 - p) + l->ridge) * d[0];
}

static void logistic_ones_end(void **state)
{
    const logistic all[] = {{1, 1e-6, 0}, {5, 0.1, 0}, {-3, 1e-6, 0}, {1, 0, 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        logistic l = all[i];
        double x[] = {0}, gradient[1];
        assert_ok(ebm_newton_minimize(&(ebm_convex){&l, 1, logistic_value, logistic_product}, x));
        logistic_value(&l, x, gradient);
        assert_true(fabs(gradient[0]) <= EBM_NEWTON_TOLERANCE);
        assert_true(x[0] * l.margin > 0 && fabs(x[0]) < 30);
    }
}

// Nothing to gain: the start is kept.
static double flat_value(void *context, const double *x, double *gradient)
{
    gradient[0] = gradient[1] = 0 * x[0];
    return 3;
}
static void flat_product(void *context, const double *d, double *out) { out[0] = out[1] = 0 * d[0]; }

// So curved that the gradient is 0.1 at least beside its zero, between two doubles; the value is as low as it goes.
static double steep_value(void *context, const double *x, double *gradient)
{
    const double beside = x[0] - 1.0 / 3 - 1e-17;
    gradient[0] = 1e16 * beside;
    return 1 + 0.5e16 * beside * beside;
}
static void steep_product(void *context, const double *d, double *out) { out[0] = 1e16 * d[0]; }

static void a_steep_one_ends_at_its_rounding(void **state)
{
    double x[] = {7};
    assert_ok(ebm_newton_minimize(&(ebm_convex){NULL, 1, steep_value, steep_product}, x));
    assert_true(x[0] == 1.0 / 3);
}

// Linear: no minimum and no flat end.
static double linear_value(void *context, const double *x, double *gradient)
{
    gradient[0] = -1;
    gradient[1] = 0;
    return -x[0];
}

static double nan_value(void *context, const double *x, double *gradient)
{
    gradient[0] = gradient[1] = (double)NAN;
    return x[0] - x[0] + (double)NAN;
}

static void ends_without_a_minimum(void **state)
{
    double x[] = {0.25, -4};
    assert_ok(ebm_newton_minimize(&(ebm_convex){NULL, 2, flat_value, flat_product}, x));
    assert_true(x[0] == 0.25 && x[1] == -4);
    assert_fails(ebm_newton_minimize(&(ebm_convex){NULL, 2, linear_value, flat_product}, x), EBM_ERROR_NONFINITE,
                 "the gradient is still 1");
    assert_fails(ebm_newton_minimize(&(ebm_convex){NULL, 2, nan_value, flat_product}, x), EBM_ERROR_NONFINITE,
                 "the gradient is still");
    assert_fails(ebm_newton_minimize(&(ebm_convex){NULL, SIZE_MAX / 4, flat_value, flat_product}, x), EBM_ERROR_MEMORY,
                 "no memory to minimise");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quadratics_are_solved),
        cmocka_unit_test(logistic_ones_end),
        cmocka_unit_test(a_steep_one_ends_at_its_rounding),
        cmocka_unit_test(ends_without_a_minimum),
    };
    return cmocka_run_group_tests_name("newton", tests, NULL, NULL);
}
