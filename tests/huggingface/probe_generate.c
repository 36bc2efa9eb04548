// Texts from the cached generator: one line of token ids a prompt, the start token and what was drawn after it, an end
// token included; and the model with the rows it has for its roles, written as a directory.
#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "generator.h"
#include "probe.h"

enum { SLOTS = 5, MOST_NEW = 40 };

typedef struct {
    ebm_device *device;
    probe_batch prompts;
    int32_t *ids; // of all prompts, the start token after each
    ebm_prompt *list;
    ebm_noise_model *noise;
    ebm_generator *generator;
    ebm_arena *arena;
} model;

static void close_model(model *m)
{
    ebm_generator_free(m->generator);
    ebm_noise_model_free(m->noise);
    ebm_arena_free(m->arena);
    probe_batch_free(&m->prompts);
    free(m->ids);
    free(m->list);
    ebm_device_free(m->device);
}

static ebm_status list_prompts(model *m)
{
    const int32_t start = ebm_noise_model_roles(m->noise).start;
    m->ids = calloc(m->prompts.tokens + m->prompts.count, sizeof *m->ids);
    m->list = calloc(m->prompts.count, sizeof *m->list);
    if (!m->ids || !m->list) return ebm_fail(EBM_ERROR_MEMORY, "no host memory");
    int32_t *at = m->ids;
    for (size_t i = 0; i < m->prompts.count; i++) {
        const ebm_sequence row = m->prompts.rows[i];
        m->list[i] = (ebm_prompt){at, row.count + 1};
        for (size_t t = 0; t < row.count; t++) *at++ = row.ids[t];
        *at++ = start;
    }
    return ebm_ok();
}

static ebm_status open_model(model *m, const char *directory, const char *prompts, int top_k)
{
    EBM_TRY(ebm_device_open(NULL, &m->device));
    EBM_TRY(probe_batch_read(prompts, &m->prompts));
    const size_t n = m->prompts.count, capacity = m->prompts.longest + 1 + MOST_NEW;
    const ebm_limits limits = {m->prompts.tokens + n, n, false};
    const ebm_decoder_settings decoder = {limits, SLOTS, capacity, true};
    const ebm_generator_settings settings = {SLOTS, capacity, n, 0, MOST_NEW, limits, 1, top_k, 7};
    m->arena = ebm_arena_create(m->device, "generation");
    if (!m->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory");
    EBM_TRY(ebm_noise_model_open(m->device, directory, &decoder, &m->noise));
    EBM_TRY(ebm_generator_create(m->noise, &settings, m->arena, &m->generator));
    EBM_TRY(ebm_noise_model_allocate(m->noise));
    EBM_TRY(ebm_arena_allocate(m->arena));
    return list_prompts(m);
}

static void print_text(const ebm_prompt *prompt, const int32_t *drawn, size_t count, int32_t end)
{
    for (size_t t = 0; t < prompt->count; t++) printf("%d ", (int)prompt->ids[t]);
    for (size_t t = 0; t < count; t++) printf("%d ", (int)drawn[t]);
    if (count < MOST_NEW) printf("%d ", (int)end);
    printf("\n");
}

static ebm_status generate(model *m)
{
    const size_t n = m->prompts.count;
    int32_t *drawn = calloc(n * MOST_NEW, sizeof *drawn);
    if (!drawn) return ebm_fail(EBM_ERROR_MEMORY, "no host memory");
    ebm_status status = ebm_generator_run(m->generator, (ebm_prompts){m->list, n}, (ebm_prompts){0}, 0, true);
    if (status.code == EBM_OK)
        status = ebm_slice_read(m->device, ebm_generator_tokens(m->generator), 0, n * MOST_NEW, drawn);
    for (size_t i = 0; status.code == EBM_OK && i < n; i++) {
        const int32_t length = ebm_generator_lengths(m->generator)[i];
        print_text(&m->list[i], drawn + i * MOST_NEW, length < 0 ? MOST_NEW : (size_t)length,
                   ebm_noise_model_roles(m->noise).end);
    }
    free(drawn);
    return status;
}

ebm_status probe_generate(char **arguments)
{
    model m = {0};
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, arguments[0], arguments[1], atoi(arguments[3])), end);
    EBM_CHECK(generate(&m), end);
    EBM_CHECK(ebm_directory_make(arguments[2]), end);
    status = ebm_noise_model_save(m.noise, arguments[2]);
end:
    close_model(&m);
    return status;
}
