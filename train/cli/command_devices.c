// ebmcl devices: what there is to compute on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_process.h"
#include "checked_device.h"
#include "device_report.h"
#include "gemm.h"
#include "json_output.h"
#include "program.h"
#include "tuning.h"

typedef struct {
    bool check, json;
} devices_options;

static const ebm_option OPTIONS[] = {
    {"check", EBM_OPTION_FLAG, offsetof(devices_options, check), NULL,
     .help = "Check the kernels of devices that were not checked yet: some seconds each"},
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

// A device of the list, opened as other commands would open it, and whether that could be done.
typedef struct {
    ebm_device *device;
    ebm_status status;
    ebm_kernel_verdict verdict; // of its own form, where known
    bool known, replaced;
    char reason[400]; // why it has its form
} listed_device;

static void take_note(void *context, const char *line)
{
    listed_device *d = context;
    snprintf(d->reason, sizeof d->reason, "%s", line);
}

static ebm_status open_device(const char *selector, bool check, listed_device *d)
{
    const ebm_check_listener listener = {d, take_note, NULL, ebm_check_process};
    EBM_TRY(ebm_device_open(selector, &d->device));
    ebm_device_report_reason(d->device, d->reason, sizeof d->reason);
    if (ebm_device_check_is_off()) return ebm_ok();
    EBM_TRY(ebm_device_verdict(d->device, check, &listener, &d->verdict, &d->known));
    if (!d->known || d->verdict.right) return ebm_ok();
    ebm_device_free(d->device); // what is wrong was found by another command, which left the other forms' verdicts too
    d->device = NULL;
    d->replaced = true;
    return ebm_checked_device_open(selector, &listener, &d->device);
}

static listed_device open_listed(const ebm_device_info *info, bool check)
{
    listed_device d = {0};
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->local);
    d.status = open_device(selector, check, &d);
    return d;
}

static const char *verdict_of(const listed_device *d)
{
    if (d->status.code != EBM_OK) return d->status.message;
    if (ebm_device_check_is_off()) return "not checked, by EBMCL_CHECK=off";
    if (!d->known) return "not checked yet";
    return d->verdict.right ? "ok" : d->reason;
}

static void print_kernels(const listed_device *d)
{
    if (!d->device) {
        printf("%14skernels: %s\n", "", d->status.message);
        return;
    }
    ebm_device_report_print(d->device, 14);
    printf("%14skernels: %s, %s%s%s\n", "", ebm_kernel_form_name(ebm_device_form(d->device)), d->reason,
           d->replaced ? "" : "; check: ", d->replaced ? "" : verdict_of(d));
}

static void add_kernels(json_t *object, const listed_device *d)
{
    if (d->device) {
        ebm_device_report_add(object, d->device);
        json_object_set_new(object, "kernels", json_string(ebm_kernel_form_name(ebm_device_form(d->device))));
        json_object_set_new(object, "kernels_reason", json_string(d->reason));
    }
    json_object_set_new(object, "check", json_string(verdict_of(d)));
}

// own_file: what `ebmcl tune` would write, to be freed; NULL: nowhere to write to.
static ebm_status prepare_products(const listed_device *d, char **own_file)
{
    *own_file = NULL;
    EBM_TRY(d->status);
    EBM_TRY(ebm_gemm_prepare(d->device));
    return ebm_tuning_path(d->device, own_file);
}

static void add_products(json_t *object, const listed_device *d)
{
    char *own_file = NULL;
    const ebm_status status = prepare_products(d, &own_file);
    if (status.code != EBM_OK) {
        json_object_set_new(object, "products_error", json_string(status.message));
    } else {
        const char *file = ebm_gemm_tuning(d->device), *note = ebm_gemm_note(d->device);
        json_object_set_new(object, "products", json_string(ebm_gemm_backend(d->device)));
        const char *bf16 = ebm_gemm_bf16_means(d->device);
        json_object_set_new(object, "bf16", bf16[0] ? json_string(bf16) : json_null());
        json_object_set_new(object, "tuning", file[0] ? json_string(file) : json_null());
        json_object_set_new(object, "tuning_file", own_file ? json_string(own_file) : json_null());
        if (note[0]) json_object_set_new(object, "tuning_note", json_string(note));
    }
    free(own_file);
}

static void print_products(const listed_device *d)
{
    char *own_file = NULL;
    const ebm_status status = prepare_products(d, &own_file);
    if (status.code != EBM_OK) {
        printf("%14sproducts: %s\n", "", status.message);
    } else {
        const char *file = ebm_gemm_tuning(d->device), *note = ebm_gemm_note(d->device);
        const char *bf16 = ebm_gemm_bf16_means(d->device);
        printf("%14sproducts by %s, ", "", ebm_gemm_backend(d->device));
        if (file[0])
            printf("tuned by %s\n", file);
        else if (note[0])
            printf("not tuned: %s\n", note);
        else
            printf("not tuned; ebmcl tune writes %s\n", own_file ? own_file : "with --output");
        if (bf16[0]) printf("%14sproducts with --bf16 by %s\n", "", bf16);
    }
    free(own_file);
}

static json_t *device_json(const ebm_device_info *info, bool is_default, const devices_options *o)
{
    char selector[32];
    snprintf(selector, sizeof selector, "%d:%d", info->platform, info->local);
    json_t *object = json_pack("{s:i, s:s}", "index", info->index, "selector", selector);
    if (!ebm_device_report_add_info(object, info)) {
        json_decref(object);
        return NULL;
    }
    json_object_set_new(object, "default", json_boolean(is_default));
    const listed_device d = open_listed(info, o->check);
    add_products(object, &d);
    add_kernels(object, &d);
    ebm_device_free(d.device);
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
        printf("%-2d%-5s%-7s%-5s%6u%12.1f%11.0f  %s (%s, %s)\n", d->index, d->index == chosen ? "*" : "", place,
               d->is_cpu ? "cpu" : "gpu", d->compute_units, (double)d->memory_bytes / gib,
               (double)d->local_bytes / 1024.0, d->name, d->platform_name, d->driver);
        fflush(stdout); // a driver that crashes should have its device's line above
        const listed_device opened = open_listed(d, o->check);
        print_kernels(&opened);
        if (opened.device) print_products(&opened);
        ebm_device_free(opened.device);
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
