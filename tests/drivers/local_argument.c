// A function that is always given the same local array sees another one, of zeros: the array's address is taken into
// the function as a constant before local arrays become arguments of the kernel.
#include "case.h"

static int check(const char *source)
{
    const cl_int first = 5, count = 3;
    cl_int found = -1;
    const size_t one = 1;
    cl_kernel kernel = make_kernel(source, "pick");
    cl_mem out = make_buffer(sizeof found, &found);
    MUST(clSetKernelArg(kernel, 0, sizeof out, &out));
    MUST(clSetKernelArg(kernel, 1, sizeof first, &first));
    MUST(clSetKernelArg(kernel, 2, sizeof count, &count));
    MUST(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL));
    MUST(clEnqueueReadBuffer(queue, out, CL_TRUE, 0, sizeof found, &found, 0, NULL, NULL));
    return found == 5 + 6 + 7 ? RIGHT : WRONG;
}

int main(int count, char **arguments) { return run_case(check, count, arguments); }
