// A known answer from the device: what `ebmcl devices` and the runtime's own tests run to see that programs build, that
// arguments arrive in order and that group and lane counts are what the runtime thinks.
//
//   y[row * WIDTH + i] = scale * x[row * WIDTH + i] + offset
//
// Macros   WIDTH   floats a row, a multiple of LANES
// Launch   one work-group of GROUP items per row

__kernel __attribute__((reqd_work_group_size(GROUP, 1, 1)))
void vector_check(__global float *restrict y, __global const float *restrict x, const float scale, const int offset)
{
    const size_t row = get_group_id(0);
    for (int i = get_local_id(0); i < WIDTH; i += GROUP) y[row * WIDTH + i] = scale * x[row * WIDTH + i] + offset;
}
