// The methods of a comparison that names none: those of the paper, what a reviewer would ask for beside them, and joint
// training as ebmcl train does it by itself.
#ifndef EBM_COMPARE_METHODS_H
#define EBM_COMPARE_METHODS_H

#include <jansson.h>
#include <stdbool.h>

// As "methods" of compare_plan.h. joint: noise is there, so that joint training can be among them; seeds: several,
// whose predictions can be averaged. A new reference, NULL when memory ran out.
json_t *compare_default_methods(bool joint, bool seeds);

#endif
