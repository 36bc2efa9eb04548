// What a device can do at most, measured through our own launches: arithmetic, memory, and what a launch costs.
//
//     const ebm_device_benchmark_settings settings = {.repeats = 9};
//     ebm_measured found[EBM_DEVICE_MEASURES];
//     EBM_TRY(ebm_device_benchmark(device, &settings, found));
//     const ebm_peaks peaks = ebm_peaks_of(found);        // floors: flops / peaks.flops, bytes / peaks.bytes
#ifndef EBM_DEVICE_BENCHMARK_H
#define EBM_DEVICE_BENCHMARK_H

#include "timing.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    EBM_MEASURE_FMA,           // fp32 multiply and add in registers, two flops each
    EBM_MEASURE_BF16,          // products of pairs of bf16 with fp32 sums; flops 0 where ebm_gemm cannot do them
    EBM_MEASURE_READ,          // bytes read
    EBM_MEASURE_UPDATE,        // bytes read and written in the same place
    EBM_MEASURE_COPY,          // bytes read and written, without what a cache reads before it is written
    EBM_MEASURE_TRIAD,         // likewise, two read for one written
    EBM_MEASURE_LAUNCH,        // an empty kernel, one of many queued
    EBM_MEASURE_LAUNCH_WAITED, // an empty kernel, and the wait until it is done
    EBM_DEVICE_MEASURES
} ebm_device_measure;

typedef struct {
    ebm_timing seconds;  // of one run
    double flops, bytes; // of one run; launches: both 0
} ebm_measured;

typedef struct {
    size_t repeats;
    size_t buffer_bytes; // of each of three buffers; 0: 256 MiB or eight times the cache, as far as the device has it
    double most_seconds; // for the samples of each measure, as in ebm_timing_plan; 0: all are taken
} ebm_device_benchmark_settings;

const char *ebm_device_measure_name(ebm_device_measure measure);
// The buffers that settings.buffer_bytes asks for on this device.
size_t ebm_device_benchmark_buffer(const ebm_device *device, const ebm_device_benchmark_settings *settings);
ebm_status ebm_device_benchmark(ebm_device *device, const ebm_device_benchmark_settings *settings,
                                ebm_measured measured[EBM_DEVICE_MEASURES]);

typedef struct {
    double flops, bytes; // a second; 0: not known
    double bf16_flops;   // of products in bf16, likewise
} ebm_peaks;

// From the least times: arithmetic, and the fastest way memory was moved.
ebm_peaks ebm_peaks_of(const ebm_measured measured[EBM_DEVICE_MEASURES]);
// The seconds that flops and bytes take at the peaks: the longer of the two, for both go on at a time.
double ebm_peaks_floor(const ebm_peaks *peaks, double flops, double bytes);

#ifdef __cplusplus
}
#endif
#endif
