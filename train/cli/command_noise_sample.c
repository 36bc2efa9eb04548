// ebmcl noise sample: writes samples of a noise model, one a line.
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "command_noise.h"
#include "file.h"
#include "json_output.h"
#include "model_source.h"
#include "program.h"

typedef struct {
    ebm_data_options data;
    const char *model, *out, *device;
    size_t num, slots;
    double mask, temperature;
    int64_t top_k, seed;
    bool json, bf16;
} sample_options;

#define AT(member) offsetof(sample_options, member)
static const ebm_option SAMPLE_OPTIONS[] = {
    {"noise_model", EBM_OPTION_MODEL, AT(model), NULL, .help = "The noise model", .required = true},
    EBM_DATA_OPTIONS(sample_options, data),
    {"num", EBM_OPTION_SIZE, AT(num), "1000", .help = "Texts to write", .least = 1, .most = 1e12},
    {"out", EBM_OPTION_STRING, AT(out), NULL, .help = "File to write, one text a line, pairs as A <SEP> B",
     .required = true},
    {"mask_probability", EBM_OPTION_FLOAT, AT(mask), "0.4", .help = "Of the prompts (M); 1: no prompt", .least = 0,
     .most = 1},
    {"top_k", EBM_OPTION_INT, AT(top_k), "20", .help = "Sample from so many tokens; 0: all", .least = 0, .most = 64},
    {"temperature", EBM_OPTION_FLOAT, AT(temperature), "1", .help = "Of sampling", .least = 0, .most = 100,
     .above_least = true},
    {"noise_slots", EBM_OPTION_SIZE, AT(slots), "64", .help = "Texts generated at a time", .least = 1, .most = 4096},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of everything random", .least = 0, .most = 9e15},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
#undef AT
static const ebm_option_table SAMPLE_TABLE = {"ebmcl noise sample", "Writes samples of a noise model.", SAMPLE_OPTIONS,
                                              sizeof SAMPLE_OPTIONS / sizeof *SAMPLE_OPTIONS};

static ebm_status write_samples(const sample_options *o, ebm_noise_stream *stream)
{
    ebm_file_writer *writer = NULL;
    EBM_TRY(ebm_file_writer_open(o->out, &writer));
    const volatile sig_atomic_t *stop = ebm_program_stop_flag();
    ebm_status status = ebm_ok();
    for (size_t i = 0; i < o->num && status.code == EBM_OK; i++) {
        const char *text = NULL;
        status = ebm_noise_stream_next_text(stream, &text);
        if (status.code == EBM_OK) status = ebm_file_writer_append(writer, text, strlen(text));
        if (status.code == EBM_OK) status = ebm_file_writer_append(writer, "\n", 1);
        if (i % 100 == 0) ebm_program_progress("%zu of %zu texts", i, o->num);
        if (*stop)
            status = ebm_fail(EBM_ERROR_INTERRUPTED, "stopped after %zu of %zu texts; nothing was written", i, o->num);
    }
    if (status.code == EBM_OK) status = ebm_file_writer_finish(writer);
    ebm_file_writer_free(writer);
    return status;
}

static ebm_status report_samples(const sample_options *o, const ebm_noise_stream *stream)
{
    const ebm_noise_statistics n = ebm_noise_stream_statistics(stream);
    ebm_program_say("%zu texts in %.1f s, %.0f tokens/s; of %" PRIu64 " generated %" PRIu64 " malformed, %" PRIu64
                    " equal to training texts",
                    o->num, n.seconds, (double)n.tokens / n.seconds, n.generated, n.malformed, n.duplicates);
    if (!o->json) return ebm_ok();
    return ebm_program_print_json(json_pack("{s:I s:f s:f s:I s:I s:I}", "texts", (json_int_t)o->num, "seconds",
                                            n.seconds, "tokens_per_s", (double)n.tokens / n.seconds, "generated",
                                            (json_int_t)n.generated, "malformed", (json_int_t)n.malformed, "duplicates",
                                            (json_int_t)n.duplicates));
}

static ebm_status sample(const sample_options *o, ebm_device *device, const ebm_dataset *training,
                         ebm_tokenizer *tokenizer, ebm_program_noise *noise)
{
    const ebm_program_noise_settings settings = {
        .model = o->model,
        .training = training,
        .encoder = tokenizer,
        .max_length = EBM_NOISE_MAX_TOKENS,
        .slots = o->slots,
        .mask_probability = (float)o->mask,
        .temperature = (float)o->temperature,
        .top_k = (int)o->top_k,
        .seed = (uint64_t)o->seed,
    };
    ebm_arena *arenas[EBM_PROGRAM_NOISE_ARENAS];
    EBM_TRY(ebm_program_noise_open(device, &settings, noise));
    const size_t count = ebm_program_noise_arenas(noise, arenas);
    EBM_TRY(ebm_program_plan(device, arenas, count, "lower --noise_slots"));
    EBM_TRY(ebm_program_noise_allocate(noise));
    EBM_TRY(write_samples(o, noise->stream));
    return report_samples(o, noise->stream);
}

ebm_status ebm_command_noise_sample(int argc, char **argv)
{
    sample_options o = {0};
    ebm_options *parsed = NULL;
    ebm_device *device = NULL;
    ebm_dataset *training = NULL;
    ebm_tokenizer *tokenizer = NULL;
    ebm_program_noise noise = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&SAMPLE_TABLE, argc, argv, &o, &parsed, &done);
    if (status.code != EBM_OK || done) goto end;
    EBM_CHECK(ebm_program_read(&o.data, EBM_SPLIT_TRAIN, EBM_LABELS_IGNORED, NULL, &training), end);
    if (!training)
        status = ebm_fail(EBM_ERROR_INPUT,
                          "training texts are needed for the prompts: --task_name with --data_dir, or --train_file");
    EBM_CHECK(status, end);
    EBM_CHECK(ebm_tokenizer_load(o.model, &tokenizer), end);
    EBM_CHECK(ebm_program_device(o.device, o.bf16, &device), end);
    status = sample(&o, device, training, tokenizer, &noise);
end:
    ebm_program_noise_free(&noise);
    ebm_tokenizer_free(tokenizer);
    ebm_dataset_free(training);
    ebm_device_free(device);
    ebm_options_free(parsed);
    return status;
}
