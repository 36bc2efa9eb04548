#include "unigram_score.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { FEWEST = 15, MOST = 17, LARGEST_EXPONENT = 300 };

// d.ddd...e+xx with the fewest digits that are read back as `value`.
static void write_shortest(double value, char text[32])
{
    for (int digits = FEWEST; digits <= MOST; digits++) {
        snprintf(text, 32, "%.*e", digits - 1, value);
        if (strtod(text, NULL) == value) return;
    }
}

// The digits as an integer, and the power of ten it is to be multiplied with.
static uint64_t read_digits(const char *text, int *exponent)
{
    uint64_t significand = 0;
    int after_point = 0, zeros = 0;
    for (; *text && *text != 'e'; text++) {
        if (*text < '0' || *text > '9') continue; // the point, or a comma where a locale was set
        if (*text == '0') {
            zeros++;
        } else {
            for (; zeros >= 0; zeros--) significand *= 10;
            significand += (uint64_t)(*text - '0');
            zeros = 0;
        }
        after_point++;
    }
    *exponent = (int)strtol(*text ? text + 1 : "0", NULL, 10) - (after_point - 1) + zeros;
    return significand;
}

static double power_of_ten(int exponent)
{
    char text[16];
    snprintf(text, sizeof text, "1e%d", exponent);
    return strtod(text, NULL);
}

double ebm_unigram_score(double value)
{
    char text[32];
    int exponent = 0;
    if (!isfinite(value) || value == 0) return value;
    write_shortest(fabs(value), text);
    const uint64_t significand = read_digits(text, &exponent);
    if (abs(exponent) > LARGEST_EXPONENT) return value;
    const double power = power_of_ten(abs(exponent));
    const double read = exponent < 0 ? (double)significand / power : (double)significand * power;
    return copysign(read, value);
}
