// A whole work-group returns where its index is no index. Legal (6.12.8 of OpenCL 1.2: if any item reaches the barrier,
// all must; none does), and no item reads f in such a group.
__kernel void pick(__global float *out, __global const float *f, __global const int *indices, const int count)
{
    const size_t group = get_group_id(0);
    const int index = indices[group];
    if (index < 0 || index >= count) return;
    const float x = f[index];
    barrier(CLK_GLOBAL_MEM_FENCE);
    if (get_local_id(0) == 0) out[group] = x;
}
