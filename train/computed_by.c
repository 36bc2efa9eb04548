#include "computed_by.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "gemm.h"
#include "program_cache.h"

json_t *ebm_computed_by(const ebm_device *device)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    char name[600], kernels[80], products[400];
    snprintf(name, sizeof name, "%s (%s, driver %s)", info->name, info->platform_name, info->driver);
    snprintf(kernels, sizeof kernels, "%s form, %d lanes, %016" PRIx64,
             ebm_device_uses_cpu_kernels(device) ? "CPU" : "GPU", ebm_device_lanes(device), ebm_program_sources_hash());
    return json_pack("{s:s s:s s:s}", "device", name, "kernels", kernels, "products",
                     ebm_gemm_describe(device, products, sizeof products));
}

void ebm_computed_by_note(const ebm_device *device, const json_t *then, ebm_computed_by_sentence note)
{
    json_t *now = ebm_computed_by(device), *value;
    const char *key;
    const size_t size = sizeof(ebm_computed_by_sentence);
    size_t used = 0;
    *note = 0;
    json_object_foreach(now, key, value)
    {
        const char *old = json_string_value(json_object_get(then, key));
        if (!old || strcmp(old, json_string_value(value)) == 0) continue;
        used += (size_t)snprintf(note + used, size - used, "%s%s %s %.160s, now %.160s", used ? "; " : "resumed: ", key,
                                 strcmp(key, "device") == 0 ? "was" : "were", old, json_string_value(value));
    }
    if (used > 0 && used < size)
        snprintf(note + used, size - used, ": the result will not have the bits of an uninterrupted run");
    json_decref(now);
}
