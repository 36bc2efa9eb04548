#include "step_curve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "launch.h"
#include "program.h"

enum { FEWEST_TOKENS = 256, LENGTH_TOKENS = 4096, SHORTEST = 8, LONGEST = 512 };

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

// ---- which points

static void add_point(ebm_step_curve *curve, size_t tokens, size_t length)
{
    const size_t texts = tokens / length;
    if (curve->count == EBM_STEP_CURVE_POINTS || texts == 0) return;
    curve->points[curve->count++] = (ebm_step_point){.texts = texts, .length = length};
}

static void choose_points(const ebm_config *config, const ebm_step_curve_settings *s, ebm_step_curve *curve)
{
    const size_t positions = ebm_config_max_tokens(config), longest = smaller(LONGEST, positions);
    *curve = (ebm_step_curve){.count = 0};
    for (size_t tokens = FEWEST_TOKENS; tokens <= s->most_tokens; tokens *= 2)
        add_point(curve, tokens, s->sequence_length);
    curve->over_tokens = curve->count;
    for (size_t length = SHORTEST; length <= longest; length *= 2)
        add_point(curve, smaller(LENGTH_TOKENS, s->most_tokens), length);
}

// ---- one point

static ebm_status take_profile(ebm_device *device, ebm_step_point *point)
{
    ebm_profile_row *rows = NULL;
    size_t count = 0;
    double seconds = 0, flops = 0, attention = 0, attention_flops = 0, optimizer = 0;
    const ebm_status status = ebm_profile_rows(device, &rows, &count);
    for (size_t i = 0; i < count; i++) {
        const char *name = rows[i].name;
        const bool attends = strncmp(name, "attention_", 10) == 0;
        seconds += rows[i].seconds;
        flops += rows[i].flops;
        attention += attends ? rows[i].seconds : 0;
        attention_flops += attends ? rows[i].flops : 0;
        if (strcmp(name, "adamw") == 0 || strcmp(name, "sum_squares") == 0 || strcmp(name, "norm_and_clip") == 0)
            optimizer += rows[i].seconds;
    }
    free(rows);
    if (seconds <= 0 || flops <= 0) return status;
    point->attention_of_flops = attention_flops / flops;
    point->attention = attention / seconds;
    point->optimizer = optimizer / seconds;
    return status;
}

// Of this process: on a CPU device that is what computes.
static double processor_time(void)
{
    struct timespec now = {0};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

// seconds: room for 2 * repeats.
static ebm_status time_steps(ebm_device *device, ebm_step_benchmark *benchmark, double *seconds, size_t repeats,
                             ebm_step_point *point)
{
    double other, *processor = seconds + repeats;
    size_t tokens;
    EBM_TRY(ebm_step_benchmark_step(benchmark, &other, &tokens));
    for (size_t i = 0; i < repeats; i++) {
        const double start = processor_time();
        EBM_TRY(ebm_step_benchmark_step(benchmark, &seconds[i], &tokens));
        processor[i] = processor_time() - start;
    }
    point->seconds = ebm_timing_of(seconds, repeats);
    point->processor = ebm_device_info_view(device)->is_cpu ? ebm_timing_of(processor, repeats).median : 0;
    ebm_profile_enable(device, true);
    ebm_status status = ebm_step_benchmark_step(benchmark, &other, &tokens);
    if (status.code == EBM_OK) status = take_profile(device, point);
    ebm_profile_enable(device, false);
    return status;
}

static ebm_status measure_point(ebm_device *device, const ebm_config *config, const char *directory,
                                const ebm_step_curve_settings *s, ebm_step_point *point)
{
    const ebm_step_benchmark_settings settings = {
        .batch_size = point->texts, .sequence_length = point->length, .objective = EBM_OBJECTIVE_CE, .seed = s->seed};
    ebm_arena *arenas[EBM_STEP_BENCHMARK_ARENAS];
    ebm_step_benchmark *benchmark = NULL;
    double *seconds = calloc(2 * s->repeats, sizeof *seconds);
    ebm_status status = seconds ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu times", s->repeats);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_step_benchmark_create(device, config, &settings, &benchmark), end);
    const size_t count = ebm_step_benchmark_arenas(benchmark, arenas);
    EBM_CHECK(ebm_arena_plan(device, arenas, count, "lower --most_tokens"), end);
    EBM_CHECK(ebm_step_benchmark_allocate(benchmark, directory), end);
    status = time_steps(device, benchmark, seconds, s->repeats, point);
end:
    ebm_step_benchmark_free(benchmark);
    free(seconds);
    return status;
}

ebm_status ebm_step_curve_measure(ebm_device *device, const ebm_config *config, const char *directory,
                                  const ebm_step_curve_settings *s, ebm_step_curve *curve)
{
    choose_points(config, s, curve);
    if (curve->over_tokens == 0)
        return ebm_fail(EBM_ERROR_INPUT, "a curve needs texts shorter than its steps: found %zu tokens of at most %zu",
                        s->sequence_length, s->most_tokens);
    for (size_t i = 0; i < curve->count; i++) {
        ebm_step_point *point = &curve->points[i];
        EBM_TRY(measure_point(device, config, directory, s, point));
        ebm_program_progress("point %zu/%zu  %zu x %zu  %.3f s", i + 1, curve->count, point->texts, point->length,
                             point->seconds.median);
    }
    return ebm_ok();
}

// ---- what comes out

double ebm_step_point_token(const ebm_step_point *p) { return p->seconds.median / (double)(p->texts * p->length); }

static double processor_token(const ebm_step_point *p) { return p->processor / (double)(p->texts * p->length); }

double ebm_step_point_rest(const ebm_step_point *p)
{
    const double token = p->processor > 0 ? processor_token(p) : ebm_step_point_token(p);
    return token * (1 - p->attention - p->optimizer);
}

static void print_part(const ebm_step_point *points, size_t count, const char *over)
{
    double least = 0, most = 0;
    for (size_t i = 0; i < count; i++) {
        const ebm_step_point *p = &points[i];
        const double rest = ebm_step_point_rest(p);
        if (i == 0 || rest < least) least = rest;
        if (i == 0 || rest > most) most = rest;
        printf("%8zu%8zu%8zu%11.1f%11.1f%12.1f%12.1f%%%10.1f%%%10.1f%%%11.1f\n", p->texts * p->length, p->texts,
               p->length, 1e3 * p->seconds.median, 1e6 * ebm_step_point_token(p), 1e6 * processor_token(p),
               100 * p->attention_of_flops, 100 * p->attention, 100 * p->optimizer, 1e6 * rest);
    }
    if (count > 0)
        printf("over %s the rest of a token takes %.1f to %.1f us: %.2f times\n\n", over, 1e6 * least, 1e6 * most,
               most / least);
}

void ebm_step_curve_print(const ebm_step_curve *c)
{
    printf("%8s%8s%8s%11s%11s%12s%13s%11s%11s%11s\n", "tokens", "texts", "length", "ms", "us", "processor", "attention",
           "attention", "AdamW", "the rest");
    printf("%8s%8s%8s%11s%11s%12s%13s%11s%11s%11s\n", "a step", "", "", "a step", "a token", "us a token", "of flops",
           "of time", "of time", "us a token");
    print_part(c->points, c->over_tokens, "tokens a step");
    print_part(c->points + c->over_tokens, c->count - c->over_tokens, "the length");
}

json_t *ebm_step_curve_json(const ebm_step_curve *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->count; i++) {
        const ebm_step_point *p = &c->points[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}", "over",
                                              i < c->over_tokens ? "tokens" : "length", "tokens",
                                              (json_int_t)(p->texts * p->length), "texts", (json_int_t)p->texts,
                                              "sequence_length", (json_int_t)p->length, "median_s", p->seconds.median,
                                              "us_per_token", 1e6 * ebm_step_point_token(p), "processor_us_per_token",
                                              1e6 * processor_token(p), "attention_share_of_flops",
                                              p->attention_of_flops, "attention_share", p->attention, "optimizer_share",
                                              p->optimizer, "rest_us_per_token", 1e6 * ebm_step_point_rest(p)));
    }
    return list;
}
