// The encoder's last hidden states, one row a token.
#include "encoder.h"
#include "family_traits.h"
#include "probe.h"

typedef struct {
    ebm_device *device;
    ebm_config *config;
    probe_batch batch;
    ebm_parameters *parameters;
    ebm_encoder *encoder;
    ebm_arena *arena;
    ebm_packing *packing;
} model;

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

static ebm_status open_model(model *m, const char *directory, const char *batch)
{
    EBM_TRY(ebm_device_open(NULL, &m->device));
    EBM_TRY(ebm_config_load(directory, &m->config));
    EBM_TRY(probe_batch_read(batch, &m->batch));
    const ebm_limits limits = {m->batch.tokens, m->batch.count, false};
    m->parameters = ebm_parameters_create(m->device, false);
    m->arena = ebm_arena_create(m->device, "batch");
    if (!m->parameters || !m->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory");
    EBM_TRY(ebm_encoder_create(m->device, m->config, m->parameters, &limits, false, &m->encoder));
    EBM_TRY(ebm_packing_create(m->device, m->config, &limits, m->arena, &m->packing));
    EBM_TRY(ebm_parameters_allocate(m->parameters));
    EBM_TRY(ebm_encoder_allocate(m->encoder));
    EBM_TRY(ebm_arena_allocate(m->arena));
    return load_all(m, directory);
}

ebm_status probe_hidden(char **arguments)
{
    model m = {0};
    probe_answer answer = {.path = arguments[2]};
    const ebm_run run = {0};
    ebm_batch packed;
    ebm_status status = ebm_ok();
    EBM_CHECK(open_model(&m, arguments[0], arguments[1]), end);
    EBM_CHECK(probe_batch_pack(&m.batch, m.packing, &packed), end);
    EBM_CHECK(ebm_encoder_forward(m.encoder, &packed, &run), end);
    probe_answer_add(&answer, m.device, "hidden", ebm_encoder_output(m.encoder), m.batch.tokens, m.config->hidden);
end:
    status = probe_answer_finish(&answer, status);
    ebm_packing_free(m.packing);
    ebm_encoder_free(m.encoder);
    ebm_arena_free(m.arena);
    ebm_parameters_free(m.parameters);
    ebm_config_free(m.config);
    probe_batch_free(&m.batch);
    ebm_device_free(m.device);
    return status;
}
