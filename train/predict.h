// Runs a model over an encoded data set, in packed batches.
#ifndef EBM_PREDICT_H
#define EBM_PREDICT_H

#include "classifier.h"
#include "encoded.h"
#include "packing.h"

#ifdef __cplusplus
extern "C" {
#endif

// Without dropout. logits: count x labels; energy: count, or NULL. `packing` must have the classifier's limits.
ebm_status ebm_predict(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing, const ebm_encoded *encoded,
                       float *logits, float *energy);
// The same with the dropout of training, as pass number `pass` of `seed` (average.h). Tokens and texts are counted
// through the whole data set, so a mask depends on its place there and not on how the texts are packed into batches.
ebm_status ebm_predict_with_dropout(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                    const ebm_encoded *encoded, uint64_t seed, uint32_t pass, float *logits,
                                    float *energy);
// Energies of any sequences (noise texts), with the classifier's own energy.
ebm_status ebm_predict_energies(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                const ebm_sequence *sequences, size_t count, float *energy);
// The same with their logits, count x labels.
ebm_status ebm_predict_sequences(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                 const ebm_sequence *sequences, size_t count, float *logits, float *energy);

#ifdef __cplusplus
}
#endif
#endif
