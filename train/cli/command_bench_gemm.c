// ebmcl bench gemm: the matrix products of a model's step, by every backend.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_model.h"
#include "bench_result.h"
#include "command_bench.h"
#include "gemm.h"
#include "products.h"
#include "random.h"

typedef struct {
    ebm_bench_model model;
    const char *device;
    size_t batch_size, sequence_length, slots, repeats;
    ebm_string_list backends;
    ebm_bench_peak_options peaks;
    bool json;
} gemm_options;

#define AT(member) offsetof(gemm_options, member)
static const ebm_option OPTIONS[] = {
    EBM_BENCH_MODEL_OPTIONS(gemm_options, model, EBM_BENCH_MODELS),
    {"batch_size", EBM_OPTION_SIZE, AT(batch_size), "16", .help = "Texts of a packed batch", .least = 1, .most = 65536},
    {"sequence_length", EBM_OPTION_SIZE, AT(sequence_length), "128", .help = "Tokens of every text", .least = 1,
     .most = 8192},
    {"slots", EBM_OPTION_SIZE, AT(slots), "64", .help = "Texts that a noise model generates at a time", .least = 1,
     .most = 4096},
    {"backends", EBM_OPTION_LIST, AT(backends), NULL,
     .help = "Some of cpu, clblast, plain; nothing: all that the device is meant to run"},
    EBM_BENCH_PEAK_OPTIONS(gemm_options, peaks),
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "9", .help = "Timed samples of each product", .least = 1, .most = 100000},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench gemm", "Times the matrix products of a model's step.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

enum { LISTED = 2 * EBM_MODEL_PRODUCTS };

typedef struct {
    gemm_options set;
    ebm_options *parsed;
    ebm_config *config;
    ebm_model_product products[LISTED];
    size_t count, step_count; // those of a step come first
    ebm_bench_result *result;
} gemm_run;

// A product with its operands, on one backend.
typedef struct {
    ebm_device *device;
    ebm_slice a, b, c;
    const ebm_model_product *product;
} operands;

static ebm_status multiply(void *context)
{
    const operands *o = context;
    const ebm_model_product *p = o->product;
    const ebm_slice none = {NULL, 0};
    const ebm_matrix a = ebm_matrix_of(o->a, p->form == EBM_GEMM_TN ? p->m : p->k);
    const ebm_matrix b = ebm_matrix_of(o->b, p->form == EBM_GEMM_NT ? p->k : p->n);
    return ebm_gemm(o->device, p->form, p->m, p->n, p->k, a, b, p->adds ? 1 : 0, ebm_matrix_of(o->c, p->n), none);
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static ebm_status fill(ebm_device *device, ebm_slice slice)
{
    float *values = malloc(slice.count * sizeof *values);
    if (!values) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu values", slice.count);
    ebm_random random = ebm_random_stream(1, 0, EBM_SITE_BENCHMARK);
    for (size_t i = 0; i < slice.count; i++) values[i] = (float)(2 * ebm_random_uniform(&random) - 1);
    const ebm_status status = ebm_slice_write(device, slice, 0, slice.count, values);
    free(values);
    return status;
}

static ebm_status make_operands(const gemm_run *r, ebm_arena *arena, operands *o)
{
    size_t a = 1, b = 1, c = 1;
    for (size_t i = 0; i < r->count; i++) {
        const ebm_model_product *p = &r->products[i];
        a = larger(a, p->m * p->k);
        b = larger(b, p->n * p->k);
        c = larger(c, p->m * p->n);
    }
    ebm_arena_reserve(arena, &o->a, a);
    ebm_arena_reserve(arena, &o->b, b);
    ebm_arena_reserve(arena, &o->c, c);
    EBM_TRY(ebm_arena_plan(o->device, &arena, 1, "lower --batch_size"));
    EBM_TRY(ebm_arena_allocate(arena));
    EBM_TRY(fill(o->device, o->a));
    return fill(o->device, o->b);
}

// What a step spends on a product that it takes so many times.
static void add_times(ebm_bench_row *sum, const ebm_bench_row *row, double times)
{
    sum->seconds.median += times * row->seconds.median;
    sum->seconds.least += times * row->seconds.least;
    sum->seconds.most += times * row->seconds.most;
    sum->flops += times * row->flops;
    sum->bytes += times * row->bytes;
    sum->amount += times * row->amount;
}

static ebm_status time_products(gemm_run *r, operands *o, const char *backend)
{
    static const char *const forms[] = {"nn", "nt", "tn"};
    const ebm_timing_plan plan = {r->set.repeats, 0.005};
    ebm_bench_row step = {.repeats = r->set.repeats, .unit = "GFLOP/s"};
    snprintf(step.name, sizeof step.name, "%s: all products of a step", backend);
    for (size_t i = 0; i < r->count; i++) {
        const ebm_model_product *p = o->product = &r->products[i];
        ebm_bench_row row = {.repeats = r->set.repeats, .flops = ebm_model_product_flops(p), .unit = "GFLOP/s"};
        row.bytes = 4.0 * (double)(p->m * p->k + p->k * p->n + (p->adds ? 2 : 1) * p->m * p->n);
        row.amount = 1e-9 * row.flops;
        snprintf(row.name, sizeof row.name, "%s: %s %s %zu x %zu x %zu", backend, p->name, forms[p->form], p->m, p->n,
                 p->k);
        EBM_TRY(ebm_timing_measure(o->device, multiply, o, &plan, &row.seconds));
        EBM_TRY(ebm_bench_result_add(r->result, &row));
        if (i < r->step_count) add_times(&step, &row, (double)p->times);
        ebm_program_progress("%s %zu/%zu", backend, i + 1, r->count);
    }
    return ebm_bench_result_add(r->result, &step);
}

// A device keeps the backend of its first product, so each has one of its own.
static ebm_status run_backend(gemm_run *r, const char *backend)
{
    operands o = {0};
    if (setenv("EBMCL_GEMM", backend, 1) != 0) return ebm_fail(EBM_ERROR_MEMORY, "no memory for EBMCL_GEMM");
    EBM_TRY(ebm_device_open(r->set.device, &o.device));
    ebm_arena *arena = ebm_arena_create(o.device, "matrices");
    ebm_status status = arena ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for an arena");
    if (status.code == EBM_OK) status = make_operands(r, arena, &o);
    if (status.code == EBM_OK) status = time_products(r, &o, backend);
    ebm_arena_free(arena);
    ebm_device_free(o.device);
    return status;
}

static ebm_status list_products(gemm_run *r)
{
    const gemm_options *o = &r->set;
    EBM_TRY(ebm_bench_model_config(&o->model, &r->config));
    r->step_count = ebm_model_products(r->config, o->batch_size * o->sequence_length, o->batch_size, r->products);
    r->count = r->step_count + ebm_model_generation_products(r->config, o->slots, r->products + r->step_count);
    return ebm_ok();
}

static ebm_status measure_peaks(gemm_run *r, bool *cpu)
{
    ebm_device *device = NULL;
    ebm_peaks peaks;
    EBM_TRY(ebm_program_device(r->set.device, false, &device));
    *cpu = ebm_device_uses_cpu_kernels(device);
    ebm_status status = ebm_bench_peaks(device, &r->set.peaks, &peaks);
    if (status.code == EBM_OK) status = ebm_bench_result_create("gemm", device, &peaks, &r->result);
    ebm_device_free(device);
    return status;
}

static const char *const BACKENDS[] = {"cpu", "clblast", "plain"};
enum { BACKEND_COUNT = sizeof BACKENDS / sizeof *BACKENDS };

static ebm_status check_backends(const ebm_string_list *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        size_t b = 0;
        while (b < BACKEND_COUNT && strcmp(wanted->items[i], BACKENDS[b]) != 0) b++;
        if (b == BACKEND_COUNT)
            return ebm_fail(EBM_ERROR_INPUT, "--backends: expected some of cpu, clblast, plain, found '%.40s'",
                            wanted->items[i]);
    }
    return ebm_ok();
}

static ebm_status run(gemm_run *r)
{
    const ebm_string_list *wanted = &r->set.backends;
    bool cpu = false;
    EBM_TRY(check_backends(wanted));
    EBM_TRY(list_products(r));
    EBM_TRY(measure_peaks(r, &cpu));
    ebm_bench_result_set(r->result, "model", json_string(ebm_bench_model_name(&r->set.model)));
    ebm_bench_result_set(r->result, "tokens", json_integer((json_int_t)(r->set.batch_size * r->set.sequence_length)));
    for (size_t i = 0; i < wanted->count; i++) EBM_TRY(run_backend(r, wanted->items[i]));
    for (size_t i = cpu ? 0 : 1; i < BACKEND_COUNT && wanted->count == 0; i++) EBM_TRY(run_backend(r, BACKENDS[i]));
    return ebm_bench_result_print(r->result, r->set.json);
}

ebm_status ebm_command_bench_gemm(int argc, char **argv)
{
    gemm_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    ebm_bench_result_free(r.result);
    ebm_config_free(r.config);
    ebm_options_free(r.parsed);
    return status;
}
