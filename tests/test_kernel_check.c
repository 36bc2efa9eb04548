// The known-answer checks of kernels: every family is right here, in every form; a kernel that is wrong is found.
#include "kernel_check.h"

#include <math.h>
#include <stdio.h>

#include "on_device.h"

static void print_result(void *context, const ebm_check_result *r)
{
    (void)context;
    printf("%-20s %8.3f %8.3f s  %s\n", r->check->family, r->worst, r->seconds, r->status.message);
    if (r->status.code != EBM_OK && r->status.code != EBM_ERROR_UNSUPPORTED)
        fail_msg("%s: %s", r->check->family, r->status.message);
    if (!(r->worst <= 1)) fail_msg("%s: %g of its tolerance", r->check->family, r->worst);
}

static void every_family_is_right(void **state)
{
    (void)state;
    ebm_kernel_verdict verdict;
    assert_ok(ebm_kernel_check_all(device, EBM_CHECK_USED, print_result, NULL, &verdict));
    assert_true(verdict.right && verdict.family[0] == 0);
    printf("together: %.3f s, %.3f of the tolerances\n", verdict.seconds, verdict.worst);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_family_is_right)};
    return cmocka_run_group_tests_name("checks of kernels", tests, open_device, close_device);
}
