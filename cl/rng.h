// Philox 4x32-10 (Salmon et al. 2011), the numbers of runtime/random.h: key = seed, counter = (index low, index high,
// site, step), four words a block; word i of a stream is word i & 3 of block i >> 2.
//
// One round takes the words (x0, x1, x2, x3) to
//     (high(M1 x2) ^ x1 ^ k0, low(M1 x2), high(M0 x0) ^ x3 ^ k1, low(M0 x0))
// A vector of 64-bit pairs holds x0 and x2 of LANES / 4 blocks side by side, another x1 and x3: a round is then one
// 32 x 32 -> 64 bit multiplication, one exchange of neighbours and two exclusive ors for all of them, and the words
// come out in the order of the stream.
#ifndef EBM_RNG_H
#define EBM_RNG_H

#include "lanes.h"

#if LANES == 16
typedef ulong8 pairs;
#define PAIR(even, odd) ((ulong8)(even, odd, even, odd, even, odd, even, odd))
#define PAIR_BLOCK ((ulong8)(0, 0, 1, 1, 2, 2, 3, 3))
#define EXCHANGED s10325476
#elif LANES == 8
typedef ulong4 pairs;
#define PAIR(even, odd) ((ulong4)(even, odd, even, odd))
#define PAIR_BLOCK ((ulong4)(0, 0, 1, 1))
#define EXCHANGED s1032
#else
typedef ulong2 pairs;
#define PAIR(even, odd) ((ulong2)(even, odd))
#define PAIR_BLOCK ((ulong2)(0, 0))
#define EXCHANGED s10
#endif
#define LOW_WORD 0xFFFFFFFFul

// Words first, first + 1, ... first + LANES - 1 of a stream; first is a multiple of 4.
static inline uint_lanes random_lanes(ulong seed, uint step, uint site, ulong first)
{
    const pairs block = (first >> 2) + PAIR_BLOCK;
    pairs even = (block & PAIR(LOW_WORD, 0)) | PAIR(0, (ulong)site);
    pairs odd = ((block >> 32) & PAIR(LOW_WORD, 0)) | PAIR(0, (ulong)step);
    pairs key = PAIR(seed, seed >> 32);
#pragma unroll
    for (int round = 0; round < 10; round++) { // the high words of all three hold leftovers, masked when it matters
        const pairs crossed = ((even & LOW_WORD) * PAIR(0xD2511F53ul, 0xCD9E8D57ul)).EXCHANGED;
        even = (crossed >> 32) ^ odd ^ key;
        odd = crossed;
        key += PAIR(0x9E3779B9ul, 0xBB67AE85ul);
    }
    return JOIN(as_uint, LANES)((even & LOW_WORD) | (odd << 32));
}

// Block `index` of a stream, for kernels that draw one number at a time.
static inline uint4 random_block(ulong seed, uint step, uint site, ulong index)
{
    uint4 x = (uint4)((uint)index, (uint)(index >> 32), site, step);
    uint2 key = (uint2)((uint)seed, (uint)(seed >> 32));
#pragma unroll
    for (int round = 0; round < 10; round++) {
        const ulong first = (ulong)x.x * 0xD2511F53ul, second = (ulong)x.z * 0xCD9E8D57ul;
        x = (uint4)((uint)(second >> 32) ^ x.y ^ key.x, (uint)second, (uint)(first >> 32) ^ x.w ^ key.y, (uint)first);
        key += (uint2)(0x9E3779B9u, 0xBB67AE85u);
    }
    return x;
}

// Dropout of the tensor element `element` is word `first + element`: dropped when below threshold = probability * 2^32,
// else multiplied by scale = 1 / (1 - probability). threshold = 0: nothing is drawn.
typedef struct {
    ulong seed, first;
    uint step, site, threshold;
    float scale;
} dropout_stream;

#define DROPOUT_PARAMETERS                                                                                             \
    const ulong seed, const ulong first_word, const uint step, const uint site, const uint threshold, const float scale
#define DROPOUT_STREAM {seed, first_word, step, site, threshold, scale}

// Elements element ... element + LANES - 1 under their mask; first + element is a multiple of 4.
static inline lanes drop_lanes(lanes x, dropout_stream stream, ulong element)
{
    if (stream.threshold == 0) return x;
    const uint_lanes words = random_lanes(stream.seed, stream.step, stream.site, stream.first + element);
    return select(x * stream.scale, (lanes)(0.0f), words < stream.threshold);
}

#endif
