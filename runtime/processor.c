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
