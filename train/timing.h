// Times of repeated work.
//
//     double seconds[5];
//     for (int i = 0; i < 5; i++) { const double start = ebm_now(); work(); seconds[i] = ebm_now() - start; }
//     ebm_timing timing = ebm_timing_of(seconds, 5);        // sorts them
#ifndef EBM_TIMING_H
#define EBM_TIMING_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double median, least, most; // seconds
} ebm_timing;

double ebm_now(void); // seconds of a clock that only goes forward

// count > 0; the median of an even number is the mean of the two in the middle. Sorts `seconds`.
ebm_timing ebm_timing_of(double *seconds, size_t count);

#ifdef __cplusplus
}
#endif
#endif
