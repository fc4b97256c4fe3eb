/* SPDX-License-Identifier: MIT */
/* Files that xsc-wait-probe writes: whole or not at all, and what was there before stays. */
#define _GNU_SOURCE
#include "tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* As short as a run gets. */
#define BRIEF "--iterations 16 --timeout 10us --mechanism generic "

static void assert_report(const char *text)
{
    assert_non_null(text);
    assert_int_equal(strncmp(text, "xsc-wait-probe " /* its version */, 15), 0);
    assert_non_null(strstr(text, "GENERIC"));
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void test_output(void **state)
{
    (void)state;
    umask(027);
    struct outcome o = run_tool(NULL, BRIEF "--output report");
    char *text = get_file("report");
    struct stat s;

    assert_true(o.status < 2);
    assert_string_equal(o.out, "");
    assert_report(text);
    assert_int_equal(entries(), 1);
    assert_false(stat("report", &s));
    assert_int_equal(s.st_mode & 07777, 0640); /* as any other program's file */
    free(text);
    free_outcome(&o);
    umask(022);
}

static void test_replaces(void **state)
{
    struct stat s;

    (void)state;
    put_file("report", "old");
    assert_false(chmod("report", 0604));
    assert_false(symlink("report", "link"));
    struct outcome o = run_tool(NULL, BRIEF "--output link");
    char *text = get_file("report");

    assert_true(o.status < 2);
    assert_report(text);
    assert_false(lstat("link", &s));
    assert_true(S_ISLNK(s.st_mode));
    assert_false(stat("report", &s));
    assert_int_equal(s.st_mode & 07777, 0604);
    assert_int_equal(entries(), 2);
    free(text);
    free_outcome(&o);
}

/*
 * A file of another user's stays that user's: replaced under its owner by root, and written to in place by
 * a user that may write to it but could not give the new one away.
 */
static void test_keeps_owner(void **state)
{
    const struct setting other = {.no_chown = true};
    struct stat s;

    (void)state;
    if (geteuid()) {
        skip_because("needs root to give a file to another user");
    }
    for (int in_place = 0; in_place < 2; in_place++) {
        put_file("report", "old, and longer than nothing");
        assert_false(chown("report", in_place ? 12345 : 54321, 4242));
        assert_false(chmod("report", in_place ? 0666 : 0640));
        assert_false(chmod(".", 0777));
        struct outcome o = run_tool(in_place ? &other : NULL, BRIEF "--output report");
        char *text = get_file("report");

        assert_true(o.status < 2);
        assert_ptr_equal(strstr(text, "xsc-wait-probe "), text);
        assert_false(stat("report", &s));
        assert_int_equal(s.st_uid, in_place ? 12345 : 54321);
        assert_int_equal(s.st_gid, 4242);
        assert_int_equal(s.st_mode & 07777, in_place ? 0666 : 0640);
        assert_int_equal(entries(), 1);
        free(text);
        free_outcome(&o);
        assert_false(unlink("report"));
    }
}

/* A pipe or a device is written to, not replaced. */
static void test_pipe(void **state)
{
    char text[16] = "";
    struct stat s;

    (void)state;
    assert_false(mkfifo("pipe", 0600));
    const int fd = open("pipe", O_RDWR | O_NONBLOCK);

    assert_true(fd >= 0);
    struct outcome o = run_tool(NULL, BRIEF "--output pipe");

    assert_true(o.status < 2);
    assert_int_equal(read(fd, text, sizeof(text) - 1), sizeof(text) - 1);
    assert_string_equal(text, "xsc-wait-probe ");
    assert_false(lstat("pipe", &s));
    assert_true(S_ISFIFO(s.st_mode));
    assert_int_equal(entries(), 1);
    close(fd);
    free_outcome(&o);
}

static void test_not_writable(void **state)
{
    static const struct {
        const char *args, *words;
    } refused[] = {
        {"--output none/report", "--output none/report: No such file"},
        {"--output here", "--output here: Is a directory"},
        {"--output nowhere", "--output nowhere: No such file"}, /* a link */
#if defined(WITH_JSON)
        {"--json=none/report", "--json none/report: No such file"},
        {"--output one --json=./one", "--output and --json: both one"},
#endif
    };

    (void)state;
    assert_false(mkdir("here", 0700));
    assert_false(symlink("nothing", "nowhere"));
    put_file("one", "old");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char args[256];

        snprintf(args, sizeof(args), BRIEF "%s", refused[i].args);
        struct outcome o = run_tool(NULL, args);
        char *one = get_file("one");

        expect(&o, 2, refused[i].words, args);
        assert_int_equal(entries(), 3);
        assert_string_equal(one, "old");
        free(one);
        free_outcome(&o);
    }
}

/* The disk is full, so to say. Never with a device's name: root's mistake would replace it. */
static void test_write_fails(void **state)
{
    const struct setting small = {.no_files_above_100 = true};

    (void)state;
    put_file("report", "old");
    struct outcome o = run_tool(&small, BRIEF "--output report");
    char *text = get_file("report");

    assert_int_equal(o.status, 2);
    assert_string_equal(text, "old");
    assert_int_equal(entries(), 1);
    free(text);
    free_outcome(&o);
}

static void test_permission_denied(void **state)
{
    const struct setting held = {.permissions = true};

    (void)state;
    put_file("mine", "old");
    assert_false(chmod("mine", 0400));
    struct outcome o = run_tool(&held, BRIEF "--output mine");
    char *text = get_file("mine");

    expect(&o, 3, "--output mine: Permission denied", "a file that is read-only");
    assert_string_equal(text, "old");
    free(text);
    free_outcome(&o);

    assert_false(chmod(".", 0500));
    o = run_tool(&held, BRIEF "--output new");
    assert_false(chmod(".", 0700));
    expect(&o, 3, "--output new: Permission denied", "a directory that is read-only");
    assert_string_equal(o.out, "");
    assert_int_equal(entries(), 1);
    free_outcome(&o);
}

static void test_bad_argument_leaves_files(void **state)
{
    (void)state;
    put_file("report", "old");
    struct outcome o = run_tool(NULL, "--output report --mechanism futex2000");
    char *text = get_file("report");

    expect(&o, 2, "is not known", "unknown mechanism");
    assert_string_equal(text, "old");
    assert_int_equal(entries(), 1);
    free(text);
    free_outcome(&o);
}

static void test_stdout_full(void **state)
{
    const struct setting full = {.stdout_path = "/dev/full"};
    static const char *const args[] = {
        BRIEF,
        "--help",
        "--version",
#if defined(WITH_JSON)
        BRIEF "--json",
        BRIEF "--json=file",
#endif
    };

    (void)state;
    for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
        struct outcome o = run_tool(&full, args[i]);

        expect(&o, 2, "standard output: No space left on device", args[i]);
        assert_int_equal(entries(), 0);
        free_outcome(&o);
    }
}

/* ------------------------------------------------------------------------- interrupts ---- */

/* Reads until "trying" is seen: signals are handled and files open by then. */
static void await_trial(int err)
{
    char text[512];
    size_t used = 0;

    while (used < sizeof(text) - 1) {
        const ssize_t n = read(err, text + used, sizeof(text) - 1 - used);

        assert_true(n > 0);
        used += (size_t)n;
        text[used] = '\0';
        if (strstr(text, "trying")) {
            return;
        }
    }
    fail_msg("no progress seen, but: %s", text);
}

static void interrupted(int sig, int status)
{
    int err, how;
    const pid_t child = start_tool("--progress --mechanism generic --iterations 100000000 "
                                   "--output report",
                                   &err);

    await_trial(err);
    assert_false(kill(child, sig));
    assert_int_equal(waitpid(child, &how, 0), child);
    close(err);
    assert_true(WIFEXITED(how));
    assert_int_equal(WEXITSTATUS(how), status);
    char *text = get_file("report");

    assert_string_equal(text, "old");
    assert_int_equal(entries(), 1);
    free(text);
}

static void test_interrupts(void **state)
{
    (void)state;
    put_file("report", "old");
    interrupted(SIGINT, 130);
    interrupted(SIGTERM, 143);
    interrupted(SIGHUP, 129);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        TEST(test_output),
        TEST(test_replaces),
        TEST(test_keeps_owner),
        TEST(test_pipe),
        TEST(test_not_writable),
        TEST(test_write_fails),
        TEST(test_permission_denied),
        TEST(test_bad_argument_leaves_files),
        TEST(test_stdout_full),
        TEST(test_interrupts),
    };

    return run_group(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
