// The first `count` elements, then zeros: a vector that hangs over the end of a row. `lanes` (lanes.h) must be defined.
static inline lanes load_some(__global const float *from, const int count)
{
    float values[LANES];
    for (int i = 0; i < LANES; i++) values[i] = i < count ? from[i] : 0;
    return load(0, values);
}

// Back to where load_some took them from, without the zeros.
static inline void store_some(const lanes x, __global float *to, const int count)
{
    float values[LANES];
    store(x, 0, values);
    for (int i = 0; i < min(count, LANES); i++) to[i] = values[i];
}
