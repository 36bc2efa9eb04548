// Multi-head self-attention over packed sequences, forward and backward, and one new token at a time against a cache.
// No T x T matrix of the batch is ever stored; backward recomputes probabilities from the stored log-sum-exp.
#ifndef EBM_ATTENTION_H
#define EBM_ATTENTION_H

#include <stdbool.h>
#include <stddef.h>

#include "batch.h"
#include "operations.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { EBM_ATTENTION_TOKENS = 8192 }; // in a sequence, at most

typedef struct {
    size_t heads, head_size; // C = heads * head_size; head_size a multiple of 16, at most 128
    bool causal;
    size_t window;       // > 0: keys at most so many positions before or after the query are seen; 0: all
    size_t queries;      // > 0: only the first so many tokens of each sequence ask; all: 0
    size_t longest;      // sequences have at most this many tokens, a multiple of 16; 0: 1024
    ebm_dropout dropout; // on the probabilities; element (token, head, key position in its sequence) draws word
                         // ((first_row + token) * heads + head) * longest + key
} ebm_attention;

size_t ebm_attention_longest(const ebm_attention *attention); // as given, or the 1024 of 0
// Sizes and probability are possible; what follows checks it itself.
ebm_status ebm_attention_check(const ebm_attention *attention);

// qkv (tokens, 3C): query, key, value of each token side by side. out (tokens, C). lse (tokens, heads): log-sum-exp of
// the scaled scores of each query, for backward. Scale 1 / sqrt(head_size). Work grows with the keys seen, not with the
// square of the tokens, when there is a window. Of tokens that do not ask, nothing is written and no query is read.
ebm_status ebm_attention_forward(ebm_device *device, ebm_slice out, ebm_slice lse, ebm_slice qkv,
                                 const ebm_batch *batch, const ebm_attention *attention);
// Writes dqkv (tokens, 3C), from dout and what forward saw and wrote. scratch: at least tokens * heads elements
// (row sums of dout * out). Of tokens that do not ask, dout is not read, and the query's part of dqkv becomes 0.
ebm_status ebm_attention_backward(ebm_device *device, ebm_slice dqkv, ebm_slice dout, ebm_slice out, ebm_slice qkv,
                                  ebm_slice lse, ebm_slice scratch, const ebm_batch *batch,
                                  const ebm_attention *attention);

// Generation: slot s has one new token with qkv (slots, 3C); its key and value are written to position lengths[s] of
// cache (slots, capacity, 2C: key then value) and it attends to positions 0 .. lengths[s]. lengths (slots, int32) is
// read on the device and not changed. A slot with lengths[s] < 0 is idle: its out row is zeroed, its cache untouched;
// lengths[s] >= capacity must not occur and is treated as idle. A window is refused.
ebm_status ebm_attention_cached(ebm_device *device, ebm_slice out, ebm_slice cache, ebm_slice qkv, ebm_slice lengths,
                                size_t slots, size_t capacity, const ebm_attention *attention);
// Puts the keys and values of a packed prefill batch (qkv (tokens, 3C)) into the cache: sequence s goes to slot
// slot_of[s] (int32 on the device), positions 0 .. its length - 1.
ebm_status ebm_attention_fill_cache(ebm_device *device, ebm_slice cache, ebm_slice qkv, ebm_slice slot_of,
                                    const ebm_batch *batch, size_t capacity, const ebm_attention *attention);

#ifdef __cplusplus
}
#endif
#endif
