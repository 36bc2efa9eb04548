#include "device_report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device_features.h"

typedef struct {
    const char *name, *key;
    bool there;
} feature;
enum { FEATURES = 4 };

static void list_features(const ebm_device_features *f, feature list[FEATURES])
{
    list[0] = (feature){"fp16", "fp16", f->fp16};
    list[1] = (feature){"fp64", "fp64", f->fp64};
    list[2] = (feature){"sub-groups", "subgroups", f->subgroups};
    list[3] = (feature){"integer dot products", "integer_dot", f->integer_dot};
}

void ebm_device_report_print(ebm_device *device, int indent)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    const ebm_device_features f = ebm_device_features_of(device);
    feature list[FEATURES];
    list_features(&f, list);
    printf("%*slimits: work-groups of %zu (in multiples of %zu), local memory %.0f KiB, one allocation %.2f GiB,"
           " alignment %zu bytes\n",
           indent, "", info->max_group_items, f.group_multiple, (double)info->local_bytes / 1024,
           (double)info->max_allocation_bytes / (1024.0 * 1024 * 1024), info->base_alignment_bytes);
    printf("%*ssupports:", indent, "");
    for (int i = 0; i < FEATURES; i++) printf("%s %s %s", i ? "," : "", list[i].name, list[i].there ? "yes" : "no");
    if (f.sub_devices > 1)
        printf(", sub-devices up to %u\n", f.sub_devices);
    else
        printf(", sub-devices no\n");
}

bool ebm_device_report_add_info(json_t *object, const ebm_device_info *info)
{
    json_t *about = json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "name", info->name, "platform",
                              info->platform_name, "driver", info->driver, "version", info->version, "kind",
                              info->is_cpu ? "cpu" : "gpu", "compute_units", (json_int_t)info->compute_units,
                              "memory_bytes", (json_int_t)info->memory_bytes, "max_allocation_bytes",
                              (json_int_t)info->max_allocation_bytes, "local_bytes", (json_int_t)info->local_bytes);
    const bool added = about && json_object_update(object, about) == 0;
    json_decref(about);
    return added;
}

void ebm_device_report_add(json_t *object, ebm_device *device)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    const ebm_device_features f = ebm_device_features_of(device);
    feature list[FEATURES];
    list_features(&f, list);
    json_object_set_new(object, "max_group_items", json_integer((json_int_t)info->max_group_items));
    json_object_set_new(object, "group_multiple", json_integer((json_int_t)f.group_multiple));
    json_object_set_new(object, "alignment_bytes", json_integer((json_int_t)info->base_alignment_bytes));
    json_object_set_new(object, "native_lanes", json_integer((json_int_t)info->native_lanes));
    json_object_set_new(object, "sub_devices", json_integer((json_int_t)f.sub_devices));
    for (int i = 0; i < FEATURES; i++) json_object_set_new(object, list[i].key, json_boolean(list[i].there));
    char *extensions = ebm_device_extensions(device);
    json_object_set_new(object, "extensions", json_string(extensions ? extensions : ""));
    free(extensions);
}

void ebm_device_report_reason(const ebm_device *device, char *text, size_t size)
{
    const ebm_device_info *info = ebm_device_info_view(device);
    if (ebm_kernel_form_is_asked())
        snprintf(text, size, "asked for by EBMCL_KERNELS or EBMCL_LANES");
    else if (info->is_cpu && !ebm_device_uses_cpu_kernels(device))
        snprintf(text, size, "a CPU, but %s takes too long to compile the CPU form", info->platform_name);
    else if (info->is_cpu)
        snprintf(text, size, "a CPU, native vectors of %u floats", info->native_lanes);
    else
        snprintf(text, size, "not a CPU");
}
