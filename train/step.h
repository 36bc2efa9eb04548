// One step of joint training (He et al. 2021, section 3; METHOD section 2): labelled texts, texts for NCE and K noise
// samples for each of those in one packed forward and backward; a token budget cuts what does not fit, gradients add
// up.
//
// Two terms after He, Chen and Zhu 2023 ("Preserving Pre-trained Features Helps Calibrate Fine-tuned Language Models",
// ICLR), each off unless it has a weight: masked language modelling, here on the task's own texts (masking.h), in
// packed batches of their own, through the tied head of mlm_head.h; and a penalty on the representation that is
// classified, here the mean over labelled texts of the squared Euclidean norm of the vector that the classification
// head is given, before its dropout.
//
//     EBM_TRY(ebm_step_create(device, classifier, &settings, arena, &step));     // plans its buffers in `arena`
//     ... arenas planned and allocated ...
//     EBM_TRY(ebm_step_gradients(step, &texts, &run, &sums));                   // losses; gradients are added
//     EBM_TRY(ebm_optimizer_step(optimizer, rate, update, true));
#ifndef EBM_STEP_H
#define EBM_STEP_H

#include "classifier.h"
#include "gradient_exchange.h"
#include "label_loss.h"
#include "masking.h"
#include "mixup.h"
#include "objective.h"
#include "packing.h"
#include "posterior.h"
#include "ranks.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_OBJECTIVE_CE, EBM_OBJECTIVE_JOINT } ebm_objective_kind;
// SEPARATE: NCE's texts come from a pass of their own over the training set, as the published code does (K + 2 encoder
// passes a step). SHARED: the labelled batch is NCE's data batch as well (K + 1 passes).
typedef enum { EBM_NCE_SEPARATE, EBM_NCE_SHARED } ebm_nce_data;

typedef struct {
    ebm_objective_kind objective;
    ebm_nce_data nce_data;
    int noise_ratio;           // K
    float nce_weight;          // lambda
    float energy_margin;       // above 0: the margin loss on energies in the place of NCE, see objective.h
    ebm_label_loss label_loss; // zeroed: cross-entropy
    float mlm_weight;          // w of masked language modelling on the step's masked texts; 0: none
    float hidden_norm_weight;  // v of the mean over labelled texts of |h|^2, h what the head is given; 0: none
    ebm_mixup mixup;           // zeroed: none
    ebm_limits limits;         // of one packed batch: the token budget
} ebm_step_settings;

// Where a rank's texts stand in a step that several ranks share: means are over all ranks' texts, and dropout has the
// masks that one process would have drawn. `masked.positions` then counts those of all ranks.
typedef struct {
    size_t labelled, data, noise;           // texts of all ranks; all 0: there is one rank, it has them all
    uint64_t first_token, first_sequence;   // of the step's, before this rank's first one
    uint64_t masked_token, masked_sequence; // the same of the masked texts, which come behind all others
} ebm_step_place;

// What a step works on, all borrowed. data is empty with SHARED, data and noise are empty with EBM_OBJECTIVE_CE.
typedef struct {
    const ebm_sequence *labelled, *data, *noise;
    const int32_t *labels; // of the labelled ones
    size_t labelled_count, data_count, noise_count;
    ebm_masked_texts masked; // with mlm_weight, else zeroed
    const uint8_t *hard;  // mixup by area under the margin: of each labelled text; NULL: not known yet, none is mixed
    float *margins;       // with it: of each labelled text, written unless NULL
    ebm_step_place place; // zeroed with one rank
} ebm_step_texts;

typedef struct {
    ebm_objective_sums sums;
    double loss, cross_entropy,
        nce;           // means as METHOD section 2 defines them; nce: of the margin loss where that is used
    double label_loss; // cross_entropy, or what label_loss.h or mixup.h makes of it; loss = label_loss + lambda nce ...
    double mlm, hidden_norm; // ... + w mlm + v hidden_norm; means over masked positions and labelled texts
    size_t tokens, batches;  // packed, and in how many batches
} ebm_step_result;

typedef struct ebm_step ebm_step;

// EBM_ERROR_INPUT for numbers out of their range, and for settings that do not go together: mixup has two labels a
// text, so that other losses of one label are refused with it, and its vectors are no data, so that joint training
// needs EBM_NCE_SEPARATE.
ebm_status ebm_step_settings_check(const ebm_step_settings *settings);

ebm_status ebm_step_create(ebm_device *device, ebm_classifier *classifier, const ebm_step_settings *settings,
                           ebm_arena *arena, ebm_step **step);
void ebm_step_free(ebm_step *step); // NULL is accepted

// PosCal: the posterior that every step's labelled texts are added to and compared with; borrowed. Needed before the
// first step when label_loss.posterior_weight is above 0. What was read back into it afterwards is sent again by this.
ebm_status ebm_step_set_posterior(ebm_step *step, ebm_posterior *posterior);

// Several ranks (both borrowed): each is given its part of a step's texts, none is allowed; gradients and results
// become those of all. EBM_ERROR_UNSUPPORTED with mixup and PosCal, which need all labelled texts in one place.
ebm_status ebm_step_set_ranks(ebm_step *step, const ebm_ranks *ranks, ebm_gradient_exchange *exchange);

// Forward and backward over all texts; adds to the gradients of the classifier's parameters and reads the losses back.
// EBM_ERROR_NONFINITE when a loss or energy is not finite.
ebm_status ebm_step_gradients(ebm_step *step, const ebm_step_texts *texts, const ebm_run *run, ebm_step_result *result);

// lambda of the steps that follow; 0: they train the labels alone.
void ebm_step_set_nce_weight(ebm_step *step, float weight);

ebm_packing *ebm_step_packing(ebm_step *step); // its batch buffers, free for prediction between steps

#ifdef __cplusplus
}
#endif
#endif
