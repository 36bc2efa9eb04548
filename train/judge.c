#include "judge.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bootstrap_internal.h"
#include "noise_texts.h"
#include "packing.h"
#include "random.h"

enum { TOKENS = 4096 };

struct ebm_judge {
    ebm_device *device;
    ebm_noise_model *model;
    ebm_arena *arena;
    ebm_packing *packing;
    ebm_limits limits;
    int32_t *row, *targets; // of a text; of a packed batch
    float *losses;          // likewise
};

static ebm_status allocate(ebm_judge *j)
{
    ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS + 1];
    size_t count = ebm_noise_model_arenas(j->model, arenas);
    arenas[count++] = j->arena;
    EBM_TRY(ebm_arena_plan(j->device, arenas, count, "take a smaller token budget"));
    EBM_TRY(ebm_arena_allocate(j->arena));
    return ebm_noise_model_allocate(j->model);
}

static ebm_status create(ebm_judge *j, const char *directory)
{
    const ebm_decoder_settings settings = {.limits = j->limits};
    j->row = malloc(EBM_NOISE_MAX_TOKENS * sizeof *j->row);
    j->targets = malloc(j->limits.tokens * sizeof *j->targets);
    j->losses = malloc(j->limits.tokens * sizeof *j->losses);
    j->arena = ebm_arena_create(j->device, "the judge's batches");
    if (!j->row || !j->targets || !j->losses || !j->arena)
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for batches of %zu tokens", j->limits.tokens);
    EBM_TRY(ebm_noise_model_open(j->device, directory, &settings, &j->model));
    const ebm_noise_training training = ebm_noise_model_training(j->model);
    if (training.is_recorded && training.objective != EBM_NOISE_PLAIN)
        return ebm_fail(EBM_ERROR_INPUT, "%s: a plain language model expected, found one of the objective \"%s\"",
                        directory, ebm_noise_objective_name(training.objective));
    EBM_TRY(ebm_packing_create(j->device, ebm_noise_model_config(j->model), &j->limits, j->arena, &j->packing));
    return allocate(j);
}

ebm_status ebm_judge_open(ebm_device *device, const char *directory, size_t token_budget, ebm_judge **out)
{
    *out = NULL;
    if (token_budget == 0) token_budget = TOKENS;
    if (token_budget < EBM_NOISE_MAX_TOKENS)
        return ebm_fail(EBM_ERROR_INPUT, "token budget of the judge: at least %d expected, found %zu",
                        EBM_NOISE_MAX_TOKENS, token_budget);
    ebm_judge *j = calloc(1, sizeof *j);
    if (!j) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a judge");
    j->device = device;
    j->limits = (ebm_limits){.tokens = token_budget, .sequences = token_budget / 4, .training = false};
    const ebm_status status = create(j, directory);
    if (status.code == EBM_OK)
        *out = j;
    else
        ebm_judge_free(j);
    return status;
}

void ebm_judge_free(ebm_judge *j)
{
    if (!j) return;
    ebm_packing_free(j->packing);
    ebm_arena_free(j->arena);
    ebm_noise_model_free(j->model);
    free(j->row);
    free(j->targets);
    free(j->losses);
    free(j);
}

// [start] text [end]; returns its length.
static size_t build_row(ebm_judge *j, const ebm_noise_texts *texts, size_t text)
{
    const ebm_noise_roles roles = ebm_noise_model_roles(j->model);
    size_t count = 0;
    const int32_t *ids = ebm_noise_texts_view(texts, text, &count);
    j->row[0] = roles.start;
    memcpy(j->row + 1, ids, count * sizeof *ids);
    j->row[count + 1] = roles.end;
    return count + 2;
}

// Packs texts from *next on as far as the token budget goes.
static ebm_status pack(ebm_judge *j, const ebm_noise_texts *texts, size_t *next, uint32_t *tokens, ebm_batch *batch)
{
    ebm_packing_clear(j->packing, 0, 0);
    for (; *next < ebm_noise_texts_count(texts); ++*next) {
        const size_t at = ebm_packing_tokens(j->packing), length = build_row(j, texts, *next);
        bool fits = false;
        EBM_TRY(ebm_packing_add(j->packing, (ebm_sequence){j->row, NULL, length}, &fits));
        if (!fits) break;
        tokens[*next] = (uint32_t)(length - 1);
        for (size_t i = 0; i < length; i++) j->targets[at + i] = i + 1 < length ? j->row[i + 1] : -1;
    }
    return ebm_packing_send(j->packing, batch);
}

// Texts from `first` up to `next` are packed: the losses of their targets, added up text by text.
static ebm_status judge_batch(ebm_judge *j, const ebm_batch *batch, size_t first, size_t next, const uint32_t *tokens,
                              double *nats)
{
    const ebm_run run = {0};
    ebm_decoder *decoder = ebm_noise_model_decoder(j->model);
    size_t targets = 0, at = 0;
    EBM_TRY(ebm_decoder_forward(decoder, batch, &run));
    EBM_TRY(ebm_decoder_losses(decoder, batch, j->targets, j->losses, &targets));
    for (size_t t = first; t < next; t++) {
        nats[t] = 0;
        for (size_t i = 0; i < tokens[t]; i++) nats[t] += (double)j->losses[at++];
        if (!isfinite(nats[t])) return ebm_fail(EBM_ERROR_NONFINITE, "text %zu: its log-likelihood is %g", t, -nats[t]);
    }
    return ebm_ok();
}

ebm_status ebm_judge_texts(ebm_judge *j, const ebm_dataset *dataset, double *nats, uint32_t *tokens)
{
    ebm_noise_texts *texts = NULL;
    EBM_TRY(
        ebm_noise_texts_create(dataset, ebm_noise_model_tokenizer(j->model), ebm_noise_model_roles(j->model), &texts));
    ebm_status status = ebm_ok();
    for (size_t next = 0; next < ebm_noise_texts_count(texts);) {
        const size_t first = next;
        ebm_batch batch;
        EBM_CHECK(pack(j, texts, &next, tokens, &batch), end);
        EBM_CHECK(judge_batch(j, &batch, first, next, tokens, nats), end);
    }
end:
    ebm_noise_texts_free(texts);
    return status;
}

// ---- perplexity

static ebm_status check_texts(const double *nats, const uint32_t *tokens, size_t count)
{
    if (!count) return ebm_fail(EBM_ERROR_INPUT, "perplexity: at least one text expected, found none");
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(nats[i]))
            return ebm_fail(EBM_ERROR_NONFINITE, "perplexity: text %zu: its log-likelihood is %g", i, -nats[i]);
        if (!tokens[i])
            return ebm_fail(EBM_ERROR_INPUT, "perplexity: text %zu: at least one token expected, found none", i);
    }
    return ebm_ok();
}

static double resampled(const double *nats, const uint32_t *tokens, size_t count, uint64_t seed, uint32_t number)
{
    ebm_random random = ebm_random_stream(seed, number, EBM_SITE_BOOTSTRAP);
    double sum = 0, total = 0;
    for (size_t i = 0; i < count; i++) {
        const uint32_t text = ebm_random_below(&random, (uint32_t)count);
        sum += nats[text];
        total += tokens[text];
    }
    return exp(sum / total);
}

ebm_status ebm_perplexity_measure(const double *nats, const uint32_t *tokens, size_t count, int resamples,
                                  uint64_t seed, ebm_perplexity *out)
{
    EBM_TRY(check_texts(nats, tokens, count));
    double sum = 0, total = 0, *value = NULL;
    for (size_t i = 0; i < count; i++) {
        sum += nats[i];
        total += tokens[i];
    }
    *out = (ebm_perplexity){exp(sum / total), {(double)NAN, (double)NAN}, total / (double)count};
    if (resamples == 0) return ebm_ok();
    EBM_TRY(ebm_draws_allocate("resamples", resamples, count, 1, &value));
    for (int r = 0; r < resamples; r++) value[r] = resampled(nats, tokens, count, seed, (uint32_t)r);
    out->interval = ebm_interval_of(value, (size_t)resamples);
    free(value);
    return ebm_ok();
}
