// A slice as memory of the host. Where the device works in the host's memory nothing is copied.
//
//     EBM_TRY(ebm_slice_map(device, slice, &mapping));  // queued like a launch: what was queued before is in it
//     EBM_TRY(ebm_mapped_wait(&mapping));
//     ... mapping.values[0 ... slice.count - 1] may be read and written ...
//     EBM_TRY(ebm_slice_unmap(device, &mapping));       // what is queued from now on sees what was written
//
// Until it is unmapped nothing else may use the slice.
#ifndef EBM_MAPPING_H
#define EBM_MAPPING_H

#include <stdbool.h>

#include "arena.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    float *values;
    void *memory, *event; // of OpenCL; NULL: nothing is mapped
} ebm_mapped;

ebm_status ebm_slice_map(ebm_device *device, ebm_slice slice, ebm_mapped *mapping); // at least one element
ebm_status ebm_mapped_is_ready(ebm_mapped *mapping, bool *ready);
ebm_status ebm_mapped_wait(ebm_mapped *mapping);
ebm_status ebm_slice_unmap(ebm_device *device, ebm_mapped *mapping); // nothing mapped is accepted

// Sees to it that what is queued begins, where a driver waits to be asked.
ebm_status ebm_device_flush(ebm_device *device);

#ifdef __cplusplus
}
#endif
#endif
