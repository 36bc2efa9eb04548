// A loop with a barrier goes on past its one round where a loop of as many rounds, without one, follows.
#include "case.h"

static int check(const char *source)
{
    enum { ITEMS = 4, ROW = 16, ROWS = 64 };
    static const cl_int zeros[ROWS * ROW];
    static cl_int found[ROWS * ROW];
    const cl_int groups = 1;
    const size_t items = ITEMS;
    cl_kernel kernel = make_kernel(source, "pick");
    cl_mem first = make_buffer(sizeof zeros, zeros), second = make_buffer(sizeof zeros, zeros);
    MUST(clSetKernelArg(kernel, 0, sizeof first, &first));
    MUST(clSetKernelArg(kernel, 1, sizeof second, &second));
    MUST(clSetKernelArg(kernel, 2, sizeof groups, &groups));
    MUST(clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &items, &items, 0, NULL, NULL));
    MUST(clEnqueueReadBuffer(queue, first, CL_TRUE, 0, sizeof found, found, 0, NULL, NULL));
    for (int i = 0; i < ROWS * ROW; i++)
        if (found[i] != (i < ITEMS)) return WRONG;
    return RIGHT;
}

int main(int count, char **arguments) { return run_case(check, count, arguments); }
