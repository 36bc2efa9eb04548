// The checks of a device's kernels in a process of their own: a driver that crashes or never comes back is wrong, and
// takes nothing with it. The program starts itself, as `ebmcl check-form PLATFORM:DEVICE FORM EXTENT`, and reads what
// it prints: "begin INDEX" and "end INDEX CODE ERROR SECONDS MESSAGE" for each check, "done", or "fail CODE MESSAGE".
#ifndef EBM_CHECK_PROCESS_H
#define EBM_CHECK_PROCESS_H

#include "kernel_check.h"

#define EBM_CHECK_COMMAND "check-form"
ebm_status ebm_check_process_main(int argc, char **argv); // what that command does

// As ebm_kernel_check_all on the device in this form. EBM_ERROR_INTERRUPTED when the other process was stopped from
// outside; where none can be started the checks run in this one.
ebm_status ebm_check_process_of(const char *selector, ebm_kernel_form form, ebm_check_extent extent,
                                const ebm_check_watch *watch, ebm_kernel_verdict *verdict);
// The same for ebm_check_listener.run.
ebm_status ebm_check_process(void *context, const char *selector, ebm_kernel_form form, const ebm_check_watch *watch,
                             ebm_kernel_verdict *verdict);

#endif
