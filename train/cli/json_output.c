#include "json_output.h"

#include <stdio.h>

enum { DIGITS = 10 }; // of reals: more than any measurement here has

ebm_status ebm_program_print_json(json_t *object)
{
    if (!object) return ebm_fail(EBM_ERROR_MEMORY, "the result cannot be written as JSON");
    const int failed = json_dumpf(object, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(DIGITS));
    json_decref(object);
    putchar('\n');
    return failed ? ebm_fail(EBM_ERROR_IO, "standard output: writing the result failed") : ebm_ok();
}
