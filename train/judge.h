// A language model as a judge of texts: their log-likelihood, token by token, under a model that had no part in making
// them. Perplexity is exp of the mean negative log-likelihood of a token; a text is [start] text [end], and its end
// counts.
//
// The judge is a directory in GPT-2's form (noise_model.h says how the start and end tokens are found), trained as an
// ordinary language model: one of the hub, or `ebmcl noise train --noise_objective plain`, on texts that are neither
// the task's nor the noise's. A noise model of the masked objective is a poor judge: it has always seen a masked form
// of the text in front of it, here it would see none. One that says so in its noise.json is refused; a directory
// without that record (somebody else's GPT-2, or one from before it was kept) is taken as it is.
//
// Perplexities compare texts only as far as the tokenizer takes them alike. Noise is what a tokenizer decoded (in lower
// case, with blanks before commas, where it is an uncased WordPiece): a judge with the same kind of vocabulary does not
// see that, one that keeps case and blanks sees little else.
//
//     EBM_TRY(ebm_judge_open(device, "judge", 0, &judge));
//     EBM_CHECK(ebm_judge_texts(judge, texts, nats, tokens), end);               // of each text
//     EBM_CHECK(ebm_perplexity_measure(nats, tokens, count, EBM_RESAMPLES_DEFAULT, seed, &p), end);
#ifndef EBM_JUDGE_H
#define EBM_JUDGE_H

#include "bootstrap.h"
#include "dataset.h"
#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_judge ebm_judge;

// token_budget: tokens of the largest packed batch, 0: 4096; at least one longest text of 256 tokens.
ebm_status ebm_judge_open(ebm_device *device, const char *directory, size_t token_budget, ebm_judge **judge);
void ebm_judge_free(ebm_judge *judge); // NULL is accepted

// Both: one a text. nats: -ln P(text and its end), tokens: how many predictions that is. Pairs are joined by the
// separator; what is longer than 256 tokens is cut (noise_texts.h).
ebm_status ebm_judge_texts(ebm_judge *judge, const ebm_dataset *texts, double *nats, uint32_t *tokens);

typedef struct {
    double perplexity;
    ebm_interval interval; // bootstrap over texts; NaN without resamples
    double tokens_a_text;
} ebm_perplexity;

// exp(sum nats / sum tokens) of `count` texts, at least one; each finite and of at least one token. resamples: 0 to a
// million, drawn as ebm_bootstrap's.
ebm_status ebm_perplexity_measure(const double *nats, const uint32_t *tokens, size_t count, int resamples,
                                  uint64_t seed, ebm_perplexity *out);

#ifdef __cplusplus
}
#endif
#endif
