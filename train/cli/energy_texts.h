// A set of texts with what a classifier says of each: for ebmcl energies.
//
//     energy_texts data = {.name = "data", .texts = dataset};
//     EBM_CHECK(energy_texts_score(&data, predictor, 0), end);
//     end: energy_texts_free(&data);
#ifndef EBM_ENERGY_TEXTS_H
#define EBM_ENERGY_TEXTS_H

#include "detection.h"
#include "noise_stream.h"
#include "predictor.h"

// What data and others are told apart by; each is larger for data.
typedef enum { ENERGY_SCORE, PROBABILITY_SCORE, ENTROPY_SCORE, LOGIT_SCORE, ENERGY_SCORES } energy_score;
extern const char *const energy_score_names[ENERGY_SCORES]; // "energy", "max_probability", "entropy", "max_logit"

typedef struct {
    const char *name;   // borrowed
    ebm_dataset *texts; // owned
    size_t count;
    double *energy, *entropy;     // the model's energy, else -logsumexp of the logits; of p(y | x), nats
    double *score[ENERGY_SCORES]; // of count each
} energy_texts;

// Takes the texts that `set` holds through the model. max_length: 0 as ebm_predictor_dataset has it.
ebm_status energy_texts_score(energy_texts *set, ebm_predictor *predictor, size_t max_length);
void energy_texts_free(energy_texts *set); // zeroed is accepted

// The next `count` texts of a stream as a set of their own, pairs cut at the separator.
ebm_status energy_texts_stream(ebm_noise_stream *stream, size_t count, bool pairs, ebm_dataset **texts);
// The first `count` texts of a set (all when it has fewer), or those with keep[i]. keep NULL: the first.
ebm_status energy_texts_take(const ebm_dataset *all, const bool *keep, size_t count, ebm_dataset **texts);

#endif
