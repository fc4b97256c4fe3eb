/* SPDX-License-Identifier: MIT */
/* The tool built with XSC_JSON=OFF: says so where JSON is asked for, and is whole otherwise. */
#include "tool.h"

#include <stdio.h>
#include <string.h>

static void test_refuses_json(void **state)
{
    static const char *const args[] = {"--json", "--json=file"};

    (void)state;
    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        struct outcome o = run_tool(NULL, args[i]);

        expect(&o, 2, "was built without JSON", args[i]);
        assert_string_equal(o.out, "");
        assert_int_equal(entries(), 0);
        free_outcome(&o);
    }
}

static void test_reports(void **state)
{
    (void)state;
    struct outcome o = run_tool(NULL, "--iterations 16 --timeout 10us");

    assert_true(o.status < 2);
    assert_string_equal(o.err, "");
    assert_non_null(strstr(o.out, "\nprimary     "));
    free_outcome(&o);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {TEST(test_refuses_json), TEST(test_reports)};

    return run_group(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
