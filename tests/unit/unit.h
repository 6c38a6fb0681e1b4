/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every unit test has in common: one CUnit suite, whose program fails when a test does, and checks that show the error.
 *
 *     static const struct unit_test tests[] = {{"grows", test_grows}, …};
 *     int main(void)
 *     {
 *         return unit_run("buf", tests, array_length(tests));
 *     }
 */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include "core/error.h"
#include "core/mem.h"

#include <CUnit/Basic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct unit_test {
    const char *name;
    void (*run)(void);
};

static inline int unit_run(const char *suite_name, const struct unit_test *tests, size_t count)
{
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    CU_pSuite suite = CU_add_suite(suite_name, NULL, NULL);
    for (size_t i = 0; suite != NULL && i < count; i++)
        if (CU_add_test(suite, tests[i].name, tests[i].run) == NULL)
            suite = NULL;
    if (suite == NULL)
        return 1;
    CU_basic_set_mode(CU_BRM_VERBOSE);
    CU_basic_run_tests();
    unsigned failures = CU_get_number_of_failures();
    unsigned run = CU_get_number_of_tests_run();
    CU_cleanup_registry();
    return failures == 0 && run == count ? 0 : 1;
}

static inline void unit_expect(int result, struct firn_error **err, enum firn_code code,
                               const char *call, const char *file, int line)
{
    enum firn_code got = error_code(*err);
    int good = code == 0 ? result >= 0 && *err == NULL : result == -1 && got == code;
    if (!good)
        printf("\n    %s:%d: %s: result %d, %s: %s", file, line, call, result, error_code_name(got),
               error_message(*err));
    CU_assertImplementation(good, (unsigned)line, call, file, "", CU_FALSE);
    error_clear(err);
}

/* The call, written with `err` as its last argument, succeeds; or fails with that code. (A test may have an `err` of its
 * own: this one hides it.) */
#define expect_ok(call) expect_error((enum firn_code)0, call)
#define expect_error(code, call)                                                                   \
    do {                                                                                           \
        struct firn_error *unit_error = NULL;                                                      \
        _Pragma("GCC diagnostic push");                                                            \
        _Pragma("GCC diagnostic ignored \"-Wshadow\"");                                            \
        struct firn_error **err = &unit_error;                                                     \
        _Pragma("GCC diagnostic pop");                                                             \
        int unit_result = (call);                                                                  \
        unit_expect(unit_result, err, (code), #call, __FILE__, __LINE__);                          \
    } while (0)
#define expect_text(actual, expected) CU_ASSERT_STRING_EQUAL((actual), (expected))

#endif
