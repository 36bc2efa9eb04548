// fixtures/suite.json: predictions and what other packages say about them (tests/oracles/make_fixtures.py).
#ifndef EBM_TESTS_SUITE_FIXTURE_H
#define EBM_TESTS_SUITE_FIXTURE_H

#include "predictions.h"

static inline json_t *load_suite(void)
{
    json_error_t error;
    json_t *root = json_load_file(FIXTURES "/suite.json", 0, &error);
    if (!root) fail_msg("%s:%d: %s", error.source, error.line, error.text);
    return root;
}

#endif
