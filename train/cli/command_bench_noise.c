// ebmcl bench noise: times the generation of noise texts.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "command_bench.h"
#include "gemm.h"
#include "json_output.h"
#include "noise_benchmark.h"
#include "timing.h"

typedef struct {
    const char *model, *device;
    bool random, json, bf16;
    size_t layers, hidden, vocabulary, slots, texts, prompt_tokens, most_new, runs;
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
    {"runs", EBM_OPTION_SIZE, AT(runs), "3", .help = "Timed runs, after one that builds the kernels", .least = 1,
     .most = 100000},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of prompts, weights and sampling", .least = 0, .most = 9e15},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
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
    uint64_t tokens; // of all timed runs
    double seconds;
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
    EBM_TRY(ebm_noise_model_allocate(r->model));
    return ebm_arena_allocate(ebm_noise_benchmark_arena(r->benchmark));
}

static ebm_status measure(noise_run *r)
{
    const size_t runs = r->set.runs;
    uint64_t tokens;
    double *seconds = calloc(runs, sizeof *seconds);
    ebm_status status = seconds ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no memory for %zu times", runs);
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_noise_benchmark_run(r->benchmark, &r->first, &tokens), end);
    for (size_t i = 0; i < runs; i++) {
        EBM_CHECK(ebm_noise_benchmark_run(r->benchmark, &seconds[i], &tokens), end);
        r->tokens += tokens;
        r->seconds += seconds[i];
        ebm_program_progress("run %zu/%zu  %.0f tokens/s", i + 1, runs, (double)tokens / seconds[i]);
    }
    r->timing = ebm_timing_of(seconds, runs);
end:
    free(seconds);
    return status;
}

static ebm_status print_json(const noise_run *r)
{
    const ebm_config *config = ebm_noise_model_config(r->model);
    return ebm_program_print_json(json_pack(
        "{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:f, s:I, s:f}", "model",
        r->set.model ? r->set.model : "random", "device", ebm_device_info_view(r->device)->name, "precision",
        ebm_precision_name(ebm_gemm_precision(r->device)), "layers", (json_int_t)config->layers, "hidden",
        (json_int_t)config->hidden, "vocabulary", (json_int_t)config->vocabulary, "slots", (json_int_t)r->set.slots,
        "runs", (json_int_t)r->set.runs, "first_s", r->first, "median_s", r->timing.median, "min_s", r->timing.least,
        "max_s", r->timing.most, "tokens", (json_int_t)r->tokens, "tokens_per_s", (double)r->tokens / r->seconds));
}

static void print_text(const noise_run *r)
{
    const ebm_config *config = ebm_noise_model_config(r->model);
    printf("%zu layers of %zu, vocabulary %zu, %zu slots\n", config->layers, config->hidden, config->vocabulary,
           r->set.slots);
    printf("run: median %.4f s, least %.4f, most %.4f of %zu; first %.4f\n%" PRIu64 " tokens, %.0f tokens/s\n",
           r->timing.median, r->timing.least, r->timing.most, r->set.runs, r->first, r->tokens,
           (double)r->tokens / r->seconds);
}

static ebm_status run(noise_run *r)
{
    EBM_TRY(prepare(r));
    EBM_TRY(measure(r));
    if (r->set.json) return print_json(r);
    print_text(r);
    return ebm_ok();
}

ebm_status ebm_command_bench_noise(int argc, char **argv)
{
    noise_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&r);
    ebm_noise_benchmark_free(r.benchmark);
    ebm_noise_model_free(r.model);
    ebm_device_free(r.device);
    ebm_options_free(r.parsed);
    return status;
}
