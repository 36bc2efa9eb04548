// The training loop: steps, log, evaluation, checkpoints, and a way back from each of them.
//
//     EBM_TRY(ebm_trainer_create(&inputs, &settings, &trainer));
//     ... plan and allocate ebm_trainer_arena with the other arenas, load the weights ...
//     EBM_CHECK(ebm_trainer_resume(trainer, "out/checkpoint-200"), end);       // optional
//     EBM_CHECK(ebm_trainer_run(trainer), end);
//
// Output directory: trainer_log.jsonl (a line per log or evaluation, the Trainer's field names), checkpoint-<step>
// (complete: weights, moments, step, orders, noise position; the newest only), best (the model with the best metric on
// the validation set so far), and at the end the chosen model itself: config.json, model.safetensors, ... With
// save_predictions also predictions/step-<step>.jsonl of each evaluation: what the model of that step says of the
// validation texts in their order, {"label": id, "logits": [...], "energy": of joint runs}, for predictions_read.h.
//
// Several ranks (ranks.h), each with the same inputs but for its device: batch_size counts the labelled texts of all of
// them, which share every step's texts (rank_share.h) and evaluations. All have the same weights, to the bit. Only rank
// 0 writes and tells the listener; a flag to stop that is raised anywhere stops all after the same step. A checkpoint
// can be continued by any number of ranks: by as many as wrote it with the bits of an uninterrupted run, by others with
// the same texts (but for noise of a model, which is sampled anew from behind what was used) and sums in another order.
// Errors of one rank alone are that rank's alone: the program has to end the others.
#ifndef EBM_TRAINER_H
#define EBM_TRAINER_H

#include <signal.h>

#include "encoded.h"
#include "half_scale.h"
#include "metrics.h"
#include "model_directory.h"
#include "noise_stream.h"
#include "optimizer.h"
#include "ranks.h"
#include "step.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t step, total_steps;
    double epoch, loss, cross_entropy, nce, learning_rate, gradient_norm; // means since the last report
    double mlm, hidden_norm; // likewise, with step.mlm_weight and step.hidden_norm_weight
    double tokens_per_second, noise_share, seconds_left;
    double data_apart, noise_apart, noise_z, data_energy, noise_energy; // joint runs: see objective.h
    double nce_weight;                                                  // of this step
    bool joint;
    double half_scale; // 0 without activations in half
    uint64_t skipped;  // steps in all that changed nothing, see half_scale.h
    bool half_changed; // this step changed the scale
} ebm_progress;

typedef struct {
    uint64_t step;
    double epoch;
    double value[EBM_METRICS];
    bool is_best;
    bool has_noise;                     // joint runs: validation texts against held-out noise
    double told_apart, auroc, mean_exp; // as contrast measured them
    double effective, effective_share;  // likewise; NaN from a checkpoint of before they were kept
} ebm_trainer_evaluation;

// What the program shows; either may be NULL.
typedef struct {
    void *context;
    void (*progress)(void *context, const ebm_progress *progress); // after every step
    void (*evaluated)(void *context, const ebm_trainer_evaluation *evaluation);
    void (*saved)(void *context, const char *directory);
} ebm_trainer_listener;

typedef struct {
    ebm_step_settings step;
    double mlm_probability; // with step.mlm_weight: of a token to be masked
    size_t mlm_rows;        // as the classifier was planned with
    size_t batch_size;
    double epochs; // used when max_steps is 0
    uint64_t max_steps, warmup_steps;
    double warmup_ratio;     // of all steps, used when warmup_steps is 0
    double nce_warmup_ratio; // of all steps, over which step.nce_weight grows from 0 on a line; 0: whole at once
    double learning_rate;
    ebm_adamw adamw;
    ebm_half_settings half; // on: the classifier stores activations as halves (its fp16_activations)
    uint64_t seed;
    uint64_t logging_steps;            // > 0
    uint64_t eval_steps;               // 0: after each epoch
    uint64_t save_steps;               // 0: only when stopped
    ebm_metric metric;                 // chooses the best model
    bool keep_last;                    // the last step's model is written instead, and counts as the best
    bool save_predictions;             // after each evaluation, see below
    bool tensorboard;                  // the log also as runs/events.out.tfevents.* (event_file.h)
    const char *output_dir;            // exists
    const volatile sig_atomic_t *stop; // not 0: checkpoint, then EBM_ERROR_INTERRUPTED; may be NULL
    ebm_trainer_listener listener;
} ebm_trainer_settings;

typedef struct {
    ebm_device *device;
    ebm_classifier *classifier;
    const ebm_tokenizer *tokenizer;
    const ebm_encoded *train, *validation; // validation may be NULL
    ebm_noise_stream *noise; // joint training only, else NULL; may be set later with ebm_trainer_set_noise
    ebm_model_info info;
    const ebm_ranks *ranks; // data parallel training, see below; NULL: one process
} ebm_trainer_inputs;

typedef struct ebm_trainer ebm_trainer;

ebm_status ebm_trainer_create(const ebm_trainer_inputs *inputs, const ebm_trainer_settings *settings,
                              ebm_trainer **trainer);
void ebm_trainer_free(ebm_trainer *trainer); // NULL is accepted
ebm_arena *ebm_trainer_arena(ebm_trainer *trainer);
void ebm_trainer_set_noise(ebm_trainer *trainer, ebm_noise_stream *noise); // borrowed
uint64_t ebm_trainer_total_steps(const ebm_trainer *trainer);

// Continues from a checkpoint of the same settings; a difference that would change the result is an error naming it.
ebm_status ebm_trainer_resume(ebm_trainer *trainer, const char *checkpoint);
// After it: a sentence where the checkpoint was computed by another device, driver, kernels or tuning, "" otherwise.
const char *ebm_trainer_resume_note(const ebm_trainer *trainer);
// To the last step. On EBM_ERROR_INTERRUPTED a checkpoint of the current step stands in the output directory; on
// EBM_ERROR_NONFINITE the last one is kept and the sentence names the step.
ebm_status ebm_trainer_run(ebm_trainer *trainer); // with all ranks; all below: rank 0 alone
// Of several ranks' last step; buckets 0 with one. Any rank may ask.
ebm_exchange_statistics ebm_trainer_exchange(const ebm_trainer *trainer);
// The last evaluation of the model that was written; false when there was none.
bool ebm_trainer_best(const ebm_trainer *trainer, ebm_trainer_evaluation *evaluation);
// After ebm_trainer_run: what that model says to the validation texts (and their energies, in a joint run), borrowed
// and valid until the trainer is freed. Where a later evaluation has taken its place the written weights are loaded
// again. Without validation texts: count 0.
ebm_status ebm_trainer_predictions(ebm_trainer *trainer, ebm_predictions *predictions);

typedef struct {
    ebm_predictions rows; // without labels; points into what is owned below. count 0: there is no such noise
    float *logits, *energy;
    char **text, **text_pair; // as the tokenizer decodes them; text_pair[i] NULL for single texts
} ebm_trainer_noise;

// The same of the noise texts that were kept out of training (joint runs with validation texts), by the written model.
ebm_status ebm_trainer_noise_predictions(ebm_trainer *trainer, ebm_trainer_noise *noise);
void ebm_trainer_noise_free(ebm_trainer_noise *noise); // zeroed is accepted, and what is left

#ifdef __cplusplus
}
#endif
#endif
