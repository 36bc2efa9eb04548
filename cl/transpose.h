// Transposes LANES rows of LANES floats in registers. `lanes` (lanes.h) must be defined.
//
// A perfect shuffle of the rows and of their elements: each round interleaves row i with row i + LANES / 2, and after
// log2(LANES) rounds element c of row r stands at element r of row c.
static inline __attribute__((always_inline)) void transpose_lanes(lanes *rows)
{
#pragma unroll
    for (int round = 1; round < LANES; round *= 2) {
        lanes shuffled[LANES];
#pragma unroll
        for (int i = 0; i < LANES / 2; i++) {
            shuffled[2 * i].even = rows[i].lo;
            shuffled[2 * i].odd = rows[i + LANES / 2].lo;
            shuffled[2 * i + 1].even = rows[i].hi;
            shuffled[2 * i + 1].odd = rows[i + LANES / 2].hi;
        }
#pragma unroll
        for (int i = 0; i < LANES; i++) rows[i] = shuffled[i];
    }
}
