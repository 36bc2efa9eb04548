#include "newton.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 500, HALVINGS = 60, VECTORS = 6 };

typedef struct {
    const ebm_convex *f;
    size_t n;
    double *gradient, *step, *trial, *residual, *direction, *product; // one block of memory
} newton;

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static double largest(const double *a, size_t n)
{
    double most = 0;
    for (size_t i = 0; i < n; i++)
        if (!(fabs(a[i]) <= most)) most = fabs(a[i]); // also for NaN
    return most;
}

// step = -H^-1 gradient, as far as is worth it: to a residual of min(0.01, sqrt|g|) |g|, which keeps Newton's
// convergence faster than linear. Where H is flat along a direction, what was gathered until then is taken.
static void solve(newton *s)
{
    const size_t n = s->n;
    const double norm = sqrt(dot(s->gradient, s->gradient, n)), enough = fmin(0.01, sqrt(norm)) * norm;
    memset(s->step, 0, n * sizeof *s->step);
    for (size_t i = 0; i < n; i++) s->residual[i] = s->direction[i] = -s->gradient[i];
    double squares = norm * norm;
    for (size_t round = 0; round < 10 * n + 10 && sqrt(squares) > enough; round++) {
        s->f->curvature(s->f->context, s->direction, s->product);
        const double curved = dot(s->direction, s->product, n);
        if (!(curved > DBL_EPSILON * DBL_EPSILON * dot(s->direction, s->direction, n))) break;
        const double along = squares / curved;
        for (size_t i = 0; i < n; i++) {
            s->step[i] += along * s->direction[i];
            s->residual[i] -= along * s->product[i];
        }
        const double next = dot(s->residual, s->residual, n);
        for (size_t i = 0; i < n; i++) s->direction[i] = s->residual[i] + next / squares * s->direction[i];
        squares = next;
    }
    if (!(dot(s->step, s->gradient, n) < 0) || !isfinite(dot(s->step, s->step, n)))
        for (size_t i = 0; i < n; i++) s->step[i] = -s->gradient[i];
}

static double rounding_of(double value) { return 4 * DBL_EPSILON * (1 + fabs(value)); }

// Halves the step until the value falls as Armijo asks, up to the rounding of the value. False: it never does.
static bool advance(newton *s, double *value, double *x)
{
    const double slope = dot(s->step, s->gradient, s->n), rounding = rounding_of(*value);
    double length = 1;
    for (int halving = 0; halving < HALVINGS; halving++, length /= 2) {
        for (size_t i = 0; i < s->n; i++) s->trial[i] = x[i] + length * s->step[i];
        const double next = s->f->value(s->f->context, s->trial, s->product);
        if (!(next <= *value + 1e-4 * length * slope + rounding)) continue;
        const bool moved = memcmp(x, s->trial, s->n * sizeof *x) != 0;
        *value = next;
        memcpy(x, s->trial, s->n * sizeof *x);
        memcpy(s->gradient, s->product, s->n * sizeof *s->gradient);
        return moved;
    }
    return false;
}

static ebm_status minimize(newton *s, double *x)
{
    double value = s->f->value(s->f->context, x, s->gradient);
    for (int round = 0; round < ROUNDS && largest(s->gradient, s->n) > EBM_NEWTON_TOLERANCE; round++) {
        solve(s);
        if (!advance(s, &value, x)) break;
    }
    value = s->f->value(s->f->context, x, s->gradient);
    const double slope = largest(s->gradient, s->n);
    if (slope <= sqrt(EBM_NEWTON_TOLERANCE)) return ebm_ok();
    solve(s); // where inputs are large, so is the gradient next to a minimum that is as low as the value can tell
    if (-dot(s->step, s->gradient, s->n) <= rounding_of(value)) return ebm_ok();
    return ebm_fail(EBM_ERROR_NONFINITE, "no minimum was found: the gradient is still %g", slope);
}

ebm_status ebm_newton_minimize(const ebm_convex *function, double *x)
{
    const size_t n = function->count;
    double *block = n <= SIZE_MAX / VECTORS / sizeof(double) ? malloc((VECTORS * n + 1) * sizeof *block) : NULL;
    if (!block) return ebm_fail(EBM_ERROR_MEMORY, "no memory to minimise over %zu variables", n);
    newton s = {function, n, block, block + n, block + 2 * n, block + 3 * n, block + 4 * n, block + 5 * n};
    const ebm_status status = minimize(&s, x);
    free(block);
    return status;
}
