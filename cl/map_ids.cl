// Translates token ids from one vocabulary to another: out[i] = map[in[i]], -1 for an id outside the map.
// Launch: one work-item an id, in groups of GROUP. `out` may be `in`, so neither is restrict.
__kernel void map_ids(__global int *out, __global const int *in, __global const int *restrict map, const int map_size,
                      const int count)
{
    const int i = get_global_id(0);
    if (i >= count) return;
    const int id = in[i];
    out[i] = id >= 0 && id < map_size ? map[id] : -1;
}
