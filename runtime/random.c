#include "random.h"

#include <math.h>

#include <Random123/philox.h>

void ebm_random_block(uint32_t words[4], uint64_t seed, uint32_t step, uint32_t site, uint64_t index)
{
    const philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), site, step}};
    const philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    const philox4x32_ctr_t block = philox4x32_R(10, counter, key);
    for (int i = 0; i < 4; i++) words[i] = block.v[i];
}

ebm_random ebm_random_stream(uint64_t seed, uint32_t step, uint32_t site)
{
    const ebm_random stream = {.seed = seed, .next = 0, .step = step, .site = site};
    return stream;
}

uint32_t ebm_random_u32(ebm_random *stream)
{
    uint32_t words[4];
    ebm_random_block(words, stream->seed, stream->step, stream->site, stream->next >> 2);
    return words[stream->next++ & 3];
}

// Lemire, "Fast random integer generation in an interval" (2019): the high half of word * bound, the few low halves
// that would favour some results drawn again.
uint32_t ebm_random_below(ebm_random *stream, uint32_t bound)
{
    const uint32_t unfair = (0u - bound) % bound; // 2^32 mod bound
    uint64_t product;
    do product = (uint64_t)ebm_random_u32(stream) * bound;
    while ((uint32_t)product < unfair);
    return (uint32_t)(product >> 32);
}

double ebm_random_uniform(ebm_random *stream)
{
    const uint64_t high = ebm_random_u32(stream) >> 5; // 27 bits
    const uint64_t low = ebm_random_u32(stream) >> 6;  // 26 bits
    return (double)((high << 26) | low) * 0x1p-53;
}

// The sine's half of the pair is not kept: a stream stays four numbers, and a call always takes the same words.
double ebm_random_normal(ebm_random *stream)
{
    const double radius = sqrt(-2.0 * log(1.0 - ebm_random_uniform(stream))); // 1 - u is never 0
    return radius * cos(6.283185307179586476925 * ebm_random_uniform(stream));
}

void ebm_random_shuffle(ebm_random *stream, uint32_t *items, size_t count)
{
    for (size_t left = count; left > 1; left--) {
        const size_t chosen = ebm_random_below(stream, (uint32_t)left);
        const uint32_t item = items[chosen];
        items[chosen] = items[left - 1];
        items[left - 1] = item;
    }
}
