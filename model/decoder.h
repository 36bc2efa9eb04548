// GPT-2 (Radford et al. 2019): pre-norm transformer decoder with tied output embedding, the noise model's network.
// Training on packed batches here; generation with a key/value cache in generator.h.
//
//     EBM_TRY(ebm_decoder_create(device, config, parameters, &settings, &decoder));
//     ... arenas planned and allocated, ebm_parameters_load or _init ...
//     EBM_TRY(ebm_decoder_forward(decoder, &batch, &run));
//     EBM_TRY(ebm_decoder_loss(decoder, &batch, targets, total, &run, true, &loss));  // gradient of the last LayerNorm
//     EBM_TRY(ebm_decoder_backward(decoder, &batch, &run));
#ifndef EBM_DECODER_H
#define EBM_DECODER_H

#include "batch.h"
#include "config.h"
#include "parameters.h"
#include "run.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ebm_decoder ebm_decoder;

// `slots`: sequences generated at a time, 0 when only training; `capacity`: longest of them in tokens, prompt included.
// With slots and without training, the weights of its products are kept a second time, packed (gemm_packed.h): from the
// first batch on, and again after every change that ebm_parameters_version tells of.
typedef struct {
    ebm_limits limits; // of packed batches: training, perplexity and the prompts of generation
    size_t slots, capacity;
    bool only_generates; // no memory for losses, whose logits take the most where the vocabulary is large
} ebm_decoder_settings;

ebm_status ebm_decoder_create(ebm_device *device, const ebm_config *config, ebm_parameters *parameters,
                              const ebm_decoder_settings *settings, ebm_decoder **decoder);
void ebm_decoder_free(ebm_decoder *decoder); // NULL is accepted
enum { EBM_DECODER_ARENAS = 2 };
size_t ebm_decoder_arenas(ebm_decoder *decoder, ebm_arena *arenas[EBM_DECODER_ARENAS]); // how many there are
ebm_status ebm_decoder_allocate(ebm_decoder *decoder);

// Hidden states of a packed batch, the last LayerNorm included: ebm_decoder_output (tokens, C).
ebm_status ebm_decoder_forward(ebm_decoder *decoder, const ebm_batch *batch, const ebm_run *run);

// Cross-entropy of the next token at every position with a target. targets: one int32 a token on the host, -1 = none
// (prefixes, last tokens): those positions cost no vocabulary product. *loss_sum: sum over targets in nats;
// *target_count how many. With `gradient`, d loss / `total` flows into the hidden states and the embedding.
ebm_status ebm_decoder_loss(ebm_decoder *decoder, const ebm_batch *batch, const int32_t *targets, size_t total,
                            bool gradient, double *loss_sum, size_t *target_count);
// Without a gradient, the loss of each target instead of their sum: losses has room for all of them, in their order.
ebm_status ebm_decoder_losses(ebm_decoder *decoder, const ebm_batch *batch, const int32_t *targets, float *losses,
                              size_t *target_count);
ebm_status ebm_decoder_backward(ebm_decoder *decoder, const ebm_batch *batch, const ebm_run *run); // after _loss

ebm_slice ebm_decoder_output(const ebm_decoder *decoder);

// Generation, the steps of generator.h. The cache of each layer is (slots, capacity, 2C).
// Runs a packed batch of prompts as far as its keys and values, which go into the cache; slot_of: int32 on the device.
ebm_status ebm_decoder_prefill(ebm_decoder *decoder, const ebm_batch *prompts, ebm_slice slot_of);
// One token a slot: ids, positions (int32, on the device); positions[s] is also the cache length before this token,
// negative = idle. -> ebm_decoder_step_hidden (slots, C), the last LayerNorm included.
ebm_status ebm_decoder_step(ebm_decoder *decoder, ebm_slice ids, ebm_slice positions);
ebm_slice ebm_decoder_step_hidden(const ebm_decoder *decoder);
// Their product with the output embedding (vocabulary, C) transposed -> logits (slots, vocabulary), the caller's.
ebm_status ebm_decoder_step_logits(ebm_decoder *decoder, ebm_slice logits);
ebm_slice ebm_decoder_output_embedding(const ebm_decoder *decoder);

#ifdef __cplusplus
}
#endif
#endif
