// fixtures/suite.json: predictions and what other packages say about them (tests/oracles/make_fixtures.py).
#ifndef EBM_TESTS_SUITE_FIXTURE_H
#define EBM_TESTS_SUITE_FIXTURE_H

#include "predictions.h"

static inline json_t *load_suite(void) { return load_json(FIXTURES "/suite.json"); }

#endif
