// ebmcl bench device: what the device can do at most.
#include <stdio.h>

#include "bench_result.h"
#include "command_bench.h"

typedef struct {
    const char *device;
    size_t repeats, buffer_mib;
    bool json;
} device_options;

#define AT(member) offsetof(device_options, member)
static const ebm_option OPTIONS[] = {
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"buffer_mib", EBM_OPTION_SIZE, AT(buffer_mib), "0",
     .help = "Of each of three buffers that are read and written; 0: 256, or eight times the cache", .least = 0,
     .most = 1048576},
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "15", .help = "Timed samples of each", .least = 1, .most = 100000},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench device",
                                       "Peak arithmetic, memory bandwidth and the time of a launch.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

static ebm_status add_all(ebm_bench_result *result, size_t repeats, const ebm_measured *found)
{
    for (int i = 0; i < EBM_DEVICE_MEASURES; i++) {
        if (i == EBM_MEASURE_BF16 && !(found[i].flops > 0)) continue;
        ebm_bench_row row = {.repeats = repeats, .seconds = found[i].seconds, .flops = found[i].flops};
        row.bytes = found[i].bytes;
        snprintf(row.name, sizeof row.name, "%s", ebm_device_measure_name((ebm_device_measure)i));
        EBM_TRY(ebm_bench_result_add(result, &row));
    }
    return ebm_ok();
}

static ebm_status run(const device_options *o, ebm_device *device, ebm_bench_result **result)
{
    const ebm_device_benchmark_settings settings = {.repeats = o->repeats, .buffer_bytes = o->buffer_mib << 20};
    const size_t bytes = ebm_device_benchmark_buffer(device, &settings);
    ebm_measured found[EBM_DEVICE_MEASURES];
    ebm_program_say("memory: three buffers of %.0f MiB", (double)bytes / 1048576);
    EBM_TRY(ebm_device_benchmark(device, &settings, found));
    EBM_TRY(ebm_bench_result_create("device", device, NULL, result));
    const ebm_peaks peaks = ebm_peaks_of(found);
    ebm_bench_result_set(*result, "peak_gflop_per_s", json_real(1e-9 * peaks.flops));
    ebm_bench_result_set(*result, "peak_gb_per_s", json_real(1e-9 * peaks.bytes));
    if (peaks.bf16_flops > 0)
        ebm_bench_result_set(*result, "peak_bf16_gflop_per_s", json_real(1e-9 * peaks.bf16_flops));
    ebm_bench_result_set(*result, "buffer_bytes", json_integer((json_int_t)bytes));
    EBM_TRY(add_all(*result, o->repeats, found));
    return ebm_bench_result_print(*result, o->json);
}

ebm_status ebm_command_bench_device(int argc, char **argv)
{
    device_options o;
    ebm_options *parsed = NULL;
    ebm_device *device = NULL;
    ebm_bench_result *result = NULL;
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done) status = ebm_program_device(o.device, false, &device);
    if (status.code == EBM_OK && !done) status = run(&o, device, &result);
    ebm_bench_result_free(result);
    ebm_device_free(device);
    ebm_options_free(parsed);
    return status;
}
