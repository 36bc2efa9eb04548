// Who does which product: the defaults, what `ebmcl tune` wrote, what the environment says.
#ifndef EBM_GEMM_PLAN_H
#define EBM_GEMM_PLAN_H

#include "tuning.h"

typedef struct {
    ebm_backend backend[EBM_GEMM_FORMS][EBM_ROW_CLASSES];
    bool own_kernels, bf16; // our CPU kernels can do all products; EBMCL_GEMM=bf16 asks for that
    bool clblast;           // some are its
    ebm_clblast_parameters parameters;
    bool named;      // the tuning's file, by EBMCL_TUNING: it must be good
    char file[1024]; // of the tuning, "" without
    char note[sizeof((ebm_status){0}.message)];
} ebm_gemm_plan;

// EBM_ERROR_INPUT when the environment asks for what there is not. Touches nothing. tuned = false: no file is looked
// for.
ebm_status ebm_gemm_plan_make(const ebm_device *device, bool tuned, ebm_gemm_plan *plan);
// The plan without a tuning, whatever the environment says.
void ebm_gemm_plan_default(const ebm_device *device, ebm_gemm_plan *plan);

const char *ebm_gemm_plan_name(const ebm_gemm_plan *plan); // "cpu", "clblast and plain"
// "cpu", or "nn: cpu cpu clblast, nt: ..., tn: ...; CLBlast's parameters 1f3a..." with the classes of rows in order.
void ebm_gemm_plan_text(const ebm_gemm_plan *plan, char *text, size_t size);
bool ebm_gemm_plan_rows_independent(const ebm_gemm_plan *plan);
bool ebm_gemm_plan_all(const ebm_gemm_plan *plan, ebm_gemm_form form, ebm_backend backend); // whatever the rows

#endif
