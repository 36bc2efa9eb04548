// What every part of ebmcl bench prints: rows of a name, times with their spread, the rate, and the floor it is
// measured against. One table for people, one JSON object for `ebmcl bench compare`.
//
//     bench_result *result = NULL;
//     EBM_TRY(ebm_bench_result_create("gemm", device, &peaks, &result));
//     EBM_CHECK(ebm_bench_result_add(result, &row), end);
//     status = ebm_bench_result_print(result, json);
//     end: ebm_bench_result_free(result);
#ifndef EBM_BENCH_RESULT_H
#define EBM_BENCH_RESULT_H

#include <jansson.h>
#include <stdbool.h>

#include "device_benchmark.h"

typedef struct {
    char name[128];
    size_t repeats;
    ebm_timing seconds;  // of one run
    double flops, bytes; // of one run at least; 0: not counted
    double floor;        // seconds; 0: follows from flops and bytes at the peaks
    double amount;       // of `unit` in one run; unit NULL: GFLOP/s or GB/s, whichever binds, or no rate
    const char *unit;    // "tokens/s"
} ebm_bench_row;

typedef struct ebm_bench_result ebm_bench_result;

// device NULL: work of the host alone. peaks NULL: no floors.
ebm_status ebm_bench_result_create(const char *part, const ebm_device *device, const ebm_peaks *peaks,
                                   ebm_bench_result **result);
void ebm_bench_result_free(ebm_bench_result *result); // NULL is accepted
ebm_status ebm_bench_result_add(ebm_bench_result *result, const ebm_bench_row *row);
// Something else for the JSON object; takes the value over.
void ebm_bench_result_set(ebm_bench_result *result, const char *key, json_t *value);
// The table, or the object on standard output.
ebm_status ebm_bench_result_print(const ebm_bench_result *result, bool json);

// --peak_gflops and --peak_gb_s: what is not given is measured (device benchmark, a few repeats).
typedef struct {
    double gflops, gb_s;
} ebm_bench_peak_options;
#define EBM_BENCH_PEAK_OPTIONS(type, member)                                                                           \
    {"peak_gflops",                                                                                                    \
     EBM_OPTION_FLOAT,                                                                                                 \
     offsetof(type, member.gflops),                                                                                    \
     "0",                                                                                                              \
     "What floors take the device's arithmetic to be, in GFLOP/s; 0: measured",                                        \
     0,                                                                                                                \
     1e9,                                                                                                              \
     false,                                                                                                            \
     NULL,                                                                                                             \
     false},                                                                                                           \
    {                                                                                                                  \
        "peak_gb_s", EBM_OPTION_FLOAT, offsetof(type, member.gb_s), "0", "And its memory, in GB/s; 0: measured", 0,    \
            1e9, false, NULL, false                                                                                    \
    }
ebm_status ebm_bench_peaks(ebm_device *device, const ebm_bench_peak_options *options, ebm_peaks *peaks);

#endif
