// Nanoseconds per element of every row operation, beside what its memory traffic alone costs at the speed of a copy.
//
//     bench_rows [rows channels]        2048 768 by default; $EBMCL_DEVICE and $EBMCL_KERNELS as everywhere
//
// Least of 30 runs, each ended by a wait for the device.
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "operations.h"
#include "random.h"

enum { RUNS = 30, SEQUENCES = 16, WORDS = 30522, PLACES = 512, KINDS = 2 };

typedef struct {
    ebm_device *device;
    ebm_arena *arena;
    size_t rows, channels;
    ebm_slice a, b, c, d, e, mean, rstd, gain, shift, bias, scratch, word, position, type, starts, ids, positions,
        types;
    ebm_batch batch;
    ebm_dropout dropout, none;
} bench;

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

typedef ebm_status (*operation)(const bench *b);

static ebm_status least_seconds(const bench *b, operation run, double *seconds)
{
    EBM_TRY(run(b)); // builds
    EBM_TRY(ebm_device_finish(b->device));
    *seconds = 1e30;
    for (int i = 0; i < RUNS; i++) {
        const double start = now();
        EBM_TRY(run(b));
        EBM_TRY(ebm_device_finish(b->device));
        const double taken = now() - start;
        if (taken < *seconds) *seconds = taken;
    }
    return ebm_ok();
}

#define OPERATION(name, call)                                                                                          \
    static ebm_status name(const bench *b) { return call; }
#define SIZE b->rows, b->channels

OPERATION(add, ebm_add(b->device, b->a, b->b, SIZE))
OPERATION(copy, ebm_dropout_apply(b->device, b->a, b->b, &b->none, SIZE))
OPERATION(dropout, ebm_dropout_apply(b->device, b->a, b->b, &b->dropout, SIZE))
OPERATION(residual, ebm_residual_forward(b->device, b->a, b->b, b->bias, b->c, &b->dropout, SIZE))
OPERATION(gelu_erf, ebm_gelu_forward(b->device, b->a, b->b, EBM_GELU_ERF, SIZE))
OPERATION(gelu_erf_back, ebm_gelu_backward(b->device, b->a, b->c, b->b, EBM_GELU_ERF, SIZE))
OPERATION(gelu_tanh, ebm_gelu_forward(b->device, b->a, b->b, EBM_GELU_TANH, SIZE))
OPERATION(gelu_tanh_back, ebm_gelu_backward(b->device, b->a, b->c, b->b, EBM_GELU_TANH, SIZE))
OPERATION(tanh_there, ebm_tanh_forward(b->device, b->a, b->b, SIZE))
OPERATION(tanh_back, ebm_tanh_backward(b->device, b->a, b->c, b->b, SIZE))
OPERATION(norm, ebm_layernorm_forward(b->device, b->a, b->mean, b->rstd, b->b, b->gain, b->shift, 1e-5f, SIZE))
OPERATION(norm_back, ebm_layernorm_backward(b->device, b->a, b->c, b->b, b->mean, b->rstd, b->gain, false, SIZE))
OPERATION(norm_weights,
          ebm_layernorm_backward_weights(b->device, b->gain, b->shift, b->c, b->b, b->mean, b->rstd, b->scratch, SIZE))
OPERATION(sublayer, ebm_residual_layernorm_forward(b->device, b->a, b->e, b->mean, b->rstd, b->b, b->bias, b->c,
                                                   b->gain, b->shift, 1e-5f, &b->dropout, SIZE))
OPERATION(sublayer_back, ebm_residual_layernorm_backward(b->device, b->a, b->d, b->c, b->b, b->mean, b->rstd, b->gain,
                                                         &b->dropout, SIZE))
OPERATION(bias, ebm_bias_gradient(b->device, b->bias, b->b, b->scratch, SIZE))
OPERATION(embed, ebm_embedding_forward(b->device, b->a, &b->batch, b->word, b->position, b->type, b->channels))
OPERATION(embed_back, ebm_embedding_backward(b->device, b->word, b->position, b->type, b->b, &b->batch, b->channels))
OPERATION(first_back, ebm_first_tokens_backward(b->device, b->a, b->b, &b->batch, b->channels))

static const struct {
    const char *name;
    operation run;
    double bytes; // an element, read and written once
} operations[] = {
    {"copy", copy, 8},
    {"add", add, 12},
    {"dropout", dropout, 8},
    {"residual + dropout", residual, 12},
    {"gelu erf", gelu_erf, 8},
    {"gelu erf backward", gelu_erf_back, 12},
    {"gelu tanh", gelu_tanh, 8},
    {"gelu tanh backward", gelu_tanh_back, 12},
    {"tanh", tanh_there, 8},
    {"tanh backward", tanh_back, 12},
    {"layernorm", norm, 8},
    {"layernorm backward", norm_back, 12},
    {"layernorm weights", norm_weights, 8},
    {"residual + layernorm", sublayer, 16},
    {"residual + ln backward", sublayer_back, 16},
    {"bias gradient", bias, 4},
    {"embedding", embed, 8},
    {"embedding backward", embed_back, 12},
    {"first tokens backward", first_back, 4},
};

static ebm_status fill(const bench *b, ebm_slice slice, uint32_t site, uint32_t below)
{
    ebm_random stream = ebm_random_stream(1, 0, site);
    uint32_t *values = malloc(slice.count * sizeof *values);
    if (!values) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu numbers", slice.count);
    for (size_t i = 0; i < slice.count; i++)
        if (below)
            values[i] = ebm_random_below(&stream, below);
        else
            ((float *)(void *)values)[i] = (float)(2 * ebm_random_uniform(&stream) - 1);
    const ebm_status status = ebm_slice_write(b->device, slice, 0, slice.count, values);
    free(values);
    return status;
}

static ebm_status allocate(bench *b)
{
    const size_t all = b->rows * b->channels;
    const struct {
        ebm_slice *slice;
        size_t count;
        uint32_t below; // 0: floats in [-1, 1)
    } plan[] = {
        {&b->a, all, 0},
        {&b->b, all, 0},
        {&b->c, all, 0},
        {&b->d, all, 0},
        {&b->e, all, 0},
        {&b->mean, b->rows, 0},
        {&b->rstd, b->rows, 0},
        {&b->gain, b->channels, 0},
        {&b->shift, b->channels, 0},
        {&b->bias, b->channels, 0},
        {&b->scratch, 2 * EBM_COLUMN_SLABS * b->channels, 0},
        {&b->word, WORDS * b->channels, 0},
        {&b->position, PLACES * b->channels, 0},
        {&b->type, KINDS * b->channels, 0},
        {&b->ids, b->rows, WORDS},
        {&b->positions, b->rows, PLACES},
        {&b->types, b->rows, KINDS},
        {&b->starts, SEQUENCES + 1, 1},
    };
    const size_t count = sizeof plan / sizeof *plan;
    b->arena = ebm_arena_create(b->device, "bench");
    if (!b->arena) return ebm_fail(EBM_ERROR_MEMORY, "no memory for an arena");
    for (size_t i = 0; i < count; i++) ebm_arena_reserve(b->arena, plan[i].slice, plan[i].count);
    EBM_TRY(ebm_arena_allocate(b->arena));
    for (size_t i = 0; i < count; i++) EBM_TRY(fill(b, *plan[i].slice, (uint32_t)i, plan[i].below));
    int32_t starts[SEQUENCES + 1];
    for (size_t s = 0; s <= SEQUENCES; s++) starts[s] = (int32_t)(b->rows * s / SEQUENCES);
    b->batch = (ebm_batch){.sequences = SEQUENCES, .tokens = b->rows, .longest = b->rows / SEQUENCES + 1};
    b->batch.ids = b->ids;
    b->batch.positions = b->positions;
    b->batch.types = b->types;
    b->batch.starts = b->starts;
    return ebm_slice_write(b->device, b->starts, 0, SEQUENCES + 1, starts);
}

static ebm_status run(bench *b)
{
    EBM_TRY(ebm_device_open(NULL, &b->device));
    EBM_TRY(allocate(b));
    const double elements = (double)(b->rows * b->channels);
    printf("%s, %zu rows of %zu channels, LANES %d, GROUP %d\n", ebm_device_info_view(b->device)->name, b->rows,
           b->channels, ebm_device_lanes(b->device), ebm_device_group(b->device));
    printf("%-24s%10s%12s%10s%12s\n", "", "ms", "ns/element", "GB/s", "x copy");
    double copy_rate = 0;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        double seconds;
        EBM_TRY(least_seconds(b, operations[i].run, &seconds));
        const double rate = operations[i].bytes * elements / seconds;
        if (i == 0) copy_rate = rate;
        printf("%-24s%10.3f%12.3f%10.1f%12.2f\n", operations[i].name, 1e3 * seconds, 1e9 * seconds / elements,
               1e-9 * rate, copy_rate / rate);
    }
    return ebm_ok();
}

int main(int argc, char **argv)
{
    bench b = {.rows = 2048, .channels = 768, .dropout = {.probability = 0.1f, .seed = 1, .step = 2, .site = 3}};
    if (argc == 3) {
        b.rows = strtoul(argv[1], NULL, 10);
        b.channels = strtoul(argv[2], NULL, 10);
    }
    const ebm_status status = run(&b);
    ebm_arena_free(b.arena);
    ebm_device_free(b.device);
    if (status.code != EBM_OK) fprintf(stderr, "bench_rows: %s\n", status.message);
    return status.code != EBM_OK;
}
