// Does a device compute what it should? One small kernel with an exact answer: program built, arguments in order,
// groups and lanes as the runtime thinks.
//
//     EBM_TRY(ebm_device_known_answer(device));
#ifndef EBM_KNOWN_ANSWER_H
#define EBM_KNOWN_ANSWER_H

#include "device.h"

#ifdef __cplusplus
extern "C" {
#endif

// Runs cl/vector_check.cl. EBM_ERROR_DEVICE with the first element that is wrong, or with what failed.
ebm_status ebm_device_known_answer(ebm_device *device);

// Whether the driver compiles instructions of the processor for vectors of 16 floats (cl/assembly_check.cl), which the
// kernels of bf16 and VNNI are made of. PoCL does, Intel's CPU runtime does not.
bool ebm_device_takes_assembly(ebm_device *device);
bool ebm_device_takes_amx(ebm_device *device); // those of AMX

#ifdef __cplusplus
}
#endif
#endif
