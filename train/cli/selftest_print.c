#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "device_features.h"
#include "device_report.h"
#include "gemm.h"
#include "json_output.h"
#include "selftest_run.h"

typedef enum { RIGHT, WRONG, ABSENT } outcome;

static outcome outcome_of(const ebm_check_result *r)
{
    if (r->status.code == EBM_ERROR_UNSUPPORTED) return ABSENT;
    return ebm_check_is_wrong(r) ? WRONG : RIGHT;
}

static size_t count_outcomes(const selftest_form *f, outcome which)
{
    size_t count = 0;
    for (size_t i = 0; i < f->count; i++) count += outcome_of(&f->checks[i]) == which;
    return count;
}

static double mib(uint64_t bytes) { return (double)bytes / (1024.0 * 1024.0); }

// ---- the block

static void print_device(const selftest *s)
{
    const ebm_device_info *info = ebm_device_info_view(s->device);
    char *extensions = ebm_device_extensions(s->device);
    printf("device       %s\n", info->name);
    printf("platform     %s, driver %s, %s\n", info->platform_name, info->driver, info->version);
    printf("kind         %s, %u units, %.0f MiB\n", info->is_cpu ? "CPU" : "GPU", info->compute_units,
           mib(info->memory_bytes));
    ebm_device_report_print(s->device, 0);
    printf("extensions:  %s\n", extensions ? extensions : "");
    free(extensions);
}

static void print_form(const selftest_form *f)
{
    if (f->opened.code != EBM_OK) {
        printf("%-22s not run: %s\n", ebm_kernel_form_name(f->form), f->opened.message);
        return;
    }
    printf("%-22s %zu families right, %zu wrong, %zu not here; largest error %.3g of its tolerance; %.1f s\n",
           ebm_kernel_form_name(f->form), count_outcomes(f, RIGHT), count_outcomes(f, WRONG), count_outcomes(f, ABSENT),
           f->verdict.worst, f->verdict.seconds);
    for (size_t i = 0; i < f->count; i++) {
        const ebm_check_result *r = &f->checks[i];
        if (outcome_of(r) == WRONG && r->status.code != EBM_OK)
            printf("  WRONG %-20s %s\n", r->check->family, r->status.message);
        else if (outcome_of(r) == WRONG)
            printf("  WRONG %-20s error %.3g times what rounding allows\n", r->check->family, r->worst);
        else if (outcome_of(r) == ABSENT)
            printf("  not here: %-16s %s\n", r->check->family, r->status.message);
    }
}

static void print_training(const selftest *s)
{
    const ebm_selftest_training *t = &s->training;
    const double error = ebm_selftest_error(t);
    if (!s->trained) {
        printf("training     not done: %s\n", s->training_status.message);
        return;
    }
    printf("training     %s: losses within %.2g of those recorded (%.2g allowed), %s, products by %s\n",
           error <= 1 ? "right" : "WRONG", error * EBM_SELFTEST_TOLERANCE, EBM_SELFTEST_TOLERANCE,
           ebm_kernel_form_name(ebm_device_form(s->device)), ebm_gemm_backend(s->device));
    printf("             %d steps in %.1f s, the last one %.1f ms; last losses %.6f and %.6f\n", EBM_SELFTEST_STEPS,
           t->seconds, 1e3 * t->last_seconds, t->cross_entropy[EBM_SELFTEST_STEPS - 1], t->nce[EBM_SELFTEST_STEPS - 1]);
}

static void print_speed(const selftest *s)
{
    for (size_t i = 0; i < s->speed_count; i++) {
        const selftest_speed *v = &s->speeds[i];
        printf("  %-44s %10.1f us", v->name, 1e6 * v->seconds);
        if (v->flops > 0) printf(" %9.1f GFLOP/s", 1e-9 * v->flops / v->seconds);
        if (v->bytes > 0) printf(" %9.1f GB/s", 1e-9 * v->bytes / v->seconds);
        putchar('\n');
    }
    if (s->speed_status.code != EBM_OK) printf("  not measured: %s\n", s->speed_status.message);
}

void selftest_print(const selftest *s)
{
    printf("ebmcl selftest %s%s%s\n", EBMCL_VERSION, EBMCL_COMMIT[0] ? ", commit " : "", EBMCL_COMMIT);
    print_device(s);
    for (size_t i = 0; i < s->form_count; i++) print_form(&s->forms[i]);
    print_training(s);
    puts("speed, the best of a few runs");
    print_speed(s);
    printf("memory       %.1f MiB on the device for the training, %.0f MiB of the process at most\n",
           mib(s->training.memory_bytes), mib(s->host_bytes));
    printf("result       %s, in %.1f s\n", s->right ? "all right" : "WRONG", s->seconds);
}

// ---- JSON

static json_t *number(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *form_json(const selftest_form *f)
{
    static const char *const words[] = {"right", "wrong", "absent"};
    json_t *checks = json_array();
    for (size_t i = 0; i < f->count; i++) {
        const ebm_check_result *r = &f->checks[i];
        json_array_append_new(checks, json_pack("{s:s, s:s, s:o, s:f, s:s}", "family", r->check->family, "result",
                                                words[outcome_of(r)], "error", number(r->worst), "seconds", r->seconds,
                                                "message", r->status.message));
    }
    return json_pack("{s:s, s:b, s:s, s:o}", "form", ebm_kernel_form_name(f->form), "right",
                     f->opened.code == EBM_OK && f->verdict.right, "message", f->opened.message, "checks", checks);
}

static json_t *losses_json(const double *losses)
{
    json_t *list = json_array();
    for (size_t i = 0; i < EBM_SELFTEST_STEPS; i++) json_array_append_new(list, number(losses[i]));
    return list;
}

static json_t *training_json(const selftest *s)
{
    const ebm_selftest_training *t = &s->training;
    if (!s->trained) return json_pack("{s:b, s:s}", "right", 0, "message", s->training_status.message);
    return json_pack("{s:b, s:o, s:f, s:f, s:f, s:I, s:o, s:o}", "right", ebm_selftest_error(t) <= 1, "error",
                     number(ebm_selftest_error(t) * EBM_SELFTEST_TOLERANCE), "tolerance", EBM_SELFTEST_TOLERANCE,
                     "seconds", t->seconds, "last_step_seconds", t->last_seconds, "memory_bytes",
                     (json_int_t)t->memory_bytes, "cross_entropy", losses_json(t->cross_entropy), "nce",
                     losses_json(t->nce));
}

static json_t *device_json(const selftest *s)
{
    json_t *device = json_object();
    if (!ebm_device_report_add_info(device, ebm_device_info_view(s->device))) {
        json_decref(device);
        return NULL;
    }
    ebm_device_report_add(device, s->device);
    return device;
}

ebm_status selftest_print_json(const selftest *s)
{
    json_t *forms = json_array(), *speeds = json_array();
    for (size_t i = 0; i < s->form_count; i++) json_array_append_new(forms, form_json(&s->forms[i]));
    for (size_t i = 0; i < s->speed_count; i++)
        json_array_append_new(speeds, json_pack("{s:s, s:f, s:f, s:f}", "name", s->speeds[i].name, "seconds",
                                                s->speeds[i].seconds, "flops", s->speeds[i].flops, "bytes",
                                                s->speeds[i].bytes));
    return ebm_program_print_json(
        json_pack("{s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:I, s:f, s:b}", "version", EBMCL_VERSION, "commit",
                  EBMCL_COMMIT, "device", device_json(s), "kernels", ebm_kernel_form_name(ebm_device_form(s->device)),
                  "products", ebm_gemm_backend(s->device), "forms", forms, "training", training_json(s), "speed",
                  speeds, "host_bytes", (json_int_t)s->host_bytes, "seconds", s->seconds, "right", s->right));
}
