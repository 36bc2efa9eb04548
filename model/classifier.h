// The whole model: encoder, classification head, and the energy (METHOD section 1). One packed batch in, logits and
// energies out; gradients of both back in.
//
//     const ebm_classifier_settings settings = {.limits = {2048, 64, false}, .has_energy = true, .energy =
//     EBM_ENERGY_HIDDEN}; EBM_TRY(ebm_classifier_create(device, config, &settings, &classifier)); ebm_arena
//     *arenas[EBM_CLASSIFIER_ARENAS]; size_t count = ebm_classifier_arenas(classifier, arenas);            // plan them
//     with what else is needed EBM_CHECK(ebm_classifier_allocate(classifier), end);
//     EBM_CHECK(ebm_classifier_load(classifier, "model", NULL), end);
//     EBM_CHECK(ebm_classifier_forward(classifier, &batch, &run), end);    // -> ebm_classifier_logits, _energy
#ifndef EBM_CLASSIFIER_H
#define EBM_CLASSIFIER_H

#include "batch.h"
#include "config.h"
#include "energy.h"
#include "parameters.h"
#include "run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_classifier ebm_classifier;

typedef struct {
    ebm_limits limits;
    bool has_energy; // false: cross-entropy only, ebm_classifier_energy has 0 elements
    ebm_energy_kind energy;
    bool fp16_activations; // training: the encoder keeps what its backward pass needs as halves, see half.h
    size_t mlm_rows;       // for ebm_classifier_mlm: masked positions of the largest batch; 0: no such head
} ebm_classifier_settings;

enum { EBM_CLASSIFIER_ARENAS = 6 };

// `config` is borrowed and must outlive the classifier; its labels give the number of logits.
ebm_status ebm_classifier_create(ebm_device *device, const ebm_config *config, const ebm_classifier_settings *settings,
                                 ebm_classifier **classifier);
void ebm_classifier_free(ebm_classifier *classifier); // NULL is accepted
size_t ebm_classifier_arenas(ebm_classifier *classifier, ebm_arena *arenas[EBM_CLASSIFIER_ARENAS]);
ebm_status ebm_classifier_allocate(ebm_classifier *classifier);

// What loading found: names for the caller to free() as one allocation each, NULL-terminated.
typedef struct {
    char **created; // parameters the files do not have
    char **ignored; // tensors of the files that the model has no use for
} ebm_load_report;
void ebm_load_report_free(ebm_load_report *report);

// The labels are others than those of the checkpoint to be loaded: where the files' last layer of the head has another
// number of them, it is ignored, and ours is new. Before ebm_classifier_load.
void ebm_classifier_expect_other_labels(ebm_classifier *classifier);
// Reads "<directory>/model.safetensors" and, when they are there, "<directory>/energy.safetensors" for a scalar energy
// and "<directory>/mlm_head.safetensors" for the head of masked language modelling, which a pretrained checkpoint has
// in model.safetensors itself (cls.predictions, lm_head). What is missing is left to ebm_parameters_init_missing, or
// keeps its values. `report` may be NULL.
ebm_status ebm_classifier_load(ebm_classifier *classifier, const char *directory, ebm_load_report *report);
// Writes model.safetensors (what transformers reads) and, where the model has one, energy.safetensors and
// mlm_head.safetensors into a directory.
ebm_status ebm_classifier_save(ebm_classifier *classifier, const char *directory);

// Divides the last layer of the classification head by a temperature: softmax of the logits is then what it was of the
// logits divided by it, for every tool that reads the saved model. An energy made of the logits changes with them, see
// ebm_energy_of_logits. Call it after loading.
ebm_status ebm_classifier_fold_temperature(ebm_classifier *classifier, double temperature);
// Puts an affine map of the logits into the last layer: f becomes map f + offset (Y x Y by rows, and Y finite numbers).
// EBM_ERROR_UNSUPPORTED where an energy is made of the logits: it could not be had from the new ones.
ebm_status ebm_classifier_fold_affine(ebm_classifier *classifier, const double *map, const double *offset);

// With fp16_activations: see ebm_encoder_set_half_scale.
void ebm_classifier_set_half_scale(ebm_classifier *classifier, float scale);

ebm_status ebm_classifier_forward(ebm_classifier *classifier, const ebm_batch *batch, const ebm_run *run);
// From the gradients in ebm_classifier_logits_gradient and, with an energy, ebm_classifier_energy_gradient; adds to the
// parameters' gradients. The gradient of the logits is changed (hidden and sharp-hidden energies add to it).
ebm_status ebm_classifier_backward(ebm_classifier *classifier, const ebm_batch *batch, const ebm_run *run);

// As ebm_encoder_watch: called in every backward pass from now on; NULL: no longer.
void ebm_classifier_watch(ebm_classifier *classifier, ebm_status (*listener)(void *context, size_t first),
                          void *context);

// The same, and the gradient of `scale` times the sum of the squared norms of the hidden states that the classification
// head was given (before its dropout), of the batch's sequences [first, first + count). norms (sequences): those
// squared norms are written there.
typedef struct {
    ebm_slice norms;
    size_t first, count;
    float scale;
} ebm_hidden_penalty;
ebm_status ebm_classifier_backward_penalised(ebm_classifier *classifier, const ebm_batch *batch, const ebm_run *run,
                                             const ebm_hidden_penalty *penalty);

// Masked language modelling on the same encoder, where settings.mlm_rows planned it: forward, losses (ebm_mlm_loss_run
// says what targets, scale, sum and count are), and backward, which adds to the parameters' gradients.
ebm_status ebm_classifier_mlm(ebm_classifier *classifier, const ebm_batch *batch, const ebm_run *run,
                              const int32_t *targets, float scale, double *sum, size_t *count);
// Their parts, for what works on the pooled vectors in between (the vectors that the heads read). pool_: the encoder
// and the pooling, into ebm_classifier_pooled, and back from ebm_classifier_pooled_gradient. head_: the classification
// head alone on any (sequences, hidden) vectors, of which `batch` only gives the number and first_sequence; back from
// ebm_classifier_logits_gradient, added to d_vectors. Backward is that of the last forward.
ebm_status ebm_classifier_pool_forward(ebm_classifier *classifier, const ebm_batch *batch, const ebm_run *run);
ebm_status ebm_classifier_pool_backward(ebm_classifier *classifier, const ebm_batch *batch, const ebm_run *run);
ebm_status ebm_classifier_head_forward(ebm_classifier *classifier, ebm_slice vectors, const ebm_batch *batch,
                                       const ebm_run *run);
ebm_status ebm_classifier_head_backward(ebm_classifier *classifier, ebm_slice d_vectors, const ebm_batch *batch,
                                        const ebm_run *run);
ebm_slice ebm_classifier_pooled(const ebm_classifier *classifier);          // (sequences, hidden)
ebm_slice ebm_classifier_pooled_gradient(const ebm_classifier *classifier); // likewise; 0 elements without training

ebm_slice ebm_classifier_logits(const ebm_classifier *classifier);          // (sequences, labels)
ebm_slice ebm_classifier_energy(const ebm_classifier *classifier);          // (sequences)
ebm_slice ebm_classifier_logits_gradient(const ebm_classifier *classifier); // likewise; 0 elements without training
ebm_slice ebm_classifier_energy_gradient(const ebm_classifier *classifier);
ebm_parameters *ebm_classifier_parameters(ebm_classifier *classifier); // borrowed
const ebm_config *ebm_classifier_config(const ebm_classifier *classifier);

#ifdef __cplusplus
}
#endif
#endif
