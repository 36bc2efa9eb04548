// Whether a file of options is one that ebmcl train would take, without starting it.
#ifndef EBM_TRAIN_CHECK_H
#define EBM_TRAIN_CHECK_H

#include "status.h"

// EBM_ERROR_INPUT as ebmcl train would say it: names, types, limits, what goes together. No file of texts or weights is
// opened; that a model or noise is there is not checked.
ebm_status ebm_train_check(const char *options_file);

#endif
