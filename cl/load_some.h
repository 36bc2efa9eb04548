// The first `count` elements, then zeros: a vector that hangs over the end of a row. `lanes` (lanes.h) must be defined.
static inline lanes load_some(__global const float *from, const int count)
{
    float values[LANES];
    for (int i = 0; i < LANES; i++) values[i] = i < count ? from[i] : 0;
    return load(0, values);
}
