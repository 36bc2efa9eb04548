// A read between an early return and a barrier is moved in front of the return's condition.
#include "case.h"

static int check(const char *source)
{
    enum { GROUPS = 4, COUNT = 2 };
    const float f[COUNT] = {3, 5}, before[GROUPS] = {-1, -1, -1, -1}, expected[GROUPS] = {3, -1, 5, -1};
    const cl_int indices[GROUPS] = {0, -1, 1, 1000000000}, count = COUNT;
    float found[GROUPS];
    const size_t groups = GROUPS, one = 1;
    cl_kernel kernel = make_kernel(source, "pick");
    cl_mem out = make_buffer(sizeof before, before), in = make_buffer(sizeof f, f);
    cl_mem at = make_buffer(sizeof indices, indices);
    MUST(clSetKernelArg(kernel, 0, sizeof out, &out));
    MUST(clSetKernelArg(kernel, 1, sizeof in, &in));
    MUST(clSetKernelArg(kernel, 2, sizeof at, &at));
    MUST(clSetKernelArg(kernel, 3, sizeof count, &count));
    MUST(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &groups, &one, 0, NULL, NULL));
    MUST(clEnqueueReadBuffer(queue, out, CL_TRUE, 0, sizeof found, found, 0, NULL, NULL));
    for (int i = 0; i < GROUPS; i++)
        if (found[i] != expected[i]) return WRONG;
    return RIGHT;
}

int main(int count, char **arguments) { return run_case(check, count, arguments); }
