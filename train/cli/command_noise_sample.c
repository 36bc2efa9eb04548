// ebmcl noise sample: writes the texts that training would stream, one a line.
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
    ebm_noise_options noise;
    const char *out, *device;
    size_t num, max_seq_length;
    int64_t seed;
    bool json, bf16;
} sample_options;

#define AT(member) offsetof(sample_options, member)
static const ebm_option SAMPLE_OPTIONS[] = {
    EBM_DATA_OPTIONS(sample_options, data),
    {"num", EBM_OPTION_SIZE, AT(num), "1000", .help = "Texts to write", .least = 1, .most = 1e12},
    {"out", EBM_OPTION_STRING, AT(out), NULL, .help = "File to write, one text a line, pairs as A <SEP> B",
     .required = true},
    EBM_NOISE_OPTIONS(sample_options, noise),
    {"max_seq_length", EBM_OPTION_SIZE, AT(max_seq_length), "128",
     .help = "As in training: no more of a training text is filled in or shuffled", .least = 3, .most = 1e6},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of everything random", .least = 0, .most = 9e15},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
#undef AT
static const ebm_option_table SAMPLE_TABLE = {"ebmcl noise sample", "Writes noise as training streams it.",
                                              SAMPLE_OPTIONS, sizeof SAMPLE_OPTIONS / sizeof *SAMPLE_OPTIONS};

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

// Everything a run owns, freed in one place.
typedef struct {
    sample_options set;
    ebm_options *parsed;
    ebm_device *device;
    ebm_dataset *training;
    ebm_tokenizer *tokenizer; // of the model: its own tokens as they are
    ebm_program_noise noise;
} sample_run;

static void free_sample(sample_run *r)
{
    ebm_program_noise_free(&r->noise);
    ebm_tokenizer_free(r->tokenizer);
    ebm_dataset_free(r->training);
    ebm_device_free(r->device);
    ebm_options_free(r->parsed);
}

// A model that is told labels needs those of the texts.
static ebm_status find_label_use(sample_run *r, ebm_label_use *use)
{
    ebm_noise_training training = {0};
    *use = EBM_LABELS_IGNORED;
    if (r->set.noise.source == EBM_SOURCE_MLM) return ebm_tokenizer_load(r->set.noise.mlm, &r->tokenizer);
    if (r->set.noise.source != EBM_SOURCE_MODEL) return ebm_ok();
    EBM_TRY(ebm_tokenizer_load(r->set.noise.model, &r->tokenizer));
    EBM_TRY(ebm_noise_training_read(r->set.noise.model, r->tokenizer, &training));
    if (ebm_noise_objective_has_label(training.objective)) *use = EBM_LABELS_REQUIRED;
    return ebm_ok();
}

static ebm_status read_training(sample_run *r)
{
    ebm_label_use use = EBM_LABELS_IGNORED;
    EBM_TRY(find_label_use(r, &use));
    EBM_TRY(ebm_program_read(&r->set.data, EBM_SPLIT_TRAIN, use, NULL, &r->training));
    if (r->training) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "training texts are needed: --task_name with --data_dir, or --train_file");
}

static ebm_status open_noise(sample_run *r)
{
    const sample_options *o = &r->set;
    const bool sampled = o->noise.source == EBM_SOURCE_MODEL, filled = o->noise.source == EBM_SOURCE_MLM;
    const ebm_program_noise_settings settings = {
        .set = &o->noise,
        .training = r->training,
        .encoder = r->tokenizer,
        .max_length = sampled ? EBM_NOISE_MAX_TOKENS : o->max_seq_length,
        .seed = (uint64_t)o->seed,
    };
    ebm_arena *arenas[EBM_PROGRAM_NOISE_ARENAS];
    if (sampled || filled) EBM_TRY(ebm_program_device(o->device, o->bf16, &r->device));
    EBM_TRY(ebm_program_noise_open(r->device, &settings, &r->noise));
    const size_t count = ebm_program_noise_arenas(&r->noise, arenas);
    if (count > 0) EBM_TRY(ebm_program_plan(r->device, arenas, count, "lower --noise_slots"));
    return ebm_program_noise_allocate(&r->noise);
}

static ebm_status sample(sample_run *r)
{
    EBM_TRY(ebm_noise_options_resolve(&r->set.noise, r->parsed));
    EBM_TRY(read_training(r));
    EBM_TRY(open_noise(r));
    EBM_TRY(write_samples(&r->set, r->noise.stream));
    return report_samples(&r->set, r->noise.stream);
}

ebm_status ebm_command_noise_sample(int argc, char **argv)
{
    sample_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&SAMPLE_TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = sample(&r);
    free_sample(&r);
    return status;
}
