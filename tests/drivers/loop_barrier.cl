__kernel void pick(__global int *restrict first, __global int *restrict second, const int groups)
{
    const int rounds = min(1, groups - (int)get_group_id(0)); // 1
    for (int round = 0; round < rounds; round++) {
        barrier(CLK_GLOBAL_MEM_FENCE);
        first[round * 16 + get_local_id(0)] = 1;
    }
    for (int round = 0; round < rounds; round++)
        for (int i = get_local_id(0); i < 2; i += 4) second[round * 16 + i] = 1;
}
