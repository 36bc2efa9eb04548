// Internal. A suite as a JSON value, for the commands that add to it.
#ifndef EBM_SUITE_REPORT_H
#define EBM_SUITE_REPORT_H

#include <jansson.h>

#include "suite.h"

// The object ebm_suite_json writes; NULL when memory ran out.
json_t *ebm_suite_object(const ebm_suite *suite);

#endif
