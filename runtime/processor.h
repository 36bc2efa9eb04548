// Instructions of the processor this program runs on, on which CPU devices compute too. False where it is no x86.
#ifndef EBM_PROCESSOR_H
#define EBM_PROCESSOR_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

bool ebm_processor_has_bf16(void); // AVX512-BF16: dot products of pairs of bf16
bool ebm_processor_has_vnni(void); // AVX512-VNNI: dot products of four bytes
// AMX-BF16: products of tiles of pairs of bf16. Linux gives a process its tile registers, which make what it keeps of a
// thread 8 KiB larger, when it asks for them: this asks. False too where it refuses, and with EBMCL_AMX=off.
bool ebm_processor_allows_amx(void);

#ifdef __cplusplus
}
#endif
#endif
