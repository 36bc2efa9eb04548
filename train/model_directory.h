// A model directory as others' tools read it, with ebmcl's own settings in a file beside: ebmcl.json
//     {"objective": "joint", "energy": "hidden", "noise_ratio": 1, "nce_weight": 1.0, "max_seq_length": 128}
// "method": "label smoothing 0.1" besides where it was trained by more than cross-entropy and NCE.
// "logits_divided_by": 1.8 besides where a temperature is folded into the last layer: `hidden` and `sharp-hidden`
// energies are those of the logits multiplied by it (ebm_energy_of_logits).
#ifndef EBM_MODEL_DIRECTORY_H
#define EBM_MODEL_DIRECTORY_H

#include "classifier.h"
#include "step.h"
#include "tokenizer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ebm_objective_kind objective;
    ebm_energy_kind energy; // with EBM_OBJECTIVE_JOINT
    int noise_ratio;
    float nce_weight;
    size_t max_tokens;        // longest sequence it was trained on; 0 = not known
    double logits_divided_by; // a temperature folded into the last layer; 0 = none
    char method[200];         // of training, beside the objective, in words; "" = nothing
} ebm_model_info;

// Writes config.json, model.safetensors (energy.safetensors, mlm_head.safetensors), tokenizer files and ebmcl.json into
// an existing directory.
ebm_status ebm_model_directory_write(const char *directory, ebm_classifier *classifier, const ebm_tokenizer *tokenizer,
                                     const ebm_model_info *info);
// Reads ebmcl.json; a directory without one is a plain classifier (EBM_OBJECTIVE_CE).
ebm_status ebm_model_directory_info(const char *directory, ebm_model_info *info);

const char *ebm_objective_name(ebm_objective_kind kind); // "ce", "joint"

#ifdef __cplusplus
}
#endif
#endif
