// What all items of a work-group know together; nothing to do for a group of one.
#ifndef EBM_REDUCE_H
#define EBM_REDUCE_H

// The sum of every item's `own`, in a fixed order. scratch: GROUP floats, free again on return.
static inline float sum_over_group(float own, __local float *scratch)
{
#if GROUP == 1
    return own;
#else
    const int item = get_local_id(0);
    scratch[item] = own;
    for (int width = GROUP / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < width) scratch[item] += scratch[item + width];
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const float total = scratch[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return total;
#endif
}

// The largest `own`, a NaN ignored. scratch: GROUP floats, free again on return.
static inline float most_over_group(float own, __local float *scratch)
{
#if GROUP == 1
    return own;
#else
    const int item = get_local_id(0);
    scratch[item] = own;
    for (int width = GROUP / 2; width > 0; width /= 2) {
        barrier(CLK_LOCAL_MEM_FENCE);
        if (item < width) scratch[item] = fmax(scratch[item], scratch[item + width]);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    const float most = scratch[0];
    barrier(CLK_LOCAL_MEM_FENCE);
    return most;
#endif
}

#endif
