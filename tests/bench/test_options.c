/* SPDX-License-Identifier: MIT */
/* bench/options.c: what is taken, and that everything else is refused in one line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/options.h"

#define MAX_ARGS 24

static char error[200];

/* Words separated by blanks, as a shell would; "''" is the empty word. */
static int parse(struct bench_options *o, const char *line)
{
    static char copy[256];
    char *argv[MAX_ARGS + 1] = {"xsc-wait-bench"};
    int argc = 1;

    assert_true(strlen(line) < sizeof(copy));
    strcpy(copy, line);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        assert_true(argc < MAX_ARGS);
        argv[argc++] = strcmp(word, "''") ? word : "";
    }
    error[0] = '\0';
    return bench_options_parse(o, argc, argv, error, sizeof(error));
}

static void defaults(void **state)
{
    struct bench_options o;

    (void)state;
    assert_int_equal(parse(&o, "handover"), 0);
    assert_int_equal(o.action, BENCH_RUN);
    assert_string_equal(o.question, "handover");
    assert_int_equal(o.rounds, 0);
    assert_int_equal(o.iterations, 0);
    assert_int_equal(o.cpu[0], -1);
    assert_int_equal(o.cpu[1], -1);
    assert_int_equal(o.n_pauses, 0);
    assert_int_equal(o.child, -1);
    assert_false(o.json);
}

static void everything_given(void **state)
{
    struct bench_options o;

    (void)state;
    assert_int_equal(parse(&o, "--json watch --rounds 100000 --iterations 100000000 --cpus 3,0 "
                               "--pauses 1,2,4,1000 --child 7 --peers futex,sem_t one -"),
                     0);
    assert_string_equal(o.question, "watch");
    assert_int_equal(o.rounds, 100000);
    assert_int_equal(o.iterations, 100000000);
    assert_int_equal(o.cpu[0], 3);
    assert_int_equal(o.cpu[1], 0);
    assert_int_equal(o.n_pauses, 4);
    assert_int_equal(o.pauses[0], 1);
    assert_int_equal(o.pauses[3], 1000);
    assert_int_equal(o.child, 7);
    assert_string_equal(o.peers, "futex,sem_t");
    assert_int_equal(o.n_files, 2);
    assert_string_equal(o.files[0], "one");
    assert_string_equal(o.files[1], "-");
    assert_true(o.json);
    assert_int_equal(parse(&o, "--rounds=7 -- replay --json"), 0);
    assert_int_equal(o.rounds, 7);
    assert_string_equal(o.question, "replay");
    assert_string_equal(o.files[0], "--json");
    assert_false(o.json);
}

static void actions_need_no_question(void **state)
{
    struct bench_options o;

    (void)state;
    assert_int_equal(parse(&o, "--list"), 0);
    assert_int_equal(o.action, BENCH_LIST);
    assert_int_equal(parse(&o, "--help"), 0);
    assert_int_equal(o.action, BENCH_HELP);
    assert_int_equal(parse(&o, "-h"), 0);
    assert_int_equal(o.action, BENCH_HELP);
    assert_int_equal(parse(&o, "--version"), 0);
    assert_int_equal(o.action, BENCH_VERSION);
}

static void refused(void **state)
{
    static const char *const lines[] = {
        "",
        "--json",
        "a --peers",
        "a --peers ''",
        "a --rounds b",
        "--verbose a",
        "-",
        "-j a",
        "a --rounds",
        "a --rounds 0",
        "a --rounds -5",
        "a --rounds 5x",
        "a --rounds ''",
        "a --rounds +5",
        "a --rounds 0x5",
        "a --rounds 100001",
        "a --rounds 99999999999999999999999",
        "a --iterations 0",
        "a --iterations 100000001",
        "a --iterations 1e3",
        "a --iterations",
        "a --cpus",
        "a --cpus ''",
        "a --cpus 0",
        "a --cpus 0,0",
        "a --cpus 0,",
        "a --cpus ,0",
        "a --cpus 0,1,",
        "a --cpus 0,1,2",
        "a --cpus 0;1",
        "a --cpus 0,-1",
        "a --cpus 0,1024",
        "a --cpus a,b",
        "a --cpus 1,",
        "a --cpus ,1",
        "a --rounds 5/",
        "a --child ''",
        "a --pauses",
        "a --pauses ''",
        "a --pauses 0",
        "a --pauses 1,",
        "a --pauses 1,,2",
        "a --pauses 1001",
        "a --pauses 1,2,3,4,5,6,7,8,9",
        "a --child",
        "a --child x",
        "a --round 5",
        "a --rounds=",
        "a --json=x",
        "a --json --json",
        "a --rounds 5 --rounds 5",
        "a --rounds --json",
        "-hx",
        "-- -",
        "--list a",
        "a --version",
    };
    struct bench_options o;

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        if (parse(&o, lines[i]) != -1) {
            fail_msg("\"%s\" was taken", lines[i]);
        }
        if (!*error || strchr(error, '\n')) {
            fail_msg("\"%s\" was not refused in one line, but with \"%s\"", lines[i], error);
        }
    }
}

static void as_many_files_as_there_is_room_for(void **state)
{
    char *argv[2 + BENCH_MAX_FILES + 1] = {"xsc-wait-bench", "replay"};
    struct bench_options o;

    (void)state;
    for (unsigned i = 2; i < sizeof(argv) / sizeof(argv[0]); i++) {
        argv[i] = "trace";
    }
    assert_int_equal(bench_options_parse(&o, 2 + BENCH_MAX_FILES, argv, error, sizeof(error)), 0);
    assert_int_equal(o.n_files, BENCH_MAX_FILES);
    assert_int_equal(bench_options_parse(&o, 3 + BENCH_MAX_FILES, argv, error, sizeof(error)), -1);
    assert_non_null(strstr(error, "256"));
}

static void says_what_is_wrong(void **state)
{
    struct bench_options o;

    (void)state;
    parse(&o, "a --rounds many");
    assert_non_null(strstr(error, "--rounds"));
    assert_non_null(strstr(error, "many"));
    parse(&o, "a --cpus 0,0");
    assert_non_null(strstr(error, "two different"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(everything_given),
        cmocka_unit_test(actions_need_no_question),
        cmocka_unit_test(refused),
        cmocka_unit_test(as_many_files_as_there_is_room_for),
        cmocka_unit_test(says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
