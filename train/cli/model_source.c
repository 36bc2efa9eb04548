#include "model_source.h"

#include <string.h>

#include "dataset.h"

static bool are_ids(const ebm_labels *labels)
{
    for (size_t i = 0; i < labels->count; i++)
        if (strspn(labels->names[i], "0123456789") != strlen(labels->names[i])) return false;
    return true;
}

ebm_status ebm_program_config(const char *directory, const ebm_labels *labels, ebm_config **config)
{
    EBM_TRY(ebm_config_load(directory, config));
    if ((*config)->label_count == labels->count && are_ids(labels)) return ebm_ok();
    return ebm_config_set_labels(*config, labels->names, labels->count);
}

static ebm_status open_model(ebm_device *device, const ebm_program_noise_settings *s, ebm_program_noise *noise)
{
    const ebm_limits prompts = {.tokens = 4096, .sequences = s->slots, .training = false};
    const ebm_decoder_settings decoder = {.limits = prompts, .slots = s->slots, .capacity = EBM_NOISE_MAX_TOKENS};
    EBM_TRY(ebm_noise_model_open(device, s->model, &decoder, &noise->model));
    const ebm_noise_source source = {
        .model = noise->model,
        .training = s->training,
        .encoder = s->encoder,
        .max_length = s->max_length,
        .mask_probability = s->mask_probability,
        .temperature = s->temperature,
        .top_k = s->top_k,
        .seed = s->seed,
        .slots = s->slots,
        .capacity = EBM_NOISE_MAX_TOKENS,
        .prompt_limits = prompts,
    };
    return ebm_noise_stream_from_model(&source, &noise->stream);
}

ebm_status ebm_program_noise_open(ebm_device *device, const ebm_program_noise_settings *s, ebm_program_noise *noise)
{
    if (s->model) return ebm_in(open_model(device, s, noise), "--noise_model");
    EBM_TRY(ebm_dataset_read_noise(s->file, ebm_dataset_is_pairs(s->training), &noise->texts));
    return ebm_noise_stream_from_texts(noise->texts, s->encoder, s->max_length, s->seed, &noise->stream);
}

size_t ebm_program_noise_arenas(ebm_program_noise *noise, ebm_arena *arenas[EBM_PROGRAM_NOISE_ARENAS])
{
    if (!noise->model) return 0;
    const size_t count = ebm_noise_model_arenas(noise->model, arenas);
    arenas[count] = ebm_noise_stream_arena(noise->stream);
    return count + 1;
}

ebm_status ebm_program_noise_allocate(ebm_program_noise *noise)
{
    if (noise->model) EBM_TRY(ebm_noise_model_allocate(noise->model));
    return ebm_noise_stream_allocate(noise->stream);
}

void ebm_program_noise_free(ebm_program_noise *noise)
{
    ebm_noise_stream_free(noise->stream);
    ebm_noise_model_free(noise->model);
    ebm_dataset_free(noise->texts);
    memset(noise, 0, sizeof *noise);
}
