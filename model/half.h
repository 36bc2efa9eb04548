// Half storage of activations: what an encoder keeps for its backward pass lies in memory as halves (IEEE 754
// binary16), half the bytes. All arithmetic, all sums, weights, gradients and moments stay in float.
//
// The form. A layer computes in float in buffers that all layers share, as it does without training, and what its
// backward pass will need is packed to halves as soon as it is made. The backward pass unpacks it into the same
// buffers. So the forward pass has the bits it has without half storage, and only gradients are touched, by activations
// that are off by at most 2^-11 of themselves. LayerNorms' outputs are not kept at all: they are made again from their
// inputs, which the backward pass needs anyway.
//
// What it saves, in floats a token, C channels, L layers. Post-norm encoders (BERT, RoBERTa; inner size 4C): without,
// 12CL are kept and 16C shared (14C of them by the backward pass); with half storage 10CL halves = 5CL and 13C.
//
//     MiniLM-L6      C = 384, L = 6      88C -> 43C    -51 %    16 x 128 tokens:   266 ->  130 MiB
//     RoBERTa-base   C = 768, L = 12    160C -> 73C    -54 %    16 x 128 tokens:   963 ->  441 MiB
//                                                                8 x 512 tokens:  1925 ->  880 MiB
//
// ModernBERT-base (22 layers, 2F = 3C): 11CL + 15C -> 4.5CL + 15C, -56 %. Only a few floats a head come on top.
// Parameters, gradients and moments (16 bytes a parameter: 347 MiB and 1.9 GiB) are not touched, nor is the noise model
// of joint training. Its K = 8 noise texts pass through the same buffers, cut by the token budget (8192 by default:
// 1060 -> 519 MiB for MiniLM), or with half storage by one of twice the tokens.
//
// The other form, kernels that read and write halves themselves, would also save the shared 4C of qkv and the inner
// layer, 9 % of what is left for MiniLM and 5 % for RoBERTa, and the copies; but products with operands of two kinds
// are had from no backend on GPUs, so they would need float copies of most of it after all.
//
// Underflow. Loss scaling (Micikevicius et al. 2018, "Mixed Precision Training") keeps gradients that are stored in
// half from vanishing. Here no gradient ever is, so there is nothing for it to do. What half storage has is the other
// end: activations beyond 65504 become infinite. They are not cut off at 65504, which would give wrong gradients and
// tell no one; an infinite one makes the gradients of its layer infinite or NaN, which the norm shows that is reduced
// anyway. So the scale with back-off (train/half_scale.h) is one of the activations: they are multiplied by it (a power
// of two, 1 or less) before they are rounded and divided by it after. It starts at 1, halves when the gradients are not
// finite although the losses are, and that step changes nothing.
#ifndef EBM_HALF_H
#define EBM_HALF_H

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

// Elements of a slice that holds `count` halves: two in each.
static inline size_t ebm_half_elements(size_t count) { return count / 2 + count % 2; }

// halves[i] = x[i] * scale for i < count, rounded to nearest, ties to even: exact subnormals down to 2^-24, infinite
// from 65520 on, NaN stays NaN (quiet, its payload lost). The same bits on every device.
ebm_status ebm_half_pack(ebm_device *device, ebm_slice halves, ebm_slice x, size_t count, float scale);
// x[i] = halves[i] / scale. scale: a power of two from 2^-24 to 2^24, as it is for packing.
ebm_status ebm_half_unpack(ebm_device *device, ebm_slice x, ebm_slice halves, size_t count, float scale);

#ifdef __cplusplus
}
#endif
#endif
