// What trainer.c, checkpoint.c and trainer_log.c share.
#ifndef EBM_TRAINER_INTERNAL_H
#define EBM_TRAINER_INTERNAL_H

#include <jansson.h>

#include "computed_by.h"
#include "margins.h"
#include "order.h"
#include "trainer.h"

// Sums since the last line of the log.
typedef struct {
    uint64_t steps;
    double loss, cross_entropy, nce, norm, tokens, seconds, noise_seconds;
    double mlm, hidden_norm;
    ebm_objective_sums sums;
    uint64_t skipped; // of the steps: those whose norm is not in the sum
} ebm_log_window;

struct ebm_trainer {
    ebm_trainer_inputs in;
    ebm_trainer_settings set;
    ebm_arena *arena;
    ebm_step *step;
    ebm_optimizer *optimizer;
    ebm_gradient_exchange *exchange; // with several ranks, else NULL
    uint64_t *noise_positions;       // of the ranks that wrote the checkpoint that is continued; NULL: none
    size_t noise_position_count;
    ebm_schedule schedule;
    uint64_t steps_per_epoch, total;
    ebm_posterior *posterior; // PosCal only, else NULL
    ebm_margins *margins;     // mixup by area under the margin only, else NULL
    uint32_t *labelled_rows;  // then: of the current step, with what the step is told and tells about them
    uint8_t *hard;
    float *step_margins;
    ebm_order *order, *nce_order;
    ebm_masking *masking; // NULL: no masked language modelling
    uint64_t done;        // steps completed
    ebm_computed_by_sentence resume_note;
    ebm_half_scale half; // activations in half only
    ebm_log_window window;
    double started_at;
    uint64_t started_step;
    // Rows of the current step.
    uint32_t *rows;
    ebm_sequence *labelled, *data, *noise;
    int32_t *labels;
    // Evaluation.
    float *logits, *data_energy, *noise_energy;
    ebm_sequence *held_noise; // noise texts kept out of training, one for each validation text, at most MAX_HELD_NOISE
    int32_t *held_ids;
    size_t held_count;
    bool has_best;
    ebm_trainer_evaluation best;
    uint64_t evaluated_at; // step of the last evaluation, UINT64_MAX before the first
    char *events;          // the event file's path, or NULL while there is none
};

// checkpoint.c: "<output_dir>/checkpoint-<step>", by atomic rename; older ones are removed afterwards.
// Called by all ranks, written by the first.
ebm_status ebm_checkpoint_write(ebm_trainer *trainer);
ebm_status ebm_checkpoint_read(ebm_trainer *trainer, const char *directory);

// trainer_ranks.c: several ranks; with one they are what their names say without the others.
ebm_status ebm_trainer_join_ranks(ebm_trainer *trainer); // at creation
// Predictions of the validation texts into logits and data_energy; of the held-out noise into noise_energy. Each rank
// has its share predicted, all have all.
ebm_status ebm_trainer_predict_shared(ebm_trainer *trainer, bool energies);
ebm_status ebm_trainer_predict_noise(ebm_trainer *trainer);
// EBM_ERROR_DEVICE when the weights of ranks are not the same, to the bit.
ebm_status ebm_trainer_check_weights(ebm_trainer *trainer);
bool ebm_trainer_stop_wanted(ebm_trainer *trainer, ebm_status *status); // by any rank

// trainer_predictions.c: <output_dir>/predictions/step-<step>.jsonl.
ebm_status ebm_trainer_save_predictions(const ebm_trainer *trainer, const ebm_predictions *predictions);

// trainer_noise.c: the weights that were written, when later ones have taken their place.
ebm_status ebm_trainer_load_written(ebm_trainer *trainer);

// trainer_log.c: one line of JSON appended to trainer_log.jsonl.
ebm_status ebm_trainer_log_step(ebm_trainer *trainer, const ebm_progress *progress);
ebm_status ebm_trainer_log_evaluation(ebm_trainer *trainer, const ebm_trainer_evaluation *evaluation);
// Removes the lines of steps after t->done, and broken ones: what a killed run did after the checkpoint is done again.
ebm_status ebm_trainer_log_cut(ebm_trainer *trainer);

// trainer_events.c: the same of the event file, which they write when the settings ask for one.
ebm_status ebm_trainer_events_add(ebm_trainer *trainer, json_t *line);
ebm_status ebm_trainer_events_cut(ebm_trainer *trainer);

#endif
