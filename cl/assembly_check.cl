// Does the driver's compiler take instructions of the processor, as bf16.h and vnni.h write them? Built, never run:
// PoCL's does, Intel's CPU runtime refuses every operand.
//
// Macros   AMX   defined: those of tile_amx.h
// Launch   one work-item; LANES 16

#include "lanes.h"

__kernel void assembly_check(__global float *restrict y)
{
    lanes copy;
    __asm__("vmovaps %1, %0" : "=v"(copy) : "v"(load(0, y)));
    store(copy, 0, y);
#ifdef AMX
    __asm__ volatile("tilerelease");
    __asm__ volatile("tdpbf16ps %tmm2, %tmm1, %tmm0");
#endif
}
