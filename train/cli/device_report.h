// What a device is and supports, as lines and as JSON, for `ebmcl devices` and `ebmcl selftest`.
#ifndef EBM_DEVICE_REPORT_H
#define EBM_DEVICE_REPORT_H

#include <jansson.h>

#include "device.h"

// "limits: ..." and "supports: ...", each line after `indent` spaces, on standard output.
void ebm_device_report_print(ebm_device *device, int indent);
// Name, platform, driver and sizes as members of the object; false when it is NULL or a text is not UTF-8.
bool ebm_device_report_add_info(json_t *object, const ebm_device_info *info);
// Limits and what is supported, likewise; the object may be NULL.
void ebm_device_report_add(json_t *object, ebm_device *device);
// Why the device has the form of the kernels that it has, as long as none was replaced: "a CPU, native vectors of 16
// floats"; written to `text`.
void ebm_device_report_reason(const ebm_device *device, char *text, size_t size);

#endif
