// More local memory than the device has: an error by the standard (CL_OUT_OF_RESOURCES, CL_INVALID_ARG_SIZE or
// another), where the process is ended instead.
#include "case.h"

static int check(const char *source)
{
    cl_ulong limit = 0;
    float zero = 0;
    const size_t one = 1;
    MUST(clGetDeviceInfo(device, CL_DEVICE_LOCAL_MEM_SIZE, sizeof limit, &limit, NULL));
    cl_kernel kernel = make_kernel(source, "ask");
    cl_mem out = make_buffer(sizeof zero, &zero);
    MUST(clSetKernelArg(kernel, 0, sizeof out, &out));
    cl_int code = clSetKernelArg(kernel, 1, (size_t)limit + 4096, NULL);
    const cl_uint count = ((cl_uint)limit + 4096) / sizeof(cl_float);
    MUST(clSetKernelArg(kernel, 2, sizeof count, &count));
    if (code == CL_SUCCESS) code = clEnqueueNDRangeKernel(queue, kernel, 1, NULL, &one, &one, 0, NULL, NULL);
    if (code == CL_SUCCESS) code = clFinish(queue);
    if (code == CL_SUCCESS) printf("no error, ");
    return code == CL_SUCCESS ? WRONG : RIGHT;
}

int main(int count, char **arguments) { return run_case(check, count, arguments); }
