// Trains a noise model (METHOD section 3): on texts given their masked form, their label, both or nothing
// (ebm_noise_objective).
//
//     EBM_TRY(ebm_noise_trainer_create(model, &settings, &trainer));
//     ... plan and allocate ebm_noise_trainer_arena with the model's arenas ...
//     EBM_CHECK(ebm_noise_trainer_run(trainer, pretrain, NULL, &first), end);       // plain text first
//     EBM_CHECK(ebm_noise_trainer_run(trainer, task, held_out, &second), end);      // then the task's texts
#ifndef EBM_NOISE_TRAINER_H
#define EBM_NOISE_TRAINER_H

#include <signal.h>

#include "noise_model.h"
#include "noise_texts.h"
#include "optimizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    uint64_t step, total_steps;
    double epoch, loss, learning_rate, tokens_per_second,
        seconds_left; // loss: nats a predicted token, mean of a report
} ebm_noise_progress;

typedef struct {
    uint64_t step;
    double epoch, perplexity; // of the text given what stands before it, on held-out texts
    bool is_best;
} ebm_noise_evaluation;

typedef struct {
    void *context;
    void (*progress)(void *context, const ebm_noise_progress *progress);
    void (*evaluated)(void *context, const ebm_noise_evaluation *evaluation);
} ebm_noise_listener;

typedef struct {
    ebm_noise_objective objective; // recorded in the model; texts without labels (plain text) are given none
    float mask_probability;        // M
    ebm_noise_kind kind;           // of the task's texts, recorded as well
    ebm_adamw adamw;
    uint64_t seed;
    ebm_limits limits;                 // of a packed batch
    const char *output_dir;            // of checkpoints, made when the first is written; NULL: none are kept
    uint64_t save_steps;               // a checkpoint every so many steps; 0: only when stopped
    const volatile sig_atomic_t *stop; // not 0: checkpoint, then EBM_ERROR_INTERRUPTED; may be NULL
    ebm_noise_listener listener;
} ebm_noise_trainer_settings;

// One pass over a kind of text, with a schedule of its own.
typedef struct {
    size_t batch_size; // sequences
    double learning_rate, epochs;
    uint64_t max_steps; // 0: by epochs
    double warmup_ratio;
    uint64_t eval_steps; // 0: after each epoch
    int patience;        // stop after this many evaluations without a better perplexity; 0: never
} ebm_noise_phase;

typedef struct ebm_noise_trainer ebm_noise_trainer;

ebm_status ebm_noise_trainer_create(ebm_noise_model *model, const ebm_noise_trainer_settings *settings,
                                    ebm_noise_trainer **trainer);
void ebm_noise_trainer_free(ebm_noise_trainer *trainer); // NULL is accepted
ebm_arena *ebm_noise_trainer_arena(ebm_noise_trainer *trainer);

// Continues from a checkpoint of the same model and settings, after allocation and before the first run: weights,
// moments and best weights so far are read; the runs of phases that were complete return at once, that of the
// interrupted one goes on where it was, to the bits of an uninterrupted training. Settings that differ are named by
// that run.
ebm_status ebm_noise_trainer_resume(ebm_noise_trainer *trainer, const char *checkpoint);
// After it: a sentence where the checkpoint was computed by another device, driver, kernels or tuning, "" otherwise.
const char *ebm_noise_trainer_resume_note(const ebm_noise_trainer *trainer);

// Trains on `texts`; masks are drawn anew each epoch. With held-out texts (may be NULL) the weights with the lowest
// perplexity on them are the ones the model has afterwards. *best is the evaluation they had (perplexity 0 without).
ebm_status ebm_noise_trainer_run(ebm_noise_trainer *trainer, const ebm_noise_texts *texts,
                                 const ebm_noise_texts *held_out, const ebm_noise_phase *phase,
                                 ebm_noise_evaluation *best);
// exp of the mean negative log-likelihood per token (end token included) of the full part; masks are always the same.
ebm_status ebm_noise_trainer_perplexity(ebm_noise_trainer *trainer, const ebm_noise_texts *texts, double *perplexity);

#ifdef __cplusplus
}
#endif
#endif
