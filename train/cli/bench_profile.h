// The profile of a piece of work, kernel by kernel, beside what each takes at the device's peaks.
#ifndef EBM_BENCH_PROFILE_H
#define EBM_BENCH_PROFILE_H

#include <jansson.h>

#include "device_benchmark.h"
#include "launch.h"

typedef struct {
    ebm_profile_row *rows; // by falling time
    size_t count;
    double seconds;      // of all kernels
    double flops, bytes; // likewise
    double floor;        // seconds: each kernel at its own floor
} ebm_bench_profile;

// Products have the peak in bf16 where it is known: leave it 0 for a profile in fp32.
// What was launched since ebm_profile_enable(device, true); switches it off.
ebm_status ebm_bench_profile_take(ebm_device *device, const ebm_peaks *peaks, ebm_bench_profile *profile);
void ebm_bench_profile_free(ebm_bench_profile *profile); // zeroed is accepted
void ebm_bench_profile_print(const ebm_bench_profile *profile, const ebm_peaks *peaks);
json_t *ebm_bench_profile_json(const ebm_bench_profile *profile, const ebm_peaks *peaks);

#endif
