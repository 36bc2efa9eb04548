// Mixup of hidden vectors, two ways of choosing whom a text is mixed with. Both are baselines for calibration.
//
// h_i is the pooled vector of text i, what the classification head g reads, y_i its label (one-hot), CE(z, y) =
// -sum_k y_k ln softmax(z)_k; n texts a step; lambda ~ Beta(alpha, alpha), one for all texts of a step, as the
// published codes draw it. pi gives each text its partner:
//
//     m_i(pi) = CE(g(lambda h_i + (1 - lambda) h_pi(i)), lambda y_i + (1 - lambda) y_pi(i))
//
// EBM_MIXUP_RANDOM: Zhang et al. 2018, section 2; on the last hidden vector of text encoders Guo et al. 2019
// ("senMixup"), Thulasidasan et al. 2019 and Kong et al. 2020 (calibration). pi is a random permutation of the step's
// texts.
//     L = 1/n sum_i m_i(pi)
//
// EBM_MIXUP_AUM: Park and Caragea 2022, as their published code (MixUp-Guided-by-AUM-and-Saliency-Map) does it.
//     L = 1/n sum_i 0.8 CE(g(h_i), y_i) + 0.1 m_i(s) + 0.1 m_i(d)
// The area under the margin of a text is the mean over the epochs so far of z_y - max_{k != y} z_k (Pleiss et al.
// 2020); the half of the training texts below the median is hard, the other easy. Partners are texts of the same step
// in the other half: s(i) with the saliency most like the text's own by their cosine, d(i) with the one least like it.
// The weights are those of the published code, where alpha is 0.4.
//
// What is otherwise here, or left open there:
//   - Their margins come from a whole training before. Here from this one: the first epoch is plain cross-entropy, each
//     later one has the margins of those before it; the halves are of equal size (ranks; ties by the text's number).
//     Margins are of the logits training computes anyway, dropout on.
//   - Their steps take B easy and B hard texts. Here the order is that of cross-entropy: a step has about as many of
//     both. A text whose step has none of the other half is mixed with itself.
//   - Their saliency is |dL/dz|, of the logits, kept from the training before for one side. With two labels that is
//     (1 - p_y) (1, 1): all texts are alike. Here |dCE/dh|, of this step, for both sides: it has hidden-size elements,
//     comes from the head's backward pass that the loss needs anyway, and nothing has to be kept.
//   - Their code mixes logits, which is mixing vectors for their head of one linear layer; ours has an activation.
//
// Cost a step: one forward and one backward pass of the encoder, as cross-entropy. When the token budget splits the
// labelled texts, all batches but the last are run forward once more, since partners may lie in any batch: the result
// is that of one batch but for the order of sums (where two saliencies are alike to the last bits, another partner may
// be chosen). Of the head, which is one vector a text: random 2 forward and 1 backward, AUM 3 and 3 (1 and 1 in the
// first epoch); AUM reads (n, C) gradients back to choose. The log's cross_entropy and what is counted as correct are
// of the unmixed texts, dropout on, as without mixup; loss is L.
#ifndef EBM_MIXUP_H
#define EBM_MIXUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "random.h"
#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum { EBM_MIXUP_RANDOM, EBM_MIXUP_AUM } ebm_mixup_kind;

typedef struct {
    float alpha; // of Beta(alpha, alpha); 0: no mixup
    ebm_mixup_kind kind;
} ebm_mixup;

bool ebm_mixup_is_on(const ebm_mixup *mixup);
// EBM_ERROR_INPUT for an alpha that is not finite or below 0, and for partners without an alpha.
ebm_status ebm_mixup_check(const ebm_mixup *mixup);
// "mixup with alpha 0.4", "mixup by area under the margin and saliency with alpha 0.4", ""; at most `size` bytes.
void ebm_mixup_text(const ebm_mixup *mixup, char *text, size_t size);

// Weights of EBM_MIXUP_AUM: of the text itself, of it mixed with the most and with the least similar text.
#define EBM_MIXUP_OWN 0.8f
#define EBM_MIXUP_SIMILAR 0.1f
#define EBM_MIXUP_DISSIMILAR 0.1f

// A number of Beta(alpha, alpha), alpha > 0: from two gamma variates (Marsaglia and Tsang 2000) in logarithms, so that
// a tiny alpha gives 0 and 1, not NaN.
double ebm_mixup_lambda(ebm_random *stream, double alpha);
// A permutation of 0 .. count - 1; a text may be its own partner.
void ebm_mixup_random_partners(ebm_random *stream, size_t count, int32_t *partner);

// saliency: (count, channels), signs do not count; hard: of each text whether it is. The most and the least similar
// text of the other half by cosine (0 where a saliency is 0 throughout), ties to the lower number; the text itself when
// the other half is empty. EBM_ERROR_MEMORY only.
ebm_status ebm_mixup_salient_partners(const float *saliency, const uint8_t *hard, size_t count, size_t channels,
                                      int32_t *similar, int32_t *dissimilar);
// Who chose whom: starts (count + 1), users (count), ascending within a text.
void ebm_mixup_users(const int32_t *partner, size_t count, int32_t *starts, int32_t *users);

// z_y - max_{k != y} z_k of each text; 0 with a single label. logits: (count, labels).
void ebm_mixup_margins(const float *logits, const int32_t *label, size_t count, size_t labels, float *margin);

#ifdef __cplusplus
}
#endif
#endif
