// ebmcl bench step: times whole training steps, on random token ids or on texts of a file.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_model.h"
#include "bench_profile.h"
#include "bench_result.h"
#include "bench_texts.h"
#include "command_bench.h"
#include "gemm.h"
#include "step_benchmark.h"
#include "step_curve.h"

typedef struct {
    ebm_bench_model model;
    ebm_bench_texts texts;
    const char *device;
    int objective, energy, nce_data;
    size_t batch_size, sequence_length, repeats, token_budget, most_tokens;
    int64_t noise_ratio, seed;
    ebm_bench_peak_options peaks;
    bool profile, curve, json, bf16, fp16_activations;
} step_options;

static const char *const OBJECTIVES[] = {"ce", "joint", NULL};
static const char *const ENERGIES[] = {"scalar", "hidden", "sharp-hidden", NULL};
static const char *const NCE_DATA[] = {"separate", "shared", NULL};

#define AT(member) offsetof(step_options, member)
static const ebm_option OPTIONS[] = {
    EBM_BENCH_MODEL_OPTIONS(step_options, model, EBM_BENCH_ENCODERS),
    {"batch_size", EBM_OPTION_SIZE, AT(batch_size), "16", .help = "Labelled texts a step", .least = 1, .most = 65536},
    {"sequence_length", EBM_OPTION_SIZE, AT(sequence_length), "128", .help = "Tokens of every text", .least = 1,
     .most = 8192},
    EBM_BENCH_TEXTS_OPTIONS(step_options, texts),
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "5", .help = "Timed steps, after one that builds the kernels", .least = 1,
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
    {"curve", EBM_OPTION_FLAG, AT(curve), NULL,
     .help = "What a token costs in steps of 256 tokens up, and in texts of 8 to 512 tokens"},
    {"most_tokens", EBM_OPTION_SIZE, AT(most_tokens), "16384", .help = "Of the curve's largest step", .least = 256,
     .most = 1 << 20},
    EBM_BENCH_PEAK_OPTIONS(step_options, peaks),
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"fp16_activations", EBM_OPTION_FLAG, AT(fp16_activations), NULL, .help = EBM_FP16_HELP},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench step",
                                       "Times whole training steps, on random token ids or drawn from --text_file.",
                                       OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

typedef struct {
    step_options set;
    ebm_options *parsed;
    ebm_device *device;
    ebm_config *config;
    ebm_tokenizer *tokenizer;
    ebm_dataset *dataset;
    ebm_encoded *texts;
    ebm_step_benchmark *benchmark;
    double first, profiled, tokens; // tokens: of a timed step, on average
    ebm_timing timing;
    ebm_peaks peaks;
    ebm_bench_profile profile;
    ebm_bench_result *result;
} step_run;

static ebm_status read_texts(step_run *r)
{
    const step_options *o = &r->set;
    if (!o->texts.file) return ebm_ok();
    EBM_TRY(ebm_bench_texts_read(&o->texts, &o->model, r->config, &r->tokenizer, &r->dataset));
    return ebm_encoded_create(r->dataset, r->tokenizer, ebm_bench_texts_longest(&o->texts, r->config), &r->texts);
}

static ebm_status prepare(step_run *r)
{
    const step_options *o = &r->set;
    ebm_step_benchmark_settings settings = {
        .batch_size = o->batch_size,
        .sequence_length = o->sequence_length,
        .objective = (ebm_objective_kind)o->objective,
        .energy = (ebm_energy_kind)o->energy,
        .nce_data = (ebm_nce_data)o->nce_data,
        .noise_ratio = (int)o->noise_ratio,
        .token_budget = o->token_budget,
        .fp16_activations = o->fp16_activations,
        .seed = (uint64_t)o->seed,
    };
    ebm_arena *arenas[EBM_STEP_BENCHMARK_ARENAS];
    EBM_TRY(ebm_bench_model_config(&o->model, &r->config));
    EBM_TRY(read_texts(r));
    settings.texts = r->texts;
    EBM_TRY(ebm_program_device(o->device, o->bf16, &r->device));
    EBM_TRY(ebm_step_benchmark_create(r->device, r->config, &settings, &r->benchmark));
    const size_t count = ebm_step_benchmark_arenas(r->benchmark, arenas);
    EBM_TRY(
        ebm_program_plan(r->device, arenas, count, "lower --token_budget or --batch_size, or try --fp16_activations"));
    if (o->profile) EBM_TRY(ebm_bench_peaks(r->device, &o->peaks, &r->peaks)); // before the rest of memory is taken
    if (ebm_gemm_precision(r->device) != EBM_BF16) r->peaks.bf16_flops = 0;
    return ebm_step_benchmark_allocate(r->benchmark, o->model.directory);
}

static ebm_status profile(step_run *r)
{
    size_t tokens;
    if (!r->set.profile) return ebm_ok();
    ebm_profile_enable(r->device, true);
    EBM_TRY(ebm_step_benchmark_step(r->benchmark, &r->profiled, &tokens));
    return ebm_bench_profile_take(r->device, &r->peaks, &r->profile);
}

static ebm_status measure(step_run *r)
{
    const size_t repeats = r->set.repeats;
    size_t tokens = 0;
    double *seconds = calloc(repeats, sizeof *seconds);
    ebm_status status = seconds ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu times", repeats);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_step_benchmark_step(r->benchmark, &r->first, &tokens), end);
    for (size_t i = 0; i < repeats; i++) {
        EBM_CHECK(ebm_step_benchmark_step(r->benchmark, &seconds[i], &tokens), end);
        r->tokens += (double)tokens / (double)repeats;
        ebm_program_progress("step %zu/%zu  %.3f s", i + 1, repeats, seconds[i]);
    }
    r->timing = ebm_timing_of(seconds, repeats);
    status = profile(r);
end:
    free(seconds);
    return status;
}

// What was done, so that rows of two runs are of the same work when they have the same name.
static void name_work(const step_run *r, char *text, size_t size)
{
    const step_options *o = &r->set;
    char texts[64];
    const char *slash = o->texts.file ? strrchr(o->texts.file, '/') : NULL;
    if (o->texts.file)
        snprintf(texts, sizeof texts, "%zu of %.40s", o->batch_size, slash ? slash + 1 : o->texts.file);
    else
        snprintf(texts, sizeof texts, "%zu x %zu", o->batch_size, o->sequence_length);
    if (o->objective == EBM_OBJECTIVE_JOINT)
        snprintf(text, size, "joint step, %s, K = %d, %s, %.30s, %s", ENERGIES[o->energy], (int)o->noise_ratio,
                 NCE_DATA[o->nce_data], ebm_bench_model_name(&o->model), texts);
    else
        snprintf(text, size, "ce step, %.40s, %s", ebm_bench_model_name(&o->model), texts);
}

static void set_settings(const step_run *r)
{
    const step_options *o = &r->set;
    ebm_bench_result_set(r->result, "model", json_string(ebm_bench_model_name(&o->model)));
    ebm_bench_result_set(r->result, "objective", json_string(OBJECTIVES[o->objective]));
    ebm_bench_result_set(r->result, "batch_size", json_integer((json_int_t)o->batch_size));
    if (!o->texts.file)
        ebm_bench_result_set(r->result, "sequence_length", json_integer((json_int_t)o->sequence_length));
    ebm_bench_result_set(r->result, "repeats", json_integer((json_int_t)o->repeats));
    ebm_bench_result_set(r->result, "first_s", json_real(r->first));
    ebm_bench_result_set(r->result, "median_s", json_real(r->timing.median));
    ebm_bench_result_set(r->result, "min_s", json_real(r->timing.least));
    ebm_bench_result_set(r->result, "max_s", json_real(r->timing.most));
    ebm_bench_result_set(r->result, "fp16_activations", json_boolean(o->fp16_activations));
    ebm_bench_result_set(r->result, "tokens", json_real(r->tokens));
    ebm_bench_result_set(r->result, "tokens_per_s", json_real(r->tokens / r->timing.median));
    if (o->objective != EBM_OBJECTIVE_JOINT) return;
    ebm_bench_result_set(r->result, "energy", json_string(ENERGIES[o->energy]));
    ebm_bench_result_set(r->result, "nce_data", json_string(NCE_DATA[o->nce_data]));
    ebm_bench_result_set(r->result, "noise_ratio", json_integer(o->noise_ratio));
}

static void print_profile(const step_run *r)
{
    printf("\nprofiled step %.4f s\n", r->profiled);
    ebm_bench_profile_print(&r->profile, &r->peaks);
}

static ebm_status report(step_run *r)
{
    const bool profiled = r->set.profile;
    ebm_bench_row row = {.repeats = r->set.repeats, .seconds = r->timing, .amount = r->tokens, .unit = "tokens/s"};
    EBM_TRY(ebm_bench_result_create("step", r->device, profiled ? &r->peaks : NULL, &r->result));
    name_work(r, row.name, sizeof row.name);
    row.flops = r->profile.flops;
    row.bytes = r->profile.bytes;
    row.floor = r->profile.floor;
    set_settings(r);
    if (profiled) {
        ebm_bench_result_set(r->result, "profiled_s", json_real(r->profiled));
        ebm_bench_result_set(r->result, "profile", ebm_bench_profile_json(&r->profile, &r->peaks));
    }
    EBM_TRY(ebm_bench_result_add(r->result, &row));
    EBM_TRY(ebm_bench_result_print(r->result, r->set.json));
    if (profiled && !r->set.json) print_profile(r);
    return ebm_ok();
}

// A row for each point, so that two versions can be compared.
static ebm_status report_curve(step_run *r, const ebm_step_curve *curve)
{
    EBM_TRY(ebm_bench_result_create("step", r->device, NULL, &r->result));
    ebm_bench_result_set(r->result, "model", json_string(ebm_bench_model_name(&r->set.model)));
    ebm_bench_result_set(r->result, "repeats", json_integer((json_int_t)r->set.repeats));
    ebm_bench_result_set(r->result, "curve", ebm_step_curve_json(curve));
    for (size_t i = 0; i < curve->count; i++) {
        const ebm_step_point *p = &curve->points[i];
        ebm_bench_row row = {.repeats = r->set.repeats, .seconds = p->seconds, .unit = "tokens/s"};
        row.amount = (double)(p->texts * p->length);
        snprintf(row.name, sizeof row.name, "ce step, %.40s, %zu x %zu", ebm_bench_model_name(&r->set.model), p->texts,
                 p->length);
        EBM_TRY(ebm_bench_result_add(r->result, &row));
    }
    if (r->set.json) return ebm_bench_result_print(r->result, true);
    ebm_step_curve_print(curve);
    return ebm_ok();
}

static ebm_status run_curve(step_run *r)
{
    const step_options *o = &r->set;
    const ebm_step_curve_settings settings = {.sequence_length = o->sequence_length,
                                              .most_tokens = o->most_tokens,
                                              .repeats = o->repeats,
                                              .seed = (uint64_t)o->seed};
    ebm_step_curve curve;
    if (o->texts.file || o->profile || o->objective != EBM_OBJECTIVE_CE)
        return ebm_fail(EBM_ERROR_INPUT,
                        "--curve is of cross-entropy on random tokens, with a profile of its own: leave --%s out",
                        o->texts.file ? "text_file"
                        : o->profile  ? "profile"
                                      : "objective");
    EBM_TRY(ebm_bench_model_config(&o->model, &r->config));
    EBM_TRY(ebm_program_device(o->device, o->bf16, &r->device));
    EBM_TRY(ebm_step_curve_measure(r->device, r->config, o->model.directory, &settings, &curve));
    return report_curve(r, &curve);
}

static ebm_status run(step_run *r)
{
    if (r->set.curve) return run_curve(r);
    EBM_TRY(prepare(r));
    EBM_TRY(measure(r));
    return report(r);
}

ebm_status ebm_command_bench_step(int argc, char **argv)
{
    step_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    ebm_bench_result_free(r.result);
    ebm_bench_profile_free(&r.profile);
    ebm_step_benchmark_free(r.benchmark);
    ebm_encoded_free(r.texts);
    ebm_dataset_free(r.dataset);
    ebm_tokenizer_free(r.tokenizer);
    ebm_config_free(r.config);
    ebm_device_free(r.device);
    ebm_options_free(r.parsed);
    return status;
}
