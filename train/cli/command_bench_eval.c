// ebmcl bench eval: prediction over a file of texts, as eval and predict do it.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench_profile.h"
#include "bench_result.h"
#include "bench_texts.h"
#include "command_bench.h"
#include "eval_benchmark.h"
#include "gemm.h"

typedef struct {
    ebm_bench_model model;
    ebm_bench_texts texts;
    const char *device;
    size_t repeats, token_budget;
    int64_t seed;
    ebm_bench_peak_options peaks;
    bool json, bf16;
} eval_options;

#define AT(member) offsetof(eval_options, member)
static const ebm_option OPTIONS[] = {
    EBM_BENCH_MODEL_OPTIONS(eval_options, model, EBM_BENCH_ENCODERS),
    EBM_BENCH_TEXTS_OPTIONS(eval_options, texts),
    {"token_budget", EBM_OPTION_SIZE, AT(token_budget), "0", .help = "Tokens of the largest packed batch; 0: 8192"},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of random weights", .least = 0, .most = 9e15},
    EBM_BENCH_PEAK_OPTIONS(eval_options, peaks),
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "5", .help = "Timed passes, after one that builds the kernels",
     .least = 1, .most = 100000},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench eval", "Times predictions for the texts of --text_file.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

typedef struct {
    eval_options set;
    ebm_options *parsed;
    ebm_config *config;
    ebm_tokenizer *tokenizer;
    ebm_dataset *texts;
    ebm_device *device;
    ebm_eval_benchmark *benchmark;
    ebm_peaks peaks;
    ebm_timing encode, predict, both;
    size_t tokens;
    ebm_bench_profile profile;
    ebm_bench_result *result;
} eval_run;

static ebm_status prepare(eval_run *r)
{
    const eval_options *o = &r->set;
    ebm_arena *arenas[EBM_EVAL_BENCHMARK_ARENAS];
    if (!o->texts.file) return ebm_fail(EBM_ERROR_INPUT, "texts are needed: --text_file");
    EBM_TRY(ebm_bench_model_config(&o->model, &r->config));
    EBM_TRY(ebm_bench_texts_read(&o->texts, &o->model, r->config, &r->tokenizer, &r->texts));
    const ebm_eval_benchmark_settings settings = {o->token_budget, ebm_bench_texts_longest(&o->texts, r->config),
                                                  (uint64_t)o->seed};
    EBM_TRY(ebm_program_device(o->device, o->bf16, &r->device));
    EBM_TRY(ebm_eval_benchmark_create(r->device, r->config, r->tokenizer, &settings, &r->benchmark));
    const size_t count = ebm_eval_benchmark_arenas(r->benchmark, arenas);
    EBM_TRY(ebm_program_plan(r->device, arenas, count, "lower --token_budget"));
    EBM_TRY(ebm_bench_peaks(r->device, &o->peaks, &r->peaks)); // before the rest of memory is taken
    if (ebm_gemm_precision(r->device) != EBM_BF16) r->peaks.bf16_flops = 0;
    return ebm_eval_benchmark_allocate(r->benchmark, o->model.directory);
}

// The first pass builds the kernels; it is also the one that is counted.
static ebm_status count_pass(eval_run *r)
{
    ebm_eval_pass pass;
    ebm_profile_enable(r->device, true);
    EBM_TRY(ebm_eval_benchmark_pass(r->benchmark, r->texts, &pass));
    r->tokens = pass.tokens;
    return ebm_bench_profile_take(r->device, &r->peaks, &r->profile);
}

static ebm_status measure(eval_run *r)
{
    const size_t repeats = r->set.repeats;
    double *encode = calloc(3 * repeats, sizeof *encode), *predict = encode + repeats, *both = predict + repeats;
    ebm_status status = encode ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu times", repeats);
    EBM_CHECK(status, end);
    EBM_CHECK(count_pass(r), end);
    for (size_t i = 0; i < repeats; i++) {
        ebm_eval_pass pass;
        EBM_CHECK(ebm_eval_benchmark_pass(r->benchmark, r->texts, &pass), end);
        encode[i] = pass.encode;
        predict[i] = pass.predict;
        both[i] = pass.encode + pass.predict;
        ebm_program_progress("pass %zu/%zu  %.3f s", i + 1, repeats, both[i]);
    }
    r->encode = ebm_timing_of(encode, repeats);
    r->predict = ebm_timing_of(predict, repeats);
    r->both = ebm_timing_of(both, repeats);
end:
    free(encode);
    return status;
}

static ebm_status add(eval_run *r, const char *what, ebm_timing seconds, bool on_device)
{
    const eval_options *o = &r->set;
    const char *slash = strrchr(o->texts.file, '/');
    ebm_bench_row row = {.repeats = o->repeats, .seconds = seconds, .unit = "texts/s"};
    row.amount = (double)ebm_dataset_count(r->texts);
    snprintf(row.name, sizeof row.name, "%s, %.40s, %.40s", what, ebm_bench_model_name(&o->model),
             slash ? slash + 1 : o->texts.file);
    if (on_device) {
        row.flops = r->profile.flops;
        row.bytes = r->profile.bytes;
        row.floor = r->profile.floor;
    }
    return ebm_bench_result_add(r->result, &row);
}

static ebm_status report(eval_run *r)
{
    const double texts = (double)ebm_dataset_count(r->texts);
    EBM_TRY(ebm_bench_result_create("eval", r->device, &r->peaks, &r->result));
    ebm_bench_result_set(r->result, "model", json_string(ebm_bench_model_name(&r->set.model)));
    ebm_bench_result_set(r->result, "text_file", json_string(r->set.texts.file));
    ebm_bench_result_set(r->result, "texts", json_real(texts));
    ebm_bench_result_set(r->result, "tokens", json_integer((json_int_t)r->tokens));
    ebm_bench_result_set(r->result, "repeats", json_integer((json_int_t)r->set.repeats));
    ebm_bench_result_set(r->result, "median_s", json_real(r->both.median));
    ebm_bench_result_set(r->result, "min_s", json_real(r->both.least));
    ebm_bench_result_set(r->result, "max_s", json_real(r->both.most));
    ebm_bench_result_set(r->result, "texts_per_s", json_real(texts / r->both.median));
    ebm_bench_result_set(r->result, "tokens_per_s", json_real((double)r->tokens / r->both.median));
    EBM_TRY(add(r, "eval", r->both, true));
    EBM_TRY(add(r, "its tokens", r->encode, false));
    EBM_TRY(add(r, "its predictions", r->predict, true));
    return ebm_bench_result_print(r->result, r->set.json);
}

static ebm_status run(eval_run *r)
{
    EBM_TRY(prepare(r));
    EBM_TRY(measure(r));
    return report(r);
}

ebm_status ebm_command_bench_eval(int argc, char **argv)
{
    eval_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    ebm_bench_result_free(r.result);
    ebm_bench_profile_free(&r.profile);
    ebm_eval_benchmark_free(r.benchmark);
    ebm_dataset_free(r.texts);
    ebm_tokenizer_free(r.tokenizer);
    ebm_config_free(r.config);
    ebm_device_free(r.device);
    ebm_options_free(r.parsed);
    return status;
}
