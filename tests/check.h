// cmocka and what its headers need, and two asserts for statuses that print the sentence when they fail.
#ifndef EBM_TESTS_CHECK_H
#define EBM_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "status.h"

#define assert_ok(expression)                                                                                          \
    do {                                                                                                               \
        const ebm_status check_status_ = (expression);                                                                 \
        if (check_status_.code != EBM_OK) fail_msg("%s failed: %s", #expression, check_status_.message);               \
    } while (0)

// The call must fail with this code, and its sentence must hold `part`.
#define assert_fails(expression, expected_code, part)                                                                  \
    do {                                                                                                               \
        const ebm_status check_status_ = (expression);                                                                 \
        if (check_status_.code != (expected_code) || !strstr(check_status_.message, (part)))                           \
            fail_msg("%s: expected code %d and \"%s\", got code %d and \"%s\"", #expression, (int)(expected_code),     \
                     (part), (int)check_status_.code, check_status_.message);                                          \
    } while (0)

#endif
