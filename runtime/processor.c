#include "processor.h"

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>

// Leaf 7, subleaf 1, bit 5 of EAX. A processor without that subleaf answers with zeros.
bool ebm_processor_has_bf16(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 1, &a, &b, &c, &d) && (a >> 5 & 1);
}

// Leaf 7, bit 11 of ECX.
bool ebm_processor_has_vnni(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (c >> 11 & 1);
}
#else
bool ebm_processor_has_bf16(void) { return false; }
bool ebm_processor_has_vnni(void) { return false; }
#endif

#if defined(__x86_64__) && defined(__linux__)
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 }; // Linux, asm/prctl.h (since 5.16)

// Leaf 7, bits 22 (AMX-BF16) and 24 (AMX-TILE) of EDX.
bool ebm_processor_allows_amx(void)
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    const char *setting = getenv("EBMCL_AMX");
    if (setting && strcmp(setting, "off") == 0) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d >> 22 & 1) && (d >> 24 & 1) && ebm_processor_has_bf16() &&
           syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}
#else
bool ebm_processor_allows_amx(void) { return false; }
#endif
