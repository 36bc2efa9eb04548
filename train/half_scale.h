// The scale of activations that are stored as halves (../model/half.h), with back-off: what dynamic loss scaling
// (Micikevicius et al. 2018, section 3.2; torch.amp.GradScaler) does for gradients in half, done for what is in half
// here. A step whose losses are finite but whose gradients are not had an activation beyond what a half holds, 65504 /
// scale: the scale is halved, and nothing else of that step is kept, neither weights nor moments nor AdamW's count of
// updates. Data, noise and learning rate go on. After `interval` good steps in a row it is doubled, up to 1: a larger
// one would have no use, as activations have no gradients' tiny values. A scale below 2^-8 (activations beyond 1.6e7)
// is given up on: then the gradients are not finite for another reason.
#ifndef EBM_HALF_SCALE_H
#define EBM_HALF_SCALE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    bool on;           // false: nothing is stored as halves, the rest does not matter
    double first;      // scale of the first step: a power of two from 2^-8 to 2^16; 0: 1
    uint64_t interval; // 0: 2000, as GradScaler's
} ebm_half_settings;

typedef struct {
    double scale;  // of the next step
    uint64_t good; // steps since it was changed
    uint64_t skipped;
} ebm_half_scale;

ebm_status ebm_half_settings_check(const ebm_half_settings *settings); // EBM_ERROR_INPUT
ebm_half_scale ebm_half_scale_start(const ebm_half_settings *settings);
// After a step whose gradients were finite, and after one whose were not: `why` says so, and comes back with the scale
// when there is no smaller one.
void ebm_half_scale_good(ebm_half_scale *state, const ebm_half_settings *settings);
ebm_status ebm_half_scale_back_off(ebm_half_scale *state, ebm_status why);

// For a checkpoint; NULL when memory ran out. Reading refuses what could not have been written.
json_t *ebm_half_scale_json(const ebm_half_scale *state);
ebm_status ebm_half_scale_restore(ebm_half_scale *state, const json_t *json);

#ifdef __cplusplus
}
#endif
#endif
