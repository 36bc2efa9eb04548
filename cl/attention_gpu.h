// Attention on GPUs: the parts forward and backward share. A work-group of DOWN x 8 items owns OWN rows (queries, or
// keys in attention_backward_keys) while tiles of PASSING rows of the other kind pass by. Item (i, c) computes
//
//   scores     of own rows i, i + DOWN, ... with passing rows c, c + 8, ...
//   results    of own rows i, i + DOWN, ... in float4 channels c, c + 8, ...
//
// Macros: D head size, SCALE 1 / sqrt(D), DROPOUT 0 or 1, KEYS words of the dropout's stream for a query and head.
// Local memory: at most 31 KiB (attention_backward_keys at D = 64).
//
// What an item keeps must stay in registers: loops over its rows and channels are unrolled whole, so that no array is
// indexed by a variable, and loops through tiles only a little, or compilers hold whole tiles in registers and spill.
// bench/GPU.md shows what comes of it and why DOWN is what it is.
#include "rng.h"

// model/attention.c knows the same numbers.
#if D <= 64
#define OWN 32
#define DOWN 16
#else
#define OWN 16
#define DOWN 8
#endif
#define PASSING (OWN / 2)
#define A (OWN / DOWN)             // own rows of an item
#define B (PASSING / 8)            // passing rows of an item
#define CHANNELS4 (D / 4)          // float4 in a row
#define F ((CHANNELS4 + 7) / 8)    // float4 of a row of an item
#define PITCH4 (CHANNELS4 + 1)     // of a tile, in float4: neighbouring rows start in different banks
#define SCORES_PITCH (PASSING + 1) // of the scores (OWN, PASSING)
#define ITEMS (DOWN * 8)
// A row of one head in global memory begins at a multiple of 16 floats: one instruction, where vload4 becomes four.
#define ROW4(row) ((__global float4 *)(row))
#define ROW4_CONST(row) ((__global const float4 *)(row))
#define NOTHING -1e30f // the largest of no scores: finite, as the difference of two is taken

// Rows past `count` become 0, so that nothing is read past a sequence and products with them stay finite.
static void load_tile(__local float4 *tile, __global const float *from, size_t stride, int count, int rows)
{
#pragma unroll 2
    for (int i = get_local_id(0); i < rows * CHANNELS4; i += ITEMS) {
        const int row = i / CHANNELS4, f = i % CHANNELS4;
        tile[row * PITCH4 + f] = row < count ? ROW4_CONST(from + row * stride)[f] : (float4)(0.0f);
    }
}

// A column of one head, as lse and row_dots are.
static void load_column(__local float *column, __global const float *from, int stride, int count, int rows)
{
    const int item = get_local_id(0);
    if (item < rows) column[item] = item < count ? from[item * stride] : 0.0f;
}

// sums[a][b] = own row . passing row
static void multiply_tiles(float sums[A][B], __local const float4 *own, __local const float4 *passing)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
#pragma unroll
    for (int a = 0; a < A; a++)
#pragma unroll
        for (int b = 0; b < B; b++) sums[a][b] = 0;
#pragma unroll 2
    for (int f = 0; f < CHANNELS4; f++) {
        float4 x[A], y[B];
#pragma unroll
        for (int a = 0; a < A; a++) x[a] = own[(i + DOWN * a) * PITCH4 + f];
#pragma unroll
        for (int b = 0; b < B; b++) y[b] = passing[(c + 8 * b) * PITCH4 + f];
#pragma unroll
        for (int a = 0; a < A; a++)
#pragma unroll
            for (int b = 0; b < B; b++) {
                sums[a][b] = mad(x[a].x, y[b].x, sums[a][b]);
                sums[a][b] = mad(x[a].y, y[b].y, sums[a][b]);
                sums[a][b] = mad(x[a].z, y[b].z, sums[a][b]);
                sums[a][b] = mad(x[a].w, y[b].w, sums[a][b]);
            }
    }
}

// Whether float4 f of an item's is a channel: only where a row has no multiple of 32 channels some are not.
#define IS_CHANNEL(c, f) (CHANNELS4 % 8 == 0 || (c) + 8 * (f) < CHANNELS4)

// sums[a][f] += sum over the passing rows of weights (OWN, PASSING) * passing
static void add_product(float4 sums[A][F], __local const float *weights, __local const float4 *passing)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
#pragma unroll 2
    for (int k = 0; k < PASSING; k++) {
        float weight[A];
#pragma unroll
        for (int a = 0; a < A; a++) weight[a] = weights[(i + DOWN * a) * SCORES_PITCH + k];
#pragma unroll
        for (int f = 0; f < F; f++) {
            const float4 x = IS_CHANNEL(c, f) ? passing[k * PITCH4 + c + 8 * f] : (float4)(0.0f);
#pragma unroll
            for (int a = 0; a < A; a++) sums[a][f] = mad((float4)(weight[a]), x, sums[a][f]);
        }
    }
}

static void clear(float4 sums[A][F])
{
#pragma unroll
    for (int a = 0; a < A; a++)
#pragma unroll
        for (int f = 0; f < F; f++) sums[a][f] = 0;
}

// The first `count` own rows, times their weights, to global memory. Told to unroll only for heads above 96, where Intel's
// compiler would keep the sums in memory otherwise (Arc); PoCL 3.1 then also stores what the condition excludes at D 48.
static void store_rows(__global float *to, size_t stride, int count, float4 sums[A][F], const float *weight)
{
    const int i = get_local_id(0) / 8, c = get_local_id(0) % 8;
#if D > 96
#pragma unroll
#endif
    for (int a = 0; a < A; a++)
#if D > 96
#pragma unroll
#endif
        for (int f = 0; f < F; f++)
            if (i + DOWN * a < count && IS_CHANNEL(c, f))
                ROW4(to + (i + DOWN * a) * stride)[c + 8 * f] = sums[a][f] * weight[a];
}

// 0 where a probability is dropped, else 1 / (1 - p), for `keys` keys from k0 on (both multiples of 4) of `queries`
// queries from `token` on: element (query, key) at query * query_step + key * key_step.
static void draw_keep(__local float *keep, int query_step, int key_step, dropout_stream drop, ulong token, int queries,
                      int heads, int head, int k0, int keys)
{
#pragma unroll 1
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
