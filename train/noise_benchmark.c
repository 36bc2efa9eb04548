#include "noise_benchmark.h"

#include <stdlib.h>

#include "gemm.h"
#include "random.h"
#include "timing.h"

struct ebm_noise_benchmark {
    ebm_noise_benchmark_settings set;
    ebm_device *device;
    ebm_arena *arena;
    ebm_generator *generator;
    ebm_prompt *prompts;
    int32_t *ids;
    uint64_t texts; // generated so far: numbers of the random streams
};

ebm_status ebm_noise_benchmark_decoder(const ebm_noise_benchmark_settings *s, ebm_decoder_settings *decoder)
{
    const size_t capacity = s->prompt_tokens + s->most_new;
    if (capacity > EBM_NOISE_MAX_TOKENS)
        return ebm_fail(EBM_ERROR_INPUT, "prompts of %zu and texts of %zu tokens: expected at most %d together",
                        s->prompt_tokens, s->most_new, EBM_NOISE_MAX_TOKENS);
    const size_t tokens = s->slots * s->prompt_tokens;
    *decoder = (ebm_decoder_settings){
        .limits = {tokens > capacity ? tokens : capacity, s->slots, false},
        .slots = s->slots,
        .capacity = capacity,
        .only_generates = true,
    };
    return ebm_ok();
}

// Random tokens, then the start token that ends every prompt.
static ebm_status make_prompts(ebm_noise_benchmark *b, ebm_noise_model *model)
{
    const size_t count = b->set.texts, length = b->set.prompt_tokens;
    const uint32_t vocabulary = (uint32_t)ebm_noise_model_config(model)->vocabulary;
    ebm_random random = ebm_random_stream(b->set.seed, 1, EBM_SITE_BENCHMARK);
    b->prompts = calloc(count, sizeof *b->prompts);
    b->ids = calloc(count * length, sizeof *b->ids);
    if (!b->prompts || !b->ids) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for %zu prompts", count);
    for (size_t i = 0; i < count * length; i++)
        b->ids[i] = i % length == length - 1 ? ebm_noise_model_roles(model).start
                                             : (int32_t)ebm_random_below(&random, vocabulary);
    for (size_t i = 0; i < count; i++) b->prompts[i] = (ebm_prompt){b->ids + i * length, length};
    return ebm_ok();
}

static ebm_status create_generator(ebm_noise_benchmark *b, ebm_noise_model *model)
{
    ebm_decoder_settings decoder;
    EBM_TRY(ebm_noise_benchmark_decoder(&b->set, &decoder));
    const ebm_generator_settings settings = {
        .slots = decoder.slots,
        .capacity = decoder.capacity,
        .block = b->set.texts,
        .ahead = b->set.texts,
        .most_new = b->set.most_new,
        .prompt_limits = decoder.limits,
        .temperature = 1,
        .top_k = b->set.top_k,
        .seed = b->set.seed,
    };
    b->arena = ebm_arena_create(b->device, "generation");
    if (!b->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for generating");
    return ebm_generator_create(model, &settings, b->arena, &b->generator);
}

ebm_status ebm_noise_benchmark_create(ebm_noise_model *model, const ebm_noise_benchmark_settings *settings,
                                      ebm_noise_benchmark **out)
{
    *out = NULL;
    ebm_noise_benchmark *b = calloc(1, sizeof *b);
    if (!b) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a benchmark");
    ebm_status status = ebm_ok();
    b->set = *settings;
    b->device = ebm_noise_model_device(model);
    EBM_CHECK(make_prompts(b, model), fail);
    EBM_CHECK(create_generator(b, model), fail);
    *out = b;
    return status;
fail:
    ebm_noise_benchmark_free(b);
    return status;
}

void ebm_noise_benchmark_free(ebm_noise_benchmark *b)
{
    if (!b) return;
    ebm_generator_free(b->generator);
    ebm_arena_free(b->arena);
    free(b->prompts);
    free(b->ids);
    free(b);
}

ebm_arena *ebm_noise_benchmark_arena(ebm_noise_benchmark *b) { return b->arena; }

ebm_status ebm_noise_benchmark_run(ebm_noise_benchmark *b, double *seconds, uint64_t *tokens)
{
    const uint64_t before = ebm_generator_sampled(b->generator);
    const double start = ebm_now();
    const ebm_prompts prompts = {b->prompts, b->set.texts};
    const ebm_prompts following = ebm_gemm_rows_independent(b->device) ? prompts : (ebm_prompts){0};
    EBM_TRY(ebm_generator_run(b->generator, prompts, following, b->texts, true)); // as a stream does it
    EBM_TRY(ebm_device_finish(b->device));
    *seconds = ebm_now() - start;
    *tokens = ebm_generator_sampled(b->generator) - before;
    b->texts += b->set.texts;
    return ebm_ok();
}
