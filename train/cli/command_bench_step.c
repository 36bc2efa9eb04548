// ebmcl bench step: times whole training steps on random token ids.
#include <stdio.h>
#include <stdlib.h>

#include "command_bench.h"
#include "gemm.h"
#include "json_output.h"
#include "launch.h"
#include "step_benchmark.h"
#include "timing.h"

typedef struct {
    const char *model, *device;
    int random, objective, energy, nce_data;
    size_t batch_size, sequence_length, steps, token_budget;
    int64_t noise_ratio, seed;
    bool profile, json, bf16;
} step_options;

static const char *const SIZES[] = {"roberta-base", "minilm-l6", "modernbert-base", NULL};
enum { ROBERTA_BASE, MINILM_L6, MODERNBERT_BASE };
static const char *const OBJECTIVES[] = {"ce", "joint", NULL};
static const char *const ENERGIES[] = {"scalar", "hidden", "sharp-hidden", NULL};
static const char *const NCE_DATA[] = {"separate", "shared", NULL};

#define AT(member) offsetof(step_options, member)
static const ebm_option OPTIONS[] = {
    {"model_name_or_path", EBM_OPTION_MODEL, AT(model), NULL, .help = "An encoder"},
    {"random", EBM_OPTION_ENUM, AT(random), NULL, .help = "Instead of a model: random weights of this size",
     .choices = SIZES},
    {"batch_size", EBM_OPTION_SIZE, AT(batch_size), "16", .help = "Labelled texts a step", .least = 1, .most = 65536},
    {"sequence_length", EBM_OPTION_SIZE, AT(sequence_length), "128", .help = "Tokens of every text", .least = 1,
     .most = 4096},
    {"steps", EBM_OPTION_SIZE, AT(steps), "5", .help = "Timed steps, after one that builds the kernels", .least = 1,
     .most = 100000},
    {"objective", EBM_OPTION_ENUM, AT(objective), "ce", .help = "Cross-entropy, or jointly with NCE",
     .choices = OBJECTIVES},
    {"energy", EBM_OPTION_ENUM, AT(energy), "hidden", .help = "Form of the energy", .choices = ENERGIES},
    {"noise_ratio", EBM_OPTION_INT, AT(noise_ratio), "1", .help = "Noise texts for each text (K)", .least = 1,
     .most = 1024},
    {"nce_data", EBM_OPTION_ENUM, AT(nce_data), "separate",
     .help = "NCE's texts: a pass of their own, or the labelled batch", .choices = NCE_DATA},
    {"token_budget", EBM_OPTION_SIZE, AT(token_budget), "8192",
     .help = "Tokens of the largest packed batch; larger steps are split; 0: no limit"},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of texts, weights and dropout", .least = 0, .most = 9e15},
    {"profile", EBM_OPTION_FLAG, AT(profile), NULL, .help = "One more step, with the time of each kernel"},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench step", "Times whole training steps on random token ids.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

typedef struct {
    step_options set;
    ebm_options *parsed;
    ebm_device *device;
    ebm_config *config;
    ebm_step_benchmark *benchmark;
    double first, profiled;
    ebm_timing timing;
    ebm_profile_row *rows;
    size_t row_count;
} step_run;

static ebm_status open_config(const step_options *o, ebm_config **config)
{
    if ((o->model != NULL) == (o->random >= 0))
        return ebm_fail(EBM_ERROR_INPUT, "expected --model_name_or_path or --random, one of them");
    if (o->model) return ebm_config_load(o->model, config);
    if (o->random == ROBERTA_BASE) return ebm_config_default_roberta(12, 768, 50265, 514, config);
    if (o->random == MODERNBERT_BASE) {
        EBM_TRY(ebm_config_default_modernbert(22, 768, 50368, 8192, config));
        (*config)->intermediate = 1152;
        return ebm_ok();
    }
    EBM_TRY(ebm_config_default_bert(6, 384, 30522, 512, config));
    (*config)->heads = 12; // of 32, where the default is heads of 64
    return ebm_ok();
}

static ebm_status prepare(step_run *r)
{
    const step_options *o = &r->set;
    const ebm_step_benchmark_settings settings = {
        .batch_size = o->batch_size,
        .sequence_length = o->sequence_length,
        .objective = (ebm_objective_kind)o->objective,
        .energy = (ebm_energy_kind)o->energy,
        .nce_data = (ebm_nce_data)o->nce_data,
        .noise_ratio = (int)o->noise_ratio,
        .token_budget = o->token_budget,
        .seed = (uint64_t)o->seed,
    };
    ebm_arena *arenas[EBM_STEP_BENCHMARK_ARENAS];
    EBM_TRY(open_config(o, &r->config));
    EBM_TRY(ebm_program_device(o->device, o->bf16, &r->device));
    EBM_TRY(ebm_step_benchmark_create(r->device, r->config, &settings, &r->benchmark));
    const size_t count = ebm_step_benchmark_arenas(r->benchmark, arenas);
    EBM_TRY(ebm_program_plan(r->device, arenas, count, "lower --token_budget or --batch_size"));
    return ebm_step_benchmark_allocate(r->benchmark, o->model);
}

static ebm_status measure(step_run *r)
{
    const size_t steps = r->set.steps;
    double *seconds = calloc(steps, sizeof *seconds);
    ebm_status status = seconds ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu times", steps);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_step_benchmark_step(r->benchmark, &r->first), end);
    for (size_t i = 0; i < steps; i++) {
        EBM_CHECK(ebm_step_benchmark_step(r->benchmark, &seconds[i]), end);
        ebm_program_progress("step %zu/%zu  %.3f s", i + 1, steps, seconds[i]);
    }
    r->timing = ebm_timing_of(seconds, steps);
    if (!r->set.profile) goto end;
    ebm_profile_enable(r->device, true);
    EBM_CHECK(ebm_step_benchmark_step(r->benchmark, &r->profiled), end);
    status = ebm_profile_rows(r->device, &r->rows, &r->row_count);
end:
    free(seconds);
    return status;
}

static double kernel_seconds(const step_run *r)
{
    double sum = 0;
    for (size_t i = 0; i < r->row_count; i++) sum += r->rows[i].seconds;
    return sum;
}

static json_t *profile_json(const step_run *r)
{
    json_t *list = json_array();
    for (size_t i = 0; i < r->row_count; i++) {
        const ebm_profile_row *row = &r->rows[i];
        json_array_append_new(list, json_pack("{s:s, s:I, s:f, s:f, s:f}", "kernel", row->name, "launches",
                                              (json_int_t)row->launches, "seconds", row->seconds, "flops", row->flops,
                                              "bytes", row->bytes));
    }
    return list;
}

static ebm_status print_json(const step_run *r)
{
    const step_options *o = &r->set;
    const size_t tokens = ebm_step_benchmark_tokens(r->benchmark);
    json_t *object = json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:f}", "model", o->model ? o->model : SIZES[o->random],
        "device", ebm_device_info_view(r->device)->name, "objective", OBJECTIVES[o->objective], "batch_size",
        (json_int_t)o->batch_size, "sequence_length", (json_int_t)o->sequence_length, "steps", (json_int_t)o->steps,
        "first_s", r->first, "median_s", r->timing.median, "min_s", r->timing.least, "max_s", r->timing.most, "tokens",
        (json_int_t)tokens, "tokens_per_s", (double)tokens / r->timing.median);
    json_object_set_new(object, "precision", json_string(ebm_precision_name(ebm_gemm_precision(r->device))));
    if (o->objective == EBM_OBJECTIVE_JOINT) {
        json_object_set_new(object, "energy", json_string(ENERGIES[o->energy]));
        json_object_set_new(object, "nce_data", json_string(NCE_DATA[o->nce_data]));
        json_object_set_new(object, "noise_ratio", json_integer(o->noise_ratio));
    }
    if (o->profile) {
        json_object_set_new(object, "profiled_s", json_real(r->profiled));
        json_object_set_new(object, "profile", profile_json(r));
    }
    return ebm_program_print_json(object);
}

static void print_profile(const step_run *r)
{
    const double sum = kernel_seconds(r);
    printf("\nprofiled step %.4f s, kernels %.4f s\n%-36s%10s%9s%10s%11s\n", r->profiled, sum, "kernel", "ms", "share",
           "launches", "GFLOP/s");
    for (size_t i = 0; i < r->row_count; i++) {
        const ebm_profile_row *row = &r->rows[i];
        printf("%-36s%10.3f%8.1f%%%10llu", row->name, 1e3 * row->seconds, 100 * row->seconds / sum,
               (unsigned long long)row->launches);
        if (row->flops > 0) printf("%11.1f", 1e-9 * row->flops / row->seconds);
        putchar('\n');
    }
}

static void print_text(const step_run *r)
{
    const size_t tokens = ebm_step_benchmark_tokens(r->benchmark);
    printf("%zu tokens a step (%zu labelled texts of %zu), %s\n", tokens, r->set.batch_size, r->set.sequence_length,
           OBJECTIVES[r->set.objective]);
    printf("step: median %.4f s, least %.4f, most %.4f of %zu; first %.4f\n%.0f tokens/s\n", r->timing.median,
           r->timing.least, r->timing.most, r->set.steps, r->first, (double)tokens / r->timing.median);
    if (r->set.profile) print_profile(r);
}

static ebm_status run(step_run *r)
{
    EBM_TRY(prepare(r));
    EBM_TRY(measure(r));
    if (r->set.json) return print_json(r);
    print_text(r);
    return ebm_ok();
}

ebm_status ebm_command_bench_step(int argc, char **argv)
{
    step_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    free(r.rows);
    ebm_step_benchmark_free(r.benchmark);
    ebm_config_free(r.config);
    ebm_device_free(r.device);
    ebm_options_free(r.parsed);
    return status;
}
