/* SPDX-License-Identifier: MIT */
/* The command line of xsc-wait-probe: what it refuses, how it says so, and what it takes. */
#define _GNU_SOURCE
#include "tool.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xsc/wait.h>

/* Every one: exit status 2, one line with these words on stderr, nothing on stdout. */
static const struct {
    const char *args, *words;
} refused[] = {
    {"--timeout -5", "--timeout: \"-5\" is not a time"},
    {"--timeout abc", "--timeout: \"abc\" is not a time"},
    {"--timeout 100", "--timeout: \"100\" is not a time"},
    {"--timeout 99999999999999999999", "is not a time"},
    {"--timeout 99999999999999999999us", "is not from 1us to 10s"},
    {"--timeout 18446744073709651616ns", "is not from 1us to 10s"}, /* 2^64 + 100,000 */
    {"--timeout 18446744073709552s", "is not from 1us to 10s"}, /* wraps, in ns, to a good one */
    {"--timeout 0us", "is not from 1us to 10s"},
    {"--timeout 999ns", "is not from 1us to 10s"},
    {"--timeout 11s", "is not from 1us to 10s"},
    {"--timeout 1.5us", "is not a time"},
    {"--timeout us", "is not a time"},
    {"--timeout 100usx", "is not a time"},
    {"--timeout 100us,", "is not a time"},
    {"--timeout 100US", "is not a time"},
    {"--timeout", "--timeout needs a value"},
    {"--timeout=", "--timeout needs a value"},
    {"--iterations 15", "--iterations: \"15\" is not a number from 16 to 100000000"},
    {"--iterations 100000001", "is not a number from 16 to 100000000"},
    {"--iterations 4294967312", "is not a number from"},           /* 2^32 + 16 */
    {"--iterations 18446744073709551632", "is not a number from"}, /* 2^64 + 16 */
    {"--iterations -16", "is not a number from"},
    {"--iterations 1e3", "is not a number from"},
    {"--iterations 64x", "is not a number from"},
    {"--iterations", "--iterations needs a value"},
    {"--mechanism futex2000", "--mechanism: \"futex2000\" is not known on "},
    {"--mechanism futex2000", "; known are "},
    {"--mechanism generic,", "--mechanism: \"\" is not known"},
    {"--mechanism generic,GENERIC", "GENERIC is named twice"},
    {"--mechanism generic --mechanism Generic", "GENERIC is named twice"},
    {"--mechanism doorbell,DoorBell", "DOORBELL is named twice"},
    {"--mechanism", "--mechanism needs a value"},
    {"--doorbell", "--doorbell needs a value"},
    {"--doorbell eventfd --doorbell eventfd", "--doorbell is given twice"},
    {"--cpus 0", "is not two CPUs"},
    {"--cpus ,", "is not two CPUs"},
    {"--cpus 0,", "is not two CPUs"},
    {"--cpus 0,1,2", "is not two CPUs"},
    {"--cpus 0-1", "is not two CPUs"},
    {"--cpus -1,0", "is not two CPUs"},
    {"--cpus a,b", "is not two CPUs"},
    {"--cpus=", "--cpus needs a value"},
    {"--cpus 99999999999999999999,0", "no such CPU"},
    {"--output", "--output needs a value"},
    {"--output --json", "--output needs a value"},
    {"--json=", "--json needs a value"},
    {"--json --json", "--json is given twice"},
    {"--json --json=f", "--json is given twice"},
    {"--quiet --quiet", "--quiet is given twice"},
    {"--quiet=yes", "--quiet takes no value"},
    {"--quiet --progress", "contradict each other"},
    {"--timeout 100us --timeout 100us", "--timeout is given twice"},
    {"--no-such-option", "unknown option \"--no-such-option\""},
    {"--iter 64", "unknown option \"--iter\""},
    {"-x", "unknown option \"-x\""},
    {"-hx", "unknown option \"-hx\""},
    {"-- stray", "\"stray\": no argument expected here"},
    {"-- --quiet", "\"--quiet\": no argument expected here"},
    {"stray", "\"stray\": no argument expected here"},
    {"-", "\"-\": no argument expected here"},
    {"--json stray", "\"stray\": no argument expected here"},
};

static void test_refusals(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct outcome o = run_tool(NULL, refused[i].args);

        expect(&o, 2, refused[i].words, refused[i].args);
        assert_string_equal(o.out, "");
        assert_int_equal(entries(), 0);
        free_outcome(&o);
    }
}

static void test_cpu_out_of_range(void **state)
{
    char args[64];

    (void)state;
    snprintf(args, sizeof(args), "--cpus 0,%ld", sysconf(_SC_NPROCESSORS_CONF));
    struct outcome o = run_tool(NULL, args);

    expect(&o, 2, "no such CPU", args);
    assert_string_equal(o.out, "");
    free_outcome(&o);
}

/* The first two CPUs that we may use; skips where there are none. */
static void two_cpus(int cpu[2])
{
    cpu_set_t set;
    int n = 0;

    assert_false(sched_getaffinity(0, sizeof(set), &set));
    for (int i = 0; i < CPU_SETSIZE && n < 2; i++) {
        if (CPU_ISSET((size_t)i, &set)) {
            cpu[n++] = i;
        }
    }
    if (n < 2) {
        skip_because("needs two CPUs to run on");
    }
}

static void test_cpu_not_allowed(void **state)
{
    const struct setting confined = {.one_cpu = true};
    char args[64], words[64];
    int cpu[2];

    (void)state;
    two_cpus(cpu);
    snprintf(args, sizeof(args), "--cpus %d,%d", cpu[0], cpu[1]);
    snprintf(words, sizeof(words), "may not run on CPU %d", cpu[1]);
    struct outcome o = run_tool(&confined, args);

    expect(&o, 2, words, args);
    assert_string_equal(o.out, "");
    free_outcome(&o);
}

static void test_same_cpu_twice(void **state)
{
    char args[64];
    int cpu[2];

    (void)state;
    two_cpus(cpu);
    snprintf(args, sizeof(args), "--cpus %d,%d", cpu[1], cpu[1]);
    struct outcome o = run_tool(NULL, args);

    expect(&o, 2, "must differ", args);
    free_outcome(&o);
}

/* What stands on the command line may hold anything; the complaint stays one line of text. */
static void test_quoted_input(void **state)
{
    (void)state;
    struct outcome o = run_tool(NULL, "--timeout 1\n\x1b[31m\xffus");

    expect(&o, 2, "\"1??[31m?us\"", "control characters");
    free_outcome(&o);
}

static void test_help_and_version(void **state)
{
    (void)state;
    struct outcome o = run_tool(NULL, "--help");

    expect(&o, 0, NULL, "--help");
    assert_non_null(strstr(o.out, "Usage: xsc-wait-probe"));
    for (const char *line = o.out, *end; (end = strchr(line, '\n')); line = end + 1) {
        assert_true(end - line <= 100);
    }
    char *help = strdup(o.out);

    free_outcome(&o);
    o = run_tool(NULL, "-h");
    expect(&o, 0, NULL, "-h");
    assert_string_equal(o.out, help);
    free(help);
    free_outcome(&o);

    o = run_tool(NULL, "--version");
    expect(&o, 0, NULL, "--version");
    assert_string_equal(o.out, "xsc-wait-probe " XSC_VERSION "\n");
    free_outcome(&o);

    o = run_tool(NULL, "--version --bogus"); /* a mistake is not hidden */
    expect(&o, 2, "unknown option", "--version --bogus");
    free_outcome(&o);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refusals),       TEST(test_cpu_out_of_range), TEST(test_cpu_not_allowed),
        TEST(test_same_cpu_twice), TEST(test_quoted_input),     TEST(test_help_and_version),
    };

    return run_group(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
