// A device in a form of the kernels that computes what it should.
//
//     ebm_device *device = NULL;
//     EBM_TRY(ebm_checked_device_open(NULL, NULL, &device));       // as ebm_device_open, with a check
//
// Drivers miscompute now and then: Mesa's llvmpipe leaves loops too early, others move a barrier. The checks of
// kernel_check.h run once for each device, driver, OpenCL version, form and set of kernel sources; what they came to is
// kept in the folder of the program cache (verdict.h), from where later starts read it. Where that folder cannot be
// written they run at each start: some seconds, which are less of a loss than a wrong training; a note says so.
//
// Forms, in this order: the device's own; on CPUs then the others (16 lanes, 8 lanes, GPU form). The CPU forms are no
// way out for a GPU: one work-item a group there would take hours. The first that is right is taken, and a note says
// which and why; when none is, the device is refused. A form that EBMCL_KERNELS or EBMCL_LANES asks for is not
// replaced: a note says what is wrong with it.
// A driver that crashes in a check takes the process with it, unless listener.run has another one do them.
// EBMCL_CHECK=off: nothing is checked. EBMCL_CHECK=again: what was kept is not read.
#ifndef EBM_CHECKED_DEVICE_H
#define EBM_CHECKED_DEVICE_H

#include "kernel_check.h"

#ifdef __cplusplus
extern "C" {
#endif

// Who wants to show what goes on; any may be NULL.
typedef struct {
    void *context;
    void (*note)(void *context, const char *line);                             // one line the user should see
    void (*progress)(void *context, ebm_kernel_form form, const char *family); // a check begins
    // In the place of ebm_kernel_check_all on a device opened here: for a program that has its checks run by another
    // process, which a driver may crash. selector: "platform:device".
    ebm_status (*run)(void *context, const char *selector, ebm_kernel_form form, const ebm_check_watch *watch,
                      ebm_kernel_verdict *verdict);
} ebm_check_listener;

bool ebm_device_check_is_off(void); // EBMCL_CHECK=off
// EBM_ERROR_DEVICE when no form is right; else as ebm_device_open. listener may be NULL.
ebm_status ebm_checked_device_open(const char *selector, const ebm_check_listener *listener, ebm_device **device);
// The same for one of several processes, as ebm_device_open_part; what is checked is the whole device.
ebm_status ebm_checked_device_open_part(const char *selector, unsigned part, unsigned parts,
                                        const ebm_check_listener *listener, ebm_device **device);

// For a device that is open, in the form that it has. *verdict from what is kept, or else, with may_run, from checks
// run on a handle of its own: the device itself is not used. *known: whether there is one.
ebm_status ebm_device_verdict(ebm_device *device, bool may_run, const ebm_check_listener *listener,
                              ebm_kernel_verdict *verdict, bool *known);
// EBM_ERROR_DEVICE when the device's form is wrong and was not asked for by EBMCL_KERNELS or EBMCL_LANES: what
// ebm_predictor_open does with the device that it is given.
ebm_status ebm_device_must_be_right(ebm_device *device);

#ifdef __cplusplus
}
#endif
#endif
