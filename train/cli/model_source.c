#include "model_source.h"

#include <string.h>

#include "dataset.h"
#include "program.h"
#include "text_set.h"

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

// M as it was given, else as the model was trained. A model that was never shown masked texts is shown none.
static ebm_status find_mask(const ebm_noise_options *o, ebm_noise_training training, double *mask)
{
    *mask = o->mask;
    if (!ebm_noise_objective_has_mask(training.objective)) {
        if (o->mask_is_given && o->mask < 1)
            return ebm_fail(EBM_ERROR_INPUT,
                            "%s was trained with objective %s, which shows it no masked text; leave --mask_probability "
                            "out",
                            o->model, ebm_noise_objective_name(training.objective));
        *mask = 1;
    } else if (!o->mask_is_given && training.is_recorded) {
        *mask = (double)training.mask_probability;
    }
    return ebm_ok();
}

// A model of pairs writes separators where single texts have none, and the other way round.
static void say_other_kind(const char *model, ebm_noise_kind kind, bool pairs)
{
    if (kind == EBM_NOISE_OF_UNKNOWN || (kind == EBM_NOISE_OF_PAIRS) == pairs) return;
    ebm_program_say("warning: %s was trained on %s, the task's are %s: little of its noise will be like them", model,
                    pairs ? "single texts" : "pairs of texts", pairs ? "pairs" : "single texts");
}

static ebm_status open_model(ebm_device *device, const ebm_program_noise_settings *s, ebm_program_noise *noise)
{
    const ebm_noise_options *o = s->set;
    const ebm_limits prompts = {.tokens = 4096, .sequences = o->slots, .training = false};
    const ebm_decoder_settings decoder = {
        .limits = prompts, .slots = o->slots, .capacity = EBM_NOISE_MAX_TOKENS, .only_generates = true};
    EBM_TRY(ebm_noise_model_open(device, o->model, &decoder, &noise->model));
    const ebm_noise_training training = ebm_noise_model_training(noise->model);
    EBM_TRY(find_mask(o, training, &noise->mask_probability));
    ebm_program_say("noise model: objective %s, mask_probability %g", ebm_noise_objective_name(training.objective),
                    noise->mask_probability);
    say_other_kind(o->model, training.kind, ebm_dataset_is_pairs(s->training));
    const ebm_noise_source source = {
        .model = noise->model,
        .training = s->training,
        .encoder = s->encoder,
        .max_length = s->max_length,
        .mask_probability = (float)noise->mask_probability,
        .temperature = (float)o->temperature,
        .top_k = (int)o->top_k,
        .seed = s->seed,
        .slots = o->slots,
        .capacity = EBM_NOISE_MAX_TOKENS,
        .prompt_limits = prompts,
    };
    return ebm_noise_stream_from_model(&source, &noise->stream);
}

static ebm_status open_mlm(ebm_device *device, const ebm_program_noise_settings *s, ebm_program_noise *noise)
{
    enum { TOKENS = 4096, SEQUENCES = 256, ROWS = 256 }; // of a pass; positions whose logits are there at a time
    const ebm_noise_options *o = s->set;
    const ebm_limits limits = {.tokens = TOKENS, .sequences = SEQUENCES};
    EBM_TRY(ebm_masked_lm_open(device, o->mlm, &limits, ROWS, &noise->mlm));
    const ebm_noise_fill_source source = {
        .lm = noise->mlm,
        .training = s->training,
        .encoder = s->encoder,
        .max_length = s->max_length,
        .mask_probability = (float)o->mask,
        .temperature = (float)o->temperature,
        .top_k = (int)o->top_k,
        .seed = s->seed,
    };
    return ebm_noise_stream_from_fill(&source, &noise->stream);
}

static double mean_bytes(const ebm_dataset *texts)
{
    return (double)ebm_dataset_text_bytes(texts) / (double)ebm_dataset_count(texts);
}

static ebm_status open_file(const ebm_program_noise_settings *s, ebm_program_noise *noise)
{
    ebm_dataset *all = NULL;
    size_t dropped = 0;
    EBM_TRY(ebm_dataset_read_noise(s->set->file, ebm_dataset_is_pairs(s->training), &all));
    const ebm_status status = ebm_dataset_without(all, s->training, &dropped, &noise->texts);
    ebm_dataset_free(all);
    EBM_TRY(ebm_in(status, "%s", s->set->file));
    ebm_program_say("noise file: %zu %s of %.0f bytes (training texts: %.0f), without %zu equal to training texts",
                    ebm_dataset_count(noise->texts), ebm_dataset_is_pairs(noise->texts) ? "pairs" : "texts",
                    mean_bytes(noise->texts), mean_bytes(s->training), dropped);
    return ebm_noise_stream_from_texts(noise->texts, s->encoder, s->max_length, s->seed, &noise->stream);
}

static ebm_status open_shuffled(const ebm_program_noise_settings *s, ebm_program_noise *noise)
{
    const ebm_noise_shuffle_source source = {
        .training = s->training,
        .encoder = s->encoder,
        .max_length = s->max_length,
        .ngram = s->set->ngram,
        .seed = s->seed,
    };
    return ebm_noise_stream_from_shuffle(&source, &noise->stream);
}

ebm_status ebm_program_noise_open(ebm_device *device, const ebm_program_noise_settings *s, ebm_program_noise *noise)
{
    noise->mask_probability = s->set->mask;
    switch ((ebm_source)s->set->source) {
    case EBM_SOURCE_MLM:
        return ebm_in(open_mlm(device, s, noise), "--noise_mlm");
    case EBM_SOURCE_SHUFFLE:
        return ebm_in(open_shuffled(s, noise), "--noise_source shuffle");
    case EBM_SOURCE_FILE:
        return open_file(s, noise);
    default:
        return ebm_in(open_model(device, s, noise), "--noise_model");
    }
}

size_t ebm_program_noise_arenas(ebm_program_noise *noise, ebm_arena *arenas[EBM_PROGRAM_NOISE_ARENAS])
{
    if (!noise->model && !noise->mlm) return 0;
    const size_t count =
        noise->model ? ebm_noise_model_arenas(noise->model, arenas) : ebm_masked_lm_arenas(noise->mlm, arenas);
    arenas[count] = ebm_noise_stream_arena(noise->stream);
    return count + 1;
}

ebm_status ebm_program_noise_allocate(ebm_program_noise *noise)
{
    if (noise->model) EBM_TRY(ebm_noise_model_allocate(noise->model));
    if (noise->mlm) EBM_TRY(ebm_in(ebm_masked_lm_allocate(noise->mlm), "--noise_mlm"));
    return ebm_noise_stream_allocate(noise->stream);
}

void ebm_program_noise_free(ebm_program_noise *noise)
{
    ebm_noise_stream_free(noise->stream);
    ebm_noise_model_free(noise->model);
    ebm_masked_lm_free(noise->mlm);
    ebm_dataset_free(noise->texts);
    memset(noise, 0, sizeof *noise);
}
