// Does the driver's compiler take instructions of the processor, as bf16.h, vnni.h and amx.h write them? Built, never run:
// PoCL's does, Intel's CPU runtime refuses every operand.
//
// Macros   AMX   defined: those of amx.h too
// Launch   one work-item; LANES 16

#include "lanes.h"

#ifdef AMX
#include "amx.h"
#endif

__kernel void assembly_check(__global float *restrict y)
{
    lanes copy;
    __asm__("vmovaps %1, %0" : "=v"(copy) : "v"(load(0, y)));
    store(copy, 0, y);
#ifdef AMX
    tiles_begin();
    FOR_SUMS(LOAD_TILE, y, 2 * LANES);
    ADD_PRODUCTS(0, 1, 2);
    FOR_SUMS(STORE_TILE, y, 2 * LANES);
    tiles_end();
#endif
}
