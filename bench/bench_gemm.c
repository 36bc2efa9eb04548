// GFLOP/s of matrix products through the public interface, beside the device's fma peak.
//
//     bench_gemm [tokens] [seconds a shape] [part of a name]      default 2048, 0.3, all; EBMCL_DEVICE, EBMCL_GEMM
//
// Shapes of one layer of RoBERTa-base and MiniLM forward (nt) and backward (nn for inputs, tn for weights), of the
// vocabulary products of a GPT-2 with BERT's vocabulary, and of generation (few rows). Each shape is timed until its
// seconds are used up: median and best. "per core" divides by processor time: what it would be with nobody else around.
// On devices that can, unless EBMCL_GEMM is set, every shape is timed in fp32 and bf16 in turn, with the ratios of
// medians and of processor times.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "device.h"
#include "gemm.h"
#include "launch.h"

typedef struct {
    const char *name;
    ebm_gemm_form form;
    size_t m, n, k;
} shape;

enum { MOST_RUNS = 1000 };

static double seconds(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

typedef struct {
    ebm_device *device;
    ebm_slice a, b, c;
    int precisions; // 2: fp32 and bf16
} workspace;

typedef struct {
    double wall[2], processor[2]; // of each precision
} total;

// With one precision it is the one $EBMCL_GEMM opened the device with.
static ebm_status set_precision(const workspace *w, int precision)
{
    return w->precisions == 1 ? ebm_ok() : ebm_gemm_set_precision(w->device, precision ? EBM_BF16 : EBM_FP32);
}

static ebm_status run_once(const workspace *w, const shape *s)
{
    const ebm_slice none = {NULL, 0};
    const ebm_matrix a = ebm_matrix_of(w->a, s->form == EBM_GEMM_TN ? s->m : s->k);
    const ebm_matrix b = ebm_matrix_of(w->b, s->form == EBM_GEMM_NT ? s->k : s->n);
    const float beta = s->form == EBM_GEMM_TN ? 1 : 0; // gradients of weights add up
    EBM_TRY(ebm_gemm(w->device, s->form, s->m, s->n, s->k, a, b, beta, ebm_matrix_of(w->c, s->n), none));
    return ebm_device_finish(w->device);
}

typedef struct {
    double wall[MOST_RUNS], processor; // of each run; least
    int runs;
} timing;

static ebm_status time_once(const workspace *w, const shape *s, timing *t)
{
    const double before = seconds(CLOCK_MONOTONIC), processor_before = seconds(CLOCK_PROCESS_CPUTIME_ID);
    EBM_TRY(run_once(w, s));
    t->processor = fmin(t->processor, seconds(CLOCK_PROCESS_CPUTIME_ID) - processor_before);
    t->wall[t->runs++] = seconds(CLOCK_MONOTONIC) - before;
    return ebm_ok();
}

// In every precision in turn, so that whoever else is there disturbs all of them alike.
static ebm_status time_in_turn(const workspace *w, const shape *s, double budget, timing *t)
{
    for (int p = 0; p < w->precisions; p++) {
        t[p] = (timing){.processor = HUGE_VAL};
        EBM_TRY(set_precision(w, p));
        EBM_TRY(run_once(w, s)); // builds the program
    }
    const double start = seconds(CLOCK_MONOTONIC);
    while (t[0].runs < 5 || (t[0].runs < MOST_RUNS && seconds(CLOCK_MONOTONIC) - start < budget))
        for (int p = 0; p < w->precisions; p++) {
            EBM_TRY(set_precision(w, p));
            EBM_TRY(time_once(w, s, &t[p]));
        }
    for (int p = 0; p < w->precisions; p++) qsort(t[p].wall, (size_t)t[p].runs, sizeof *t[p].wall, ascending);
    return ebm_ok();
}

static double median(const timing *t) { return t->wall[t->runs / 2]; }

static ebm_status time_shape(const workspace *w, const shape *s, double budget, total *sum)
{
    static const char *const forms[] = {"nn", "nt", "tn"};
    static timing t[2];
    EBM_TRY(time_in_turn(w, s, budget, t));
    const bool is_cpu = ebm_device_info_view(w->device)->is_cpu;
    const double gflop = 2e-9 * (double)s->m * (double)s->n * (double)s->k;
    printf("%-22s %s %6zu x %5zu x %5zu", s->name, forms[s->form], s->m, s->n, s->k);
    for (int p = 0; p < w->precisions; p++) {
        printf("  %8.3f ms  %7.1f  %7.1f", 1e3 * median(&t[p]), gflop / median(&t[p]), gflop / t[p].wall[0]);
        if (is_cpu) printf("  %7.1f", gflop / t[p].processor);
        sum->wall[p] += median(&t[p]);
        sum->processor[p] += t[p].processor;
    }
    if (w->precisions == 2) printf("  %5.2f  %5.2f", median(&t[0]) / median(&t[1]), t[0].processor / t[1].processor);
    printf("\n");
    fflush(stdout);
    return ebm_ok();
}

static ebm_status launch_peak(const workspace *w, bool bf16, size_t groups, int steps)
{
    ebm_launch l = ebm_launch_begin(w->device, "peak.cl", "peak", "-DCHAINS=12%s", bf16 ? " -DBF16" : "");
    ebm_arg_slice(&l, w->c);
    ebm_arg_f32(&l, 0.5f);
    ebm_arg_i32(&l, steps);
    EBM_TRY(ebm_launch_rows(&l, groups));
    return ebm_device_finish(w->device);
}

static ebm_status time_peak(const workspace *w, bool bf16)
{
    const ebm_device_info *info = ebm_device_info_view(w->device);
    const size_t groups = info->compute_units * (info->is_cpu ? 1u : 32u);
    const int steps = 500000;
    double best = HUGE_VAL, processor = HUGE_VAL;
    for (int run = 0; run < 6; run++) {
        const double before = seconds(CLOCK_MONOTONIC), processor_before = seconds(CLOCK_PROCESS_CPUTIME_ID);
        EBM_TRY(launch_peak(w, bf16, groups, steps));
        best = fmin(best, seconds(CLOCK_MONOTONIC) - before);
        processor = fmin(processor, seconds(CLOCK_PROCESS_CPUTIME_ID) - processor_before);
    }
    const double gflop = (bf16 ? 4e-9 : 2e-9) * ebm_device_lanes(w->device) * ebm_device_group(w->device) * 12.0 *
                         steps * (double)groups;
    printf("peak of %s: %.1f GFLOP/s", bf16 ? "products of bf16" : "fma", gflop / best);
    if (info->is_cpu) printf(", %.1f per core", gflop / processor);
    printf("\n");
    return ebm_ok();
}

static size_t add_layer(shape *list, const char *names[4], size_t tokens, size_t width, size_t inner)
{
    const size_t outputs[4] = {3 * width, width, inner, width}, inputs[4] = {width, width, width, inner};
    size_t count = 0;
    for (int i = 0; i < 4; i++) {
        list[count++] = (shape){names[i], EBM_GEMM_NT, tokens, outputs[i], inputs[i]};
        list[count++] = (shape){names[i], EBM_GEMM_NN, tokens, inputs[i], outputs[i]};
        list[count++] = (shape){names[i], EBM_GEMM_TN, outputs[i], inputs[i], tokens};
    }
    return count;
}

static size_t list_shapes(shape *list, size_t tokens)
{
    static const char *roberta[] = {"RoBERTa-base qkv", "RoBERTa-base output", "RoBERTa-base up", "RoBERTa-base down"};
    static const char *minilm[] = {"MiniLM qkv", "MiniLM output", "MiniLM up", "MiniLM down"};
    const size_t vocabulary = 30522, width = 384;
    size_t count = add_layer(list, roberta, tokens, 768, 3072);
    count += add_layer(list + count, minilm, tokens, width, 4 * width);
    for (size_t rows = tokens / 8; rows <= tokens && rows > 0; rows = rows < tokens ? tokens : rows + 1) {
        list[count++] = (shape){"vocabulary logits", EBM_GEMM_NT, rows, vocabulary, width};
        list[count++] = (shape){"vocabulary dx", EBM_GEMM_NN, rows, width, vocabulary};
        list[count++] = (shape){"vocabulary dw", EBM_GEMM_TN, vocabulary, width, rows};
    }
    for (size_t rows = 1; rows <= 64; rows *= 2) {
        list[count++] = (shape){"generation qkv", EBM_GEMM_NT, rows, 3 * width, width};
        list[count++] = (shape){"generation down", EBM_GEMM_NT, rows, width, 4 * width};
        list[count++] = (shape){"generation qkv (nn)", EBM_GEMM_NN, rows, 3 * width, width};
        list[count++] = (shape){"generation logits", EBM_GEMM_NT, rows, vocabulary, width};
    }
    return count;
}

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

// fp32 and bf16 are compared where both can be had and $EBMCL_GEMM asks for neither.
static bool can_compare(ebm_device *device)
{
    const char *wanted = getenv("EBMCL_GEMM");
    return (!wanted || !*wanted) && ebm_gemm_set_precision(device, EBM_BF16).code == EBM_OK;
}

static void print_total(const workspace *w, const total *sum)
{
    for (int p = 0; p < w->precisions; p++)
        printf("%s: all medians together %.3f ms, processor time %.3f ms\n",
               w->precisions == 1 ? ebm_gemm_backend(w->device) : ebm_precision_name(p ? EBM_BF16 : EBM_FP32),
               1e3 * sum->wall[p], 1e3 * sum->processor[p]);
    if (w->precisions == 2)
        printf("bf16 is %.2f times as fast, %.2f by processor time\n", sum->wall[0] / sum->wall[1],
               sum->processor[0] / sum->processor[1]);
}

static ebm_status run_all(ebm_device *device, ebm_arena *arena, size_t tokens, double budget, const char *part)
{
    shape list[80];
    const size_t count = list_shapes(list, tokens);
    size_t a = 1, b = 1, c = 1 << 16;
    for (size_t i = 0; i < count; i++) {
        a = larger(a, list[i].m * list[i].k);
        b = larger(b, list[i].n * list[i].k);
        c = larger(c, list[i].m * list[i].n);
    }
    workspace w = {device, {NULL, 0}, {NULL, 0}, {NULL, 0}, can_compare(device) ? 2 : 1};
    total sum = {{0, 0}, {0, 0}};
    ebm_arena_reserve(arena, &w.a, a);
    ebm_arena_reserve(arena, &w.b, b);
    ebm_arena_reserve(arena, &w.c, c);
    EBM_TRY(ebm_arena_plan(device, &arena, 1, "take fewer tokens"));
    EBM_TRY(ebm_arena_allocate(arena));
    printf("%s, products by %s\n", ebm_device_info_view(device)->name,
           w.precisions == 2 ? "our CPU kernels in fp32 and in bf16" : ebm_gemm_backend(device));
    EBM_TRY(time_peak(&w, false));
    if (ebm_gemm_precision(device) == EBM_BF16) EBM_TRY(time_peak(&w, true));
    printf("\n%-22s    %22s", "GFLOP/s", "m x n x k");
    for (int p = 0; p < w.precisions; p++)
        printf("  %11s  %7s  %7s  %s", "median", "median", "best",
               ebm_device_info_view(device)->is_cpu ? "per core" : "");
    printf("%s\n", w.precisions == 2 ? "  ratios" : "");
    for (size_t i = 0; i < count; i++)
        if (strstr(list[i].name, part)) EBM_TRY(time_shape(&w, &list[i], budget, &sum));
    print_total(&w, &sum);
    return ebm_ok();
}

int main(int argc, char **argv)
{
    const size_t tokens = argc > 1 ? strtoul(argv[1], NULL, 10) : 2048;
    const double budget = argc > 2 ? strtod(argv[2], NULL) : 0.3;
    ebm_device *device = NULL;
    ebm_status status = ebm_device_open(NULL, &device);
    if (status.code == EBM_OK) {
        ebm_arena *arena = ebm_arena_create(device, "matrices");
        status = run_all(device, arena, tokens, budget, argc > 3 ? argv[3] : "");
        ebm_arena_free(arena);
        ebm_device_free(device);
    }
    if (status.code != EBM_OK) fprintf(stderr, "%s\n", status.message);
    return status.code == EBM_OK ? 0 : 1;
}
