// What noise_trainer.c and noise_checkpoint.c share.
#ifndef EBM_NOISE_TRAINER_INTERNAL_H
#define EBM_NOISE_TRAINER_INTERNAL_H

#include <jansson.h>

#include "computed_by.h"
#include "noise_trainer.h"
#include "order.h"
#include "packing.h"

struct ebm_noise_trainer {
    ebm_noise_model *model;
    ebm_noise_trainer_settings set;
    ebm_arena *arena;
    ebm_packing *packing;
    ebm_optimizer *optimizer;
    int32_t *sequences, *targets;            // of a step: EBM_NOISE_MAX_TOKENS a row; of a packed batch
    size_t rows_capacity, *lengths, *starts; // starts: where the full part begins
    float **best_weights;                    // a host copy of every tensor at the best perplexity
    size_t tensor_count;
    uint64_t update; // over all phases: bias correction and dropout go on
    uint32_t phases; // begun so far
    json_t *resumed; // the state of a checkpoint, until its phase is entered
    uint32_t resumed_phase;
    ebm_computed_by_sentence resume_note;
};

// What a phase counts while it runs.
typedef struct {
    const ebm_noise_texts *texts, *held_out;
    const ebm_noise_phase *phase;
    uint32_t index;
    ebm_order *order;
    ebm_schedule schedule;
    uint64_t steps_per_epoch, total, done;
    uint32_t *rows;
    double started_at, window_loss, window_seconds, window_tokens;
    uint64_t started_step, window_steps;
    ebm_noise_evaluation best;
    int worse; // evaluations since the best one
} ebm_noise_phase_run;

// Host copies of all tensors, tensor_count pointers; those that are NULL are allocated by read.
ebm_status ebm_noise_weights_read(const ebm_noise_trainer *trainer, float **copies);
ebm_status ebm_noise_weights_write(const ebm_noise_trainer *trainer, float *const *copies);
void ebm_noise_weights_free(const ebm_noise_trainer *trainer, float **copies); // and the list; NULL is accepted

// "<output_dir>/checkpoint-<update>", by atomic rename; older ones are removed afterwards.
ebm_status ebm_noise_checkpoint_write(ebm_noise_trainer *trainer, const ebm_noise_phase_run *phase);
ebm_status ebm_noise_checkpoint_read(ebm_noise_trainer *trainer, const char *directory);
// Brings a phase to where the checkpoint was, when it is the checkpoint's.
ebm_status ebm_noise_checkpoint_enter(ebm_noise_trainer *trainer, ebm_noise_phase_run *phase);

#endif
