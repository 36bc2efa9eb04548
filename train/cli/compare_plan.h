// What ebmcl compare is asked for: one JSON file, read into tasks, methods and seeds.
//
//   {
//     "model_name_or_path": "minilm",
//     "seeds": [1, 2, 3],                     42 alone by default; a task or a method may have its own
//     "scale": 0.5,                           steps and epochs of every training are multiplied by it (default 1)
//     "halves": "random",                     or "file": how the evaluation set is cut into its two halves (default
//                                             random, by "split_seed")
//     "options": {"learning_rate": 2e-5},     of ebmcl train, for all cells
//     "tasks": [
//       {"name": "CoLA", "task_name": "cola", "data_dir": "glue",     or train_file, validation_file, text_column, ...
//        "options": {...},                    of ebmcl train, for this task
//        "noise": {"options": {...}, "sample": {"num": 100000}},     trained once for the task, see below
//        "annotator_columns": ["label1", "label2"],                   of the evaluation set: agreement is measured too
//        "ood": [{"name": "BLiMP", "test_file": "blimp.tsv", "text_column": "sentence"}]}],
//     "methods": [
//       {"name": "CE", "scale": [1, 0.5]},
//       {"name": "joint", "options": {"objective": "joint", "energy": ["hidden", "scalar"], "noise_ratio": [1, 8]}},
//       {"name": "label smoothing", "options": {"label_smoothing_factor": 0.1}},
//       {"name": "CE stopped by NLL", "of": "CE", "stop": "nll"},
//       {"name": "CE at the joint run's training CE", "of": "CE", "stop": "training_cross_entropy", "as": "joint hidden
//        K=1"},
//       {"name": "MC dropout", "of": "CE", "predict": {"mc_dropout": 10}},
//       {"name": "ensemble", "of": "CE", "average": true}]
//   }
//
// A list as an option's value, as scale or as a method's noise is a dimension: each of its values makes a method of its
// own, named by the method and the value. The first method is what the others are compared with. Without "methods" they
// are those of compare_methods.c; the comparison.json that is left in the folder lists them, to be changed.
//
// Steps: GLUE's tasks have the settings of He et al. 2021 (METHOD: steps, warm-up, rate, batch) until an option says
// otherwise; num_train_epochs takes the place of their steps and warm-up.
//
// Noise: {"noise_model": DIR} or {"noise_file": FILE}, or "options" of ebmcl noise train, by which a model is trained;
// with "sample" (options of ebmcl noise sample) its samples are drawn once, into a file that all cells share; else they
// are streamed. A task may have a list of these with "name"s, of which a method's "noise" names one; by default the
// first. A method without the joint objective, or whose options name their noise themselves, has none of it.
//
// stop: which of the evaluations of the trained method stands for it. nll: the one with the lowest NLL on the half that
// is not tested. training_cross_entropy: the first whose training cross-entropy (mean since the evaluation before) is
// not above that of the last evaluation of the method named by "as", seed by seed.
#ifndef EBM_COMPARE_PLAN_H
#define EBM_COMPARE_PLAN_H

#include <jansson.h>
#include <stdbool.h>

#include "task.h"

typedef enum {
    COMPARE_TRAINED,
    COMPARE_STOPPED_BY_NLL,
    COMPARE_STOPPED_AT_CE,
    COMPARE_AVERAGED,  // probabilities, over seeds
    COMPARE_PREDICTED, // with other options of ebmcl predict
} compare_kind;

typedef struct {
    char name[160], folder[160]; // for people; of its files
    compare_kind kind;
    json_t *method;  // as written, borrowed from the plan
    json_t *options; // TRAINED: of ebmcl train; lists taken apart
    double scale;    // TRAINED
    char noise[64];  // TRAINED: its name; "" for the first of the task's
    size_t of;       // not TRAINED: the variant that was trained
    size_t as;       // STOPPED_AT_CE
} compare_variant;

typedef struct {
    const char *name;
    char folder[160];
    json_t *spec;         // borrowed from the plan
    const ebm_task *task; // of GLUE, or NULL
} compare_task;

typedef struct {
    json_t *spec;
    char path[256]; // of the file, for messages
    const char *model;
    double scale;
    bool random_halves;
    uint64_t split_seed;
    compare_task *tasks;
    size_t task_count;
    compare_variant *variants;
    size_t variant_count;
} compare_plan;

ebm_status compare_plan_read(const char *path, compare_plan *plan);
void compare_plan_free(compare_plan *plan); // zeroed is accepted

// Seeds of a variant on a task, or none when the method's "tasks" leave the task out. Borrowed.
json_t *compare_plan_seeds(const compare_plan *plan, const compare_task *task, const compare_variant *variant);

// Sets the options that say where a task's texts are.
void compare_plan_texts(const compare_task *task, json_t *options);

// All options of ebmcl train for a cell but seed, device, output_dir and noise; a new reference, NULL when memory ran
// out.
json_t *compare_plan_options(const compare_plan *plan, const compare_task *task, const compare_variant *variant);
// The entry of the task's noise that a variant uses; NULL when it needs none. EBM_ERROR_INPUT when there is none.
ebm_status compare_plan_noise(const compare_plan *plan, const compare_task *task, const compare_variant *variant,
                              json_t **noise);
const char *compare_noise_name(json_t *noise); // its "name", or "noise"

// A name as a folder's: letters, digits and .=_- stay, all else becomes '-'.
void compare_folder(const char *name, char *folder, size_t size);

#endif
