#include "gemm_plan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "file.h"
#include "program_cache.h"

static void give_all(ebm_gemm_plan *plan, ebm_backend backend)
{
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) plan->backend[form][rows] = backend;
    plan->own_kernels = backend == EBM_BACKEND_CPU;
    plan->clblast = backend == EBM_BACKEND_CLBLAST;
}

void ebm_gemm_plan_default(const ebm_device *device, ebm_gemm_plan *plan)
{
    *plan = (ebm_gemm_plan){.parameters = ebm_clblast_default_set(ebm_device_info_view(device))->parameters};
    give_all(plan, ebm_device_uses_cpu_kernels(device) ? EBM_BACKEND_CPU : EBM_BACKEND_CLBLAST);
}

static ebm_status take_wanted(ebm_gemm_plan *plan, const char *wanted)
{
    plan->bf16 = strcmp(wanted, "bf16") == 0;
    if (plan->bf16) wanted = ebm_backend_name(EBM_BACKEND_CPU);
    for (int i = 0; i < EBM_BACKENDS; i++)
        if (strcmp(wanted, ebm_backend_name((ebm_backend)i)) == 0) {
            give_all(plan, (ebm_backend)i);
            return ebm_ok();
        }
    return ebm_fail(EBM_ERROR_INPUT, "EBMCL_GEMM: expected cpu, bf16, clblast or plain, found '%s'", wanted);
}

static void take_backends(ebm_gemm_plan *plan, const ebm_tuning *tuning)
{
    memcpy(plan->backend, tuning->backend, sizeof plan->backend);
    plan->clblast = false;
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++)
            plan->clblast |= plan->backend[form][rows] == EBM_BACKEND_CLBLAST;
}

static ebm_status take_file(const ebm_device *device, ebm_gemm_plan *plan, const char *path, bool backends)
{
    ebm_tuning tuning;
    EBM_TRY(ebm_tuning_read(device, path, &tuning));
    plan->parameters = tuning.parameters;
    if (backends) take_backends(plan, &tuning);
    snprintf(plan->file, sizeof plan->file, "%s", path);
    return ebm_ok();
}

// A file that somebody named must be good; what lies in the cache's folder costs speed when it is not.
static ebm_status take_tuning(const ebm_device *device, ebm_gemm_plan *plan, bool backends)
{
    const char *named = getenv("EBMCL_TUNING");
    if (named && strcmp(named, "off") == 0) return ebm_ok();
    plan->named = named && *named;
    if (plan->named) return ebm_in(take_file(device, plan, named, backends), "EBMCL_TUNING");
    char *path = NULL;
    EBM_TRY(ebm_tuning_path(device, &path));
    if (path && ebm_file_exists(path)) {
        const ebm_status status = take_file(device, plan, path, backends);
        snprintf(plan->note, sizeof plan->note, "%s", status.message);
    }
    free(path);
    return ebm_ok();
}

ebm_status ebm_gemm_plan_make(const ebm_device *device, bool tuned, ebm_gemm_plan *plan)
{
    const char *wanted = getenv("EBMCL_GEMM");
    const bool chosen = wanted && *wanted;
    ebm_gemm_plan_default(device, plan);
    if (chosen) EBM_TRY(take_wanted(plan, wanted));
    return tuned && (!chosen || plan->clblast) ? take_tuning(device, plan, !chosen) : ebm_ok();
}

const char *ebm_gemm_plan_name(const ebm_gemm_plan *plan)
{
    static const char *const names[1 << EBM_BACKENDS] = {
        "none",  "cpu",           "clblast",           "cpu and clblast",
        "plain", "cpu and plain", "clblast and plain", "cpu, clblast and plain"};
    unsigned used = 0;
    for (size_t form = 0; form < EBM_GEMM_FORMS; form++)
        for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) used |= 1u << plan->backend[form][rows];
    return names[used];
}

static uint64_t parameters_key(const ebm_clblast_parameters *p)
{
    char values[2048] = "";
    size_t used = 0;
    for (size_t kernel = 0; kernel < EBM_CLBLAST_KERNELS; kernel++)
        for (size_t i = 0; p->overrides[kernel] && i < EBM_CLBLAST_NAMES[kernel].count && used < sizeof values; i++)
            used += (size_t)snprintf(values + used, sizeof values - used, "%zu %u\n", kernel, p->values[kernel][i]);
    return ebm_cache_key(values);
}

void ebm_gemm_plan_text(const ebm_gemm_plan *plan, char *text, size_t size)
{
    size_t used = 0;
    bool same = true;
    for (size_t i = 0; i < EBM_GEMM_FORMS * EBM_ROW_CLASSES; i++)
        same &= plan->backend[i / EBM_ROW_CLASSES][i % EBM_ROW_CLASSES] == plan->backend[0][0];
    if (same) used += (size_t)snprintf(text, size, "%s", ebm_backend_name(plan->backend[0][0]));
    for (size_t form = 0; !same && form < EBM_GEMM_FORMS && used < size; form++) {
        used += (size_t)snprintf(text + used, size - used, "%s%s:", form ? ", " : "",
                                 ebm_gemm_form_name((ebm_gemm_form)form));
        for (size_t rows = 0; rows < EBM_ROW_CLASSES && used < size; rows++)
            used += (size_t)snprintf(text + used, size - used, " %s", ebm_backend_name(plan->backend[form][rows]));
    }
    if (plan->clblast && used < size)
        snprintf(text + used, size - used, "; CLBlast's parameters %016" PRIx64, parameters_key(&plan->parameters));
}

bool ebm_gemm_plan_all(const ebm_gemm_plan *plan, ebm_gemm_form form, ebm_backend backend)
{
    bool all = true;
    for (size_t rows = 0; rows < EBM_ROW_CLASSES; rows++) all &= plan->backend[form][rows] == backend;
    return all;
}

bool ebm_gemm_plan_rows_independent(const ebm_gemm_plan *plan)
{
    const ebm_backend first = plan->backend[EBM_GEMM_NN][0];
    return first != EBM_BACKEND_CLBLAST && ebm_gemm_plan_all(plan, EBM_GEMM_NN, first);
}
