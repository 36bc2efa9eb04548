#include "noise_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "family_traits.h"
#include "file.h"
#include "noise_record.h"

struct ebm_noise_model {
    ebm_device *device;
    ebm_tokenizer *tokenizer;
    ebm_config *config;
    ebm_parameters *parameters;
    ebm_decoder *decoder;
    ebm_noise_record record;
    char *directory; // to load from; NULL: from scratch
    uint64_t seed;
};

ebm_status ebm_noise_training_read(const char *directory, const ebm_tokenizer *tokenizer, ebm_noise_training *training)
{
    ebm_noise_record record = {0};
    bool found = false;
    const ebm_status status = ebm_noise_record_read(directory, tokenizer, &record, &found);
    *training = record.training;
    ebm_noise_record_free(&record);
    return status;
}

static ebm_status create_network(ebm_noise_model *m, const ebm_decoder_settings *settings)
{
    static const char *const EMBEDDING = "transformer.wte.weight";
    m->parameters = ebm_parameters_create(m->device, settings->limits.training);
    if (!m->parameters) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a noise model");
    EBM_TRY(ebm_decoder_create(m->device, m->config, m->parameters, settings, &m->decoder));
    ebm_parameter *embedding = ebm_parameters_find(m->parameters, EMBEDDING);
    if (embedding) embedding->may_grow = true; // roles added to a vocabulary that lacks them
    return ebm_ok();
}

ebm_status ebm_noise_model_open(ebm_device *device, const char *directory, const ebm_decoder_settings *settings,
                                ebm_noise_model **out)
{
    return ebm_noise_model_open_labelled(device, directory, NULL, 0, settings, out);
}

ebm_status ebm_noise_model_open_labelled(ebm_device *device, const char *directory, const char *const *labels,
                                         size_t label_count, const ebm_decoder_settings *settings,
                                         ebm_noise_model **out)
{
    *out = NULL;
    ebm_noise_model *m = calloc(1, sizeof *m);
    if (!m) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a noise model");
    ebm_status status = ebm_ok();
    bool named = false;
    m->device = device;
    m->directory = strdup(directory);
    if (!m->directory) status = ebm_fail(EBM_ERROR_MEMORY, "no host memory for a noise model");
    EBM_CHECK(status, fail);
    EBM_CHECK(ebm_config_load(directory, &m->config), fail);
    EBM_CHECK(ebm_tokenizer_load(directory, &m->tokenizer), fail);
    EBM_CHECK(ebm_noise_record_read(directory, m->tokenizer, &m->record, &named), fail);
    if (!named) EBM_CHECK(ebm_noise_record_assign(m->tokenizer, &m->record.roles), fail);
    if (label_count > 0)
        EBM_CHECK(ebm_in(ebm_noise_record_add_labels(&m->record, m->tokenizer, labels, label_count), "%s", directory),
                  fail);
    if (ebm_tokenizer_size(m->tokenizer) > m->config->vocabulary)
        m->config->vocabulary = ebm_tokenizer_size(m->tokenizer);
    EBM_CHECK(create_network(m, settings), fail);
    *out = m;
    return status;
fail:
    ebm_noise_model_free(m);
    return status;
}

ebm_status ebm_noise_model_create(ebm_device *device, ebm_tokenizer *tokenizer, size_t layers, size_t hidden,
                                  const ebm_decoder_settings *settings, uint64_t seed, ebm_noise_model **out)
{
    return ebm_noise_model_create_labelled(device, tokenizer, layers, hidden, NULL, 0, settings, seed, out);
}

ebm_status ebm_noise_model_create_labelled(ebm_device *device, ebm_tokenizer *tokenizer, size_t layers, size_t hidden,
                                           const char *const *labels, size_t label_count,
                                           const ebm_decoder_settings *settings, uint64_t seed, ebm_noise_model **out)
{
    *out = NULL;
    ebm_noise_model *m = calloc(1, sizeof *m);
    if (!m) {
        ebm_tokenizer_free(tokenizer);
        return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a noise model");
    }
    ebm_status status = ebm_ok();
    m->device = device;
    m->tokenizer = tokenizer;
    m->seed = seed;
    EBM_CHECK(ebm_noise_record_assign(tokenizer, &m->record.roles), fail);
    if (label_count > 0) EBM_CHECK(ebm_noise_record_add_labels(&m->record, tokenizer, labels, label_count), fail);
    EBM_CHECK(ebm_config_default_gpt2(layers, hidden, ebm_tokenizer_size(tokenizer), EBM_NOISE_MAX_TOKENS, &m->config),
              fail);
    m->config->bos_id = m->record.roles.start;
    m->config->eos_id = m->record.roles.end;
    EBM_CHECK(create_network(m, settings), fail);
    *out = m;
    return status;
fail:
    ebm_noise_model_free(m);
    return status;
}

void ebm_noise_model_set_dropout(ebm_noise_model *m, float probability)
{
    m->config->hidden_dropout = m->config->attention_dropout = m->config->embedding_dropout = probability;
}

void ebm_noise_model_free(ebm_noise_model *m)
{
    if (!m) return;
    ebm_decoder_free(m->decoder);
    ebm_parameters_free(m->parameters);
    ebm_config_free(m->config);
    ebm_tokenizer_free(m->tokenizer);
    ebm_noise_record_free(&m->record);
    free(m->directory);
    free(m);
}

size_t ebm_noise_model_arenas(ebm_noise_model *m, ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS])
{
    const size_t count = ebm_parameters_arenas(m->parameters, arenas);
    return count + ebm_decoder_arenas(m->decoder, arenas + count);
}

static ebm_status load(ebm_noise_model *m)
{
    static const char *const prefixes[] = {"transformer.", NULL};
    ebm_safetensors *file = NULL;
    EBM_TRY(ebm_safetensors_open_model(m->directory, &file));
    ebm_status status = ebm_parameters_load(m->parameters, file, prefixes, NULL);
    for (size_t i = 0; status.code == EBM_OK && i < ebm_parameters_count(m->parameters); i++)
        if (!ebm_parameters_view(m->parameters, i)->loaded)
            status = ebm_fail(EBM_ERROR_INPUT, "%s: tensor %s is missing", ebm_safetensors_path(file),
                              ebm_parameters_view(m->parameters, i)->name);
    ebm_safetensors_free(file);
    return status;
}

ebm_status ebm_noise_model_allocate(ebm_noise_model *m)
{
    EBM_TRY(ebm_parameters_allocate(m->parameters));
    EBM_TRY(ebm_decoder_allocate(m->decoder));
    if (m->directory) EBM_TRY(load(m));
    return ebm_parameters_init_missing(m->parameters, m->seed); // all of a new model, or the rows of added tokens
}

// Under the name of any family, with its prefix or, in the file of a bare encoder, without.
static bool find_word_embeddings(const ebm_safetensors *file, size_t *index)
{
    for (int i = 0; i < EBM_FAMILIES; i++) {
        const ebm_family_names *names = &ebm_family_traits_of((ebm_family)i)->names;
        char name[128];
        snprintf(name, sizeof name, "%s%s.weight", names->prefix, names->word);
        if (ebm_safetensors_find(file, name, index)) return true;
        if (ebm_safetensors_find(file, name + strlen(names->prefix), index)) return true;
    }
    return false;
}

// Rows are copied one by one: the ids of the two vocabularies need not agree.
static ebm_status copy_rows(ebm_noise_model *m, const ebm_safetensors *file, size_t index, const int32_t *from,
                            size_t *matched)
{
    const size_t C = m->config->hidden, V = ebm_tokenizer_size(m->tokenizer);
    const ebm_parameter *word = ebm_parameters_find(m->parameters, "transformer.wte.weight");
    const ebm_safetensors_tensor *tensor = ebm_safetensors_view(file, index);
    if (tensor->rank != 2 || tensor->shape[1] != C)
        return ebm_fail(EBM_ERROR_INPUT,
                        "%s: tensor %s: rows of %zu columns are needed to start the noise model's embedding",
                        tensor->path, tensor->name, C);
    float *row = malloc(C * sizeof *row);
    ebm_status status = row ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for an embedding");
    *matched = 0;
    ebm_parameters_changed(m->parameters);
    for (size_t id = 0; id < V && status.code == EBM_OK; id++) {
        if (from[id] < 0 || (size_t)from[id] >= tensor->shape[0]) continue;
        status = ebm_safetensors_floats_part(file, index, (size_t)from[id] * C, C, true, row);
        if (status.code == EBM_OK) status = ebm_slice_write(m->device, word->tensor->weight, id * C, C, row);
        ++*matched;
    }
    free(row);
    return status;
}

ebm_status ebm_noise_model_init_embeddings(ebm_noise_model *m, const char *encoder_directory, size_t *matched)
{
    ebm_tokenizer *encoder = NULL;
    ebm_safetensors *file = NULL;
    int32_t *from = calloc(ebm_tokenizer_size(m->tokenizer) + 1, sizeof *from);
    size_t index = 0;
    ebm_status status = from ? ebm_ok() : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a map of tokens");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_tokenizer_load(encoder_directory, &encoder), end);
    EBM_CHECK(ebm_safetensors_open_model(encoder_directory, &file), end);
    if (!find_word_embeddings(file, &index))
        status = ebm_fail(EBM_ERROR_INPUT, "%s: no word embeddings among its tensors", ebm_safetensors_path(file));
    EBM_CHECK(status, end);
    ebm_tokenizer_map(m->tokenizer, encoder, from, NULL);
    status = copy_rows(m, file, index, from, matched);
end:
    ebm_safetensors_free(file);
    ebm_tokenizer_free(encoder);
    free(from);
    return status;
}

ebm_status ebm_noise_model_save(ebm_noise_model *m, const char *directory)
{
    EBM_TRY(ebm_config_save(m->config, directory));
    EBM_TRY(ebm_tokenizer_save(m->tokenizer, directory));
    EBM_TRY(ebm_noise_record_write(&m->record, m->tokenizer, directory));
    char *path = ebm_path_join(directory, "model.safetensors");
    const ebm_status status = path ? ebm_parameters_save(m->parameters, EBM_PART_WEIGHT, path, "", NULL)
                                   : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    free(path);
    return status;
}

ebm_device *ebm_noise_model_device(ebm_noise_model *m) { return m->device; }
ebm_decoder *ebm_noise_model_decoder(ebm_noise_model *m) { return m->decoder; }
ebm_parameters *ebm_noise_model_parameters(ebm_noise_model *m) { return m->parameters; }
const ebm_tokenizer *ebm_noise_model_tokenizer(const ebm_noise_model *m) { return m->tokenizer; }
const ebm_config *ebm_noise_model_config(const ebm_noise_model *m) { return m->config; }
ebm_noise_roles ebm_noise_model_roles(const ebm_noise_model *m) { return m->record.roles; }
ebm_noise_training ebm_noise_model_training(const ebm_noise_model *m) { return m->record.training; }

ebm_status ebm_noise_model_set_training(ebm_noise_model *m, ebm_noise_objective objective, float mask_probability,
                                        ebm_noise_kind kind)
{
    if (ebm_noise_objective_has_label(objective) && m->record.roles.label_count == 0)
        return ebm_fail(EBM_ERROR_INPUT, "a noise model without labels cannot be trained with objective %s",
                        ebm_noise_objective_name(objective));
    m->record.training = (ebm_noise_training){objective, mask_probability, kind, true};
    return ebm_ok();
}

int32_t ebm_noise_model_label(const ebm_noise_model *m, const char *name)
{
    for (size_t i = 0; i < m->record.roles.label_count; i++)
        if (strcmp(m->record.labels[i], name) == 0) return m->record.roles.first_label + (int32_t)i;
    return -1;
}
