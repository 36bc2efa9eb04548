// Results as one JSON object on standard output.
//
//     return ebm_program_print_json(json_pack("{s:i}", "answer", 42));
#ifndef EBM_JSON_OUTPUT_H
#define EBM_JSON_OUTPUT_H

#include <jansson.h>

#include "status.h"

// Prints the object and a line end, and takes it over. NULL (what jansson gives when memory ran out, or when a text was
// not UTF-8) is an error.
ebm_status ebm_program_print_json(json_t *object);

#endif
