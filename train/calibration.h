// Temperature scaling (Guo et al. 2017): one number T > 0 by which all logits are divided, fitted by NLL on held-out
// examples. It changes no prediction, only how sure the model says it is.
//
//     ebm_temperature fit;
//     EBM_TRY(ebm_temperature_fit(&dev_half, &fit));
//     ebm_temperature_note(&fit, note, sizeof note);        // empty, or what to be careful about
//     EBM_TRY(ebm_temperature_save("model", &fit));         // model/calibration.json, read again by _load
//     EBM_TRY(ebm_metrics(&test_half, fit.temperature, 20, value));
#ifndef EBM_CALIBRATION_H
#define EBM_CALIBRATION_H

#include "metrics.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EBM_TEMPERATURE_LOWEST 0.01
#define EBM_TEMPERATURE_HIGHEST 100.0
#define EBM_CALIBRATION_FILE "calibration.json"

typedef enum {
    EBM_BOUND_NONE, // a minimum inside the bounds
    EBM_BOUND_LOWEST,
    EBM_BOUND_HIGHEST,
    EBM_BOUND_FLAT, // every row has equal logits: NLL is the same at all temperatures and 1 is kept
} ebm_temperature_bound;

typedef struct {
    double temperature;
    double nll_before, nll_after; // at temperature 1 and at the fitted one, on the examples it was fitted on
    size_t examples;
    ebm_temperature_bound bound;
    char fitted_on[256]; // file and split, for the record; set by the caller, "" at first
    double folded; // above 0: this temperature is in the model's weights already, `temperature` is what is left, 1
} ebm_temperature;

// The temperature in [EBM_TEMPERATURE_LOWEST, EBM_TEMPERATURE_HIGHEST] with the least NLL. NLL is convex in b = 1/T:
//   d NLL / db = mean of E_p[f] - f[label],   d2 NLL / db2 = mean of Var_p[f],   p = softmax(b f)
// so Newton's method kept between the bounds finds it; to 1e-9 of b. Always ends in a result: perfectly separated
// examples (NLL falls as T goes to 0) end at the lowest, worse than chance at the highest, one label only or ten
// examples are fitted like any others; _note says so.
ebm_status ebm_temperature_fit(const ebm_predictions *predictions, ebm_temperature *out);

// Writes a sentence about a bound, or about fewer than 100 examples, or "" when there is nothing to say.
void ebm_temperature_note(const ebm_temperature *fit, char *text, size_t size);

// <directory>/calibration.json: temperature, fitted_on, examples, nll_before, nll_after, and folded_temperature where
// the weights hold it. Appears by rename: complete or not at all. A last character of fitted_on cut by the array's end
// is left out.
ebm_status ebm_temperature_save(const char *directory, const ebm_temperature *fit);

// Reads it back; bound is EBM_BOUND_NONE, EBM_BOUND_LOWEST or EBM_BOUND_HIGHEST by the temperature. Fails with
// EBM_ERROR_INPUT when there is no such file, it has no temperature from 1e-6 to 1e6, or one that was fitted on the
// mean of several passes or models, which ebm_calibrator_load tells about.
ebm_status ebm_temperature_load(const char *directory, ebm_temperature *out);

#ifdef __cplusplus
}
#endif
#endif
