// A model card: README.md in a model directory, as the hub shows it. It says what the directory's own files say, and
// nothing else:
//     config.json, ebmcl.json      family, labels, objective, energy
//     train_results.json           what it was trained on, where, how many steps; noise.json beside: a noise model
//     training_args.json           the settings; of paths only the last part
//     eval_results.json            metrics, intervals, floors and the reliability diagram
//     calibration.json             the temperature, or another calibrator
// All but config.json may be missing.
//
//     EBM_TRY(ebm_model_card_write("model"));                  // README.md appears, or is replaced
//     ... a temperature is fitted later ...
//     EBM_TRY(ebm_model_card_update("model", &updated));       // only what depends on it; the rest stays as edited
#ifndef EBM_MODEL_CARD_H
#define EBM_MODEL_CARD_H

#include <stdbool.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EBM_CARD_FILE "README.md"

// The whole card, for the caller to free().
ebm_status ebm_model_card_text(const char *directory, char **text);
ebm_status ebm_model_card_write(const char *directory);

// Replaces the part of README.md between the two comments that ebm_model_card_text puts around what depends on the
// temperature. *updated is false, and nothing changes, when there is no README.md or it does not have them.
ebm_status ebm_model_card_update(const char *directory, bool *updated);
// Whether an update can be made, before a new temperature is written: files that cannot be read are named.
ebm_status ebm_model_card_check(const char *directory);

// The card of a copy with its temperature in its weights. A card of `source` that is as ebmcl wrote it, or none, gives
// a new one; one that somebody wrote or edited is carried over, with that part replaced or put at its end.
ebm_status ebm_model_card_carry_over(const char *source, const char *directory);

#ifdef __cplusplus
}
#endif
#endif
