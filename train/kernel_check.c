#include "kernel_check.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gemm_check.h"
#include "kernel_check_internal.h"
#include "known_answer.h"
#include "timing.h"

static ebm_status check_vectors(ebm_device *device, double *worst)
{
    (void)worst;
    return ebm_device_known_answer(device);
}

static ebm_status check_products_cpu(ebm_device *device, double *worst)
{
    if (!ebm_device_uses_cpu_kernels(device))
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "these are what CPU forms take; ebmcl tune checks them here");
    return ebm_gemm_check(device, EBM_BACKEND_CPU, worst);
}
static ebm_status check_products_clblast(ebm_device *device, double *worst)
{
    if (ebm_device_uses_cpu_kernels(device))
        return ebm_fail(EBM_ERROR_UNSUPPORTED, "CLBlast is what GPU forms take; ebmcl tune checks it here");
    return ebm_gemm_check(device, EBM_BACKEND_CLBLAST, worst);
}
static ebm_status check_products_plain(ebm_device *device, double *worst)
{
    return ebm_gemm_check(device, EBM_BACKEND_PLAIN, worst);
}

// The backend that a form takes by itself; what `ebmcl tune` chooses was checked by it.
static bool uses_clblast(const ebm_device *device) { return !ebm_device_uses_cpu_kernels(device); }
static bool only_every(const ebm_device *device)
{
    (void)device;
    return false;
}

const ebm_kernel_check ebm_kernel_checks[] = {
    {"vectors", check_vectors, NULL},
    {"random", ebm_check_random, NULL},
    {"layernorm", ebm_check_layernorm, NULL},
    {"residual", ebm_check_residual, NULL},
    {"gelu", ebm_check_gelu, NULL},
    {"embedding", ebm_check_embedding, NULL},
    {"sums", ebm_check_sums, NULL},
    {"head", ebm_check_head, NULL},
    {"rotary", ebm_check_rotary, NULL},
    {"halves", ebm_check_half, NULL},
    {"attention", ebm_check_attention, NULL},
    {"attention (64)", ebm_check_attention_64, only_every},
    {"attention (first)", ebm_check_attention_first, NULL},
    {"attention cache", ebm_check_attention_cache, NULL},
    {"energy", ebm_check_energy, NULL},
    {"cross-entropy", ebm_check_cross_entropy, NULL},
    {"objective", ebm_check_objective, NULL},
    {"label losses", ebm_check_label_loss, NULL},
    {"mixup", ebm_check_mixup, NULL},
    {"vocabulary loss", ebm_check_lm_loss, NULL},
    {"optimizer", ebm_check_optimizer, NULL},
    {"sampling", ebm_check_sampling, NULL},
    {"screening", ebm_check_screen, NULL},
    {"generation", ebm_check_generate, NULL},
    {"products (cpu)", check_products_cpu, ebm_device_uses_cpu_kernels},
    {"products (bf16)", ebm_gemm_check_bf16, only_every},
    {"products (clblast)", check_products_clblast, uses_clblast},
    {"products (plain)", check_products_plain, only_every},
};
const size_t ebm_kernel_check_count = sizeof ebm_kernel_checks / sizeof *ebm_kernel_checks;

bool ebm_check_is_wrong(const ebm_check_result *r)
{
    return r->status.code != EBM_ERROR_UNSUPPORTED && (r->status.code != EBM_OK || !(r->worst <= 1));
}

void ebm_kernel_verdict_add(ebm_kernel_verdict *verdict, const ebm_check_result *r)
{
    verdict->seconds += r->seconds;
    verdict->worst = fmax(verdict->worst, r->worst);
    if (!ebm_check_is_wrong(r) || !verdict->right) return;
    verdict->right = false;
    snprintf(verdict->family, sizeof verdict->family, "%s", r->check->family);
    if (r->status.code != EBM_OK)
        snprintf(verdict->sentence, sizeof verdict->sentence, "%.*s", (int)sizeof verdict->sentence - 1,
                 r->status.message);
    else if (isinf(r->worst))
        snprintf(verdict->sentence, sizeof verdict->sentence, "wrong results");
    else
        snprintf(verdict->sentence, sizeof verdict->sentence, "errors %.3g times what rounding allows", r->worst);
}

ebm_status ebm_kernel_check_all(ebm_device *device, ebm_check_extent extent, const ebm_check_watch *watch,
                                ebm_kernel_verdict *verdict)
{
    static const ebm_check_watch nobody = {NULL, NULL, NULL};
    if (!watch) watch = &nobody;
    *verdict = (ebm_kernel_verdict){.right = true};
    for (size_t i = 0; i < ebm_kernel_check_count; i++) {
        const ebm_kernel_check *check = &ebm_kernel_checks[i];
        if (extent == EBM_CHECK_USED && check->is_used && !check->is_used(device)) continue;
        if (extent == EBM_CHECK_BUT_CLBLAST && check->run == check_products_clblast) continue;
        ebm_check_result r = {.check = check};
        if (watch->begun) watch->begun(watch->context, check);
        const double start = ebm_now();
        r.status = check->run(device, &r.worst);
        r.seconds = ebm_now() - start;
        if (r.status.code == EBM_ERROR_MEMORY || r.status.code == EBM_ERROR_INPUT)
            return ebm_in(r.status, "check of %s", check->family);
        ebm_kernel_verdict_add(verdict, &r);
        if (watch->ended) watch->ended(watch->context, &r);
        if (extent == EBM_CHECK_USED && !verdict->right) break;
    }
    return ebm_ok();
}
