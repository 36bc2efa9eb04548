// What eval, calibrate and predict share: a model directory run over the texts that the options name.
//
//     typedef struct { ebm_model_options model; ... } settings;
//     static const ebm_option options[] = {EBM_MODEL_OPTIONS(settings, model), ...};
//     ebm_scored_texts scored = {0};
//     EBM_CHECK(ebm_scored_texts_create(&set.model, &choice, &scored), end);
//     use(&scored.predictions);
//     end: ebm_scored_texts_free(&scored);
#ifndef EBM_SCORED_TEXTS_H
#define EBM_SCORED_TEXTS_H

#include <jansson.h>

#include "average.h"
#include "ensemble.h"
#include "metrics.h"
#include "portion.h"
#include "predictor.h"
#include "program.h"

typedef struct {
    const char *directory, *device;
    ebm_data_options data;
    ebm_string_list label_map, ensemble; // ensemble: models besides `directory`
    size_t max_length, token_budget;     // 0: defaults
    size_t mc_dropout;                   // passes with dropout; 0: one without
    int64_t mc_dropout_seed;
    bool bf16;
} ebm_model_options;
// The model is required, or it is not: then a command has another source of predictions.
#define EBM_MODEL_OPTIONS(type, member) EBM_MODEL_OPTIONS_IF(type, member, true)
#define EBM_MODEL_OPTIONS_IF(type, member, is_required)                                                                \
    {"model_name_or_path",                                                                                             \
     EBM_OPTION_MODEL,                                                                                                 \
     offsetof(type, member.directory),                                                                                 \
     NULL,                                                                                                             \
     "A model trained to classify: directory or hub name",                                                             \
     0,                                                                                                                \
     0,                                                                                                                \
     false,                                                                                                            \
     NULL,                                                                                                             \
     is_required},                                                                                                     \
        EBM_DATA_OPTIONS(type, member.data),                                                                           \
        {"label_map",                                                                                                  \
         EBM_OPTION_LIST,                                                                                              \
         offsetof(type, member.label_map),                                                                             \
         NULL,                                                                                                         \
         "Which of the model's labels the texts' (or the task's) are, where names do not say it: 0=NEGATIVE "          \
         "1=POSITIVE ...",                                                                                             \
         0,                                                                                                            \
         0,                                                                                                            \
         false,                                                                                                        \
         NULL,                                                                                                         \
         false},                                                                                                       \
        {"max_seq_length",                                                                                             \
         EBM_OPTION_SIZE,                                                                                              \
         offsetof(type, member.max_length),                                                                            \
         "0",                                                                                                          \
         "Longest sequence in tokens; 0: as the model was trained",                                                    \
         0,                                                                                                            \
         0,                                                                                                            \
         false,                                                                                                        \
         NULL,                                                                                                         \
         false},                                                                                                       \
        {"token_budget",                                                                                               \
         EBM_OPTION_SIZE,                                                                                              \
         offsetof(type, member.token_budget),                                                                          \
         "0",                                                                                                          \
         "Tokens of the largest packed batch; 0: 8192",                                                                \
         0,                                                                                                            \
         0,                                                                                                            \
         false,                                                                                                        \
         NULL,                                                                                                         \
         false},                                                                                                       \
        {"ensemble",                                                                                                   \
         EBM_OPTION_LIST,                                                                                              \
         offsetof(type, member.ensemble),                                                                              \
         NULL,                                                                                                         \
         "Other models, of other seeds, with the same labels: probabilities are averaged over all (deep ensemble)",    \
         0,                                                                                                            \
         0,                                                                                                            \
         false,                                                                                                        \
         NULL,                                                                                                         \
         false},                                                                                                       \
        {"mc_dropout",                                                                                                 \
         EBM_OPTION_SIZE,                                                                                              \
         offsetof(type, member.mc_dropout),                                                                            \
         "0",                                                                                                          \
         "Average the probabilities of so many passes with dropout on (Monte Carlo dropout); 0: one pass without",     \
         0,                                                                                                            \
         1e6,                                                                                                          \
         false,                                                                                                        \
         NULL,                                                                                                         \
         false},                                                                                                       \
        {"mc_dropout_seed",                                                                                            \
         EBM_OPTION_INT,                                                                                               \
         offsetof(type, member.mc_dropout_seed),                                                                       \
         "0",                                                                                                          \
         "Of the masks of --mc_dropout",                                                                               \
         0,                                                                                                            \
         9e15,                                                                                                         \
         false,                                                                                                        \
         NULL,                                                                                                         \
         false},                                                                                                       \
        {"bf16", EBM_OPTION_FLAG, offsetof(type, member.bf16), NULL, EBM_BF16_HELP, 0, 0, false, NULL, false},         \
    {                                                                                                                  \
        "device", EBM_OPTION_STRING, offsetof(type, member.device), NULL, "Index, platform:device or part of a name",  \
            0, 0, false, NULL, false                                                                                   \
    }

typedef struct {
    ebm_split split;     // the task's file that is read when no file is named
    bool needs_labels;   // every row must have one; otherwise labels are not read
    ebm_portion portion; // of the rows, drawn with `seed`
    uint64_t seed;
    ebm_string_list annotators; // columns of a label each (ebm_dataset_format); none, or labels are needed
} ebm_text_choice;

typedef struct {
    char source[256];            // file (or task and split) and portion, for people
    char name[320];              // the same with the file's name alone, for what may be published
    const char *file;            // of it the file's name; NULL: the task's own
    const ebm_task *task;        // NULL when none was named
    ebm_config *config;          // the model's, labels named by the task where the model only numbers them
    ebm_labels labels;           // views of config's names
    int32_t *task_to_model;      // the model's id of each of the task's labels; NULL without a task
    int32_t *text_to_model;      // without a task: of each label in the file, when labels are read
    ebm_predictions predictions; // in the model's order of labels; label NULL when they are not read
    float *logits, *energy;      // of the model, or of the average; what predictions points at
    float *calibrated;           // after ebm_scored_texts_calibrate predictions.logits points here, or NULL
    const char *calibration;     // its method, or NULL
    int32_t *label;
    double *annotations; // annotators.h, in the model's order of labels; NULL when no columns of them were named
    ebm_device *device;
    ebm_predictor *predictor; // the model that was run; NULL after an ensemble, of which one is in memory at a time
    ebm_ensemble ensemble;
    ebm_averaging averaging; // what the predictions are the mean of
    bool numbered;           // the model's own labels are LABEL_0, ...
} ebm_scored_texts;

// Texts of --test_file, --validation_file or --train_file (one of them), else of the task's file. Labels are matched to
// the model's as label_map.h says; a model that only numbers its labels (LABEL_0 ...) has the task's in the task's
// order unless --label_map says otherwise, and what was assumed is said on standard error, like the device.
ebm_status ebm_scored_texts_create(const ebm_model_options *options, const ebm_text_choice *choice,
                                   ebm_scored_texts *scored);
void ebm_scored_texts_free(ebm_scored_texts *scored); // zeroed is accepted
// Adds "mc_dropout", "mc_dropout_seed" and "ensemble" to a result, where they were given. NULL is accepted.
void ebm_scored_texts_tell(const ebm_model_options *options, json_t *object);

// --temperature and --calibrated: the value given, the one stored beside the model, or 1 (also where another method is
// stored, see below). Both at once are refused, and a stored one that was fitted on another average.
ebm_status ebm_program_temperature(const ebm_model_options *options, const ebm_options *parsed, bool calibrated,
                                   double given, double *temperature);
// With --calibrated and a method other than a temperature beside the model: predictions.logits become the calibrated
// ones (ebm_calibrator_logits), for temperature 1, `logits` stay the model's own. Otherwise nothing changes.
ebm_status ebm_scored_texts_calibrate(ebm_scored_texts *scored, const ebm_model_options *options, bool calibrated);
#define EBM_TEMPERATURE_OPTIONS(type, temperature, calibrated)                                                         \
    {"temperature",                                                                                                    \
     EBM_OPTION_FLOAT,                                                                                                 \
     offsetof(type, temperature),                                                                                      \
     "1",                                                                                                              \
     "Logits are divided by it",                                                                                       \
     1e-6,                                                                                                             \
     1e6,                                                                                                              \
     false,                                                                                                            \
     NULL,                                                                                                             \
     false},                                                                                                           \
    {                                                                                                                  \
        "calibrated", EBM_OPTION_FLAG, offsetof(type, calibrated), NULL,                                               \
            "Use what ebmcl calibrate stored beside the model, a temperature or another calibrator", 0, 0, false,      \
            NULL, false                                                                                                \
    }

// Names of ebm_portion in its order, for an option.
#define EBM_PORTION_CHOICES                                                                                            \
    {                                                                                                                  \
        "all", "first-half", "second-half", "random-first-half", "random-second-half", NULL                            \
    }

#endif
