// ebmcl noise train: trains a noise model on plain text and a task's texts.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint_parts.h"
#include "command_noise.h"
#include "file.h"
#include "json_output.h"
#include "model_source.h"
#include "noise_trainer.h"
#include "plain_text.h"
#include "program.h"
#include "program_ranks.h"
#include "progress.h"
#include "train_results.h"

// In the order of ebm_noise_objective.
static const char *const OBJECTIVES[] = {"masked", "plain", "label", "label-masked", NULL};
static const char *const NO_MODEL[] = {"none", NULL};

typedef struct {
    ebm_data_options data;
    const char *model, *encoder, *embeddings, *output_dir, *resume, *device;
    ebm_string_list pretrain_files;
    bool overwrite, json, bf16;
    size_t layers, hidden, batch_size, max_steps, pretrain_bytes, pretrain_steps, eval_steps, save_steps, token_budget;
    double learning_rate, pretrain_rate, epochs, pretrain_epochs, warmup_ratio, weight_decay, mask, held_out, dropout;
    int64_t seed, patience;
    int objective;
} train_options;

#define AT(member) offsetof(train_options, member)
static const ebm_option TRAIN_OPTIONS[] = {
    {"model_name_or_path", EBM_OPTION_MODEL, AT(model), NULL, .help = "GPT-2 to start from; else from scratch"},
    {"encoder", EBM_OPTION_MODEL, AT(encoder), NULL,
     .help = "Encoder whose vocabulary and width a model from scratch takes"},
    {"init_embeddings_from", EBM_OPTION_MODEL, AT(embeddings), NULL,
     .help = "Model whose word embeddings start the tied embedding; default: the encoder; \"none\": random",
     .choices = NO_MODEL},
    {"layers", EBM_OPTION_SIZE, AT(layers), "4", .help = "Layers of a model from scratch", .least = 1, .most = 100},
    {"hidden", EBM_OPTION_SIZE, AT(hidden), "0", .help = "Width of a model from scratch; 0: the encoder's"},
    {"dropout", EBM_OPTION_FLOAT, AT(dropout), "0.1", .help = "Dropout while training from scratch", .least = 0,
     .most = 0.9},
    EBM_DATA_OPTIONS(train_options, data),
    {"pretrain_files", EBM_OPTION_LIST, AT(pretrain_files), NULL, .help = "Plain text files to train on first"},
    {"pretrain_bytes", EBM_OPTION_SIZE, AT(pretrain_bytes), "0", .help = "Use so much of each of them; 0: all"},
    {"pretrain_epochs", EBM_OPTION_FLOAT, AT(pretrain_epochs), "1", .help = "Passes over the plain text", .least = 0,
     .most = 1e6, .above_least = true},
    {"pretrain_steps", EBM_OPTION_SIZE, AT(pretrain_steps), "0", .help = "Steps on the plain text; 0: by epochs"},
    {"pretrain_learning_rate", EBM_OPTION_FLOAT, AT(pretrain_rate), "1e-3", .help = "Peak rate on the plain text",
     .least = 0, .most = 1},
    {"output_dir", EBM_OPTION_STRING, AT(output_dir), NULL, .help = "Where the noise model goes", .required = true},
    {"overwrite_output_dir", EBM_OPTION_FLAG, AT(overwrite), NULL, .help = "Replace what an output_dir in use holds"},
    {"resume_from_checkpoint", EBM_OPTION_STRING, AT(resume), NULL,
     .help = "A checkpoint-N directory of the same run to continue from"},
    {"noise_objective", EBM_OPTION_ENUM, AT(objective), "masked",
     .help = "Texts given their masked form, given nothing (a plain language model), given their label, or given both",
     .choices = OBJECTIVES},
    {"mask_probability", EBM_OPTION_FLOAT, AT(mask), "0.4", .help = "Each token is masked with it (M)", .least = 0,
     .most = 1},
    {"per_device_train_batch_size", EBM_OPTION_SIZE, AT(batch_size), "32", .help = "Texts a step", .least = 1,
     .most = 65536},
    {"learning_rate", EBM_OPTION_FLOAT, AT(learning_rate), "0",
     .help = "Peak rate on the task's texts; 0: 5e-6 from a GPT-2, 5e-4 from scratch", .least = 0, .most = 1},
    {"num_train_epochs", EBM_OPTION_FLOAT, AT(epochs), "8", .help = "Passes over the task's texts at most", .least = 0,
     .most = 1e6, .above_least = true},
    {"max_steps", EBM_OPTION_SIZE, AT(max_steps), "0", .help = "Steps on the task's texts; 0: by epochs"},
    {"eval_steps", EBM_OPTION_SIZE, AT(eval_steps), "0", .help = "Perplexity every so many steps; 0: after each epoch"},
    {"save_steps", EBM_OPTION_SIZE, AT(save_steps), "500",
     .help = "Checkpoint every so many steps; 0: only when stopped"},
    {"patience", EBM_OPTION_INT, AT(patience), "2",
     .help = "Stop after so many evaluations without a better held-out perplexity; 0: never", .least = 0, .most = 1000},
    {"held_out", EBM_OPTION_FLOAT, AT(held_out), "0.05",
     .help = "Share of the training texts kept out, where there is no validation set", .least = 0, .most = 0.5},
    {"warmup_ratio", EBM_OPTION_FLOAT, AT(warmup_ratio), "0.06", .help = "Warm-up as a share of all steps", .least = 0,
     .most = 1},
    {"weight_decay", EBM_OPTION_FLOAT, AT(weight_decay), "0.1", .help = "Decoupled weight decay", .least = 0,
     .most = 10},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of everything random", .least = 0, .most = 9e15},
    {"token_budget", EBM_OPTION_SIZE, AT(token_budget), "4096", .help = "Tokens of the largest packed batch",
     .least = EBM_NOISE_MAX_TOKENS, .most = 1e7},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
#undef AT
static const ebm_option_table TRAIN_TABLE = {"ebmcl noise train", "Trains a noise model.", TRAIN_OPTIONS,
                                             sizeof TRAIN_OPTIONS / sizeof *TRAIN_OPTIONS};

typedef struct {
    train_options set;
    ebm_options *parsed;
    ebm_device *device;
    ebm_dataset *train, *validation, *plain;
    ebm_noise_model *model;
    ebm_noise_trainer *trainer;
    ebm_noise_texts *train_texts, *held_texts, *plain_texts;
} train_run;

static void free_train(train_run *r)
{
    ebm_noise_texts_free(r->train_texts);
    ebm_noise_texts_free(r->held_texts);
    ebm_noise_texts_free(r->plain_texts);
    ebm_noise_trainer_free(r->trainer);
    ebm_noise_model_free(r->model);
    ebm_dataset_free(r->train);
    ebm_dataset_free(r->validation);
    ebm_dataset_free(r->plain);
    ebm_device_free(r->device);
    ebm_options_free(r->parsed);
}

// Rows [first, count) with step `every`: of them (taken = true) or all others.
static ebm_status pick_rows(const ebm_dataset *from, size_t every, bool taken, ebm_dataset **to)
{
    const ebm_labels *labels = ebm_dataset_labels(from);
    EBM_TRY(ebm_dataset_create(labels->count > 0 ? labels : NULL, to));
    for (size_t i = 0; i < ebm_dataset_count(from); i++) {
        const ebm_row row = ebm_dataset_row(from, i);
        if ((i % every == 0) == taken) EBM_TRY(ebm_dataset_add(*to, row.text_a, row.text_b, row.label, row.line));
    }
    return ebm_ok();
}

// Without a validation set every n-th training text is kept out to stop on.
static ebm_status hold_out(train_run *r)
{
    if (r->validation || r->set.held_out == 0) return ebm_ok();
    const size_t every = (size_t)(1.0 / r->set.held_out + 0.5);
    ebm_dataset *all = r->train;
    r->train = NULL;
    ebm_status status = pick_rows(all, every, true, &r->validation);
    if (status.code == EBM_OK) status = pick_rows(all, every, false, &r->train);
    ebm_dataset_free(all);
    if (status.code == EBM_OK && ebm_dataset_count(r->train) == 0)
        status = ebm_fail(EBM_ERROR_INPUT, "too few training texts to keep some out; give --held_out 0");
    return status;
}

static bool needs_labels(const train_run *r)
{
    return ebm_noise_objective_has_label((ebm_noise_objective)r->set.objective);
}

static ebm_status read_texts(train_run *r)
{
    const train_options *o = &r->set;
    const ebm_label_use use = needs_labels(r) ? EBM_LABELS_REQUIRED : EBM_LABELS_IGNORED;
    EBM_TRY(ebm_program_read(&o->data, EBM_SPLIT_TRAIN, use, NULL, &r->train));
    if (!r->train)
        return ebm_fail(EBM_ERROR_INPUT, "training texts are needed: --task_name with --data_dir, or --train_file");
    const ebm_labels *known = needs_labels(r) ? ebm_dataset_labels(r->train) : NULL;
    EBM_TRY(ebm_program_read(&o->data, EBM_SPLIT_DEV, use, known, &r->validation));
    EBM_TRY(hold_out(r));
    if (o->pretrain_files.count == 0) return ebm_ok();
    EBM_TRY(ebm_dataset_create(NULL, &r->plain));
    for (size_t i = 0; i < o->pretrain_files.count; i++) {
        size_t budget = o->pretrain_bytes ? o->pretrain_bytes : SIZE_MAX;
        EBM_TRY(ebm_plain_text_add(o->pretrain_files.items[i], 400, &budget, r->plain));
    }
    ebm_program_say("plain text: %zu sentences, %.1f MB", ebm_dataset_count(r->plain),
                    (double)ebm_dataset_text_bytes(r->plain) * 1e-6);
    return ebm_ok();
}

static ebm_limits limits_of(const train_options *o)
{
    const ebm_limits limits = {o->token_budget, o->batch_size > 64 ? o->batch_size : 64, true};
    return limits;
}

static ebm_labels labels_of(const train_run *r)
{
    const ebm_labels none = {0};
    return needs_labels(r) ? *ebm_dataset_labels(r->train) : none;
}

static ebm_status open_given(train_run *r, const ebm_decoder_settings *settings)
{
    const ebm_labels labels = labels_of(r);
    return ebm_noise_model_open_labelled(r->device, r->set.model, labels.names, labels.count, settings, &r->model);
}

static ebm_status create_from_scratch(train_run *r, const ebm_decoder_settings *settings)
{
    const train_options *o = &r->set;
    if (!o->encoder)
        return ebm_fail(EBM_ERROR_INPUT, "give --model_name_or_path (a GPT-2) or --encoder (a model from scratch)");
    ebm_config *config = NULL;
    ebm_tokenizer *tokenizer = NULL;
    EBM_TRY(ebm_config_load(o->encoder, &config));
    const size_t hidden = o->hidden ? o->hidden : config->embedding;
    ebm_config_free(config);
    EBM_TRY(ebm_tokenizer_load(o->encoder, &tokenizer));
    const ebm_labels labels = labels_of(r);
    EBM_TRY(ebm_noise_model_create_labelled(r->device, tokenizer, o->layers, hidden, labels.names, labels.count,
                                            settings, (uint64_t)o->seed, &r->model));
    ebm_noise_model_set_dropout(r->model, (float)o->dropout);
    return ebm_ok();
}

static ebm_status init_embeddings(train_run *r)
{
    const train_options *o = &r->set;
    const char *from = o->embeddings ? o->embeddings : o->model ? NULL : o->encoder;
    size_t matched = 0;
    if (!from || strcmp(from, "none") == 0) return ebm_ok();
    if (!o->embeddings && o->hidden) return ebm_ok(); // another width than the encoder's: nothing fits
    EBM_TRY(ebm_noise_model_init_embeddings(r->model, from, &matched));
    ebm_program_say("%zu rows of the embedding start from %s", matched, from);
    return ebm_ok();
}

static ebm_status create_trainer(train_run *r)
{
    const train_options *o = &r->set;
    const ebm_noise_trainer_settings settings = {
        .objective = (ebm_noise_objective)o->objective,
        .mask_probability = (float)o->mask,
        .kind = ebm_dataset_is_pairs(r->train) ? EBM_NOISE_OF_PAIRS : EBM_NOISE_OF_SINGLE,
        .adamw = {0.9, 0.999, 1e-8, o->weight_decay, 1.0},
        .seed = (uint64_t)o->seed,
        .limits = limits_of(o),
        .output_dir = o->output_dir,
        .save_steps = o->save_steps,
        .stop = ebm_program_stop_flag(),
        .listener = ebm_program_noise_listener(),
    };
    ebm_arena *arenas[EBM_NOISE_MODEL_ARENAS + 1];
    EBM_TRY(ebm_noise_trainer_create(r->model, &settings, &r->trainer));
    size_t count = ebm_noise_model_arenas(r->model, arenas);
    arenas[count++] = ebm_noise_trainer_arena(r->trainer);
    EBM_TRY(ebm_program_plan(r->device, arenas, count, "lower --token_budget"));
    EBM_TRY(ebm_noise_model_allocate(r->model));
    return ebm_arena_allocate(ebm_noise_trainer_arena(r->trainer));
}

static ebm_status create_texts(train_run *r)
{
    const ebm_tokenizer *tokenizer = ebm_noise_model_tokenizer(r->model);
    const ebm_noise_roles roles = ebm_noise_model_roles(r->model);
    EBM_TRY(ebm_noise_texts_create(r->train, tokenizer, roles, &r->train_texts));
    if (r->validation) EBM_TRY(ebm_noise_texts_create(r->validation, tokenizer, roles, &r->held_texts));
    if (needs_labels(r)) {
        EBM_TRY(ebm_noise_texts_label(r->train_texts, r->train, r->model));
        if (r->validation) EBM_TRY(ebm_noise_texts_label(r->held_texts, r->validation, r->model));
    }
    return r->plain ? ebm_noise_texts_create(r->plain, tokenizer, roles, &r->plain_texts) : ebm_ok();
}

static ebm_status run_phases(train_run *r, ebm_noise_evaluation *best)
{
    const train_options *o = &r->set;
    if (r->plain_texts) {
        const ebm_noise_phase plain = {
            o->batch_size, o->pretrain_rate, o->pretrain_epochs, o->pretrain_steps, o->warmup_ratio, 0, 0};
        ebm_program_say("plain text first");
        EBM_TRY(ebm_noise_trainer_run(r->trainer, r->plain_texts, NULL, &plain, NULL));
    }
    const double rate = o->learning_rate > 0 ? o->learning_rate : o->model ? 5e-6 : 5e-4;
    const ebm_noise_phase task = {o->batch_size,   rate,          o->epochs,       o->max_steps,
                                  o->warmup_ratio, o->eval_steps, (int)o->patience};
    ebm_program_say("the task's texts: %zu, held out %zu", ebm_noise_texts_count(r->train_texts),
                    r->held_texts ? ebm_noise_texts_count(r->held_texts) : 0);
    return ebm_noise_trainer_run(r->trainer, r->train_texts, r->held_texts, &task, best);
}

static ebm_status write_files(train_run *r, const char *directory, const ebm_noise_evaluation *best)
{
    const ebm_noise_results results = {
        .output_dir = r->set.output_dir,
        .model = r->set.model,
        .data = &r->set.data,
        .device = r->device,
        .table = &TRAIN_TABLE,
        .options = &r->set,
        .pretrain_files = r->set.pretrain_files,
        .pretrain_sentences = r->plain ? ebm_dataset_count(r->plain) : 0,
        .train_samples = ebm_noise_texts_count(r->train_texts),
        .held_out_samples = r->held_texts ? ebm_noise_texts_count(r->held_texts) : 0,
        .best = best,
    };
    EBM_TRY(ebm_noise_model_save(r->model, directory));
    return ebm_program_write_noise_results(&results, directory);
}

static ebm_status write_to(train_run *r, const char *directory, bool replace, const ebm_noise_evaluation *best)
{
    ebm_directory_writer *writer = NULL;
    EBM_TRY(ebm_directory_writer_open(directory, &writer));
    ebm_status status = write_files(r, ebm_directory_writer_path(writer), best);
    if (status.code == EBM_OK) status = ebm_directory_writer_finish(writer, replace);
    ebm_directory_writer_free(writer);
    return status;
}

// Beside this run's checkpoints, which then have done their duty.
static ebm_status write_among(train_run *r, const char *finished, const ebm_noise_evaluation *best)
{
    EBM_TRY(write_to(r, finished, true, best));
    EBM_TRY(ebm_directory_move_files(finished, r->set.output_dir));
    return ebm_checkpoint_remove_others(r->set.output_dir, "");
}

static ebm_status write_model(train_run *r, const ebm_noise_evaluation *best)
{
    if (r->set.overwrite || ebm_directory_is_empty(r->set.output_dir))
        return write_to(r, r->set.output_dir, r->set.overwrite, best);
    char *finished = ebm_path_join(r->set.output_dir, "finished");
    const ebm_status status =
        finished ? write_among(r, finished, best) : ebm_fail(EBM_ERROR_MEMORY, "no host memory for a path");
    free(finished);
    return status;
}

static ebm_status train(train_run *r)
{
    const train_options *o = &r->set;
    const ebm_decoder_settings settings = {.limits = limits_of(o)};
    ebm_noise_evaluation best = {0};
    if (!o->overwrite && !o->resume && !ebm_directory_is_empty(o->output_dir))
        return ebm_fail(EBM_ERROR_INPUT, "%s is in use; take another --output_dir, or --overwrite_output_dir",
                        o->output_dir);
    EBM_TRY(read_texts(r));
    EBM_TRY(ebm_program_device(o->device, o->bf16, &r->device));
    EBM_TRY(o->model ? open_given(r, &settings) : create_from_scratch(r, &settings));
    EBM_TRY(create_trainer(r));
    EBM_TRY(o->resume ? ebm_noise_trainer_resume(r->trainer, o->resume) : init_embeddings(r));
    if (ebm_noise_trainer_resume_note(r->trainer)[0]) ebm_program_say("%s", ebm_noise_trainer_resume_note(r->trainer));
    EBM_TRY(create_texts(r));
    EBM_TRY(run_phases(r, &best));
    EBM_TRY(write_model(r, &best));
    ebm_program_say("noise model written to %s", o->output_dir);
    if (!o->json) return ebm_ok();
    return ebm_program_print_json(json_pack("{s:s s:f s:I}", "output_dir", o->output_dir, "perplexity", best.perplexity,
                                            "best_step", (json_int_t)best.step));
}

ebm_status ebm_command_noise_train(int argc, char **argv)
{
    train_run r = {0};
    bool done = false;
    ebm_status status = ebm_program_options(&TRAIN_TABLE, argc, argv, &r.set, &r.parsed, &done);
    if (status.code == EBM_OK && !done) status = ebm_program_one_process("ebmcl noise train");
    if (status.code == EBM_OK && !done) status = train(&r);
    free_train(&r);
    return status;
}
