#include "timing.h"

#include <stdlib.h>
#include <time.h>

double ebm_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int by_value(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

ebm_timing ebm_timing_of(double *seconds, size_t count)
{
    qsort(seconds, count, sizeof *seconds, by_value);
    const ebm_timing timing = {0.5 * (seconds[(count - 1) / 2] + seconds[count / 2]), seconds[0], seconds[count - 1]};
    return timing;
}
