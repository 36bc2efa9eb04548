#include "masked_lm.h"

#include <stdlib.h>
#include <string.h>

#include "encoder.h"
#include "family_traits.h"
#include "mlm_head.h"

struct ebm_masked_lm {
    ebm_device *device;
    char *directory;
    ebm_config *config;
    ebm_tokenizer *tokenizer;
    ebm_parameters *parameters;
    ebm_encoder *encoder;
    ebm_arena *arena; // of the head
    ebm_mlm_head *head;
    ebm_limits limits;
    size_t rows, vocabulary;
};

static ebm_status create(ebm_masked_lm *m)
{
    EBM_TRY(ebm_config_load(m->directory, &m->config));
    EBM_TRY(ebm_tokenizer_load(m->directory, &m->tokenizer));
    if (ebm_tokenizer_special(m->tokenizer, EBM_TOKEN_MASK) < 0)
        return ebm_fail(EBM_ERROR_INPUT, "its tokenizer has no mask token");
    const size_t tokens = ebm_tokenizer_size(m->tokenizer);
    m->vocabulary = tokens < m->config->vocabulary ? tokens : m->config->vocabulary;
    m->parameters = ebm_parameters_create(m->device, false);
    m->arena = ebm_arena_create(m->device, "masked language model's head");
    if (!m->parameters || !m->arena) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a masked language model");
    EBM_TRY(ebm_encoder_create(m->device, m->config, m->parameters, &m->limits, false, &m->encoder));
    return ebm_mlm_head_create(m->device, m->config, m->parameters, m->arena, m->rows, m->vocabulary, &m->head);
}

ebm_status ebm_masked_lm_open(ebm_device *device, const char *directory, const ebm_limits *limits, size_t rows,
                              ebm_masked_lm **out)
{
    *out = NULL;
    ebm_masked_lm *m = calloc(1, sizeof *m);
    if (m) m->directory = strdup(directory);
    if (!m || !m->directory) {
        free(m);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a masked language model");
    }
    m->device = device;
    m->limits = (ebm_limits){limits->tokens, limits->sequences, false};
    m->rows = rows;
    const ebm_status status = ebm_in(create(m), "%s", directory);
    if (status.code == EBM_OK)
        *out = m;
    else
        ebm_masked_lm_free(m);
    return status;
}

void ebm_masked_lm_free(ebm_masked_lm *m)
{
    if (!m) return;
    ebm_mlm_head_free(m->head);
    ebm_encoder_free(m->encoder);
    ebm_arena_free(m->arena);
    ebm_parameters_free(m->parameters);
    ebm_tokenizer_free(m->tokenizer);
    ebm_config_free(m->config);
    free(m->directory);
    free(m);
}

size_t ebm_masked_lm_arenas(ebm_masked_lm *m, ebm_arena *arenas[EBM_MASKED_LM_ARENAS])
{
    const size_t count = ebm_parameters_arenas(m->parameters, arenas); // 1 without training
    arenas[count] = ebm_encoder_arena(m->encoder);
    arenas[count + 1] = m->arena;
    return count + 2;
}

// The head speaks for itself; of the encoder everything must be there.
static ebm_status check_encoder(const ebm_masked_lm *m, const ebm_safetensors *file)
{
    const char *prefix = ebm_family_traits_of(m->config->family)->names.prefix;
    for (size_t i = 0; i < ebm_parameters_count(m->parameters); i++) {
        const ebm_parameter *p = ebm_parameters_view(m->parameters, i);
        if (p->loaded || strncmp(p->name, prefix, strlen(prefix)) != 0) continue;
        return ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s is missing", ebm_safetensors_path(file), p->name);
    }
    return ebm_ok();
}

ebm_status ebm_masked_lm_allocate(ebm_masked_lm *m)
{
    const char *const prefixes[] = {ebm_family_traits_of(m->config->family)->names.prefix, NULL};
    ebm_safetensors *file = NULL;
    EBM_TRY(ebm_parameters_allocate(m->parameters));
    EBM_TRY(ebm_encoder_allocate(m->encoder));
    EBM_TRY(ebm_arena_allocate(m->arena));
    EBM_TRY(ebm_safetensors_open_model(m->directory, &file));
    ebm_status status = ebm_parameters_load(m->parameters, file, prefixes, NULL);
    if (status.code == EBM_OK) status = ebm_mlm_head_loaded(m->head, file);
    if (status.code == EBM_OK) status = check_encoder(m, file);
    ebm_safetensors_free(file);
    return status;
}

ebm_status ebm_masked_lm_forward(ebm_masked_lm *m, const ebm_batch *batch)
{
    const ebm_run run = {0};
    return ebm_encoder_forward(m->encoder, batch, &run);
}

ebm_status ebm_masked_lm_predict(ebm_masked_lm *m, ebm_slice places, size_t count)
{
    return ebm_mlm_head_forward(m->head, ebm_encoder_output(m->encoder), places, count);
}

ebm_slice ebm_masked_lm_logits(const ebm_masked_lm *m) { return ebm_mlm_head_logits(m->head); }
size_t ebm_masked_lm_vocabulary(const ebm_masked_lm *m) { return m->vocabulary; }
size_t ebm_masked_lm_rows(const ebm_masked_lm *m) { return m->rows; }
ebm_limits ebm_masked_lm_limits(const ebm_masked_lm *m) { return m->limits; }
ebm_device *ebm_masked_lm_device(const ebm_masked_lm *m) { return m->device; }
const ebm_config *ebm_masked_lm_config(const ebm_masked_lm *m) { return m->config; }
const ebm_tokenizer *ebm_masked_lm_tokenizer(const ebm_masked_lm *m) { return m->tokenizer; }
