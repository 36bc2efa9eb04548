// ebmcl train: fine-tunes an encoder, by cross-entropy or jointly with an energy-based model.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "json_file.h"
#include "json_output.h"
#include "model_source.h"
#include "order.h"
#include "program.h"
#include "program_ranks.h"
#include "progress.h"
#include "train_check.h"
#include "train_results.h"
#include "train_verdict.h"
#include "trainer.h"

typedef struct {
    ebm_data_options data;
    ebm_noise_options noise;
    const char *model, *output_dir, *resume, *device, *best_metric;
    bool overwrite, json, bf16, fp16_activations, keep_last, save_predictions, no_report;
    size_t max_seq_length, batch_size, max_steps, warmup_steps, logging_steps, eval_steps, save_steps, token_budget;
    double learning_rate, epochs, warmup_ratio, weight_decay, adam_epsilon, max_grad_norm, nce_weight, nce_warmup,
        smoothing, focal_gamma, confidence_penalty, poscal_weight, margin, mlm_weight, mlm_probability,
        hidden_norm_weight, mixup_alpha, fp16_initial_scale;
    int64_t seed, noise_ratio;
    int objective, energy, nce_data, energy_loss, mixup, report_to;
} train_options;

static const char *const OBJECTIVES[] = {"ce", "joint", NULL};
static const char *const AUTOMATIC[] = {"auto", NULL};
static const char *const ENERGIES[] = {"scalar", "hidden", "sharp-hidden", NULL};
enum { ENERGY_NCE, ENERGY_MARGIN };
static const char *const ENERGY_LOSSES[] = {"nce", "margin", NULL};
static const char *const REPORT_TO[] = {"none", "tensorboard", NULL};
static const char *const MIXUPS[] = {"random", "aum", NULL};
static const char *const NCE_DATA[] = {"separate", "shared", NULL};

#define AT(member) offsetof(train_options, member)
static const ebm_option OPTIONS[] = {
    {"model_name_or_path", EBM_OPTION_MODEL, AT(model), NULL,
     .help = "The encoder to start from: its directory, or its name on the hub when it is in the cache",
     .required = true},
    EBM_DATA_OPTIONS(train_options, data),
    {"output_dir", EBM_OPTION_STRING, AT(output_dir), NULL, .help = "Where the model, the log and checkpoints go",
     .required = true},
    {"overwrite_output_dir", EBM_OPTION_FLAG, AT(overwrite), NULL, .help = "Replace what an output_dir in use holds"},
    {"resume_from_checkpoint", EBM_OPTION_STRING, AT(resume), NULL,
     .help = "A checkpoint-N directory to continue from"},
    {"max_seq_length", EBM_OPTION_SIZE, AT(max_seq_length), "128", .help = "Longest sequence in tokens", .least = 8,
     .most = 4096},
    {"per_device_train_batch_size", EBM_OPTION_SIZE, AT(batch_size), "32",
     .help = "Labelled texts a step, of all ranks together", .least = 1, .most = 65536},
    {"learning_rate", EBM_OPTION_FLOAT, AT(learning_rate), "5e-5", .help = "Peak of the learning rate", .least = 0,
     .most = 10},
    {"num_train_epochs", EBM_OPTION_FLOAT, AT(epochs), "3", .help = "Passes over the training texts", .least = 0,
     .most = 1e6, .above_least = true},
    {"max_steps", EBM_OPTION_SIZE, AT(max_steps), "0", .help = "Steps in all; 0: by epochs"},
    {"warmup_steps", EBM_OPTION_SIZE, AT(warmup_steps), "0", .help = "Steps of linear warm-up; 0: by warmup_ratio"},
    {"warmup_ratio", EBM_OPTION_FLOAT, AT(warmup_ratio), "0.06", .help = "Warm-up as a share of all steps", .least = 0,
     .most = 1},
    {"weight_decay", EBM_OPTION_FLOAT, AT(weight_decay), "0.1", .help = "Decoupled weight decay", .least = 0,
     .most = 10},
    {"adam_epsilon", EBM_OPTION_FLOAT, AT(adam_epsilon), "1e-8", .help = "Epsilon of AdamW", .least = 0, .most = 1},
    {"max_grad_norm", EBM_OPTION_FLOAT, AT(max_grad_norm), "1", .help = "Gradients are clipped to this norm; 0: not",
     .least = 0, .most = HUGE_VAL},
    {"seed", EBM_OPTION_INT, AT(seed), "42", .help = "Of everything random", .least = 0, .most = 9e15},
    {"logging_steps", EBM_OPTION_SIZE, AT(logging_steps), "50", .help = "A line of the log every so many steps",
     .least = 1, .most = 1e9},
    {"eval_steps", EBM_OPTION_SIZE, AT(eval_steps), "0", .help = "Evaluate every so many steps; 0: after each epoch"},
    {"save_steps", EBM_OPTION_SIZE, AT(save_steps), "500",
     .help = "Checkpoint every so many steps; 0: only when stopped"},
    {"metric_for_best_model", EBM_OPTION_STRING, AT(best_metric), NULL,
     .help = "Which evaluation is best: accuracy, f1, matthews, nll, ece_class_wise, ...; default: the task's"},
    {"keep_last_model", EBM_OPTION_FLAG, AT(keep_last), NULL,
     .help = "Write the model of the last step, not that of the best evaluation"},
    {"save_predictions", EBM_OPTION_FLAG, AT(save_predictions), NULL,
     .help = "Write predictions/step-N.jsonl at each evaluation"},
    {"no_report", EBM_OPTION_FLAG, AT(no_report), NULL, .help = "Write no report.html at the end (see ebmcl report)"},
    {"report_to", EBM_OPTION_ENUM, AT(report_to), "none", .help = "The log also as TensorBoard's files, in runs/",
     .choices = REPORT_TO},
    {"objective", EBM_OPTION_ENUM, AT(objective), "ce", .help = "Cross-entropy, or jointly with NCE",
     .choices = OBJECTIVES},
    {"energy", EBM_OPTION_ENUM, AT(energy), "hidden", .help = "Form of the energy", .choices = ENERGIES},
    {"noise_ratio", EBM_OPTION_INT, AT(noise_ratio), "1", .help = "Noise samples for each text (K)", .least = 1,
     .most = 1024},
    {"nce_weight", EBM_OPTION_FLOAT, AT(nce_weight), "0.3", .help = "Weight of the NCE loss; as published: 1",
     .least = 0, .most = 1000},
    {"nce_warmup_ratio", EBM_OPTION_FLOAT, AT(nce_warmup), "1",
     .help = "The NCE loss gets its weight little by little over this share of the steps; 0: at once", .least = 0,
     .most = 1},
    {"nce_data", EBM_OPTION_ENUM, AT(nce_data), "separate",
     .help = "NCE's texts: a pass of their own, or the labelled batch", .choices = NCE_DATA},
    {"energy_loss", EBM_OPTION_ENUM, AT(energy_loss), "nce",
     .help = "Between data and noise: NCE, or the margin loss of Liu et al. 2020", .choices = ENERGY_LOSSES},
    {"energy_margin", EBM_OPTION_FLOAT, AT(margin), "2",
     .help = "Of the margin loss: data below minus it, noise above it", .least = 0, .most = 1000, .above_least = true},
    {"label_smoothing_factor", EBM_OPTION_FLOAT, AT(smoothing), "0", .help = "Label smoothing; 0: none", .least = 0,
     .most = 0.999},
    {"focal_gamma", EBM_OPTION_FLOAT, AT(focal_gamma), "0",
     .help =
         "Gamma of the focal loss; 0: none; auto: passes over the training texts less one, at most 5, which is what "
         "joint training has where no loss of the labels is said",
     .least = 0, .most = 100, .choices = AUTOMATIC},
    {"confidence_penalty", EBM_OPTION_FLOAT, AT(confidence_penalty), "0",
     .help = "Weight of the predictions' entropy, taken off the loss; 0: none", .least = 0, .most = 100},
    {"poscal_weight", EBM_OPTION_FLOAT, AT(poscal_weight), "0",
     .help = "Weight of PosCal, the divergence from how often such predictions were right; 0: none", .least = 0,
     .most = 1000},
    {"mlm_weight", EBM_OPTION_FLOAT, AT(mlm_weight), "0",
     .help = "Weight of masked language modelling on the training texts beside the classification; 0: none", .least = 0,
     .most = 1000},
    {"mlm_probability", EBM_OPTION_FLOAT, AT(mlm_probability), "0.15",
     .help = "With --mlm_weight: of a token to be masked", .least = 0, .most = 1, .above_least = true},
    {"hidden_norm_weight", EBM_OPTION_FLOAT, AT(hidden_norm_weight), "0",
     .help = "Weight of the mean squared norm of the hidden states the classifier is given; 0: none", .least = 0,
     .most = 1000},
    {"mixup_alpha", EBM_OPTION_FLOAT, AT(mixup_alpha), "0",
     .help = "Mixup of pooled vectors, shares from Beta(alpha, alpha); 0: none", .least = 0, .most = 1000},
    {"mixup", EBM_OPTION_ENUM, AT(mixup), "random",
     .help = "Partners of mixup: random, or by area under the margin and saliency (alpha 0.4 as published)",
     .choices = MIXUPS},
    EBM_NOISE_OPTIONS(train_options, noise),
    {"token_budget", EBM_OPTION_SIZE, AT(token_budget), "0",
     .help = "Tokens of the largest packed batch; larger steps are split; 0: 8192"},
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"bf16", EBM_OPTION_FLAG, AT(bf16), NULL, .help = EBM_BF16_HELP},
    {"fp16_activations", EBM_OPTION_FLAG, AT(fp16_activations), NULL, .help = EBM_FP16_HELP},
    {"fp16_initial_scale", EBM_OPTION_FLOAT, AT(fp16_initial_scale), "1",
     .help = "With --fp16_activations: what they are multiplied by at first, a power of two", .least = 1.0 / 256,
     .most = 65536},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {"ebmcl train", "Fine-tunes an encoder for classification.", OPTIONS,
                                       sizeof OPTIONS / sizeof *OPTIONS};

// Everything a run owns, freed in one place.
typedef struct {
    train_options set;
    ebm_options *parsed;
    const ebm_ranks *ranks; // NULL: one process
    ebm_device *device;
    ebm_dataset *train, *validation;
    ebm_encoded *encoded_train, *encoded_validation;
    ebm_config *config;
    ebm_tokenizer *tokenizer;
    ebm_program_noise noise;
    ebm_classifier *classifier;
    ebm_trainer *trainer;
    bool ready; // the output directory is ours
} train_run;

static void free_run(train_run *r)
{
    ebm_trainer_free(r->trainer);
    ebm_program_noise_free(&r->noise);
    ebm_classifier_free(r->classifier);
    ebm_encoded_free(r->encoded_train);
    ebm_encoded_free(r->encoded_validation);
    ebm_dataset_free(r->train);
    ebm_dataset_free(r->validation);
    ebm_tokenizer_free(r->tokenizer);
    ebm_config_free(r->config);
    ebm_device_free(r->device);
    ebm_options_free(r->parsed);
}

static bool is_joint(const train_run *r) { return r->set.objective == EBM_OBJECTIVE_JOINT; }

// The labels' loss that won beside NCE (bench/EXPERIMENTS.md), where none is said.
static void choose_label_loss(train_run *r)
{
    static const char *const SAID[] = {"focal_gamma", "label_smoothing_factor", "confidence_penalty", "poscal_weight",
                                       "mixup_alpha"};
    if (!is_joint(r)) return;
    for (size_t i = 0; i < sizeof SAID / sizeof *SAID; i++)
        if (ebm_options_given(r->parsed, SAID[i])) return;
    r->set.focal_gamma = NAN;
}

static double passes_over_texts(const train_run *r)
{
    return ebm_order_passes(ebm_dataset_count(r->train), r->set.batch_size, r->set.max_steps, r->set.epochs);
}

static void find_focal_gamma(train_run *r)
{
    if (!isnan(r->set.focal_gamma)) return;
    r->set.focal_gamma = (double)ebm_focal_gamma_of_passes(passes_over_texts(r));
    if (!is_joint(r)) ebm_program_say("losses: focal loss with gamma %g", r->set.focal_gamma); // joint: say_losses
}

static ebm_half_settings half_settings(const train_run *r)
{
    return (ebm_half_settings){.on = r->set.fp16_activations, .first = r->set.fp16_initial_scale};
}

static ebm_status check_options(train_run *r)
{
    const train_options *o = &r->set;
    if (is_joint(r)) EBM_TRY(ebm_in(ebm_noise_options_resolve(&r->set.noise, r->parsed), "--objective joint"));
    if (!is_joint(r) && ebm_noise_options_any(&o->noise))
        return ebm_fail(EBM_ERROR_INPUT, "noise was given, but --objective is ce; did you mean --objective joint?");
    if (!is_joint(r) && o->energy_loss == ENERGY_MARGIN)
        return ebm_fail(EBM_ERROR_INPUT, "--energy_loss margin is one of energies; did you mean --objective joint?");
    if (!(o->mlm_weight > 0) && ebm_options_given(r->parsed, "mlm_probability"))
        return ebm_fail(EBM_ERROR_INPUT, "--mlm_probability is for --mlm_weight, which is 0");
    if (!o->fp16_activations && ebm_options_given(r->parsed, "fp16_initial_scale"))
        return ebm_fail(EBM_ERROR_INPUT, "--fp16_initial_scale is for --fp16_activations, which was not given");
    const ebm_half_settings half = half_settings(r);
    EBM_TRY(ebm_in(ebm_half_settings_check(&half), "--fp16_initial_scale"));
    if (!o->overwrite && !o->resume && !ebm_directory_is_empty(o->output_dir))
        return ebm_fail(EBM_ERROR_INPUT, "%s is in use; take another --output_dir, or --overwrite_output_dir",
                        o->output_dir);
    return ebm_ok();
}

static ebm_status read_texts(train_run *r)
{
    const ebm_task *task = NULL;
    EBM_TRY(ebm_program_task(&r->set.data, &task));
    EBM_TRY(ebm_program_read(&r->set.data, EBM_SPLIT_TRAIN, EBM_LABELS_REQUIRED, NULL, &r->train));
    if (!r->train)
        return ebm_fail(EBM_ERROR_INPUT, "training texts are needed: --task_name with --data_dir, or --train_file");
    EBM_TRY(ebm_program_read(&r->set.data, EBM_SPLIT_DEV, EBM_LABELS_REQUIRED, ebm_dataset_labels(r->train),
                             &r->validation));
    if (r->validation && ebm_dataset_is_pairs(r->validation) != ebm_dataset_is_pairs(r->train))
        return ebm_fail(EBM_ERROR_INPUT, "training texts are %s, validation texts are %s",
                        ebm_dataset_is_pairs(r->train) ? "pairs" : "single",
                        ebm_dataset_is_pairs(r->validation) ? "pairs" : "single");
    if (ebm_dataset_labels(r->train)->count < 2)
        return ebm_fail(EBM_ERROR_INPUT, "the training texts have one label only: '%s'",
                        ebm_dataset_labels(r->train)->names[0]);
    return ebm_ok();
}

static ebm_status encode_texts(train_run *r)
{
    const size_t most = ebm_config_max_tokens(r->config);
    if (r->set.max_seq_length > most)
        return ebm_fail(EBM_ERROR_INPUT, "--max_seq_length %zu, the model has positions for %zu", r->set.max_seq_length,
                        most);
    if (ebm_tokenizer_size(r->tokenizer) > r->config->vocabulary)
        return ebm_fail(EBM_ERROR_INPUT, "%s: the tokenizer has %zu tokens, the model's vocabulary %zu", r->set.model,
                        ebm_tokenizer_size(r->tokenizer), r->config->vocabulary);
    EBM_TRY(ebm_encoded_create(r->train, r->tokenizer, r->set.max_seq_length, &r->encoded_train));
    if (r->validation)
        EBM_TRY(ebm_encoded_create(r->validation, r->tokenizer, r->set.max_seq_length, &r->encoded_validation));
    const size_t rows = ebm_encoded_count(r->encoded_train);
    ebm_program_say("data: %zu training texts of %.1f tokens, %zu validation texts, %zu labels", rows,
                    (double)ebm_encoded_tokens(r->encoded_train) / (double)rows,
                    r->validation ? ebm_encoded_count(r->encoded_validation) : 0, r->config->label_count);
    return ebm_ok();
}

static ebm_step_settings step_settings(const train_run *r)
{
    const train_options *o = &r->set;
    const size_t budget = o->token_budget ? o->token_budget : 8192;
    const size_t passes = is_joint(r) ? 2 + (size_t)o->noise_ratio : 1;
    const double gamma = isnan(o->focal_gamma) ? 1 : o->focal_gamma;   // not found yet: goes with what any would
    const size_t rows = o->batch_size * passes, most = budget / 4 + 1; // no batch has more texts than that
    const ebm_step_settings settings = {
        .objective = (ebm_objective_kind)o->objective,
        .nce_data = (ebm_nce_data)o->nce_data,
        .noise_ratio = (int)o->noise_ratio,
        .nce_weight = (float)o->nce_weight,
        .energy_margin = is_joint(r) && o->energy_loss == ENERGY_MARGIN ? (float)o->margin : 0,
        .label_loss = {(float)o->smoothing, (float)gamma, (float)o->confidence_penalty, (float)o->poscal_weight},
        .mlm_weight = (float)o->mlm_weight,
        .hidden_norm_weight = (float)o->hidden_norm_weight,
        .mixup = {(float)o->mixup_alpha, (ebm_mixup_kind)o->mixup},
        .limits = {.tokens = budget, .sequences = most > rows ? most : rows, .training = true},
    };
    return settings;
}

static size_t mlm_rows(const train_run *r)
{
    if (!(r->set.mlm_weight > 0)) return 0;
    return ebm_masking_positions(step_settings(r).limits.tokens, r->set.max_seq_length, r->set.mlm_probability);
}

static ebm_status check_step(const train_run *r)
{
    const ebm_step_settings settings = step_settings(r);
    return ebm_step_settings_check(&settings);
}

// Many come for the published method, which is not what a joint run has by itself.
static void say_losses(const train_run *r)
{
    const train_options *o = &r->set;
    const ebm_step_settings step = step_settings(r);
    const bool published = o->nce_weight == 1 && o->nce_warmup == 0 && o->focal_gamma == 0;
    char labels[128];
    ebm_label_loss_text(&step.label_loss, labels, sizeof labels);
    ebm_program_say("losses: %s; between data and noise %s, its weight %s %g%s", labels,
                    o->energy_loss == ENERGY_MARGIN ? "a margin" : "NCE", o->nce_warmup > 0 ? "grows to" : "is",
                    o->nce_weight,
                    published ? "" : " (as published: --focal_gamma 0 --nce_weight 1 --nce_warmup_ratio 0)");
}

static ebm_status open_noise(train_run *r)
{
    const train_options *o = &r->set;
    const ebm_program_noise_settings settings = {
        .set = &o->noise,
        .training = r->train,
        .encoder = r->tokenizer,
        .max_length = o->max_seq_length,
        .seed = (uint64_t)o->seed,
    };
    EBM_TRY(ebm_program_noise_open(r->device, &settings, &r->noise));
    r->set.noise.mask = r->noise.mask_probability; // training_args.json tells what was used
    ebm_program_say("noise: %s", ebm_noise_stream_route(r->noise.stream));
    say_losses(r);
    return ebm_ok();
}

static ebm_status find_metric(const train_run *r, ebm_metric *metric)
{
    const ebm_task *task = NULL;
    EBM_TRY(ebm_program_task(&r->set.data, &task));
    return ebm_metric_by_name(r->set.best_metric ? r->set.best_metric : task ? task->metric : "accuracy", metric);
}

// What the objective's name does not say.
// After He, Chen and Zhu 2023, see step.h.
static void describe_regularisers(const ebm_step_settings *step, double probability, char *text, size_t size)
{
    size_t used = strlen(text);
    if (step->mlm_weight > 0)
        used += (size_t)snprintf(text + used, size - used, "%smasked language modelling %g (%g %% of tokens)",
                                 used ? ", " : "", (double)step->mlm_weight, 100 * probability);
    if (step->hidden_norm_weight > 0 && used < size)
        snprintf(text + used, size - used, "%shidden norm penalty %g", used ? ", " : "",
                 (double)step->hidden_norm_weight);
}

static void describe_method(const ebm_step_settings *step, char *text, size_t size)
{
    *text = 0;
    if (!ebm_label_loss_is_plain(&step->label_loss)) ebm_label_loss_text(&step->label_loss, text, size);
    ebm_mixup_text(&step->mixup, text + strlen(text), size - strlen(text)); // other losses do not go with it
    const size_t used = strlen(text);
    if (step->energy_margin > 0)
        snprintf(text + used, size - used, "%smargin loss on energies with margin %g in the place of NCE",
                 used ? ", " : "", (double)step->energy_margin);
}

static ebm_status create_trainer(train_run *r)
{
    const train_options *o = &r->set;
    ebm_trainer_settings settings = {
        .step = step_settings(r),
        .mlm_probability = o->mlm_probability,
        .mlm_rows = mlm_rows(r),
        .batch_size = o->batch_size,
        .epochs = o->epochs,
        .max_steps = o->max_steps,
        .warmup_steps = o->warmup_steps,
        .warmup_ratio = o->warmup_ratio,
        .nce_warmup_ratio = o->nce_warmup,
        .learning_rate = o->learning_rate,
        .adamw = {0.9, 0.999, o->adam_epsilon, o->weight_decay, o->max_grad_norm},
        .half = half_settings(r),
        .seed = (uint64_t)o->seed,
        .logging_steps = o->logging_steps,
        .eval_steps = o->eval_steps,
        .save_steps = o->save_steps,
        .keep_last = o->keep_last,
        .save_predictions = o->save_predictions,
        .tensorboard = o->report_to == 1,
        .output_dir = o->output_dir,
        .stop = ebm_program_stop_flag(),
        .listener = ebm_program_trainer_listener(),
    };
    EBM_TRY(find_metric(r, &settings.metric));
    ebm_trainer_inputs inputs = {
        .device = r->device,
        .classifier = r->classifier,
        .tokenizer = r->tokenizer,
        .train = r->encoded_train,
        .validation = r->encoded_validation,
        .noise = r->noise.stream,
        .info = {.objective = (ebm_objective_kind)o->objective,
                 .energy = (ebm_energy_kind)o->energy,
                 .noise_ratio = (int)o->noise_ratio,
                 .nce_weight = (float)o->nce_weight,
                 .max_tokens = o->max_seq_length},
        .ranks = r->ranks,
    };
    describe_method(&settings.step, inputs.info.method, sizeof inputs.info.method);
    describe_regularisers(&settings.step, o->mlm_probability, inputs.info.method, sizeof inputs.info.method);
    return ebm_trainer_create(&inputs, &settings, &r->trainer);
}

static ebm_status create_model(train_run *r)
{
    const ebm_classifier_settings settings = {
        .limits = step_settings(r).limits,
        .has_energy = is_joint(r),
        .energy = (ebm_energy_kind)r->set.energy,
        .fp16_activations = r->set.fp16_activations,
        .mlm_rows = mlm_rows(r),
    };
    ebm_arena *arenas[EBM_CLASSIFIER_ARENAS + EBM_PROGRAM_NOISE_ARENAS + 1];
    EBM_TRY(ebm_classifier_create(r->device, r->config, &settings, &r->classifier));
    if (is_joint(r)) EBM_TRY(open_noise(r));
    EBM_TRY(create_trainer(r));
    size_t count = ebm_classifier_arenas(r->classifier, arenas);
    arenas[count++] = ebm_trainer_arena(r->trainer);
    if (is_joint(r)) count += ebm_program_noise_arenas(&r->noise, arenas + count);
    EBM_TRY(ebm_program_plan(r->device, arenas, count,
                             "lower --token_budget, or --noise_slots, or try --fp16_activations"));
    EBM_TRY(ebm_classifier_allocate(r->classifier));
    EBM_TRY(ebm_arena_allocate(ebm_trainer_arena(r->trainer)));
    return is_joint(r) ? ebm_program_noise_allocate(&r->noise) : ebm_ok();
}

static ebm_status load_model(train_run *r)
{
    ebm_load_report report = {0};
    ebm_classifier_expect_other_labels(r->classifier);
    EBM_TRY(ebm_classifier_load(r->classifier, r->set.model, &report));
    ebm_program_say_names("new tensors", report.created);
    ebm_program_say_names("tensors not used", report.ignored);
    ebm_load_report_free(&report);
    return ebm_parameters_init_missing(ebm_classifier_parameters(r->classifier), (uint64_t)r->set.seed);
}

// A checkpoint whose writing was cut off is mended when it is read: by the first rank, before the others look.
static ebm_status load_weights(train_run *r)
{
    const bool first = ebm_rank_is_first(r->ranks);
    if (!r->set.resume) return ebm_ranks_agree(r->ranks, load_model(r));
    EBM_TRY(ebm_ranks_agree(r->ranks, first ? ebm_trainer_resume(r->trainer, r->set.resume) : ebm_ok()));
    EBM_TRY(ebm_ranks_agree(r->ranks, first ? ebm_ok() : ebm_trainer_resume(r->trainer, r->set.resume)));
    if (ebm_trainer_resume_note(r->trainer)[0]) ebm_program_say("%s", ebm_trainer_resume_note(r->trainer));
    return ebm_ok();
}

// Only now, when everything else is known to work, the output directory is touched.
static ebm_status prepare_output(train_run *r)
{
    if (!ebm_rank_is_first(r->ranks)) return ebm_ok();
    if (r->set.overwrite && !r->set.resume) EBM_TRY(ebm_directory_remove(r->set.output_dir));
    EBM_TRY(ebm_directory_make(r->set.output_dir));
    char *text = NULL, *path = ebm_path_join(r->set.output_dir, "training_args.json");
    ebm_status status = ebm_options_json(&TABLE, &r->set, &text);
    if (status.code == EBM_OK) status = ebm_file_write(path, text, strlen(text));
    free(text);
    free(path);
    return status;
}

static void say_noise(const train_run *r)
{
    const ebm_noise_statistics n = ebm_noise_stream_statistics(r->noise.stream);
    ebm_program_say("noise: %" PRIu64 " texts used of %" PRIu64 " generated, %.1f %% malformed, %.1f %% equal to"
                    " training texts, %.0f tokens/s",
                    n.delivered, n.generated, 100.0 * (double)n.malformed / (double)n.generated,
                    100.0 * (double)n.duplicates / (double)n.generated, (double)n.tokens / n.seconds);
}

static void say_exchange(const train_run *r)
{
    const ebm_exchange_statistics x = ebm_trainer_exchange(r->trainer);
    if (x.buckets > 0)
        ebm_program_say(
            "ranks: %.1f MB of gradients a step in %zu buckets, the largest %.1f MB; in the last step %.1f ms"
            " of sending were left when the backward pass was done",
            (double)x.bytes / 1e6, x.buckets, 4e-6 * (double)x.largest, 1e3 * x.exposed);
}

static const char *guess_advice(const train_run *r)
{
    if (!is_joint(r)) return "try more steps or another --learning_rate";
    return r->set.nce_warmup == 1 ? "NCE may hold them back: try a smaller --nce_weight or more steps"
                                  : "NCE may hold them back: try --nce_warmup_ratio 1, a smaller --nce_weight or more "
                                    "steps";
}

static void say_verdict(const train_run *r)
{
    json_t *results = NULL;
    if (!r->validation) return;
    ebm_program_say_guessing(r->trainer, ebm_dataset_count(r->validation), guess_advice(r));
    if (ebm_json_file_read(r->set.output_dir, "eval_results.json", &results).code != EBM_OK) return;
    const ebm_step_settings step = step_settings(r);
    const bool plain = ebm_label_loss_is_plain(&step.label_loss) && !ebm_mixup_is_on(&step.mixup) && !is_joint(r);
    ebm_program_say_calibration(results, plain && ebm_focal_gamma_of_passes(passes_over_texts(r)) > 0.5f);
    json_decref(results);
}

static ebm_status print_result(const train_run *r)
{
    ebm_trainer_evaluation best = {0};
    if (is_joint(r) && !r->noise.texts) say_noise(r);
    say_exchange(r);
    say_verdict(r);
    ebm_program_say("model written to %s", r->set.output_dir);
    if (!r->set.json) return ebm_ok();
    json_t *json = json_pack("{s:s s:I}", "output_dir", r->set.output_dir, "steps",
                             (json_int_t)ebm_trainer_total_steps(r->trainer));
    if (!ebm_trainer_best(r->trainer, &best)) return ebm_program_print_json(json);
    for (ebm_metric m = 0; m < EBM_METRICS; m++) {
        char key[64];
        snprintf(key, sizeof key, "eval_%s", ebm_metric_name(m));
        if (isfinite(best.value[m])) json_object_set_new(json, key, json_real(best.value[m]));
    }
    json_object_set_new(json, "best_step", json_integer((json_int_t)best.step));
    if (best.has_noise) {
        json_object_set_new(json, "eval_told_apart", json_real(best.told_apart));
        json_object_set_new(json, "eval_told_apart_auroc", json_real(best.auroc));
        json_object_set_new(json, "eval_mean_exp_minus_energy_noise", json_real(best.mean_exp));
        if (isfinite(best.effective_share)) {
            json_object_set_new(json, "eval_effective_sample_size", json_real(best.effective));
            json_object_set_new(json, "eval_effective_sample_share", json_real(best.effective_share));
        }
    }
    return ebm_program_print_json(json);
}

static ebm_status write_results(const train_run *r)
{
    const ebm_train_results results = {
        .output_dir = r->set.output_dir,
        .model = r->set.model,
        .data = &r->set.data,
        .device = r->device,
        .trainer = r->trainer,
        .train = r->encoded_train,
        .validation = r->encoded_validation,
        .validation_texts = r->validation,
        .pairs = ebm_dataset_is_pairs(r->train),
        .noise = is_joint(r) ? ebm_noise_options_origin(&r->set.noise) : NULL,
        .source = &r->noise,
        .no_report = r->set.no_report,
        .fp16_activations = r->set.fp16_activations,
    };
    return ebm_program_write_results(&results);
}

// All that can be said of the options before any text is read.
static ebm_status settle_options(train_run *r)
{
    EBM_TRY(check_options(r));
    choose_label_loss(r);
    return check_step(r);
}

static ebm_status prepare(train_run *r)
{
    EBM_TRY(settle_options(r));
    EBM_TRY(read_texts(r));
    find_focal_gamma(r);
    EBM_TRY(ebm_program_config(r->set.model, ebm_dataset_labels(r->train), &r->config));
    EBM_TRY(ebm_tokenizer_load(r->set.model, &r->tokenizer));
    EBM_TRY(encode_texts(r));
    EBM_TRY(ebm_program_device_of_rank(r->set.device, r->set.bf16, r->ranks, &r->device));
    return create_model(r);
}

// Ranks whose devices round otherwise would end up with other weights.
static ebm_status check_devices(const train_run *r)
{
    const ebm_device_info *info = ebm_device_info_view(r->device);
    uint64_t hash = 0;
    for (const char *c = info->name; *c; c++) hash = hash * 31 + (unsigned char)*c;
    for (const char *c = info->driver; *c; c++) hash = hash * 31 + (unsigned char)*c;
    return ebm_ranks_same(r->ranks, hash, "devices and drivers");
}

static ebm_status run(train_run *r)
{
    EBM_TRY(ebm_ranks_agree(r->ranks, prepare(r)));
    EBM_TRY(check_devices(r));
    EBM_TRY(load_weights(r));
    EBM_TRY(ebm_ranks_agree(r->ranks, prepare_output(r)));
    EBM_TRY(ebm_trainer_run(r->trainer));
    if (!ebm_rank_is_first(r->ranks)) return ebm_ok();
    EBM_TRY(write_results(r));
    return print_result(r);
}

ebm_status ebm_train_check(const char *options_file)
{
    train_run r = {0};
    ebm_status status = ebm_options_parse(&TABLE, 1, &options_file, &r.set, &r.parsed);
    r.set.overwrite = true; // what an output directory holds is not asked here
    if (status.code == EBM_OK) status = settle_options(&r);
    ebm_options_free(r.parsed);
    return status;
}

static ebm_status parse_and_run(train_run *r, int argc, char **argv)
{
    bool done = false;
    EBM_TRY(ebm_program_ranks_open(&r->ranks));
    const ebm_status parsed = ebm_program_options(&TABLE, argc, argv, &r->set, &r->parsed, &done);
    EBM_TRY(ebm_ranks_agree(r->ranks, parsed));
    return done ? ebm_ok() : run(r);
}

ebm_status ebm_command_train(int argc, char **argv)
{
    train_run r = {0};
    const ebm_status status = ebm_program_ranks_end(parse_and_run(&r, argc, argv));
    free_run(&r);
    return status;
}
