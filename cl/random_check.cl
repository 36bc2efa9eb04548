// The numbers of rng.h as they come, to compare with runtime/random.h: by LANES for `vectors`, by blocks for `scalars`.
//
//   vectors, scalars   (groups, LANES * GROUP): words first, first + 1, ... of the stream (seed, step, site)
//
// Launch   work-groups of GROUP items in a row; first is a multiple of 4
// Writes   both outputs

#include "rng.h"

ROW_KERNEL void random_check(__global uint *restrict vectors, __global uint *restrict scalars, const ulong seed,
                             const uint step, const uint site, const ulong first)
{
    const size_t item = get_group_id(0) * GROUP + get_local_id(0), word = item * LANES;
    store(random_lanes(seed, step, site, first + word), item, vectors);
    for (int i = 0; i < LANES; i += 4)
        vstore4(random_block(seed, step, site, (first + word + i) >> 2), 0, scalars + word + i);
}
