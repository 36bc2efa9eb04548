#include "checked_device.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "verdict.h"

enum { VERSION = 1, REMEMBERED = 16 }; // VERSION: of the checks, raised when they find more

static const ebm_check_listener SILENT = {NULL, NULL, NULL, NULL};

static bool setting_is(const char *value)
{
    const char *setting = getenv("EBMCL_CHECK");
    return setting && strcmp(setting, value) == 0;
}

bool ebm_device_check_is_off(void) { return setting_is("off"); }

static ebm_status check_setting(void)
{
    const char *setting = getenv("EBMCL_CHECK");
    if (!setting || !*setting || setting_is("on") || setting_is("off") || setting_is("again")) return ebm_ok();
    return ebm_fail(EBM_ERROR_INPUT, "EBMCL_CHECK: expected on, off or again, found '%.40s'", setting);
}

static void note(const ebm_check_listener *listener, const ebm_status *line)
{
    if (listener->note) listener->note(listener->context, line->message);
}

// ---- verdicts of this process: a device may be opened often where none can be kept

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
    char identity[EBM_VERDICT_IDENTITY];
    ebm_verdict verdict;
} remembered[REMEMBERED];
static size_t remembered_count;

static bool recall(const char *identity, ebm_verdict *verdict)
{
    bool found = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < REMEMBERED && i < remembered_count && !found; i++)
        if (strcmp(remembered[i].identity, identity) == 0) {
            *verdict = remembered[i].verdict;
            found = true;
        }
    pthread_mutex_unlock(&lock);
    return found;
}

static void remember(const char *identity, const ebm_verdict *verdict)
{
    pthread_mutex_lock(&lock);
    const size_t place = remembered_count++ % REMEMBERED;
    snprintf(remembered[place].identity, sizeof remembered[place].identity, "%s", identity);
    remembered[place].verdict = *verdict;
    pthread_mutex_unlock(&lock);
}

// ---- one form

typedef struct {
    const ebm_check_listener *listener;
    ebm_kernel_form form;
} run_report;

static void on_begun(void *context, const ebm_kernel_check *check)
{
    const run_report *r = context;
    if (r->listener->progress) r->listener->progress(r->listener->context, r->form, check->family);
}

static void place_of(const ebm_device *device, char place[32])
{
    const ebm_device_info *info = ebm_device_info_view(device);
    snprintf(place, 32, "%d:%d", info->platform, info->local);
}

// On a device of its own: `ebmcl tune` wants one that had no products, and programs that were only checked need not
// stay.
static ebm_status run_checks(const ebm_device *like, const ebm_check_listener *listener, ebm_kernel_verdict *verdict)
{
    char place[32];
    ebm_device *device = NULL;
    run_report report = {listener, ebm_device_form(like)};
    const ebm_check_watch watch = {&report, on_begun, NULL};
    place_of(like, place);
    if (listener->run) return listener->run(listener->context, place, report.form, &watch, verdict);
    EBM_TRY(ebm_device_open_form(place, report.form, &device));
    const ebm_status status = ebm_kernel_check_all(device, EBM_CHECK_USED, &watch, verdict);
    ebm_device_free(device);
    return status;
}

static void keep(const ebm_device *device, const char *identity, const ebm_verdict *kept,
                 const ebm_check_listener *listener)
{
    remember(identity, kept);
    if (ebm_verdict_store(identity, kept)) return;
    char *path = ebm_verdict_path(identity);
    const ebm_status line = ebm_fail(
        EBM_ERROR_IO,
        "device %d: the check of its kernels cannot be kept (%s) and runs at each start; EBMCL_CHECK=off leaves it out",
        ebm_device_info_view(device)->index, path ? path : "no EBMCL_CACHE_DIR and no HOME");
    note(listener, &line);
    free(path);
}

ebm_status ebm_device_verdict(ebm_device *device, bool may_run, const ebm_check_listener *listener,
                              ebm_kernel_verdict *verdict, bool *known)
{
    char identity[EBM_VERDICT_IDENTITY];
    ebm_verdict kept = {0};
    if (!listener) listener = &SILENT;
    *verdict = (ebm_kernel_verdict){0};
    ebm_verdict_identity(device, VERSION, identity);
    *known = recall(identity, &kept) || (!setting_is("again") && ebm_verdict_load(identity, &kept));
    if (!*known && may_run) {
        EBM_TRY(run_checks(device, listener, verdict));
        kept.right = verdict->right;
        kept.worst = verdict->worst;
        snprintf(kept.family, sizeof kept.family, "%s", verdict->family);
        snprintf(kept.sentence, sizeof kept.sentence, "%s", verdict->sentence);
        keep(device, identity, &kept, listener);
        *known = true;
    }
    verdict->right = kept.right;
    verdict->worst = kept.worst;
    snprintf(verdict->family, sizeof verdict->family, "%s", kept.family);
    snprintf(verdict->sentence, sizeof verdict->sentence, "%s", kept.sentence);
    return ebm_ok();
}

ebm_status ebm_device_must_be_right(ebm_device *device)
{
    bool known = false;
    ebm_kernel_verdict verdict;
    EBM_TRY(check_setting());
    if (ebm_device_check_is_off() || ebm_kernel_form_is_asked()) return ebm_ok();
    EBM_TRY(ebm_device_verdict(device, true, NULL, &verdict, &known));
    if (verdict.right) return ebm_ok();
    const ebm_device_info *info = ebm_device_info_view(device);
    return ebm_fail(EBM_ERROR_DEVICE,
                    "%s (driver %.60s): %s is wrong in the %s (%s); ebm_checked_device_open takes a form that is right",
                    info->name, info->driver, verdict.family, ebm_kernel_form_name(ebm_device_form(device)),
                    verdict.sentence);
}

// ---- the first form that is right

typedef struct {
    ebm_device *device; // in the form that was tried first
    unsigned part, parts;
    const ebm_check_listener *listener;
    ebm_kernel_verdict first;
    char wrong[320]; // "gelu in the CPU form of 16 lanes, ..."
} form_search;

static void add_wrong(form_search *s, ebm_kernel_form form, const ebm_kernel_verdict *verdict)
{
    const size_t used = strlen(s->wrong);
    snprintf(s->wrong + used, sizeof s->wrong - used, "%s%s in the %s (%.60s)", used ? ", " : "", verdict->family,
             ebm_kernel_form_name(form), verdict->sentence);
}

static ebm_status try_form(form_search *s, ebm_kernel_form form, ebm_device **out)
{
    char place[32];
    bool known = false;
    ebm_kernel_verdict verdict = {0};
    ebm_device *device = NULL;
    place_of(s->device, place);
    const ebm_status opened = ebm_device_open_part(place, &form, s->part, s->parts, &device);
    if (opened.code == EBM_ERROR_UNSUPPORTED) return ebm_ok(); // its work-groups are too large
    EBM_TRY(opened);
    const ebm_status status = ebm_device_verdict(device, true, s->listener, &verdict, &known);
    if (status.code == EBM_OK && verdict.right) {
        *out = device;
        return status;
    }
    if (status.code == EBM_OK) add_wrong(s, form, &verdict);
    ebm_device_free(device);
    return status;
}

static ebm_status refuse(const form_search *s)
{
    const ebm_device_info *info = ebm_device_info_view(s->device);
    return ebm_fail(EBM_ERROR_DEVICE,
                    "%s (driver %.60s) computes wrongly: %s; another --device or driver is needed (EBMCL_CHECK=off "
                    "takes it as it is)",
                    info->name, info->driver, s->wrong);
}

static void note_form(const form_search *s, const char *what)
{
    const ebm_device_info *info = ebm_device_info_view(s->device);
    const ebm_status line = ebm_fail(EBM_ERROR_DEVICE, "device %d: driver %s (%s): %s is wrong in the %s (%s); %s",
                                     info->index, info->driver, info->platform_name, s->first.family,
                                     ebm_kernel_form_name(ebm_device_form(s->device)), s->first.sentence, what);
    note(s->listener, &line);
}

static ebm_status find_right(form_search *s, ebm_device **right)
{
    const ebm_kernel_form own = ebm_device_form(s->device);
    *right = NULL;
    add_wrong(s, own, &s->first);
    if (!ebm_device_info_view(s->device)->is_cpu) return refuse(s);
    for (int form = 0; form < EBM_FORMS && !*right; form++)
        if (form != (int)own) EBM_TRY(try_form(s, (ebm_kernel_form)form, right));
    if (!*right) return refuse(s);
    char what[80];
    snprintf(what, sizeof what, "the %s is taken", ebm_kernel_form_name(ebm_device_form(*right)));
    note_form(s, what);
    return ebm_ok();
}

ebm_status ebm_checked_device_open(const char *selector, const ebm_check_listener *listener, ebm_device **out)
{
    return ebm_checked_device_open_part(selector, 0, 1, listener, out);
}

ebm_status ebm_checked_device_open_part(const char *selector, unsigned part, unsigned parts,
                                        const ebm_check_listener *listener, ebm_device **out)
{
    bool known = false;
    ebm_device *right = NULL;
    form_search s = {.part = part, .parts = parts, .listener = listener ? listener : &SILENT};
    *out = NULL;
    EBM_TRY(check_setting());
    EBM_TRY(ebm_device_open_part(selector, NULL, part, parts, &s.device));
    if (ebm_device_check_is_off()) {
        *out = s.device;
        return ebm_ok();
    }
    ebm_status status = ebm_device_verdict(s.device, true, s.listener, &s.first, &known);
    if (status.code == EBM_OK && !s.first.right && ebm_kernel_form_is_asked())
        note_form(&s, "it is used because EBMCL_KERNELS or EBMCL_LANES asks for it");
    else if (status.code == EBM_OK && !s.first.right)
        status = find_right(&s, &right);
    if (status.code == EBM_OK && !right) {
        *out = s.device;
        return status;
    }
    ebm_device_free(s.device);
    *out = right;
    return status;
}
