// ebmcl bench kernels: everything in a model's step that is not a matrix product.
#include <stdio.h>

#include "bench_model.h"
#include "bench_result.h"
#include "command_bench.h"
#include "kernel_benchmark.h"

typedef struct {
    ebm_bench_model model;
    const char *device;
    size_t batch_size, sequence_length, slots, repeats;
    int64_t seed;
    ebm_bench_peak_options peaks;
    bool no_dropout, json;
} kernels_options;

#define AT(member) offsetof(kernels_options, member)
static const ebm_option OPTIONS[] = {
    EBM_BENCH_MODEL_OPTIONS(kernels_options, model, EBM_BENCH_MODELS),
    {"batch_size", EBM_OPTION_SIZE, AT(batch_size), "16", .help = "Texts of a packed batch", .least = 1, .most = 65536},
    {"sequence_length", EBM_OPTION_SIZE, AT(sequence_length), "128", .help = "Tokens of every text", .least = 1,
     .most = 8192},
    {"slots", EBM_OPTION_SIZE, AT(slots), "64", .help = "Texts that a noise model generates at a time", .least = 1,
     .most = 4096},
    {"no_dropout", EBM_OPTION_FLAG, AT(no_dropout), NULL, .help = "As in prediction; else the model's own"},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of numbers and dropout", .least = 0, .most = 9e15},
    EBM_BENCH_PEAK_OPTIONS(kernels_options, peaks),
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "9", .help = "Timed samples of each kernel", .least = 1, .most = 100000},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench kernels",
                                       "Times a model's row, element and attention kernels, each by itself.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

typedef struct {
    kernels_options set;
    ebm_options *parsed;
    ebm_config *config;
    ebm_device *device;
    ebm_kernel_benchmark *benchmark;
    ebm_bench_result *result;
} kernels_run;

static ebm_status prepare(kernels_run *r)
{
    const kernels_options *o = &r->set;
    const ebm_kernel_benchmark_settings settings = {o->batch_size, o->sequence_length, o->slots, (uint64_t)o->seed};
    ebm_arena *arenas[EBM_KERNEL_BENCHMARK_ARENAS];
    ebm_peaks peaks;
    EBM_TRY(ebm_bench_model_config(&o->model, &r->config));
    if (o->no_dropout) r->config->hidden_dropout = r->config->attention_dropout = 0;
    EBM_TRY(ebm_program_device(o->device, false, &r->device));
    EBM_TRY(ebm_kernel_benchmark_create(r->device, r->config, &settings, &r->benchmark));
    const size_t count = ebm_kernel_benchmark_arenas(r->benchmark, arenas);
    EBM_TRY(ebm_program_plan(r->device, arenas, count, "lower --batch_size"));
    EBM_TRY(ebm_bench_peaks(r->device, &o->peaks, &peaks)); // before the rest of memory is taken
    EBM_TRY(ebm_bench_result_create("kernels", r->device, &peaks, &r->result));
    return ebm_kernel_benchmark_allocate(r->benchmark);
}

static ebm_status measure(kernels_run *r)
{
    const ebm_timing_plan plan = {.repeats = r->set.repeats, .sample_seconds = 0.005};
    const size_t count = ebm_kernel_benchmark_count(r->benchmark);
    for (size_t i = 0; i < count; i++) {
        ebm_bench_row row = {.repeats = r->set.repeats};
        ebm_measured found;
        ebm_kernel_benchmark_name(r->benchmark, i, row.name, sizeof row.name);
        EBM_TRY(ebm_in(ebm_kernel_benchmark_measure(r->benchmark, i, &plan, &found), "%s", row.name));
        row.seconds = found.seconds;
        row.flops = found.flops;
        row.bytes = found.bytes;
        EBM_TRY(ebm_bench_result_add(r->result, &row));
        ebm_program_progress("kernel %zu/%zu", i + 1, count);
    }
    return ebm_ok();
}

static ebm_status run(kernels_run *r)
{
    EBM_TRY(prepare(r));
    ebm_bench_result_set(r->result, "model", json_string(ebm_bench_model_name(&r->set.model)));
    ebm_bench_result_set(r->result, "batch_size", json_integer((json_int_t)r->set.batch_size));
    ebm_bench_result_set(r->result, "sequence_length", json_integer((json_int_t)r->set.sequence_length));
    EBM_TRY(measure(r));
    return ebm_bench_result_print(r->result, r->set.json);
}

ebm_status ebm_command_bench_kernels(int argc, char **argv)
{
    kernels_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    ebm_bench_result_free(r.result);
    ebm_kernel_benchmark_free(r.benchmark);
    ebm_device_free(r.device);
    ebm_config_free(r.config);
    ebm_options_free(r.parsed);
    return status;
}
