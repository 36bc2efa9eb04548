// GPU kernels on a CPU, whose items take their turns: six to eight times as slow as CPU kernels.
#ifndef EBM_TESTS_SLOW_FORM_H
#define EBM_TESTS_SLOW_FORM_H

#include "check.h"
#include "device.h"

static inline bool is_slow_form(const ebm_device *d)
{
    return ebm_device_info_view(d)->is_cpu && !ebm_device_uses_cpu_kernels(d);
}

// For tests whose kernels are tested elsewhere in that form too: the rest is host code, for which one form is enough.
static inline void skip_in_slow_form(const ebm_device *d)
{
    if (is_slow_form(d)) skip();
}

#endif
