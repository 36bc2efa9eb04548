// How fast the main kernels are: memory and launches, three products of a layer, attention and rows at the sizes of
// MiniLM. The measuring is that of `ebmcl bench`, with few repeats.
#include <stdio.h>
#include <string.h>

#include "gemm.h"
#include "kernel_benchmark.h"
#include "selftest_run.h"

enum { HIDDEN = 384, TOKENS = 512, TEXT = 128, REPEATS = 3, BUFFER = 16 << 20 };
#define MOST_SECONDS 0.5 // a slow device is not measured more than once
static const ebm_timing_plan PLAN = {REPEATS, 0.005, MOST_SECONDS};

static void add(selftest *s, const char *name, const ebm_measured *found)
{
    if (s->speed_count == SELFTEST_SPEEDS) return;
    selftest_speed *speed = &s->speeds[s->speed_count++];
    snprintf(speed->name, sizeof speed->name, "%s", name);
    speed->seconds = found->seconds.least;
    speed->flops = found->flops;
    speed->bytes = found->bytes;
}

static ebm_status measure_device(selftest *s)
{
    const ebm_device_benchmark_settings settings = {REPEATS, BUFFER, MOST_SECONDS};
    ebm_measured found[EBM_DEVICE_MEASURES];
    EBM_TRY(ebm_device_benchmark(s->device, &settings, found));
    for (int i = 0; i < EBM_DEVICE_MEASURES; i++) {
        if (i == EBM_MEASURE_BF16 && !(found[i].flops > 0)) continue;
        add(s, ebm_device_measure_name((ebm_device_measure)i), &found[i]);
    }
    return ebm_ok();
}

typedef struct {
    ebm_device *device;
    ebm_gemm_form form;
    size_t m, n, k;
    ebm_slice a, b, c;
} product;

static ebm_status multiply(void *context)
{
    const product *p = context;
    const ebm_slice none = {NULL, 0};
    return ebm_gemm(p->device, p->form, p->m, p->n, p->k, ebm_matrix_of(p->a, p->form == EBM_GEMM_TN ? p->m : p->k),
                    ebm_matrix_of(p->b, p->form == EBM_GEMM_NT ? p->k : p->n), 0, ebm_matrix_of(p->c, p->n), none);
}

static ebm_status measure_product(selftest *s, product *p)
{
    static const char *const forms[] = {"nn", "nt", "tn"};
    char name[64];
    ebm_measured found = {.flops = 2.0 * (double)(p->m * p->n * p->k)};
    ebm_arena *arena = ebm_arena_create(s->device, "matrices");
    if (!arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for an arena");
    ebm_arena_reserve(arena, &p->a, p->m * p->k);
    ebm_arena_reserve(arena, &p->b, p->n * p->k);
    ebm_arena_reserve(arena, &p->c, p->m * p->n);
    ebm_status status = ebm_arena_allocate(arena);
    if (status.code == EBM_OK) status = ebm_timing_measure(s->device, multiply, p, &PLAN, &found.seconds);
    snprintf(name, sizeof name, "product %s %zu x %zu x %zu", forms[p->form], p->m, p->n, p->k);
    if (status.code == EBM_OK) add(s, name, &found);
    ebm_arena_free(arena);
    return status;
}

static ebm_status measure_products(selftest *s)
{
    product products[] = {{.form = EBM_GEMM_NT, .m = TOKENS, .n = 4 * HIDDEN, .k = HIDDEN},
                          {.form = EBM_GEMM_NN, .m = TOKENS, .n = HIDDEN, .k = 4 * HIDDEN},
                          {.form = EBM_GEMM_TN, .m = 4 * HIDDEN, .n = HIDDEN, .k = TOKENS}};
    for (size_t i = 0; i < sizeof products / sizeof *products; i++) {
        products[i].device = s->device;
        EBM_TRY(measure_product(s, &products[i]));
    }
    return ebm_ok();
}

static bool is_wanted(const char *name)
{
    return strncmp(name, "attention", 9) == 0 || strncmp(name, "layernorm", 9) == 0;
}

static ebm_status measure_all(selftest *s, ebm_kernel_benchmark *benchmark)
{
    for (size_t i = 0; i < ebm_kernel_benchmark_count(benchmark); i++) {
        char name[128];
        ebm_measured found;
        ebm_kernel_benchmark_name(benchmark, i, name, sizeof name);
        if (!is_wanted(name)) continue;
        EBM_TRY(ebm_in(ebm_kernel_benchmark_measure(benchmark, i, &PLAN, &found), "%s", name));
        add(s, name, &found);
    }
    return ebm_ok();
}

static ebm_status measure_kernels(selftest *s)
{
    const ebm_kernel_benchmark_settings settings = {TOKENS / TEXT, TEXT, 1, 1};
    ebm_config *config = NULL;
    ebm_kernel_benchmark *benchmark = NULL;
    ebm_status status = ebm_ok();
    EBM_TRY(ebm_config_default_bert(1, HIDDEN, 1000, TEXT, &config));
    EBM_CHECK(ebm_kernel_benchmark_create(s->device, config, &settings, &benchmark), end);
    EBM_CHECK(ebm_kernel_benchmark_allocate(benchmark), end);
    status = measure_all(s, benchmark);
end:
    ebm_kernel_benchmark_free(benchmark);
    ebm_config_free(config);
    return status;
}

ebm_status selftest_measure(selftest *s)
{
    EBM_TRY(measure_device(s));
    EBM_TRY(measure_products(s));
    return measure_kernels(s);
}
