// ebmcl bench noise: times the generation of noise texts.
#include <stdio.h>
#include <stdlib.h>

#include "bench_profile.h"
#include "bench_result.h"
#include "command_bench.h"
#include "gemm.h"
#include "noise_benchmark.h"

typedef struct {
    const char *model, *device;
    bool random, json, bf16, profile;
    ebm_bench_peak_options peaks;
    size_t layers, hidden, vocabulary, slots, texts, prompt_tokens, most_new, repeats;
    int64_t top_k, seed;
} noise_options;

#define AT(member) offsetof(noise_options, member)
static const ebm_option OPTIONS[] = {
    {"noise_model", EBM_OPTION_MODEL, AT(model), NULL, .help = "A noise model or GPT-2"},
    {"random", EBM_OPTION_FLAG, AT(random), NULL, .help = "Instead of a model: random weights of the size below"},
    {"layers", EBM_OPTION_SIZE, AT(layers), "4", .help = "Of random weights", .least = 1, .most = 100},
    {"hidden", EBM_OPTION_SIZE, AT(hidden), "384", .help = "Of random weights, a multiple of 16", .least = 16,
     .most = 8192},
    {"vocabulary", EBM_OPTION_SIZE, AT(vocabulary), "30522", .help = "Of random weights", .least = 16, .most = 1e6},
    {"slots", EBM_OPTION_SIZE, AT(slots), "64", .help = "Texts generated at a time", .least = 1, .most = 4096},
    {"texts", EBM_OPTION_SIZE, AT(texts), "0", .help = "Texts a run; 0: two for each slot", .least = 0, .most = 1e6},
    {"prompt_tokens", EBM_OPTION_SIZE, AT(prompt_tokens), "16", .help = "Tokens of a prompt", .least = 1,
     .most = EBM_NOISE_MAX_TOKENS},
    {"new_tokens", EBM_OPTION_SIZE, AT(most_new), "32", .help = "Tokens of a text at most", .least = 1,
     .most = EBM_NOISE_MAX_TOKENS},
    {"top_k", EBM_OPTION_INT, AT(top_k), "20", .help = "Sampled from so many tokens; 0: all", .least = 0, .most = 64},
    {"repeats", EBM_OPTION_SIZE, AT(repeats), "3", .help = "Timed runs, after one that builds the kernels", .least = 1,
     .most = 100000},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of prompts, weights and sampling", .least = 0, .most = 9e15},
    {"profile", EBM_OPTION_FLAG, AT(profile), NULL, .help = "One more run, with the time of each kernel"},
    EBM_BENCH_PEAK_OPTIONS(noise_options, peaks),
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl bench noise", "Times the generation of noise texts.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

typedef struct {
    noise_options set;
    ebm_options *parsed;
    ebm_device *device;
    ebm_noise_model *model;
    ebm_noise_benchmark *benchmark;
    double first;
    ebm_timing timing;
    uint64_t tokens;          // of all timed runs
    double seconds, profiled; // of the profiled run, with its waits
    ebm_peaks peaks;
    ebm_bench_profile profile;
    ebm_bench_result *result;
} noise_run;

// A tokenizer of made-up words: only its size matters here.
static ebm_status make_tokenizer(size_t vocabulary, ebm_tokenizer **tokenizer)
{
    enum { LONGEST = 24, SPECIALS = 5 };
    const size_t count = vocabulary - SPECIALS;
    const char **words = calloc(count, sizeof *words);
    char *text = calloc(count, LONGEST);
    ebm_status status = ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu words", count);
    if (words && text) {
        for (size_t i = 0; i < count; i++) {
            snprintf(text + i * LONGEST, LONGEST, "w%zu", i);
            words[i] = text + i * LONGEST;
        }
        status = ebm_tokenizer_from_words(words, count, true, tokenizer);
    }
    free(words);
    free(text);
    return status;
}

static ebm_status open_model(noise_run *r, const ebm_decoder_settings *decoder)
{
    const noise_options *o = &r->set;
    if (o->model) return ebm_noise_model_open(r->device, o->model, decoder, &r->model);
    ebm_tokenizer *tokenizer = NULL;
    EBM_TRY(make_tokenizer(o->vocabulary, &tokenizer));
    return ebm_noise_model_create(r->device, tokenizer, o->layers, o->hidden, decoder, (uint64_t)o->seed, &r->model);
}

static ebm_status prepare(noise_run *r)
{
    const noise_options *o = &r->set;
    const ebm_noise_benchmark_settings settings = {
        .slots = o->slots,
        .texts = o->texts ? o->texts : 2 * o->slots,
        .prompt_tokens = o->prompt_tokens,
        .most_new = o->most_new,
        .top_k = (int)o->top_k,
        .seed = (uint64_t)o->seed,
    };
    ebm_decoder_settings decoder;
    ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS + 1];
    if ((o->model != NULL) == o->random)
        return ebm_fail(EBM_ERROR_INPUT, "expected --noise_model or --random, one of them");
    EBM_TRY(ebm_noise_benchmark_decoder(&settings, &decoder));
    EBM_TRY(ebm_program_device(o->device, o->bf16, &r->device));
    EBM_TRY(open_model(r, &decoder));
    EBM_TRY(ebm_noise_benchmark_create(r->model, &settings, &r->benchmark));
    size_t count = ebm_noise_model_arenas(r->model, arenas);
    arenas[count++] = ebm_noise_benchmark_arena(r->benchmark);
    EBM_TRY(ebm_program_plan(r->device, arenas, count, "lower --slots"));
    if (o->profile) EBM_TRY(ebm_bench_peaks(r->device, &o->peaks, &r->peaks)); // before the rest of memory is taken
    if (ebm_gemm_precision(r->device) != EBM_BF16) r->peaks.bf16_flops = 0;
    EBM_TRY(ebm_noise_model_allocate(r->model));
    return ebm_arena_allocate(ebm_noise_benchmark_arena(r->benchmark));
}

static ebm_status profile(noise_run *r)
{
    uint64_t tokens;
    if (!r->set.profile) return ebm_ok();
    ebm_profile_enable(r->device, true);
    EBM_TRY(ebm_noise_benchmark_run(r->benchmark, &r->profiled, &tokens));
    return ebm_bench_profile_take(r->device, &r->peaks, &r->profile);
}

static ebm_status measure(noise_run *r)
{
    const size_t repeats = r->set.repeats;
    uint64_t tokens;
    double *seconds = calloc(repeats, sizeof *seconds);
    ebm_status status = seconds ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu times", repeats);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_noise_benchmark_run(r->benchmark, &r->first, &tokens), end);
    for (size_t i = 0; i < repeats; i++) {
        EBM_CHECK(ebm_noise_benchmark_run(r->benchmark, &seconds[i], &tokens), end);
        r->tokens += tokens;
        ebm_program_progress("run %zu/%zu  %.0f tokens/s", i + 1, repeats, (double)tokens / seconds[i]);
        r->seconds += seconds[i];
    }
    r->timing = ebm_timing_of(seconds, repeats);
    status = profile(r);
end:
    free(seconds);
    return status;
}

static void set_settings(const noise_run *r)
{
    const ebm_config *config = ebm_noise_model_config(r->model);
    ebm_bench_result_set(r->result, "model", json_string(r->set.model ? r->set.model : "random"));
    ebm_bench_result_set(r->result, "layers", json_integer((json_int_t)config->layers));
    ebm_bench_result_set(r->result, "hidden", json_integer((json_int_t)config->hidden));
    ebm_bench_result_set(r->result, "vocabulary", json_integer((json_int_t)config->vocabulary));
    ebm_bench_result_set(r->result, "slots", json_integer((json_int_t)r->set.slots));
    ebm_bench_result_set(r->result, "repeats", json_integer((json_int_t)r->set.repeats));
    ebm_bench_result_set(r->result, "first_s", json_real(r->first));
    ebm_bench_result_set(r->result, "median_s", json_real(r->timing.median));
    ebm_bench_result_set(r->result, "min_s", json_real(r->timing.least));
    ebm_bench_result_set(r->result, "max_s", json_real(r->timing.most));
    ebm_bench_result_set(r->result, "tokens", json_integer((json_int_t)r->tokens));
    ebm_bench_result_set(r->result, "tokens_per_s", json_real((double)r->tokens / r->seconds));
}

// Runs differ in how many tokens their texts have, so the rate is of their mean.
static ebm_status report(noise_run *r)
{
    const ebm_config *config = ebm_noise_model_config(r->model);
    ebm_bench_row row = {.repeats = r->set.repeats, .seconds = r->timing, .unit = "tokens/s"};
    row.amount = (double)r->tokens / (double)r->set.repeats;
    snprintf(row.name, sizeof row.name, "generation, %zu x %zu over %zu, %zu slots, %zu new tokens, top %d",
             config->layers, config->hidden, config->vocabulary, r->set.slots, r->set.most_new, (int)r->set.top_k);
    EBM_TRY(ebm_bench_result_create("noise", r->device, r->set.profile ? &r->peaks : NULL, &r->result));
    set_settings(r);
    if (r->set.profile) {
        ebm_bench_result_set(r->result, "profiled_s", json_real(r->profiled));
        ebm_bench_result_set(r->result, "profile", ebm_bench_profile_json(&r->profile, &r->peaks));
    }
    EBM_TRY(ebm_bench_result_add(r->result, &row));
    EBM_TRY(ebm_bench_result_print(r->result, r->set.json));
    if (!r->set.profile || r->set.json) return ebm_ok();
    printf("\nprofiled run %.4f s\n", r->profiled);
    ebm_bench_profile_print(&r->profile, &r->peaks);
    return ebm_ok();
}

static ebm_status run(noise_run *r)
{
    EBM_TRY(prepare(r));
    EBM_TRY(measure(r));
    return report(r);
}

ebm_status ebm_command_bench_noise(int argc, char **argv)
{
    noise_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    ebm_bench_result_free(r.result);
    ebm_bench_profile_free(&r.profile);
    ebm_noise_benchmark_free(r.benchmark);
    ebm_noise_model_free(r.model);
    ebm_device_free(r.device);
    ebm_options_free(r.parsed);
    return status;
}
