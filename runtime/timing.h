// Times of repeated work.
//
//     double seconds[5];
//     for (int i = 0; i < 5; i++) { const double start = ebm_now(); work(); seconds[i] = ebm_now() - start; }
//     ebm_timing timing = ebm_timing_of(seconds, 5);        // sorts them
//
//     const ebm_timing_plan plan = {.repeats = 9, .sample_seconds = 0.02};
//     EBM_TRY(ebm_timing_measure(device, launch_something, &context, &plan, &timing));
#ifndef EBM_TIMING_H
#define EBM_TIMING_H

#include <stddef.h>

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double median, least, most; // seconds
} ebm_timing;

double ebm_now(void); // seconds of a clock that only goes forward

// count > 0; the median of an even number is the mean of the two in the middle. Sorts `seconds`.
ebm_timing ebm_timing_of(double *seconds, size_t count);

// Queues work on the device; called again and again.
typedef ebm_status ebm_timed_work(void *context);

typedef struct {
    size_t repeats;        // samples, > 0
    double sample_seconds; // what a sample lasts at least: shorter work is queued several times for one
    double most_seconds;   // after which no further sample is begun; 0: all are
} ebm_timing_plan;

// The time of one run of the work, from samples that each end with a wait for the device. Runs before them build the
// kernels and find out how many make a sample.
ebm_status ebm_timing_measure(ebm_device *device, ebm_timed_work *work, void *context, const ebm_timing_plan *plan,
                              ebm_timing *timing);

#ifdef __cplusplus
}
#endif
#endif
