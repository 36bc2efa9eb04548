// Energies from the classifier's logits (lower = more like data), METHOD section 1:
//     hidden         E = -log sum_y exp f[y]
//     sharp-hidden   E = -max_y f[y]                  (gradient only through the arg max; ties: lowest index)
//     scalar         E = g(enc(x)), a head of its own (head.h): not computed here
//
//     EBM_TRY(ebm_energy_forward(device, energy, logits, EBM_ENERGY_HIDDEN, first, rows, labels));
//     ... loss: writes denergy ...
//     EBM_TRY(ebm_energy_backward(device, dlogits, denergy, logits, EBM_ENERGY_HIDDEN, first, rows, labels));
#ifndef EBM_ENERGY_H
#define EBM_ENERGY_H

#include <stddef.h>

#include "arena.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_ENERGY_SCALAR, EBM_ENERGY_HIDDEN, EBM_ENERGY_SHARP_HIDDEN } ebm_energy_kind;

const char *ebm_energy_name(ebm_energy_kind kind);                    // "scalar", "hidden", "sharp-hidden"
ebm_status ebm_energy_parse(const char *name, ebm_energy_kind *kind); // EBM_ERROR_INPUT for any other name

// logits, dlogits (n, labels); energy, denergy (n). Only rows [first, first + rows) are read and written. A NaN among a
// row's logits makes its energy NaN. EBM_ERROR_UNSUPPORTED for EBM_ENERGY_SCALAR.
ebm_status ebm_energy_forward(ebm_device *device, ebm_slice energy, ebm_slice logits, ebm_energy_kind kind,
                              size_t first, size_t rows, size_t labels);
// The same for one row on the host, the logits multiplied by `scale` first: the temperature for a model that has it
// folded into its last layer (ebm_classifier_fold_temperature), else 1. Not for EBM_ENERGY_SCALAR.
double ebm_energy_of_logits(ebm_energy_kind kind, const float *logits, size_t labels, double scale);
// Adds to dlogits: hidden -denergy * softmax(f), sharp-hidden -denergy at the arg max.
ebm_status ebm_energy_backward(ebm_device *device, ebm_slice dlogits, ebm_slice denergy, ebm_slice logits,
                               ebm_energy_kind kind, size_t first, size_t rows, size_t labels);

#ifdef __cplusplus
}
#endif
#endif
