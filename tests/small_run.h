// A training run of a small BERT on the small task, everything made afresh: what a process of its own would have.
//
//     small_settings set = small_ce(folder);
//     small_run run;
//     small_run_open(&run, device, &set);
//     assert_ok(ebm_trainer_run(run.trainer));
//     small_run_free(&run);
#ifndef EBM_TESTS_SMALL_RUN_H
#define EBM_TESTS_SMALL_RUN_H

#include "small_task.h"
#include "trainer.h"

enum { SMALL_TRAIN = 70, SMALL_VALIDATION = 48, SMALL_BATCH = 16, SMALL_STEPS_PER_EPOCH = 5 }; // the last batch has 6

// EASY: a file of other words; HARD: a file of texts that no one can tell from the task's.
typedef enum {
    SMALL_NOISE_NONE,
    SMALL_NOISE_EASY,
    SMALL_NOISE_HARD,
    SMALL_NOISE_MAPPED,
    SMALL_NOISE_ENCODED
} small_noise;

typedef struct {
    ebm_trainer_settings trainer;
    ebm_energy_kind energy;
    small_kind kind;
    small_noise noise;
    const char *noise_directory; // of a model with the spare word, for SMALL_NOISE_MAPPED and _ENCODED
    size_t texts, noise_texts, max_tokens;
    float dropout;
    bool no_validation;
    uint64_t stop_after; // raises the stop flag after this step; 0: never
} small_settings;

small_settings small_ce(const char *output_dir);
small_settings small_joint(const char *output_dir, small_noise noise, const char *noise_directory);

typedef struct {
    ebm_device *device;
    ebm_tokenizer *tokenizer;
    ebm_dataset *train_texts, *validation_texts, *noise_texts;
    ebm_encoded *train, *validation;
    ebm_config *config;
    ebm_classifier *classifier;
    small_stream noise; // of a model; of texts only .stream is set
    ebm_trainer *trainer;
    volatile sig_atomic_t stop;
    uint64_t stop_after;
    // What the listener was told.
    ebm_progress last;
    ebm_trainer_evaluation last_evaluation;
    size_t steps, evaluations, saves;
    char saved[64];
} small_run;

// The run must stay where it is until it is freed.
void small_run_open(small_run *run, ebm_device *device, const small_settings *settings);
void small_run_free(small_run *run);

// Opened, and trained to its end without an error; to be freed.
void small_run_to_the_end(small_run *run, ebm_device *device, const small_settings *settings);
// A run of its own, until the flag is raised after `step`; the path of the checkpoint that it leaves is for the caller
// to free().
char *small_run_and_stop(ebm_device *device, small_settings settings, uint64_t step);

#endif
