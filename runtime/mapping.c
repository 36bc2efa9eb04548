#include "mapping.h"

#include "device_internal.h"

ebm_status ebm_slice_map(ebm_device *device, ebm_slice slice, ebm_mapped *mapping)
{
    cl_int code = CL_SUCCESS;
    cl_event event = NULL;
    *mapping = (ebm_mapped){0};
    if (!slice.memory) return ebm_fail(EBM_ERROR_DEVICE, "mapping: the slice is empty or not allocated");
    mapping->values = clEnqueueMapBuffer(device->queue, slice.memory, CL_FALSE, CL_MAP_READ | CL_MAP_WRITE, 0,
                                         4 * slice.count, 0, NULL, &event, &code);
    EBM_TRY_CL(code, "mapping %zu elements", slice.count);
    mapping->memory = slice.memory;
    mapping->event = event;
    return ebm_ok();
}

ebm_status ebm_mapped_is_ready(ebm_mapped *mapping, bool *ready)
{
    cl_int state = CL_COMPLETE;
    EBM_TRY_CL(clGetEventInfo(mapping->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL),
               "asking for mapped memory");
    EBM_TRY_CL(state < 0 ? state : CL_SUCCESS, "mapping memory");
    *ready = state == CL_COMPLETE;
    return ebm_ok();
}

ebm_status ebm_mapped_wait(ebm_mapped *mapping)
{
    const cl_event event = mapping->event;
    return ebm_cl_status(clWaitForEvents(1, &event), "waiting for mapped memory");
}

ebm_status ebm_slice_unmap(ebm_device *device, ebm_mapped *mapping)
{
    if (!mapping->memory) return ebm_ok();
    clReleaseEvent(mapping->event);
    const cl_int code = clEnqueueUnmapMemObject(device->queue, mapping->memory, mapping->values, 0, NULL, NULL);
    *mapping = (ebm_mapped){0};
    return ebm_cl_status(code, "unmapping memory");
}

ebm_status ebm_device_flush(ebm_device *device)
{
    return ebm_cl_status(clFlush(device->queue), "%s: starting what is queued", device->info.name);
}
