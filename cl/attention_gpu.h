// Attention on GPUs: the parts forward and backward share. A work-group of 8 x 8 items owns OWN rows (queries, or keys
// in attention_backward_keys) while tiles of PASSING rows of the other kind pass by. Item (i, c) computes
//
//   scores     of own rows i, i + 8, ... with passing rows c, c + 8, ...
//   results    of own rows i, i + 8, ... in float4 channels c, c + 8, ...
//
// Macros: D head size, SCALE 1 / sqrt(D), DROPOUT 0 or 1, KEYS words of the dropout's stream for a query and head.
// Local memory: at most 31 KiB (attention_backward_keys at D = 64).
#include "rng.h"

#if D <= 64
#define OWN 32
#else
#define OWN 16
#endif
#define PASSING (OWN / 2)
#define A (OWN / 8)                // own rows of an item
#define B (PASSING / 8)            // passing rows of an item
#define CHANNELS4 (D / 4)          // float4 in a row
#define F ((CHANNELS4 + 7) / 8)    // float4 of a row of an item
#define PITCH4 (CHANNELS4 + 1)     // of a tile, in float4: neighbouring rows start in different banks
#define SCORES_PITCH (PASSING + 1) // of the scores (OWN, PASSING)
#define ITEMS 64
#define NOTHING -1e30f // the largest of no scores: finite, as the difference of two is taken

// Rows past `count` become 0, so that nothing is read past a sequence and products with them stay finite.
static void load_tile(__local float4 *tile, __global const float *from, size_t stride, int count, int rows)
{
    for (int i = get_local_id(0); i < rows * CHANNELS4; i += ITEMS) {
        const int row = i / CHANNELS4, f = i % CHANNELS4;
        tile[row * PITCH4 + f] = row < count ? vload4(f, from + row * stride) : (float4)(0.0f);
    }
}

// A column of one head, as lse and row_dots are.
static void load_column(__local float *column, __global const float *from, int stride, int count, int rows)
{
    const int item = get_local_id(0);
    if (item < rows) column[item] = item < count ? from[item * stride] : 0.0f;
}

// scores[a][b] = own row . passing row
static void multiply_tiles(float scores[A][B], __local const float4 *own, __local const float4 *passing)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
    float4 sums[A][B];
    for (int a = 0; a < A; a++)
        for (int b = 0; b < B; b++) sums[a][b] = 0;
    for (int f = 0; f < CHANNELS4; f++) {
        float4 x[A], y[B];
        for (int a = 0; a < A; a++) x[a] = own[(i + 8 * a) * PITCH4 + f];
        for (int b = 0; b < B; b++) y[b] = passing[(c + 8 * b) * PITCH4 + f];
        for (int a = 0; a < A; a++)
            for (int b = 0; b < B; b++) sums[a][b] = mad(x[a], y[b], sums[a][b]);
    }
    for (int a = 0; a < A; a++)
        for (int b = 0; b < B; b++) scores[a][b] = (sums[a][b].x + sums[a][b].z) + (sums[a][b].y + sums[a][b].w);
}

// sums[a][f] += sum over the passing rows of weights (OWN, PASSING) * passing
static void add_product(float4 sums[A][F], __local const float *weights, __local const float4 *passing)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
    for (int k = 0; k < PASSING; k++)
        for (int f = 0; f < F; f++) {
            if (c + 8 * f >= CHANNELS4) break;
            const float4 x = passing[k * PITCH4 + c + 8 * f];
            for (int a = 0; a < A; a++)
                sums[a][f] = mad((float4)(weights[(i + 8 * a) * SCORES_PITCH + k]), x, sums[a][f]);
        }
}

static void clear(float4 sums[A][F])
{
    for (int a = 0; a < A; a++)
        for (int f = 0; f < F; f++) sums[a][f] = 0;
}

// The first `count` own rows to global memory.
static void store_rows(__global float *to, size_t stride, int count, float4 sums[A][F], const float *weight)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
    for (int a = 0; a < A; a++)
        for (int f = 0; f < F; f++)
            if (i + 8 * a < count && c + 8 * f < CHANNELS4)
                vstore4(sums[a][f] * weight[a], c + 8 * f, to + (i + 8 * a) * stride);
}

// 0 where a probability is dropped, else 1 / (1 - p), for `keys` keys from k0 on (both multiples of 4) of `queries`
// queries from `token` on: element (query, key) at query * query_step + key * key_step.
static void draw_keep(__local float *keep, int query_step, int key_step, dropout_stream drop, ulong token, int queries,
                      int heads, int head, int k0, int keys)
{
    for (int i = get_local_id(0); i < queries * (keys / 4); i += ITEMS) {
        const int query = i % queries, key = i / queries * 4;
        const ulong word = drop.first + ((token + query) * heads + head) * KEYS + k0 + key;
        const uint4 words = random_block(drop.seed, drop.step, drop.site, word / 4);
        __local float *to = keep + query * query_step + key * key_step;
        to[0 * key_step] = words.x < drop.threshold ? 0 : drop.scale;
        to[1 * key_step] = words.y < drop.threshold ? 0 : drop.scale;
        to[2 * key_step] = words.z < drop.threshold ? 0 : drop.scale;
        to[3 * key_step] = words.w < drop.threshold ? 0 : drop.scale;
    }
}
