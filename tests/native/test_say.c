/* SPDX-License-Identifier: MIT */
/*
 * test_say: the library's one line on descriptor 2, where that is a pipe with no reader, a full pipe
 * or socket, a file at its size limit, a log, or the program's own data. Each in a process of its
 * own whose wait asks for a mechanism that no machine has, which is worth a line. Exit 0 or 1.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <xsc/wait.h>

#include "park_test.h"

static volatile sig_atomic_t handled;

static void count_signal(int sig)
{
    (void)sig;
    handled++;
}

/* A wait that has something to say. */
static void wait_and_say(void)
{
    uint32_t word = 0;

    setenv("XSC_MECHANISM", "none such", 1);
    errno = EXDEV;
    const int end = xsc_wait_u32(&word, 0, 5 * MS);

    CHECK(end == -ETIMEDOUT && errno == EXDEV, "%d, errno %d", end, errno);
}

static int open_file(const char *path, int flags)
{
    unlink(path);
    close(STDERR_FILENO);
    const int fd = open(path, flags | O_CREAT, 0600);

    CHECK(fd == STDERR_FILENO, "descriptor %d", fd);
    CHECK(write(fd, "DATA", 4) == 4, "write");
    return fd;
}

static off_t size_of(int fd)
{
    struct stat s;

    CHECK(!fstat(fd, &s), "fstat");
    return s.st_size;
}

static void no_reader(void *arg)
{
    int ends[2];
    sigset_t pending;

    CHECK(!pipe(ends), "pipe");
    close(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    if (arg) { /* one of the program's own, pending already, stays */
        sigset_t block;

        signal(SIGPIPE, SIG_DFL);
        sigemptyset(&block);
        sigaddset(&block, SIGPIPE);
        sigprocmask(SIG_BLOCK, &block, NULL);
        raise(SIGPIPE);
    } else {
        signal(SIGPIPE, count_signal);
    }
    wait_and_say();
    sigpending(&pending);
    CHECK(!handled && sigismember(&pending, SIGPIPE) == (arg != NULL), "%d handled, %d pending",
          (int)handled, sigismember(&pending, SIGPIPE));
}

static void full(int fd)
{
    static const char zeroes[4096];

    fcntl(fd, F_SETFL, O_NONBLOCK);
    while (write(fd, zeroes, sizeof(zeroes)) > 0 || write(fd, zeroes, 1) > 0) {
    }
    fcntl(fd, F_SETFL, 0); /* now a write would wait */
    dup2(fd, STDERR_FILENO);
    wait_and_say();
}

static void full_pipe(void *arg)
{
    int ends[2];

    (void)arg;
    CHECK(!pipe(ends), "pipe");
    full(ends[1]);
}

static void full_socket(void *arg)
{
    int ends[2];

    (void)arg;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    full(ends[1]);
}

static void closed_socket(void *arg)
{
    int ends[2];

    (void)arg;
    CHECK(!socketpair(AF_UNIX, SOCK_STREAM, 0, ends), "socketpair");
    close(ends[0]);
    dup2(ends[1], STDERR_FILENO);
    signal(SIGPIPE, count_signal);
    wait_and_say();
    CHECK(!handled, "SIGPIPE");
}

static void size_limit(void *arg)
{
    const int fd = open_file(arg, O_WRONLY);
    const struct rlimit limit = {4, RLIM_INFINITY};

    signal(SIGXFSZ, count_signal);
    CHECK(!setrlimit(RLIMIT_FSIZE, &limit), "setrlimit");
    wait_and_say();
    CHECK(!handled && size_of(fd) == 4, "SIGXFSZ");
}

/* The program's data. */
static void data(void *arg)
{
    CHECK(size_of(open_file(arg, O_RDWR)) == 4, "before");
    wait_and_say();
    CHECK(size_of(STDERR_FILENO) == 4, "a line in a file that is read and written");
}

static void private_data(void *arg)
{
    CHECK(size_of(open_file(arg, O_WRONLY | O_CLOEXEC)) == 4, "before");
    wait_and_say();
    CHECK(size_of(STDERR_FILENO) == 4, "a line in a file that the program opened");
}

static void closed(void *arg)
{
    (void)arg;
    close(STDERR_FILENO);
    wait_and_say();
}

/* What a shell opens: 2>log, 2>>log, 2>&1 | reader. */
static void logs(void *arg)
{
    const int flags = *(const char *)arg == 'a' ? O_WRONLY | O_APPEND : O_WRONLY | O_TRUNC;

    open_file((const char *)arg + 1, flags);
    wait_and_say();
    CHECK(size_of(STDERR_FILENO) > 40, "no line: %lld bytes", (long long)size_of(STDERR_FILENO));
}

static void reader(void *arg)
{
    int ends[2];
    char line[400] = "";

    CHECK(!(arg ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)), "pipe");
    dup2(ends[1], STDERR_FILENO);
    wait_and_say();
    const ssize_t n = read(ends[0], line, sizeof(line) - 1);

    CHECK(n > 40 && line[n - 1] == '\n' && strstr(line, "none such"), "\"%s\"", line);
}

int main(void)
{
    char path[] = "/tmp/xsc_say_XXXXXX", log_path[2][sizeof(path) + 1];
    const int fd = mkstemp(path);
    int failed = 0;

    CHECK(fd >= 0, "mkstemp");
    close(fd);
    alarm(60);
    snprintf(log_path[0], sizeof(log_path[0]), "w%s", path);
    snprintf(log_path[1], sizeof(log_path[1]), "a%s", path);
    failed |= in_child("a pipe with no reader", no_reader, NULL);
    failed |= in_child("a pipe with no reader, SIGPIPE pending", no_reader, path);
    failed |= in_child("a full pipe", full_pipe, NULL);
    failed |= in_child("a full socket", full_socket, NULL);
    failed |= in_child("a socket with no peer", closed_socket, NULL);
    failed |= in_child("a file at its limit", size_limit, path);
    failed |= in_child("a data file", data, path);
    failed |= in_child("a data file that programs it starts do not get", private_data, path);
    failed |= in_child("closed", closed, NULL);
    failed |= in_child("2>log", logs, log_path[0]);
    failed |= in_child("2>>log", logs, log_path[1]);
    failed |= in_child("a reader", reader, NULL);
    failed |= in_child("a reader at a socket", reader, path);
    unlink(path);
    return failed ? 1 : 0;
}
