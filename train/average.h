// The mean of several predictions of one classifier or of several. Over M members with logits f_m,
//
//     p(y | x) = 1/M sum over m of softmax(f_m(x))_y          logits reported: ln p(y | x)
//
// With Monte Carlo dropout (Gal and Ghahramani 2016, "Dropout as a Bayesian Approximation", ICML, section 4) the
// members are passes of one model, each with the dropout it was trained with, other masks each time. In a deep ensemble
// (Lakshminarayanan, Pritzel and Blundell 2017, "Simple and Scalable Predictive Uncertainty Estimation using Deep
// Ensembles", NeurIPS, section 2.4) they are models trained from other seeds. Both average probabilities, not logits.
//
// The softmax of the logits reported is p, so whatever takes logits takes these; a temperature then divides ln p, which
// sharpens or flattens the mean, not the members. Their level is that of a log probability: the maximum logit and the
// free energy of an average say nothing.
//
// The energy is the mean of the members' energies. It cannot be had from ln p, where the level that it is made of is
// gone. For passes with dropout it is the expectation of the energy under dropout; NCE with noise of known density
// normalises exp(-E) (Gutmann and Hyvarinen 2010), so that members share one level and their mean is the logarithm of
// the geometric mean of their densities. One member without an energy, or with one of another form, leaves none.
//
//     ebm_average *average = NULL;
//     EBM_TRY(ebm_average_create(count, labels, &average));
//     for each member: EBM_CHECK(ebm_average_add(average, logits, energy, NULL), end);
//     EBM_CHECK(ebm_average_logits(average, logits), end);
//     if (ebm_average_has_energy(average)) ebm_average_energy(average, energy);
//     end: ebm_average_free(average);
#ifndef EBM_AVERAGE_H
#define EBM_AVERAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_average ebm_average;

// Of `count` examples with `labels` labels, 1 or more of each. Sums are kept in double.
ebm_status ebm_average_create(size_t count, int labels, ebm_average **average);
void ebm_average_free(ebm_average *average); // NULL is accepted

// One member: count x labels logits and count energies, or NULL. order[y] is the place in its logits of the average's
// label y, each place once; NULL: the same order. EBM_ERROR_NONFINITE with the row for what is not finite,
// EBM_ERROR_INPUT for an order that is none; nothing is added then.
ebm_status ebm_average_add(ebm_average *average, const float *logits, const float *energy, const int32_t *order);
size_t ebm_average_members(const ebm_average *average);

// count x labels values ln p, finite however small p is. EBM_ERROR_INPUT without members.
ebm_status ebm_average_logits(const ebm_average *average, float *logits);
bool ebm_average_has_energy(const ebm_average *average);            // there are members, and each had one
void ebm_average_energy(const ebm_average *average, float *energy); // count; only where there is one

// What was averaged, for the record beside a calibrator that was fitted on it.
typedef struct {
    size_t mc_dropout; // passes with dropout of each model; 0: one pass without
    size_t models;     // 1 or more; 0 means the same as 1
    char others[1024]; // the last parts of the other models' paths, sorted, a line feed between them; "" for one model
} ebm_averaging;

// Of `count` other models' paths. EBM_ERROR_INPUT when their names do not fit.
ebm_status ebm_averaging_of(size_t mc_dropout, const char *const *others, size_t count, ebm_averaging *averaging);
bool ebm_averaging_is_none(const ebm_averaging *averaging); // the outputs of one model as they are
bool ebm_averaging_equal(const ebm_averaging *a, const ebm_averaging *b);
// "the mean of 3 models (with b, c), 10 passes with dropout each", "one model without dropout", cut to `size`.
const char *ebm_averaging_text(const ebm_averaging *averaging, char *text, size_t size);

#ifdef __cplusplus
}
#endif
#endif
