// Internal. The minimum of a smooth convex function of many variables by Newton's method, its linear systems solved by
// conjugate gradients (Nocedal and Wright, Numerical Optimization, 2nd ed., algorithm 7.1), so that no Hessian is ever
// stored: two variables take two products with it, a million still fit into memory.
//
//     const ebm_convex f = {&context, count, value, curvature};
//     double x[] = {1, 0};                          // the start; the minimum in the end
//     EBM_TRY(ebm_newton_minimize(&f, x));
#ifndef EBM_NEWTON_H
#define EBM_NEWTON_H

#include <stddef.h>

#include "status.h"

#define EBM_NEWTON_TOLERANCE 1e-9 // of the largest component of the gradient

typedef struct {
    void *context;
    size_t count; // of variables
    // The function at x and its gradient.
    double (*value)(void *context, const double *x, double *gradient);
    // The Hessian, at the x of the last call of `value`, times a direction.
    void (*curvature)(void *context, const double *direction, double *product);
} ebm_convex;

// Ends where no component of the gradient is above EBM_NEWTON_TOLERANCE, or where rounding leaves nothing to gain: none
// is above its square root, or a whole step is to lower the value by less than the value's rounding. Functions whose
// values and variables are of the size of 1 are expected. A function that falls for ever towards a bound, as the NLL of
// separated examples does, ends where it is that flat. Otherwise EBM_ERROR_NONFINITE with the largest component.
ebm_status ebm_newton_minimize(const ebm_convex *function, double *x);

#endif
