// A function that is not inlined and whose argument is the same local array at every call adds up what lies in it.
static __attribute__((noinline)) int sum(__local const int *numbers, const int count)
{
    int total = 0;
    for (int i = 0; i < count; i++) total += numbers[i];
    return total;
}

__kernel void pick(__global int *out, const int first, const int count)
{
    __local int numbers[4];
    for (int i = 0; i < 4; i++) numbers[i] = first + i;
    out[0] = sum(numbers, count);
}
