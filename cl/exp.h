// e^x for x <= 0, one float (exp_one) or a vector of LANES (exp_lanes).
//
// 2^n e^r with |r| <= ln 2 / 2, and e^r by its series to r^7 / 7!: what is cut, r^8 / 8!, is below 6e-9, a tenth of a
// float's rounding error. Below -87 it stays at e^-87 = 1.6e-38 instead of becoming denormal; a NaN stays a NaN.
// Adding 1.5 * 2^23 rounds to a whole number and leaves it in the lowest bits, from where it is shifted to the exponent.
#ifndef EBM_EXP_H
#define EBM_EXP_H

#include "lanes.h"

#define EXP_OF_NEGATIVE(name, T, INT)                                                                                  \
    static inline T name(T x)                                                                                          \
    {                                                                                                                  \
        x = x < -87.0f ? (T)-87.0f : x;                                                                                \
        const T shifted = x * 1.44269504f + 12582912.0f;                                                               \
        const T n = shifted - 12582912.0f;                                                                             \
        const T r = (x - n * 0.693359375f) + n * 2.12194440e-4f;                                                       \
        T e = 1.9841270e-4f;                                                                                           \
        e = e * r + 1.3888889e-3f;                                                                                     \
        e = e * r + 8.3333333e-3f;                                                                                     \
        e = e * r + 4.1666667e-2f;                                                                                     \
        e = e * r + 1.6666667e-1f;                                                                                     \
        e = e * r + 0.5f;                                                                                              \
        e = e * r + 1.0f;                                                                                              \
        e = e * r + 1.0f;                                                                                              \
        return e * JOIN(as_, T)((JOIN(as_, INT)(shifted) << 23) + (127 << 23));                                        \
    }
EXP_OF_NEGATIVE(exp_one, float, int)
EXP_OF_NEGATIVE(exp_lanes, JOIN(float, LANES), JOIN(int, LANES))

#endif
