// ebmcl devices: what there is to compute on.
#include <stdio.h>
#include <stdlib.h>

#include "json_output.h"
#include "known_answer.h"
#include "program.h"

typedef struct {
    bool check, json;
} devices_options;

static const ebm_option OPTIONS[] = {
    {"check", EBM_OPTION_FLAG, offsetof(devices_options, check), NULL,
     .help = "Run a small kernel with a known answer on each device"},
    {"json", EBM_OPTION_FLAG, offsetof(devices_options, json), NULL,
     .help = "The list as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl devices", "Lists the OpenCL devices; * is the one taken when --device and EBMCL_DEVICE name none.", OPTIONS,
    sizeof OPTIONS / sizeof *OPTIONS};

// The index of the device that a command without --device would take, or -1 and a line on why there is none.
static int default_index(void)
{
    ebm_device *device = NULL;
    const ebm_status status = ebm_device_open(NULL, &device);
    const int index = status.code == EBM_OK ? ebm_device_info_view(device)->index : -1;
    if (status.code != EBM_OK) ebm_program_say("no default device: %s", status.message);
    ebm_device_free(device);
    return index;
}

static ebm_status check(const ebm_device_info *info)
{
    char selector[32];
    ebm_device *device = NULL;
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->local);
    ebm_status status = ebm_device_open(selector, &device);
    if (status.code == EBM_OK) status = ebm_device_known_answer(device);
    ebm_device_free(device);
    return status;
}

static json_t *device_json(const ebm_device_info *info, bool is_default, const devices_options *o)
{
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->local);
    json_t *object = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "index", info->index, "selector", selector,
        "name", info->name, "platform", info->platform_name, "driver", info->driver, "version", info->version, "kind",
        info->is_cpu ? "cpu" : "gpu", "compute_units", (json_int_t)info->compute_units, "memory_bytes",
        (json_int_t)info->memory_bytes, "max_allocation_bytes", (json_int_t)info->max_allocation_bytes, "local_bytes",
        (json_int_t)info->local_bytes, "default", is_default);
    if (!o->check) return object;
    const ebm_status status = check(info);
    json_object_set_new(object, "check", json_string(status.code == EBM_OK ? "ok" : status.message));
    return object;
}

static ebm_status print_json(const ebm_device_info *list, size_t count, const devices_options *o)
{
    const int chosen = count > 0 ? default_index() : -1;
    json_t *devices = json_array();
    for (size_t i = 0; i < count; i++)
        if (json_array_append_new(devices, device_json(&list[i], list[i].index == chosen, o)) != 0) {
            json_decref(devices);
            return ebm_program_print_json(NULL);
        }
    return ebm_program_print_json(json_pack("{s:o}", "devices", devices));
}

static void print_table(const ebm_device_info *list, size_t count, const devices_options *o)
{
    const double gib = 1024.0 * 1024.0 * 1024.0;
    const int chosen = default_index();
    printf("%-7s%-7s%-5s%6s%12s%11s  %s\n", "device", "place", "kind", "units", "memory GiB", "local KiB",
           "name (platform, driver)");
    for (size_t i = 0; i < count; i++) {
        const ebm_device_info *d = &list[i];
        char place[32];
        snprintf(place, sizeof place, "%d:%d", d->platform, d->local);
        printf("%-2d%-5s%-7s%-5s%6u%12.1f%11.0f  %s (%s, %s)", d->index, d->index == chosen ? "*" : "", place,
               d->is_cpu ? "cpu" : "gpu", d->compute_units, (double)d->memory_bytes / gib,
               (double)d->local_bytes / 1024.0, d->name, d->platform_name, d->driver);
        if (o->check) {
            fflush(stdout); // a driver that crashes should have its device's line above
            const ebm_status status = check(d);
            printf("  check: %s", status.code == EBM_OK ? "ok" : status.message);
        }
        putchar('\n');
    }
}

ebm_status ebm_command_devices(int argc, char **argv)
{
    devices_options o;
    ebm_options *parsed = NULL;
    ebm_device_info *list = NULL;
    size_t count = 0;
    bool done = false;
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    if (status.code != EBM_OK || done) goto end;
    EBM_CHECK(ebm_device_list(&list, &count), end);
    if (count == 0) ebm_program_say("no OpenCL device found; pocl-opencl-icd makes one of the CPU");
    if (o.json)
        status = print_json(list, count, &o);
    else if (count > 0)
        print_table(list, count, &o);
end:
    free(list);
    ebm_options_free(parsed);
    return status;
}
