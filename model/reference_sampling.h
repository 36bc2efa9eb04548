// What drawing a token should give, in double precision, for the checks and tests of both ways of sampling.
#ifndef EBM_REFERENCE_SAMPLING_H
#define EBM_REFERENCE_SAMPLING_H

#include <stdbool.h>

#include "sampling.h"

typedef struct {
    double value;
    int32_t id;
} ebm_candidate;

// What ebm_sample states: the candidates of one row of logits in the order of drawing (list has room for all of the
// vocabulary); returns how many.
size_t ebm_reference_candidates(ebm_candidate *list, const double *logits, size_t vocabulary, const ebm_sampling *s,
                                const int32_t *banned);
void ebm_reference_probabilities(double *p, const ebm_candidate *list, size_t count, const ebm_sampling *s);
// The stated 24-bit number of a text's token.
double ebm_reference_uniform(const ebm_sampling *s, uint32_t text, int32_t position);
// Whether drawing `token` is right for this u: u lies in the token's part of [0, 1), or within float rounding of it.
bool ebm_reference_is_drawn(int32_t token, const ebm_candidate *list, const double *p, size_t count, double u);

#endif
