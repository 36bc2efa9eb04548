// Texts in the noise model's tokens, and the masked prefixes made from them (METHOD section 3).
//
//     [label] [masked text] [start] [text] [end]    text: A, or A separator B; a run of masked tokens becomes one mask
//                                                   token; label and masked text as the model's objective says
#ifndef EBM_NOISE_TEXTS_H
#define EBM_NOISE_TEXTS_H

#include "dataset.h"
#include "noise_model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_noise_texts ebm_noise_texts;

// Every row's text in tokens, a pair joined by the separator, cut so that prefix, start, text and end fit. Tokens of
// the model's roles that somebody wrote into a text become its unknown token, or are left out where there is none.
ebm_status ebm_noise_texts_create(const ebm_dataset *dataset, const ebm_tokenizer *tokenizer, ebm_noise_roles roles,
                                  ebm_noise_texts **texts);
// The same for a model that is shown the text itself: a text, or a pair with its separator, has at most `most` tokens,
// the longer part cut first as the encoders' tokenizers do.
ebm_status ebm_noise_texts_create_within(const ebm_dataset *dataset, const ebm_tokenizer *tokenizer,
                                         ebm_noise_roles roles, size_t most, ebm_noise_texts **texts);
// Notes each row's label as the model's token for it, by name; `dataset` is the one the texts are from. EBM_ERROR_INPUT
// for a row without a label and for one that the model does not know. Texts never told have none.
ebm_status ebm_noise_texts_label(ebm_noise_texts *texts, const ebm_dataset *dataset, const ebm_noise_model *model);
void ebm_noise_texts_free(ebm_noise_texts *texts); // NULL is accepted
size_t ebm_noise_texts_count(const ebm_noise_texts *texts);
// Tokens of a text, without end; borrowed.
const int32_t *ebm_noise_texts_view(const ebm_noise_texts *texts, size_t index, size_t *count);
bool ebm_noise_texts_contain(const ebm_noise_texts *texts, const int32_t *ids, size_t count); // is it one of them?

// Writes the masked prefix, each token masked with this probability (separators never), at most EBM_NOISE_MAX_PREFIX
// tokens. `draw` names the random numbers: the same draw gives the same mask. prefix: EBM_NOISE_MAX_PREFIX elements.
size_t ebm_noise_mask(const ebm_noise_texts *texts, size_t index, float probability, uint64_t seed, uint32_t draw,
                      int32_t *prefix);

// What stands before the start token with this objective: the text's label (nothing for a text that has none), the
// masked text, both or nothing. At most EBM_NOISE_MAX_PREFIX tokens, which is the room `prefix` has.
size_t ebm_noise_prefix(const ebm_noise_texts *texts, size_t index, ebm_noise_objective objective, float probability,
                        uint64_t seed, uint32_t draw, int32_t *prefix);

#ifdef __cplusplus
}
#endif
#endif
