// A model directory, opened to predict: weights on the device, tokenizer, labels.
//
//     ebm_predictor *predictor = NULL;
//     EBM_TRY(ebm_predictor_open(device, "my-model", 0, &predictor));
//     float logits[2];
//     EBM_CHECK(ebm_predictor_text(predictor, "A fine film.", NULL, logits, NULL), end);
//     end: ebm_predictor_free(predictor);
#ifndef EBM_PREDICTOR_H
#define EBM_PREDICTOR_H

#include "average.h"
#include "classifier.h"
#include "dataset.h"
#include "model_directory.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_predictor ebm_predictor;

// The packed batches of a predictor with this budget.
ebm_limits ebm_predictor_limits(const ebm_config *config, size_t token_budget);

// token_budget: tokens of the largest packed batch, 0 for a default (8192, or one longest sequence if that is more).
// EBM_ERROR_INPUT when the directory holds no classification head: a base checkpoint has nothing to predict with.
// EBM_ERROR_DEVICE when the device's driver computes wrongly in the form that it was opened in (checked_device.h opens
// it in one that is right; the first check takes some seconds, later ones read a file).
ebm_status ebm_predictor_open(ebm_device *device, const char *directory, size_t token_budget,
                              ebm_predictor **predictor);
void ebm_predictor_free(ebm_predictor *predictor); // NULL is accepted

const ebm_config *ebm_predictor_config(const ebm_predictor *predictor); // label names and sizes; borrowed
const ebm_tokenizer *ebm_predictor_tokenizer(const ebm_predictor *predictor);
ebm_model_info ebm_predictor_info(const ebm_predictor *predictor);
// Tensors of the directory's files the model has no use for, NULL-terminated; borrowed.
char *const *ebm_predictor_ignored(const ebm_predictor *predictor);
bool ebm_predictor_has_energy(const ebm_predictor *predictor); // trained jointly

// Folds a temperature (1e-6 to 1e6) into the last layer: logits are divided by it from now on, energies stay.
ebm_status ebm_predictor_fold_temperature(ebm_predictor *predictor, double temperature);
// Puts an affine map of the logits into the last layer, as ebm_classifier_fold_affine does.
ebm_status ebm_predictor_fold_affine(ebm_predictor *predictor, const double *map, const double *offset);
// The model as it is now, in an existing directory: ebm_model_directory_write.
ebm_status ebm_predictor_save(ebm_predictor *predictor, const char *directory);

// logits: one row of ebm_predictor_config()->label_count floats a text, in the order of the data set; energy: one float
// a text, or NULL. max_length: longest sequence in tokens, special tokens included; 0: what the model was trained with,
// else what it has positions for.
ebm_status ebm_predictor_dataset(ebm_predictor *predictor, const ebm_dataset *dataset, size_t max_length, float *logits,
                                 float *energy);
// Adds the model's predictions to an average of as many examples and labels (average.h): with passes > 0 so many passes
// with dropout, whose masks are drawn from `seed` and the pass's number, else one without. Energies are added where
// the model has some and with_energy. order: as ebm_average_add has it. EBM_ERROR_INPUT when every dropout probability
// of the model is 0, so that all passes would be the same.
typedef struct {
    size_t passes, max_length;
    uint64_t seed;
    bool with_energy;
    const int32_t *order;
} ebm_predictor_passes;
ebm_status ebm_predictor_average(ebm_predictor *predictor, const ebm_dataset *dataset,
                                 const ebm_predictor_passes *passes, ebm_average *average);
// One text, or a pair when second is not NULL; zero-terminated UTF-8.
ebm_status ebm_predictor_text(ebm_predictor *predictor, const char *first, const char *second, float *logits,
                              float *energy);

#ifdef __cplusplus
}
#endif
#endif
