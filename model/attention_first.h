// Attention of a layer of whose output only the first token of each sequence goes on (a classifier's last layer): the
// same as ebm_attention_forward with queries = 1 on the product of the input with the weights of query, key and value,
// but without making keys and values. With u = q Wk the scores are u . x, and with z = sum p x the output is z Wv^T +
// bv sum p (cl/attention_first.cl): of the products' 6 C^2 flops a token 4 C heads are left. The attention is neither
// causal nor has it a window.
#ifndef EBM_ATTENTION_FIRST_H
#define EBM_ATTENTION_FIRST_H

#include "attention.h"
#include "layers.h"

// What forward leaves for backward, and scratch of backward. T tokens and S sequences of the batch, H heads, C
// channels.
typedef struct {
    ebm_slice work;                    // (S, (2H + 1) C)
    ebm_slice p;                       // (T, H)
    ebm_slice d_work, d_scores, d_qkv; // (S, 2H C), (T, H), (S, 3C): backward only, as is
    ebm_slice column_scratch;          // EBM_COLUMN_SLABS * 3C elements
} ebm_attention_first;

// How many sequences of so many tokens in all have `work` and `d_work` fit where query, key and value of all tokens, 3C
// elements each, would lie otherwise. What fits pays: sequences are then longer than two thirds of the number of heads.
size_t ebm_attention_first_most(size_t heads, size_t tokens);

// out (S, C) from x (T, C), the layer's input, and first (S, C), its rows of first tokens. qkv: weights (3C, C) and
// bias. Dropout draws what ebm_attention_forward would.
ebm_status ebm_attention_first_forward(ebm_device *device, const ebm_attention_first *memory, ebm_slice out,
                                       ebm_slice x, ebm_slice first, const ebm_linear *qkv, const ebm_batch *batch,
                                       const ebm_attention *attention);
// dx (T, C) from dout (S, C) and what forward saw and wrote; the gradients of qkv are added to. d_first (S, C) comes
// with what else is to be added to dx of first tokens, and leaves with all of it but the keys' and values' part.
ebm_status ebm_attention_first_backward(ebm_device *device, const ebm_attention_first *memory, ebm_slice dx,
                                        ebm_slice d_first, ebm_slice dout, ebm_slice x, ebm_slice first,
                                        const ebm_linear *qkv, const ebm_batch *batch, const ebm_attention *attention);

#endif
