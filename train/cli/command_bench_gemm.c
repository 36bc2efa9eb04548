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
#include "tuning.h"

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
     .help = "Some of cpu, bf16, clblast, plain; nothing: all but plain on a CPU, clblast and plain on a GPU"},
    EBM_BENCH_PEAK_OPTIONS(gemm_options, peaks),
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "9", .help = "Timed samples of each product", .least = 1, .most = 100000},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench gemm", "Times the matrix products of a model's step.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

static const char *const BACKENDS[] = {"cpu", "bf16", "clblast", "plain"};
enum {
    BF16 = 1,
    FIRST_OF_GPUS,
    PLAIN,
    BACKEND_COUNT = sizeof BACKENDS / sizeof *BACKENDS,
    LISTED = 2 * EBM_MODEL_PRODUCTS
};

// A backend with operands for every product. A device keeps the backend it began with, so each has one of its own.
typedef struct {
    const char *name;
    ebm_device *device;
    ebm_arena *arena;
    ebm_slice a, b, c;
    const ebm_model_product *product; // the one being timed
    ebm_bench_row step;               // sums over the products of a step
} contender;

typedef struct {
    gemm_options set;
    ebm_options *parsed;
    ebm_config *config;
    ebm_model_product products[LISTED];
    size_t count, step_count; // those of a step come first
    ebm_peaks peaks;
    ebm_bench_result *result;
    contender contenders[BACKEND_COUNT];
    size_t contender_count;
} gemm_run;

static ebm_status multiply(void *context)
{
    const contender *o = context;
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

static ebm_status make_operands(const gemm_run *r, contender *o)
{
    size_t a = 1, b = 1, c = 1;
    for (size_t i = 0; i < r->count; i++) {
        const ebm_model_product *p = &r->products[i];
        a = larger(a, p->m * p->k);
        b = larger(b, p->n * p->k);
        c = larger(c, p->m * p->n);
    }
    o->arena = ebm_arena_create(o->device, "matrices");
    if (!o->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an arena");
    ebm_arena_reserve(o->arena, &o->a, a);
    ebm_arena_reserve(o->arena, &o->b, b);
    ebm_arena_reserve(o->arena, &o->c, c);
    EBM_TRY(ebm_arena_plan(o->device, &o->arena, 1, "lower --batch_size"));
    EBM_TRY(ebm_arena_allocate(o->arena));
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
    sum->floor += times * row->floor;
}

// Where the peak in bf16 is not known, 0: the floor is then the one in fp32, and the share may be above 100 %.
static double bf16_floor(const gemm_run *r, const ebm_bench_row *row)
{
    const ebm_peaks peaks = {.flops = r->peaks.bf16_flops, .bytes = r->peaks.bytes};
    return peaks.flops > 0 ? ebm_peaks_floor(&peaks, row->flops, row->bytes) : 0;
}

static ebm_status time_product(gemm_run *r, contender *o, const ebm_model_product *p, size_t times)
{
    const ebm_timing_plan plan = {.repeats = r->set.repeats, .sample_seconds = 0.005};
    ebm_bench_row row = {.repeats = r->set.repeats, .flops = ebm_model_product_flops(p), .unit = "GFLOP/s"};
    row.bytes = 4.0 * (double)(p->m * p->k + p->k * p->n + (p->adds ? 2 : 1) * p->m * p->n);
    row.amount = 1e-9 * row.flops;
    if (strcmp(o->name, BACKENDS[BF16]) == 0) row.floor = bf16_floor(r, &row);
    snprintf(row.name, sizeof row.name, "%s: %s %s %zu x %zu x %zu", o->name, p->name, ebm_gemm_form_name(p->form),
             p->m, p->n, p->k);
    o->product = p;
    EBM_TRY(ebm_timing_measure(o->device, multiply, o, &plan, &row.seconds));
    add_times(&o->step, &row, (double)times);
    return ebm_bench_result_add(r->result, &row);
}

// One product by every backend, then the next: whoever else is there disturbs all of them alike.
static ebm_status time_products(gemm_run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        const ebm_model_product *p = &r->products[i];
        for (size_t b = 0; b < r->contender_count; b++)
            EBM_TRY(time_product(r, &r->contenders[b], p, i < r->step_count ? p->times : 0));
        ebm_program_progress("product %zu/%zu", i + 1, r->count);
    }
    for (size_t b = 0; b < r->contender_count; b++) EBM_TRY(ebm_bench_result_add(r->result, &r->contenders[b].step));
    return ebm_ok();
}

static ebm_status open_backend(gemm_run *r, const char *name)
{
    contender *o = &r->contenders[r->contender_count++];
    *o = (contender){.name = name, .step = {.repeats = r->set.repeats, .unit = "GFLOP/s"}};
    snprintf(o->step.name, sizeof o->step.name, "%s: all products of a step", name);
    if (setenv("EBMCL_GEMM", name, 1) != 0) return ebm_fail(EBM_ERROR_MEMORY, "no memory for EBMCL_GEMM");
    EBM_TRY(ebm_program_open(r->set.device, &o->device));
    EBM_TRY(ebm_gemm_prepare(o->device));
    return make_operands(r, o);
}

// Of those that nobody asked for by name, bf16 needs instructions that not every processor has.
static ebm_status open_if_possible(gemm_run *r, const char *name)
{
    const ebm_status status = open_backend(r, name);
    if (status.code != EBM_ERROR_UNSUPPORTED) return status;
    ebm_device_free(r->contenders[--r->contender_count].device);
    ebm_program_say("device: %s", status.message);
    return ebm_ok();
}

static ebm_status open_backends(gemm_run *r, bool cpu)
{
    const ebm_string_list *wanted = &r->set.backends;
    for (size_t i = 0; i < wanted->count; i++) EBM_TRY(open_backend(r, wanted->items[i]));
    // Plain ones are a hundred times too slow on CPUs to be waited for.
    for (size_t i = cpu ? 0 : FIRST_OF_GPUS; i < (cpu ? PLAIN : BACKEND_COUNT) && wanted->count == 0; i++)
        EBM_TRY(open_if_possible(r, BACKENDS[i]));
    return ebm_ok();
}

static void close_backends(gemm_run *r)
{
    for (size_t i = 0; i < r->contender_count; i++) {
        ebm_arena_free(r->contenders[i].arena);
        ebm_device_free(r->contenders[i].device);
    }
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
    EBM_TRY(ebm_program_device(r->set.device, false, &device));
    *cpu = ebm_device_uses_cpu_kernels(device);
    ebm_status status = ebm_bench_peaks(device, &r->set.peaks, &r->peaks);
    if (status.code == EBM_OK) status = ebm_bench_result_create("gemm", device, &r->peaks, &r->result);
    ebm_device_free(device);
    return status;
}

static ebm_status check_backends(const ebm_string_list *wanted)
{
    for (size_t i = 0; i < wanted->count; i++) {
        size_t b = 0;
        while (b < BACKEND_COUNT && strcmp(wanted->items[i], BACKENDS[b]) != 0) b++;
        if (b == BACKEND_COUNT)
            return ebm_fail(EBM_ERROR_INPUT, "--backends: expected some of cpu, bf16, clblast, plain, found '%.40s'",
                            wanted->items[i]);
        for (size_t j = 0; j < i; j++)
            if (strcmp(wanted->items[i], wanted->items[j]) == 0)
                return ebm_fail(EBM_ERROR_INPUT, "--backends: %s is there twice", wanted->items[i]);
    }
    return ebm_ok();
}

static ebm_status run(gemm_run *r)
{
    bool cpu = false;
    EBM_TRY(check_backends(&r->set.backends));
    EBM_TRY(list_products(r));
    EBM_TRY(measure_peaks(r, &cpu));
    ebm_bench_result_set(r->result, "model", json_string(ebm_bench_model_name(&r->set.model)));
    ebm_bench_result_set(r->result, "tokens", json_integer((json_int_t)(r->set.batch_size * r->set.sequence_length)));
    EBM_TRY(open_backends(r, cpu));
    EBM_TRY(time_products(r));
    return ebm_bench_result_print(r->result, r->set.json);
}

ebm_status ebm_command_bench_gemm(int argc, char **argv)
{
    gemm_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    close_backends(&r);
    ebm_bench_result_free(r.result);
    ebm_config_free(r.config);
    ebm_options_free(r.parsed);
    return status;
}
