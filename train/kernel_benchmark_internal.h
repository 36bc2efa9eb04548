// What the operations of the kernel benchmark work on.
#ifndef EBM_KERNEL_BENCHMARK_INTERNAL_H
#define EBM_KERNEL_BENCHMARK_INTERNAL_H

#include "attention.h"
#include "decoder_internal.h"
#include "kernel_benchmark.h"
#include "optimizer.h"

// T tokens, C channels, F inner size, W = max(3C, 2F), V vocabulary, S slots.
struct ebm_kernel_benchmark {
    ebm_device *device;
    const ebm_config *config;
    ebm_kernel_benchmark_settings set;
    size_t tokens;
    const struct ebm_kernel_operation **operations; // those that the model has
    size_t count;
    ebm_arena *arena;
    ebm_parameters *parameters; // one tensor: the word embeddings
    ebm_tensor *word;
    ebm_optimizer *optimizer;
    ebm_slice out, out2;                    // (T, W): what operations write
    ebm_slice a, b, c;                      // (T, W): what they read
    ebm_slice mean, rstd;                   // (T)
    ebm_slice lse, row_sums;                // (T, heads)
    ebm_slice gain, shift, d_gain, d_shift; // (W)
    ebm_slice column_scratch;
    ebm_slice position, d_position, type, d_type; // tables
    ebm_slice table;                              // of rotary angles
    ebm_slice logits, labels, loss;               // encoders: (batch, labels); GPT-2: (max(256, S), V)
    ebm_slice cache, lengths, texts, next;        // GPT-2: S slots
    ebm_batch batch;
    int32_t *starts;
};

enum { EBM_CACHED_TOKENS = 64 }; // of a text while it is generated

// In a name stand rows x columns, of attention texts x tokens and the heads, and how much dropout there is.
typedef struct ebm_kernel_operation {
    const char *name;
    ebm_timed_work *run;                              // context: the benchmark
    bool (*applies)(const ebm_kernel_benchmark *b);   // to this model
    size_t (*columns)(const ebm_kernel_benchmark *b); // NULL: attention over the packed texts
    size_t (*rows)(const ebm_kernel_benchmark *b);
    float (*dropout)(const ebm_kernel_benchmark *b); // NULL: none
    double (*bytes)(const ebm_kernel_benchmark *b);  // where a launch cannot know them; NULL: it does
} ebm_kernel_operation;

extern const ebm_kernel_operation ebm_kernel_operations[];
extern const size_t ebm_kernel_operation_count;

#endif
