/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "tool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_ARGS 32
#define NOT_SET_UP 125  /* exit status of a child that this machine would not let us set up */
#define NOT_STARTED 126 /* ... that is no tool: a mistake, and no reason to skip */

/* linux/capability.h */
#define CAP_CHOWN 0
#define CAP_DAC_OVERRIDE 1
#define CAP_DAC_READ_SEARCH 2

static const char *tool_path; /* the program under test */

static char directory[64];
static bool skipped;

void skip_because(const char *missing)
{
    print_message("skipped: %s\n", missing);
    skipped = true;
    skip();
}

int run_group(int argc, char **argv, const struct CMUnitTest *tests, size_t n)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s XSC-WAIT-PROBE\n", argv[0]);
        return 2;
    }
    tool_path = realpath(argv[1], NULL); /* tests change their directory */
    if (!tool_path) {
        perror(argv[1]);
        return 2;
    }
    if (_cmocka_run_group_tests("xsc-wait-probe", tests, n, NULL, NULL)) {
        return 1;
    }
    return skipped ? 77 : 0;
}

static void keep_one_cpu(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof(set), &set)) {
        _exit(NOT_SET_UP);
    }
    for (int cpu = CPU_COUNT(&set) ? 0 : CPU_SETSIZE, kept = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &set) && kept++) {
            CPU_CLR((size_t)cpu, &set);
        }
    }
    if (sched_setaffinity(0, sizeof(set), &set)) {
        _exit(NOT_SET_UP);
    }
}

/* Root's right to pass over permissions, given up for good: exec() can't bring it back. */
static void respect_permissions(void)
{
    if (!geteuid() && (prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) ||
                       prctl(PR_CAPBSET_DROP, CAP_DAC_READ_SEARCH, 0, 0, 0))) {
        _exit(NOT_SET_UP);
    }
}

static void become_tool(const struct setting *s, const char *args, int out, int err)
{
    char *copy = strdup(args), *argv[MAX_ARGS + 2] = {(char *)(uintptr_t)tool_path};
    int n = 1;

    for (char *arg = strtok(copy, " "); arg && n < MAX_ARGS; arg = strtok(NULL, " ")) {
        argv[n++] = arg;
    }
    signal(SIGINT, SIG_DFL); /* a test runner may have been started with some ignored */
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    unsetenv("XSC_MECHANISM");
    unsetenv("XSC_TEST_FEATURES");
    for (int i = 0; s && i < 4 && s->environment[i]; i++) {
        putenv((char *)(uintptr_t)s->environment[i]);
    }
    if (s && s->stdout_path && (out = open(s->stdout_path, O_WRONLY)) < 0) {
        _exit(NOT_STARTED);
    }
    if (s && s->one_cpu) {
        keep_one_cpu();
    }
    if (s && s->permissions) {
        respect_permissions();
    }
    if (s && s->no_chown && !geteuid() && prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0)) {
        _exit(NOT_SET_UP);
    }
    if (s && s->no_files_above_100) {
        const struct rlimit limit = {100, 100};

        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    /* As a shell's 2>>FILE: what looks like a data file gets no line of the library (user/say.c). */
    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(err, STDERR_FILENO) >= 0 &&
        fcntl(STDERR_FILENO, F_SETFL, O_APPEND) == 0) {
        execv(tool_path, argv);
    }
    _exit(NOT_STARTED);
}

static char *read_all(FILE *f)
{
    char *text = NULL, chunk[4096];
    size_t size = 0, n;

    rewind(f);
    do {
        n = fread(chunk, 1, sizeof(chunk), f);
        text = realloc(text, size + n + 1);
        assert_non_null(text);
        memcpy(text + size, chunk, n);
        size += n;
    } while (n);
    text[size] = '\0';
    return text;
}

struct outcome run_tool(const struct setting *setting, const char *args)
{
    FILE *out = tmpfile(), *err = tmpfile();
    struct outcome o;
    int status;

    assert_non_null(out);
    assert_non_null(err);
    const pid_t child = fork();

    assert_true(child >= 0);
    if (!child) {
        become_tool(setting, args, fileno(out), fileno(err));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    o.status = WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
    o.out = read_all(out);
    o.err = read_all(err);
    fclose(out);
    fclose(err);
    assert_int_not_equal(o.status, NOT_STARTED);
    if (o.status == NOT_SET_UP) {
        free_outcome(&o);
        skip_because("a process can't be set up that way here: needs CAP_SETPCAP or root's "
                     "absence, and sched_setaffinity()");
    }
    return o;
}

void free_outcome(struct outcome *o)
{
    free(o->out);
    free(o->err);
    o->out = o->err = NULL;
}

pid_t start_tool(const char *args, int *err)
{
    int pipe_fds[2];
    const int null = open("/dev/null", O_WRONLY);

    assert_true(null >= 0);
    assert_false(pipe(pipe_fds));
    const pid_t child = fork();

    assert_true(child >= 0);
    if (!child) {
        become_tool(NULL, args, null, pipe_fds[1]);
    }
    close(null);
    close(pipe_fds[1]);
    *err = pipe_fds[0];
    return child;
}

int lines(const char *text)
{
    int n = 0;

    for (; *text; text++) {
        n += *text == '\n';
    }
    return n;
}

void expect(const struct outcome *o, int status, const char *needle, const char *what)
{
    if (o->status == status && (needle ? lines(o->err) == 1 && strstr(o->err, needle) : !*o->err)) {
        return;
    }
    fail_msg("%s: exit status %d, expected %d; stderr \"%s\", expected %s%s", what, o->status,
             status, o->err, needle ? "one line with " : "nothing", needle ? needle : "");
}

/* --------------------------------------------------------------------- the directory ---- */

int enter_directory(void **state)
{
    const char *tmp = getenv("TMPDIR");

    (void)state;
    snprintf(directory, sizeof(directory), "%.32s/xsc-probe-test-XXXXXX", tmp ? tmp : "/tmp");
    return !mkdtemp(directory) || chdir(directory);
}

int leave_directory(void **state)
{
    DIR *d = opendir(".");
    struct dirent *e;

    (void)state;
    while (d && (e = readdir(d))) {
        if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
            remove(e->d_name);
        }
    }
    if (d) {
        closedir(d);
    }
    return chdir("/") || rmdir(directory);
}

int entries(void)
{
    DIR *d = opendir(".");
    int n = 0;

    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d));) {
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    }
    closedir(d);
    return n;
}

void put_file(const char *name, const char *content)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_true(fputs(content, f) >= 0);
    assert_false(fclose(f));
}

char *get_file(const char *name)
{
    FILE *f = fopen(name, "r");

    if (!f) {
        return NULL;
    }
    char *text = read_all(f);

    fclose(f);
    return text;
}
