__kernel void ask(__global float *out, __local float *scratch, const uint count)
{
    for (uint i = 0; i < count; i++) scratch[i] = i;
    out[0] = scratch[count / 2];
}
