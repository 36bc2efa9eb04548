// Evaluations as JSON values, for the commands and files that hold them.
#ifndef EBM_REPORT_INTERNAL_H
#define EBM_REPORT_INTERNAL_H

#include <jansson.h>

#include "reliability.h"
#include "report.h"

// The object ebm_evaluation_json writes; NULL when memory ran out.
json_t *ebm_evaluation_object(const ebm_evaluation *evaluation);
// Puts <name><ending>: what is not finite cannot stand in JSON, null says that the value is not defined. Not 0: no
// memory.
int ebm_evaluation_put(json_t *object, const char *name, const char *ending, double value);
// The object as text, to be freed; takes it over, NULL counts as out of memory.
ebm_status ebm_evaluation_text(json_t *object, char **text);
// A list of {"low", "high", "count", "confidence", "accuracy"}; NULL when memory ran out.
json_t *ebm_reliability_list(const ebm_reliability_bin *bin, int bins);

// Evaluates with the defaults and writes <directory>/eval_results.json: the object of ebm_evaluation_object with
// "reliability" (10 bins) and the keys of `more`, which is taken over.
ebm_status ebm_evaluation_file_write(const char *directory, const ebm_predictions *predictions, json_t *more);

#endif
