/* SPDX-License-Identifier: MIT */
/*
 * Running xsc-wait-probe as a user does: a process with arguments, an environment and a
 * directory, looked at from outside. Every test has an empty directory of its own, which is
 * the tool's working directory.
 */
#ifndef XSC_TESTS_PROBE_TOOL_H
#define XSC_TESTS_PROBE_TOOL_H

#include <stdarg.h> /* for cmocka.h, which includes nothing itself */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <sys/types.h>

#include <cmocka.h>

struct outcome {
    int status; /* exit status; 256 + signal for one that was killed */
    char *out, *err;
};

/* What else is done to the process before it starts. */
struct setting {
    const char *environment[4]; /* "NAME=value", up to a NULL */
    const char *stdout_path;    /* instead of being read into out */
    bool one_cpu;               /* may run on the first of our CPUs only */
    bool permissions;           /* file permissions hold, also for root */
    bool no_chown;              /* may not give a file to another user */
    bool no_files_above_100;    /* bytes; stderr's too, which is then cut off */
};

/*
 * main() of every test program. argv[1] is the tool. 77 where nothing failed and a test was
 * skipped.
 */
int run_group(int argc, char **argv, const struct CMUnitTest *tests, size_t n);

/* A test that starts and ends in a directory of its own. */
#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)

/* Ends the test; says what the machine lacks. */
void skip_because(const char *missing);

/* args: a line, cut at spaces; "" for none. A process of which stderr shows: see start_tool(). */
struct outcome run_tool(const struct setting *setting, const char *args);
void free_outcome(struct outcome *o);

/* Starts it and gives its process id, and the reading end of its stderr. */
pid_t start_tool(const char *args, int *err);

int lines(const char *text);

/* Fails the test with what was printed unless all of it holds; needle NULL: stderr empty. */
void expect(const struct outcome *o, int status, const char *needle, const char *what);

/* A fresh working directory, and its end. Tests' set-up and tear-down. */
int enter_directory(void **state);
int leave_directory(void **state);

/* How many entries the working directory has. */
int entries(void);

void put_file(const char *name, const char *content);
char *get_file(const char *name); /* NULL where there is none; to be freed */

#endif /* XSC_TESTS_PROBE_TOOL_H */
