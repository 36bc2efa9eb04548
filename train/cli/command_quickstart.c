// ebmcl quickstart: the whole way on built-in data. Everything goes through the library calls that `ebmcl noise train`
// and `ebmcl train` use.
#include <stdio.h>
#include <stdlib.h>

#include "file.h"
#include "program.h"
#include "program_ranks.h"
#include "quickstart.h"
#include "timing.h"

#define AT(member) offsetof(quickstart_options, member)
static const ebm_option OPTIONS[] = {
    {"output_dir", EBM_OPTION_STRING, AT(output_dir), "ebmcl-quickstart", .help = "Where data and models go"},
    {"overwrite_output_dir", EBM_OPTION_FLAG, AT(overwrite), NULL, .help = "Replace what an output_dir in use holds"},
    {"max_steps", EBM_OPTION_SIZE, AT(max_steps), "0", .help = "Steps of each training at most; 0: the full job"},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of everything random", .least = 0, .most = 9e15},
    {"device", EBM_OPTION_STRING, AT(device_name), NULL, .help = "Index, platform:device or part of a name"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl quickstart", "Trains a noise model, a classifier by cross-entropy and one jointly, on built-in data.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

// Joint training fits more slowly, so cross-entropy is shown stopped earlier too.
const quickstart_model quickstart_models[QUICKSTART_MODELS] = {
    {"cross-entropy", "cross-entropy, 16 epochs", "cross_entropy", EBM_OBJECTIVE_CE, 16},
    {"cross-entropy-half", "cross-entropy, 8 epochs", "cross_entropy_half", EBM_OBJECTIVE_CE, 8},
    {"joint", "joint, hidden energy, 16 epochs", "joint", EBM_OBJECTIVE_JOINT, 16},
};
static const char *const SET_FILES[QUICKSTART_SETS] = {"train.tsv", "validation.tsv", "test.tsv"};
static const size_t SET_SIZES[QUICKSTART_SETS] = {1500, 1000, 3000};

static void write_rows(const quickstart *q, quickstart_set set, FILE *stream)
{
    const ebm_labels *labels = ebm_dataset_labels(q->data[set]);
    fputs("sentence\tlabel", stream);
    for (size_t y = 0; y < labels->count; y++) fprintf(stream, "\tp_%s", labels->names[y]);
    fputc('\n', stream);
    for (size_t i = 0; i < ebm_dataset_count(q->data[set]); i++) {
        const ebm_row row = ebm_dataset_row(q->data[set], i);
        double p[EBM_GRAMMAR_LABELS];
        ebm_grammar_posterior(q->grammar, row.text_a, p);
        fprintf(stream, "%s\t%s", row.text_a, labels->names[row.label]);
        for (int y = 0; y < EBM_GRAMMAR_LABELS; y++) fprintf(stream, "\t%.6f", p[y]);
        fputc('\n', stream);
    }
}

static ebm_status write_set(const quickstart *q, const char *directory, quickstart_set set)
{
    char *text = NULL, *path = ebm_path_join(directory, SET_FILES[set]);
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream) write_rows(q, set, stream);
    const bool written = stream && fclose(stream) == 0;
    const ebm_status status = written ? ebm_file_write(path, text, size)
                                      : ebm_fail(EBM_ERROR_MEMORY, "no host memory for %s", SET_FILES[set]);
    free(text);
    free(path);
    return status;
}

static ebm_status make_data(quickstart *q)
{
    char *directory = ebm_path_join(q->directory, "data");
    ebm_status status = ebm_directory_make(directory);
    for (quickstart_set set = 0; set < QUICKSTART_SETS && status.code == EBM_OK; set++) {
        status = ebm_grammar_dataset(q->grammar, (uint64_t)q->set.seed, (uint32_t)set, SET_SIZES[set], &q->data[set]);
        if (status.code == EBM_OK) status = write_set(q, directory, set);
    }
    free(directory);
    return status;
}

static ebm_status train_and_report(quickstart *q)
{
    const double start = ebm_now();
    EBM_TRY(make_data(q));
    ebm_program_say("1 of %d: noise model, on %zu texts", 1 + QUICKSTART_MODELS, SET_SIZES[QUICKSTART_TRAIN]);
    EBM_TRY(quickstart_train_noise(q));
    for (int i = 0; i < QUICKSTART_MODELS; i++) {
        ebm_program_say("%d of %d: classifier by %s, on the same texts", 2 + i, 1 + QUICKSTART_MODELS,
                        quickstart_models[i].title);
        EBM_TRY(quickstart_train_classifier(q, &quickstart_models[i]));
    }
    return quickstart_report(q, ebm_now() - start);
}

// The output directory appears when everything in it is complete.
static ebm_status run(quickstart *q)
{
    ebm_directory_writer *writer = NULL;
    if (!q->set.overwrite && !ebm_directory_is_empty(q->set.output_dir))
        return ebm_fail(EBM_ERROR_INPUT, "%s is in use; take another --output_dir, or --overwrite_output_dir",
                        q->set.output_dir);
    EBM_TRY(ebm_program_device(q->set.device_name, false, &q->device));
    EBM_TRY(ebm_grammar_create(&q->grammar));
    EBM_TRY(ebm_directory_writer_open(q->set.output_dir, &writer));
    q->directory = ebm_directory_writer_path(writer);
    ebm_status status = train_and_report(q);
    if (status.code == EBM_ERROR_INTERRUPTED) status = ebm_fail(EBM_ERROR_INTERRUPTED, "stopped; nothing was written");
    if (status.code == EBM_OK) status = ebm_directory_writer_finish(writer, q->set.overwrite);
    if (status.code == EBM_OK) ebm_program_say("data and models are in %s", q->set.output_dir);
    ebm_directory_writer_free(writer);
    return status;
}

ebm_status ebm_command_quickstart(int argc, char **argv)
{
    quickstart q = {0};
    ebm_options *parsed = NULL;
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &q.set, &parsed, &done);
    if (status.code == EBM_OK && !done) status = ebm_program_one_process("ebmcl quickstart");
    if (status.code == EBM_OK && !done) status = run(&q);
    for (quickstart_set set = 0; set < QUICKSTART_SETS; set++) ebm_dataset_free(q.data[set]);
    ebm_grammar_free(q.grammar);
    ebm_device_free(q.device);
    ebm_options_free(parsed);
    return status;
}
