// What a check of a device's kernels came to, kept on disk so that it runs once for a device, driver, form and set of
// kernel sources: check-<key>.txt in the folder of the program cache (program_cache.h). For PoCL and NVIDIA too, whose
// programs are not kept there.
//
// Text, a value a line: "ebmcl check", the version of the checks, platform, device, driver, OpenCL version, form, hash
// of the sources; then "right" or "wrong", family, sentence, largest error; last FNV-1a of all lines before, in hex. A
// file that differs in anything is as none.
#ifndef EBM_VERDICT_H
#define EBM_VERDICT_H

#include "device.h"

typedef struct {
    bool right;
    char family[32], sentence[160]; // of what is wrong; "" when right
    double worst;                   // largest error as a share of its tolerance
} ebm_verdict;

// What the verdict depends on, as the first lines of the file; "" when it does not fit (never with real names).
enum { EBM_VERDICT_IDENTITY = 1024 };
void ebm_verdict_identity(const ebm_device *device, unsigned version, char identity[EBM_VERDICT_IDENTITY]);

// False when there is none that is whole and about this identity.
bool ebm_verdict_load(const char *identity, ebm_verdict *verdict);
// False when it cannot be kept: no folder named by the environment, or none that can be written to.
bool ebm_verdict_store(const char *identity, const ebm_verdict *verdict);
// Where it is or would be, for the caller to free(); NULL when there is no folder.
char *ebm_verdict_path(const char *identity);

#endif
