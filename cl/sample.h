// What both ways of sampling share. A text's random number depends on the text and the position only, not on its slot.
#ifndef EBM_SAMPLE_H
#define EBM_SAMPLE_H

#include "rng.h"

// u in [0, 1), 24 bits.
static inline float uniform_of(const ulong seed, const uint step, const uint site, const uint text, const int position)
{
    const uint4 block = random_block(seed, step, site, (ulong)text * 1024 + (ulong)position);
    return (block.x >> 8) * 5.9604645e-8f;
}

static inline bool is_banned(const int id, __global const int *banned, const int banned_count)
{
    bool found = false;
    for (int i = 0; i < banned_count; i++) found |= banned[i] == id;
    return found;
}

#endif
