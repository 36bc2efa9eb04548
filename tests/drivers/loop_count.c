// After 65,535 rounds of all its loops together a work-item leaves every loop, whatever the loop's condition says.
#include "case.h"

enum { COUNT = 70000 };

static int check(const char *source)
{
    const cl_uint count = COUNT;
    static cl_uint numbers[COUNT];
    for (cl_uint i = 0; i < COUNT; i++) numbers[i] = 1;
    cl_uint found = 0;
    const size_t one = 1;
    cl_kernel kernel = make_kernel(source, "pick");
    cl_mem out = make_buffer(sizeof found, &found), in = make_buffer(sizeof numbers, numbers);
    MUST(clSetKernelArg(kernel, 0, sizeof out, &out));
    MUST(clSetKernelArg(kernel, 1, sizeof in, &in));
    MUST(clSetKernelArg(kernel, 2, sizeof count, &count));
    MUST(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
    MUST(clEnqueueReadBuffer(queue, out, CL_TRUE, 0, sizeof found, &found, 0, NULL, NULL));
    printf("%u of %u; ", (unsigned)found, (unsigned)count);
    return found == COUNT ? RIGHT : WRONG;
}

int main(int count, char **arguments) { return run_case(check, count, arguments); }
