// ebmcl selftest: what a newcomer with a device runs first, and pastes into an issue when something is wrong.
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "check_process.h"
#include "gemm.h"
#include "program.h"
#include "selftest_run.h"
#include "timing.h"

typedef struct {
    const char *device;
    bool full, json;
} selftest_options;

#define AT(member) offsetof(selftest_options, member)
static const ebm_option OPTIONS[] = {
    {"device", EBM_OPTION_STRING, AT(device), NULL, .help = "Index, platform:device or part of a name"},
    {"full", EBM_OPTION_FLAG, AT(full), NULL,
     .help = "On a CPU check CLBlast too, whose kernels take a minute to build"},
    {"json", EBM_OPTION_FLAG, AT(json), NULL, .help = "The result as one JSON object on standard output"},
};
static const ebm_option_table TABLE = {
    "ebmcl selftest",
    "Does this device compute what it should, and how fast? Every kernel against double precision (on a CPU in all"
    " forms), a short training against recorded losses, the speed of the main kernels. Prints a block that can be"
    " pasted into an issue; exit code 0: all right, 1: something is wrong, 2: it could not be run.",
    OPTIONS, sizeof OPTIONS / sizeof *OPTIONS};

static void show_check(void *context, const ebm_kernel_check *check)
{
    const selftest_form *f = context;
    ebm_program_progress("%s: %s", ebm_kernel_form_name(f->form), check->family);
}

static void add_result(void *context, const ebm_check_result *result)
{
    selftest_form *f = context;
    if (f->count < SELFTEST_CHECKS) f->checks[f->count++] = *result;
}

// In another process: a driver that crashes is a result as well.
static ebm_status check_form(selftest *s, const char *place, ebm_kernel_form form, bool full)
{
    selftest_form *f = &s->forms[s->form_count++];
    const ebm_check_watch watch = {f, show_check, add_result};
    const bool is_cpu = ebm_device_info_view(s->device)->is_cpu;
    f->form = form;
    f->opened = ebm_check_process_of(place, form, is_cpu && !full ? EBM_CHECK_BUT_CLBLAST : EBM_CHECK_EVERY, &watch,
                                     &f->verdict);
    return f->opened.code == EBM_ERROR_UNSUPPORTED ? ebm_ok() : f->opened;
}

// The device's own form first; the others where that is one for CPUs and none is asked for.
static ebm_status check_forms(selftest *s, const char *place, bool full)
{
    const ebm_kernel_form own = ebm_device_form(s->device);
    EBM_TRY(check_form(s, place, own, full));
    if (own == EBM_FORM_GPU || ebm_kernel_form_is_asked()) return ebm_ok();
    for (int form = 0; form < EBM_FORMS; form++)
        if (form != (int)own) EBM_TRY(check_form(s, place, (ebm_kernel_form)form, full));
    return ebm_ok();
}

// Training and speed are those of the form that commands would take: the first that is right.
static ebm_status take_right_form(selftest *s, const char *place)
{
    for (size_t i = 0; i < s->form_count; i++) {
        const selftest_form *f = &s->forms[i];
        if (f->opened.code != EBM_OK || !f->verdict.right) continue;
        if (i == 0) return ebm_ok();
        ebm_device *right = NULL;
        EBM_TRY(ebm_device_open_form(place, f->form, &right));
        ebm_device_free(s->device);
        s->device = right;
        return ebm_ok();
    }
    return ebm_fail(EBM_ERROR_DEVICE, "no form of the kernels is right");
}

static void train(selftest *s)
{
    ebm_program_progress("a short training");
    s->training_status = ebm_selftest_train(s->device, &s->training);
    s->trained = s->training_status.code == EBM_OK;
}

static bool is_right(const selftest *s)
{
    bool right = s->trained && ebm_selftest_error(&s->training) <= 1;
    for (size_t i = 0; i < s->form_count; i++)
        right = right && (s->forms[i].opened.code != EBM_OK || s->forms[i].verdict.right);
    return right;
}

static ebm_status run(const selftest_options *o, selftest *s)
{
    const double start = ebm_now();
    char place[32];
    EBM_TRY(ebm_device_open(o->device, &s->device));
    const ebm_device_info *info = ebm_device_info_view(s->device);
    snprintf(place, sizeof place, "%d:%d", info->platform, info->local);
    ebm_program_say("device %d: %s (%s, driver %s)", info->index, info->name, info->platform_name, info->driver);
    EBM_TRY(check_forms(s, place, o->full));
    s->training_status = s->speed_status = take_right_form(s, place);
    EBM_TRY(ebm_gemm_prepare(s->device));
    if (s->training_status.code == EBM_OK) {
        train(s);
        ebm_program_progress("speed");
        s->speed_status = selftest_measure(s);
    }
    ebm_program_progress_end();
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    s->host_bytes = (uint64_t)usage.ru_maxrss * 1024;
    s->seconds = ebm_now() - start;
    s->right = is_right(s);
    if (!s->right) ebm_program_find_wrong();
    if (o->json) return selftest_print_json(s);
    selftest_print(s);
    return ebm_ok();
}

ebm_status ebm_command_selftest(int argc, char **argv)
{
    selftest_options o;
    ebm_options *parsed = NULL;
    bool done = false;
    selftest *s = calloc(1, sizeof *s);
    if (!s) return ebm_fail(EBM_ERROR_MEMORY, "no host memory for a self-test");
    setenv("EBMCL_CACHE", "off", 1); // nothing is to be left on disk
    ebm_status status = ebm_program_options(&TABLE, argc, argv, &o, &parsed, &done);
    if (status.code == EBM_OK && !done) status = run(&o, s);
    ebm_device_free(s->device);
    ebm_options_free(parsed);
    free(s);
    return status;
}
