// Counter-based random numbers: Philox 4x32-10 (Salmon et al. 2011), the same numbers in C and in kernels (cl/rng.h).
// Every number is a function of (seed, step, site, index): nothing to store, nothing to replay.
//
// Key: the 64-bit seed. Counter: (index low, index high, site, step). A block gives four 32-bit words.
#ifndef EBM_RANDOM_H
#define EBM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

void ebm_random_block(uint32_t words[4], uint64_t seed, uint32_t step, uint32_t site, uint64_t index);

// A stream for host code (shuffles, masks, initial weights): numbers in order from (seed, step, site).
typedef struct {
    uint64_t seed, next; // next: index of the next 32-bit word
    uint32_t step, site;
} ebm_random;

ebm_random ebm_random_stream(uint64_t seed, uint32_t step, uint32_t site);
uint32_t ebm_random_u32(ebm_random *stream);
uint32_t ebm_random_below(ebm_random *stream, uint32_t bound); // uniform in [0, bound), bound > 0, without bias
double ebm_random_uniform(ebm_random *stream);                 // [0, 1), 53 bits, takes two words
double ebm_random_normal(ebm_random *stream);                  // mean 0, deviation 1 (Box-Muller)
void ebm_random_shuffle(ebm_random *stream, uint32_t *items, size_t count); // Fisher-Yates

// Sites: one number for each place that draws, so that no two places share numbers. Layer l of a model adds l * 8.
enum {
    EBM_SITE_SHUFFLE = 1,
    EBM_SITE_SHUFFLE_NCE,
    EBM_SITE_INIT,
    EBM_SITE_MASK,
    EBM_SITE_PROMPT,
    EBM_SITE_SAMPLE,
    EBM_SITE_BOOTSTRAP,
    EBM_SITE_GRAMMAR,
    EBM_SITE_SPLIT,
    EBM_SITE_FLOOR,
    EBM_SITE_BENCHMARK,
    EBM_SITE_RUNS,
    EBM_SITE_MIXUP,
    EBM_SITE_REJECTION,
    EBM_SITE_MLM = 48,
    EBM_SITE_DROPOUT_HEAD = 64,
    EBM_SITE_DROPOUT_ENERGY = 72,
    EBM_SITE_DROPOUT_EMBEDDING = 80,
    EBM_SITE_DROPOUT_LAYERS = 96, // + 8 * layer + {0 attention, 1 after attention, 2 after feed-forward}
};

#ifdef __cplusplus
}
#endif
#endif
