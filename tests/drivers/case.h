// The smallest case that shows what an OpenCL implementation gets wrong, with nothing of ebmcl in it: NAME.c, NAME.cl
// and this header can be sent to whoever makes the implementation.
//
//     cc NAME.c -lOpenCL -o NAME && ./NAME NAME.cl      # on the first device of the first platform
//
// Prints "right on ..." and exits with 0, or "wrong on ..." and with 77, which ctest counts as skipped: it is no fault
// of ours. Exits with 1 when the case itself could not be made. The kernel runs in a process of its own, so that one
// that crashes is seen too.
#ifndef CASE_H
#define CASE_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RIGHT = 0, BROKEN = 1, WRONG = 77, SECONDS = 60 };

static cl_device_id device;
static cl_context context;
static cl_command_queue queue;

#define MUST(call)                                                                                                     \
    do {                                                                                                               \
        const cl_int code_ = (call);                                                                                   \
        if (code_ != CL_SUCCESS) {                                                                                     \
            printf("%s: %d\n", #call, (int)code_);                                                                     \
            exit(BROKEN);                                                                                              \
        }                                                                                                              \
    } while (0)

static inline cl_kernel make_kernel(const char *path, const char *name)
{
    static char source[16384];
    const char *text = source;
    cl_int code = CL_SUCCESS;
    FILE *file = fopen(path, "rb");
    if (!file || fread(source, 1, sizeof source - 1, file) == 0) {
        printf("%s cannot be read\n", path);
        exit(BROKEN);
    }
    fclose(file);
    cl_program program = clCreateProgramWithSource(context, 1, &text, NULL, &code);
    MUST(code);
    MUST(clBuildProgram(program, 1, &device, "-cl-std=CL1.2", NULL, NULL));
    cl_kernel kernel = clCreateKernel(program, name, &code);
    MUST(code);
    return kernel;
}

static inline cl_mem make_buffer(size_t bytes, const void *values)
{
    cl_int code = CL_SUCCESS;
    cl_mem buffer = clCreateBuffer(context, CL_MEM_READ_WRITE, bytes, NULL, &code);
    MUST(code);
    MUST(clEnqueueWriteBuffer(queue, buffer, CL_TRUE, 0, bytes, values, 0, NULL, NULL));
    return buffer;
}

static inline void open_device(void)
{
    cl_platform_id platform;
    cl_int code = CL_SUCCESS;
    char name[256] = "", version[256] = "";
    MUST(clGetPlatformIDs(1, &platform, NULL));
    MUST(clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL));
    MUST(clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name, name, NULL));
    MUST(clGetDeviceInfo(device, CL_DRIVER_VERSION, sizeof version, version, NULL));
    printf("%s %s: ", name, version);
    fflush(stdout);
    context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
    MUST(code);
    queue = clCreateCommandQueue(context, device, 0, &code);
    MUST(code);
}

// Runs `check` (RIGHT or WRONG) with an open device, in a process of its own, and says how that ended.
static inline int run_case(int (*check)(const char *source), int count, char **arguments)
{
    if (count != 2) {
        printf("usage: %s FILE.cl\n", arguments[0]);
        return BROKEN;
    }
    fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
        alarm(SECONDS); // one that hangs is wrong too
        open_device();
        const int verdict = check(arguments[1]);
        fflush(stdout);
        _exit(verdict); // without the implementation's own clearing up
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0) {
        printf("no second process\n");
        return BROKEN;
    }
    const int verdict = WIFEXITED(status) ? WEXITSTATUS(status) : WRONG;
    if (WIFSIGNALED(status)) printf("ended by signal %d, ", WTERMSIG(status));
    if (verdict != BROKEN) printf("%s\n", verdict == RIGHT ? "right here" : "wrong here");
    return verdict;
}

#endif
