// Whether a device should do products in bf16, by other means than the library's: tests of them are skipped where it
// should not, and fail where the library refuses although it should.
#ifndef EBM_TESTS_BF16_H
#define EBM_TESTS_BF16_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"

enum { SKIPPED = 77 }; // exit code of a test program, as tests/CMakeLists.txt tells ctest

// Whose compiler takes instructions of the processor: PoCL's; Intel's CPU runtime is known not to.
static inline bool takes_instructions(const ebm_device *device)
{
    return strstr(ebm_device_info_view(device)->platform_name, "Portable Computing Language") != NULL;
}

// Flags of the processor as the kernel says them, "" where it does not; the caller's until the next call.
static inline const char *processor_flags(void)
{
    static char line[8192];
    FILE *file = fopen("/proc/cpuinfo", "r");
    line[0] = 0;
    while (file && fgets(line, sizeof line, file) && strncmp(line, "flags", 5) != 0) line[0] = 0;
    if (file) fclose(file);
    return line;
}

// Whether products in bf16 should be by AMX there.
static inline bool should_have_amx(void)
{
    const char *setting = getenv("EBMCL_AMX");
    return !(setting && strcmp(setting, "off") == 0) && strstr(processor_flags(), " amx_bf16");
}

// What the kernel says of the processor, where the device has its vectors and its products are by our CPU kernels.
static inline bool should_do_bf16(const ebm_device *device)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    const char *wanted = getenv("EBMCL_GEMM"), *backend = wanted ? wanted : "cpu";
    return strstr(processor_flags(), " avx512_bf16") && takes_instructions(device) && info->is_cpu &&
           ebm_device_lanes(device) == 16 && ebm_device_uses_cpu_kernels(device) &&
           (strcmp(backend, "cpu") == 0 || strcmp(backend, "bf16") == 0);
}

#endif
