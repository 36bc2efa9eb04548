#include "predict.h"

typedef ebm_sequence (*sequence_at)(const void *source, size_t index);

static ebm_sequence of_encoded(const void *source, size_t i) { return ebm_encoded_sequence(source, i); }
static ebm_sequence of_array(const void *source, size_t i) { return ((const ebm_sequence *)source)[i]; }

static ebm_status predict(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing, sequence_at at,
                          const void *source, size_t count, const ebm_run *run, float *logits, float *energy)
{
    const size_t labels = ebm_classifier_config(classifier)->label_count;
    uint64_t tokens = 0;
    for (size_t next = 0; next < count;) {
        const size_t first = next;
        ebm_packing_clear(packing, tokens, first);
        for (bool fits = true; next < count; next++) {
            EBM_TRY(ebm_packing_add(packing, at(source, next), &fits));
            if (!fits) break;
        }
        ebm_batch batch;
        EBM_TRY(ebm_packing_send(packing, &batch));
        EBM_TRY(ebm_classifier_forward(classifier, &batch, run));
        tokens += batch.tokens;
        if (logits)
            EBM_TRY(ebm_slice_read(device, ebm_classifier_logits(classifier), 0, batch.sequences * labels,
                                   logits + first * labels));
        if (energy)
            EBM_TRY(ebm_slice_read(device, ebm_classifier_energy(classifier), 0, batch.sequences, energy + first));
    }
    return ebm_ok();
}

ebm_status ebm_predict(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing, const ebm_encoded *encoded,
                       float *logits, float *energy)
{
    return predict(device, classifier, packing, of_encoded, encoded, ebm_encoded_count(encoded), &(ebm_run){0}, logits,
                   energy);
}

ebm_status ebm_predict_with_dropout(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                    const ebm_encoded *encoded, uint64_t seed, uint32_t pass, float *logits,
                                    float *energy)
{
    const ebm_run run = {.training = true, .seed = seed, .step = pass};
    return predict(device, classifier, packing, of_encoded, encoded, ebm_encoded_count(encoded), &run, logits, energy);
}

ebm_status ebm_predict_energies(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                const ebm_sequence *sequences, size_t count, float *energy)
{
    return predict(device, classifier, packing, of_array, sequences, count, &(ebm_run){0}, NULL, energy);
}

ebm_status ebm_predict_sequences(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                 const ebm_sequence *sequences, size_t count, float *logits, float *energy)
{
    return predict(device, classifier, packing, of_array, sequences, count, &(ebm_run){0}, logits, energy);
}
