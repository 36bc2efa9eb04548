// The matrix products of a model's step, from its sizes alone: what benchmarks time without the model itself.
//
//     ebm_model_product list[EBM_MODEL_PRODUCTS];
//     const size_t count = ebm_model_products(config, 2048, 16, list);
#ifndef EBM_PRODUCTS_H
#define EBM_PRODUCTS_H

#include "config.h"
#include "gemm.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name; // of the layer: "qkv", "logits"
    ebm_gemm_form form;
    size_t m, n, k;
    bool adds;    // to what is there: gradients of weights
    size_t times; // a step
} ebm_model_product;

enum { EBM_MODEL_PRODUCTS = 36 };

// Forward and backward over a packed batch of so many tokens and sequences, all with a target for GPT-2. Encoders:
// by cross-entropy, so without a scalar energy's head, as a classifier runs them (encoder.h, forward_first).
size_t ebm_model_products(const ebm_config *config, size_t tokens, size_t sequences,
                          ebm_model_product list[EBM_MODEL_PRODUCTS]);
// One token of each slot by GPT-2; none for encoders.
size_t ebm_model_generation_products(const ebm_config *config, size_t slots,
                                     ebm_model_product list[EBM_MODEL_PRODUCTS]);

// Plans (ebm_gemm_reserve) for these products with up to so many tokens and sequences: forward, and with `training`
// all. EBM_ERROR_MEMORY where so many rows have no size.
ebm_status ebm_model_reserve(ebm_device *device, const ebm_config *config, size_t tokens, size_t sequences,
                             bool training);
ebm_status ebm_model_reserve_generation(ebm_device *device, const ebm_config *config, size_t slots);

double ebm_model_product_flops(const ebm_model_product *product);

#ifdef __cplusplus
}
#endif
#endif
