// A GPT-2 model's hidden states in one pass, its logits token by token from the cache, gradients, ten steps of
// training.
#include "decoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "family_traits.h"
#include "probe.h"

typedef struct {
    ebm_device *device;
    ebm_config *config;
    probe_batch batch;
    ebm_parameters *parameters;
    ebm_decoder *decoder;
    ebm_arena *arena;
    ebm_packing *packing;
    ebm_optimizer *optimizer;
    ebm_slice slot_of, ids, positions, logits;
} model;

static void close_model(model *m)
{
    ebm_optimizer_free(m->optimizer);
    ebm_packing_free(m->packing);
    ebm_decoder_free(m->decoder);
    ebm_arena_free(m->arena);
    ebm_parameters_free(m->parameters);
    ebm_config_free(m->config);
    probe_batch_free(&m->batch);
    ebm_device_free(m->device);
}

static ebm_status load_all(model *m, const char *directory)
{
    const char *const prefixes[] = {ebm_family_traits_of(m->config->family)->names.prefix, NULL};
    ebm_safetensors *file = NULL;
    EBM_TRY(ebm_safetensors_open_model(directory, &file));
    ebm_status status = ebm_parameters_load(m->parameters, file, prefixes, NULL);
    ebm_safetensors_free(file);
    for (size_t i = 0; status.code == EBM_OK && i < ebm_parameters_count(m->parameters); i++) {
        const ebm_parameter *p = ebm_parameters_view(m->parameters, i);
        if (!p->loaded) status = ebm_fail(EBM_ERROR_INPUT, "%s: %s was not loaded", directory, p->name);
    }
    return status;
}

static ebm_status open_model(model *m, const char *directory, const char *batch, bool training)
{
    const ebm_adamw adamw = probe_adamw();
    EBM_TRY(ebm_device_open(NULL, &m->device));
    EBM_TRY(ebm_config_load(directory, &m->config));
    EBM_TRY(probe_batch_read(batch, &m->batch));
    const size_t n = m->batch.count;
    const ebm_decoder_settings settings = {{m->batch.tokens, n, training}, n, m->batch.longest, false};
    m->parameters = ebm_parameters_create(m->device, training);
    m->arena = ebm_arena_create(m->device, "batch");
    if (!m->parameters || !m->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory");
    EBM_TRY(ebm_decoder_create(m->device, m->config, m->parameters, &settings, &m->decoder));
    EBM_TRY(ebm_packing_create(m->device, m->config, &settings.limits, m->arena, &m->packing));
    if (training) EBM_TRY(ebm_optimizer_create(m->device, m->parameters, &adamw, m->arena, &m->optimizer));
    ebm_arena_reserve(m->arena, &m->slot_of, n);
    ebm_arena_reserve(m->arena, &m->ids, n);
    ebm_arena_reserve(m->arena, &m->positions, n);
    ebm_arena_reserve(m->arena, &m->logits, n * m->config->vocabulary);
    EBM_TRY(ebm_parameters_allocate(m->parameters));
    EBM_TRY(ebm_decoder_allocate(m->decoder));
    EBM_TRY(ebm_arena_allocate(m->arena));
    return load_all(m, directory);
}

// Of sequence s, which lies in slot s, the first `given` tokens come through the prefill: none of every other one.
static size_t given(const probe_batch *batch, size_t s) { return s % 2 ? 0 : batch->rows[s].count / 2; }

static ebm_status prefill(model *m, int32_t *slots)
{
    ebm_batch packed;
    size_t prompts = 0;
    bool fits = true;
    ebm_packing_clear(m->packing, 0, 0);
    for (size_t s = 0; s < m->batch.count; s++) {
        if (given(&m->batch, s) == 0) continue;
        const ebm_sequence prompt = {m->batch.rows[s].ids, NULL, given(&m->batch, s)};
        EBM_TRY(ebm_packing_add(m->packing, prompt, &fits));
        slots[prompts++] = (int32_t)s;
    }
    if (prompts == 0) return ebm_ok();
    EBM_TRY(ebm_packing_send(m->packing, &packed));
    EBM_TRY(ebm_slice_write(m->device, m->slot_of, 0, prompts, slots));
    return ebm_decoder_prefill(m->decoder, &packed, m->slot_of);
}

// One token of every sequence that has a token left; its logits go to the token's row.
static ebm_status one_step(model *m, size_t step, int32_t *ids, int32_t *positions, float *logits)
{
    const size_t V = m->config->vocabulary;
    for (size_t s = 0; s < m->batch.count; s++) {
        const size_t at = given(&m->batch, s) + step;
        const bool active = at < m->batch.rows[s].count;
        ids[s] = active ? m->batch.rows[s].ids[at] : 0;
        positions[s] = active ? (int32_t)at : -1;
    }
    EBM_TRY(ebm_slice_write(m->device, m->ids, 0, m->batch.count, ids));
    EBM_TRY(ebm_slice_write(m->device, m->positions, 0, m->batch.count, positions));
    EBM_TRY(ebm_decoder_step(m->decoder, m->ids, m->positions));
    EBM_TRY(ebm_decoder_step_logits(m->decoder, m->logits));
    for (size_t s = 0; s < m->batch.count; s++) {
        if (positions[s] < 0) continue;
        const size_t row = (size_t)(m->batch.rows[s].ids - m->batch.ids) + (size_t)positions[s];
        EBM_TRY(ebm_slice_read(m->device, m->logits, s * V, V, logits + row * V));
    }
    return ebm_ok();
}

// Logits of all tokens but those given to the prefill, whose rows are NaN.
static ebm_status cached_logits(model *m, float *logits)
{
    int32_t *numbers = calloc(3 * m->batch.count, sizeof *numbers);
    if (!numbers || !logits) {
        free(numbers);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for logits");
    }
    for (size_t i = 0; i < m->batch.tokens * m->config->vocabulary; i++) logits[i] = NAN;
    ebm_status status = prefill(m, numbers);
    for (size_t step = 0; step < m->batch.longest && status.code == EBM_OK; step++)
        status = one_step(m, step, numbers + m->batch.count, numbers + 2 * m->batch.count, logits);
    free(numbers);
    return status;
}

ebm_status probe_decoder(char **arguments)
{
    model m = {0};
    probe_answer answer = {.path = arguments[2]};
    const ebm_run run = {0};
    ebm_batch packed;
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, arguments[0], arguments[1], false), end);
    EBM_CHECK(probe_batch_pack(&m.batch, m.packing, &packed), end);
    EBM_CHECK(ebm_decoder_forward(m.decoder, &packed, &run), end);
    probe_answer_add(&answer, m.device, "hidden", ebm_decoder_output(m.decoder), m.batch.tokens, m.config->hidden);
    float *logits = calloc(m.batch.tokens * m.config->vocabulary, sizeof *logits);
    status = cached_logits(&m, logits);
    probe_answer_take(&answer, "logits", logits, m.batch.tokens, m.config->vocabulary);
end:
    status = probe_answer_finish(&answer, status);
    close_model(&m);
    return status;
}

static ebm_status gradients(model *m, const ebm_run *run)
{
    ebm_batch packed;
    size_t total = 0, count;
    double sum;
    if (!m->batch.targets) return ebm_fail(EBM_ERROR_INPUT, "the batch has no targets");
    for (size_t i = 0; i < m->batch.tokens; i++) total += m->batch.targets[i] >= 0;
    EBM_TRY(probe_batch_pack(&m->batch, m->packing, &packed));
    EBM_TRY(ebm_decoder_forward(m->decoder, &packed, run));
    EBM_TRY(ebm_decoder_loss(m->decoder, &packed, m->batch.targets, total, true, &sum, &count));
    printf("%.9g\n", sum / (double)count);
    return ebm_decoder_backward(m->decoder, &packed, run);
}

ebm_status probe_decoder_gradients(char **arguments)
{
    model m = {0};
    const ebm_run run = {true, 1, 0};
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, arguments[0], arguments[1], true), end);
    EBM_CHECK(gradients(&m, &run), end);
    status = ebm_parameters_save(m.parameters, EBM_PART_GRADIENT, arguments[2], "", NULL);
end:
    close_model(&m);
    return status;
}

ebm_status probe_decoder_train(char **arguments)
{
    model m = {0};
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, arguments[0], arguments[1], true), end);
    for (uint32_t step = 0; step < PROBE_STEPS; step++) {
        const ebm_run run = {true, 1, step};
        double norm;
        EBM_CHECK(gradients(&m, &run), end);
        EBM_CHECK(ebm_optimizer_step(m.optimizer, probe_rate(step), step + 1, true), end);
        EBM_CHECK(ebm_optimizer_norm(m.optimizer, &norm), end);
    }
    status = ebm_parameters_save(m.parameters, EBM_PART_WEIGHT, arguments[2], "", NULL);
end:
    close_model(&m);
    return status;
}
