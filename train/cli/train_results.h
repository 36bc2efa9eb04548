// What a run leaves beside the model for people to read: train_results.json, eval_results.json, predictions, the
// model card and the report. No
// path of this machine goes into them, only names.
#ifndef EBM_TRAIN_RESULTS_H
#define EBM_TRAIN_RESULTS_H

#include <jansson.h>

#include "encoded.h"
#include "model_source.h"
#include "noise_trainer.h"
#include "program.h"
#include "trainer.h"

typedef struct {
    const char *output_dir;
    const char *model; // it started from; NULL: from nothing
    const ebm_data_options *data;
    ebm_device *device;
    ebm_trainer *trainer;
    const ebm_encoded *train, *validation; // validation may be NULL
    const ebm_dataset *validation_texts;   // those, as texts; names of labels in the model's order
    bool pairs;
    const char *noise;               // file, directory or words; NULL: none
    const ebm_program_noise *source; // with noise
    bool no_report, fp16_activations;
} ebm_train_results;

// After training: the validation texts are evaluated once more, with intervals and floors, and what the model says of
// them and of held-out noise goes into the files of example_file.h.
ebm_status ebm_program_write_results(const ebm_train_results *results);

typedef struct {
    const char *output_dir; // for the name
    const char *model;      // it started from; NULL: from nothing
    const ebm_data_options *data;
    const ebm_device *device;
    const ebm_option_table *table; // of the command, with
    const void *options;           // its values: training_args.json
    ebm_string_list pretrain_files;
    size_t pretrain_sentences, train_samples, held_out_samples;
    const ebm_noise_evaluation *best;
} ebm_noise_results;

// The same for a noise model, into the directory that is being written.
ebm_status ebm_program_write_noise_results(const ebm_noise_results *results, const char *directory);

// What train_results.json of every kind of model begins with; NULL when memory ran out. `directory` gives the name.
json_t *ebm_program_results(const char *directory, const char *model, const ebm_data_options *data,
                            const ebm_device *device);
// Sets a key to the last part of a path; NULL leaves it out.
int ebm_program_set_name(json_t *object, const char *key, const char *path);
// To what a model is called, given as a directory or by its name on the hub.
int ebm_program_set_model(json_t *object, const char *key, const char *model);

#endif
