// Forward and backward of a step's labelled texts with mixup (mixup.h): part of step.c.
//
// Every packed batch is encoded and its pooled vectors are kept; the head's passes over all of them follow; then their
// gradients go back through the encoder, batch by batch, the last one first: only the others have to be encoded again.
#ifndef EBM_MIXUP_PASS_H
#define EBM_MIXUP_PASS_H

#include "classifier.h"
#include "mixup.h"
#include "packing.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_mixup_pass ebm_mixup_pass;

// Memory for limits.sequences labelled texts a step. The classifier and the packing are borrowed.
ebm_status ebm_mixup_pass_create(ebm_device *device, ebm_classifier *classifier, ebm_packing *packing,
                                 const ebm_mixup *mixup, const ebm_limits *limits, ebm_arena *arena,
                                 ebm_mixup_pass **pass);
void ebm_mixup_pass_free(ebm_mixup_pass *pass); // NULL is accepted

typedef struct {
    const ebm_sequence *texts;
    const int32_t *labels;
    size_t count;
    size_t step_rows;    // of the whole step, other texts than the labelled ones included: keys the head's dropout
    const uint8_t *hard; // EBM_MIXUP_AUM: of each text; NULL: not known yet, plain cross-entropy
    float *margins;      // EBM_MIXUP_AUM: (count), written unless NULL
} ebm_mixup_texts;

// What the step's statistics are made of, on the device, of rows 0 .. count - 1.
typedef struct {
    ebm_slice labels, cross_entropy, label_loss, logits; // of the unmixed texts, but for label_loss
    size_t tokens, batches;
} ebm_mixup_result;

// Adds to the gradients of the classifier's parameters.
ebm_status ebm_mixup_pass_run(ebm_mixup_pass *pass, const ebm_mixup_texts *texts, const ebm_run *run,
                              ebm_mixup_result *result);

#ifdef __cplusplus
}
#endif
#endif
