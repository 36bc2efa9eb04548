// Adds up `count` numbers, a thousand in each round of the outer loop; count is a multiple of a thousand.
__kernel void pick(__global uint *out, __global const uint *numbers, const uint count)
{
    uint total = 0;
    for (uint i = 0; i < count; i += 1000)
        for (uint j = i; j < i + 1000; j++) total += numbers[j];
    out[0] = total;
}
