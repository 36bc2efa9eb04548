// Time of attention, forward and backward, beside what its products alone take.
//
//     bench_attention [TOKENS SEQUENCES HEADS HEAD_SIZE CAUSAL DROPOUT WINDOW]...
//
// Without arguments: 16 texts of 128 tokens and 150 of 13, 12 heads of 64, with and without dropout, and others. The
// least of many runs counts: others may use the machine. The floor is the multiplications at the device's peak, to be
// given in GFLOP/s by $EBMCL_PEAK (default 220: two Zen 4 cores).
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "attention.h"
#include "random.h"

enum { RUNS = 40 };

typedef struct {
    size_t tokens, sequences, heads, head_size;
    bool causal;
    float dropout;
    size_t window; // 0: none
} shape;

typedef struct {
    ebm_arena *arena;
    ebm_batch batch;
    ebm_slice qkv, dout, out, lse, dqkv, scratch;
    int32_t *starts;
} problem;

// Seconds passed, and seconds all threads of this process computed: the latter hardly sees what else runs.
typedef struct {
    double wall, computed;
} instant;

static double read_clock(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static instant now(void) { return (instant){read_clock(CLOCK_MONOTONIC), read_clock(CLOCK_PROCESS_CPUTIME_ID)}; }

static void keep_least(instant *least, instant start, instant end)
{
    if (end.wall - start.wall < least->wall) least->wall = end.wall - start.wall;
    if (end.computed - start.computed < least->computed) least->computed = end.computed - start.computed;
}

static ebm_status fill_randomly(ebm_device *device, ebm_slice slice)
{
    float *values = malloc(slice.count * sizeof *values);
    if (!values) return ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu values", slice.count);
    ebm_random stream = ebm_random_stream(1, 0, 1);
    for (size_t i = 0; i < slice.count; i++) values[i] = (float)(2 * ebm_random_uniform(&stream) - 1);
    const ebm_status status = ebm_slice_write(device, slice, 0, slice.count, values);
    free(values);
    return status;
}

static ebm_status create_problem(ebm_device *device, const shape *s, problem *p)
{
    const size_t n = s->tokens * s->sequences, c = s->heads * s->head_size;
    *p = (problem){.arena = ebm_arena_create(device, "bench"), .starts = malloc((s->sequences + 1) * sizeof(int32_t))};
    if (!p->arena || !p->starts) return ebm_fail(EBM_ERROR_MEMORY, "no memory for the batch");
    for (size_t i = 0; i <= s->sequences; i++) p->starts[i] = (int32_t)(i * s->tokens);
    p->batch = (ebm_batch){.sequences = s->sequences, .tokens = n, .longest = s->tokens, .host_starts = p->starts};
    ebm_arena_reserve(p->arena, &p->batch.starts, s->sequences + 1);
    ebm_arena_reserve(p->arena, &p->qkv, n * 3 * c);
    ebm_arena_reserve(p->arena, &p->dout, n * c);
    ebm_arena_reserve(p->arena, &p->out, n * c);
    ebm_arena_reserve(p->arena, &p->lse, n * s->heads);
    ebm_arena_reserve(p->arena, &p->dqkv, n * 3 * c);
    ebm_arena_reserve(p->arena, &p->scratch, n * s->heads);
    EBM_TRY(ebm_arena_allocate(p->arena));
    EBM_TRY(ebm_slice_write(device, p->batch.starts, 0, s->sequences + 1, p->starts));
    EBM_TRY(fill_randomly(device, p->qkv));
    return fill_randomly(device, p->dout);
}

static ebm_status time_problem(ebm_device *device, const problem *p, const ebm_attention *attention, instant least[2])
{
    least[0] = least[1] = (instant){1e9, 1e9};
    for (int run = 0; run < RUNS; run++) {
        const instant start = now();
        EBM_TRY(ebm_attention_forward(device, p->out, p->lse, p->qkv, &p->batch, attention));
        EBM_TRY(ebm_device_finish(device));
        const instant middle = now();
        EBM_TRY(
            ebm_attention_backward(device, p->dqkv, p->dout, p->out, p->qkv, p->lse, p->scratch, &p->batch, attention));
        EBM_TRY(ebm_device_finish(device));
        const instant end = now();
        keep_least(&least[0], start, middle);
        keep_least(&least[1], middle, end);
    }
    return ebm_ok();
}

static ebm_status bench(ebm_device *device, const shape *s)
{
    const char *peak_text = getenv("EBMCL_PEAK");
    const double peak = peak_text ? strtod(peak_text, NULL) * 1e9 : 220e9, tokens = (double)s->tokens;
    const ebm_attention attention = {.heads = s->heads,
                                     .head_size = s->head_size,
                                     .causal = s->causal,
                                     .window = s->window,
                                     .dropout = {s->dropout, 1, 2, EBM_SITE_DROPOUT_LAYERS, 0}};
    const double reach = s->window && (double)s->window < tokens ? (double)s->window : tokens - 1;
    const double side = reach * (tokens - 1) - reach * (reach - 1) / 2; // neighbours that all tokens see on one side
    const double pairs = tokens + (s->causal ? side : 2 * side);
    const double product = 2 * pairs * (double)(s->sequences * s->heads * s->head_size); // of one matrix product
    instant least[2];
    problem p;
    ebm_status status = create_problem(device, s, &p);
    if (status.code == EBM_OK) status = time_problem(device, &p, &attention, least);
    if (status.code == EBM_OK) {
        printf("%4zu x %4zu tokens, %2zu heads of %3zu, %s dropout %.1f, window %3zu:", s->sequences, s->tokens,
               s->heads, s->head_size, s->causal ? "causal," : "full,  ", (double)s->dropout, s->window);
        for (int i = 0; i < 2; i++)
            printf(" %s %7.3f ms, computed %7.3f ms, floor %7.3f ms%s", i ? "backward" : "forward", 1e3 * least[i].wall,
                   1e3 * least[i].computed, 1e3 * (i ? 5 : 2) * product / peak, i ? "\n" : ";");
    }
    ebm_arena_free(p.arena);
    free(p.starts);
    return status;
}

int main(int argc, char **argv)
{
    static const shape standard[] = {
        {128, 16, 12, 64, false, 0, 0},    {128, 16, 12, 64, false, 0.1f, 0}, {13, 150, 12, 64, false, 0, 0},
        {13, 150, 12, 64, false, 0.1f, 0}, {13, 150, 12, 32, false, 0, 0},    {128, 16, 12, 32, false, 0, 0},
        {128, 16, 12, 64, true, 0, 0},     {512, 4, 12, 64, false, 0, 0},     {512, 4, 12, 64, false, 0, 64}};
    ebm_device *device = NULL;
    ebm_status status = ebm_device_open(NULL, &device);
    for (size_t i = 0; argc == 1 && i < sizeof standard / sizeof *standard && status.code == EBM_OK; i++)
        status = bench(device, standard + i);
    for (int i = 1; i + 7 <= argc && status.code == EBM_OK; i += 7) {
        const shape one = {strtoul(argv[i], NULL, 10),     strtoul(argv[i + 1], NULL, 10),
                           strtoul(argv[i + 2], NULL, 10), strtoul(argv[i + 3], NULL, 10),
                           strtol(argv[i + 4], NULL, 10),  strtof(argv[i + 5], NULL),
                           strtoul(argv[i + 6], NULL, 10)};
        status = bench(device, &one);
    }
    ebm_device_free(device);
    if (status.code != EBM_OK) fprintf(stderr, "%s\n", status.message);
    return status.code != EBM_OK;
}
