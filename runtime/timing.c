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

static ebm_status time_runs(ebm_device *device, ebm_timed_work *work, void *context, size_t runs, double *seconds)
{
    const double start = ebm_now();
    for (size_t i = 0; i < runs; i++) EBM_TRY(work(context));
    EBM_TRY(ebm_device_finish(device));
    *seconds = ebm_now() - start;
    return ebm_ok();
}

// Grows by the measured ratio, but at most eightfold: the first runs are slower than those that follow.
static ebm_status choose_runs(ebm_device *device, ebm_timed_work *work, void *context, double wanted, size_t *runs)
{
    const size_t most = 100000;
    double seconds;
    EBM_TRY(time_runs(device, work, context, 1, &seconds)); // builds
    for (*runs = 1; *runs < most;) {
        EBM_TRY(time_runs(device, work, context, *runs, &seconds));
        if (seconds >= wanted) return ebm_ok();
        const double ratio = seconds > 0 && wanted / seconds < 8 ? wanted / seconds : 8;
        *runs = (size_t)((double)*runs * ratio) + 1;
    }
    *runs = most;
    return ebm_ok();
}

ebm_status ebm_timing_measure(ebm_device *device, ebm_timed_work *work, void *context, const ebm_timing_plan *plan,
                              ebm_timing *timing)
{
    size_t runs = 1;
    double *seconds = calloc(plan->repeats, sizeof *seconds);
    if (!seconds) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu times", plan->repeats);
    ebm_status status = choose_runs(device, work, context, plan->sample_seconds, &runs);
    const double start = ebm_now();
    size_t count = 0;
    while (count < plan->repeats && status.code == EBM_OK) {
        status = time_runs(device, work, context, runs, &seconds[count]);
        seconds[count++] /= (double)runs;
        if (plan->most_seconds > 0 && ebm_now() - start >= plan->most_seconds) break;
    }
    if (status.code == EBM_OK) *timing = ebm_timing_of(seconds, count);
    free(seconds);
    return status;
}
