/* SPDX-License-Identifier: MIT */
/* What the programs share that check the kernel's modules in a guest. Included once in each. */
#ifndef XSC_KERNEL_GUEST_H
#define XSC_KERNEL_GUEST_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* For what must come in the end, on a busy host; less than the quiet time after a roll back. */
#define PATIENCE_S 45

static int failures;

static inline void __attribute__((format(printf, 2, 3))) check(bool ok, const char *format, ...)
{
    va_list args;

    printf(ok ? "ok   " : "FAIL ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf("\n");
    failures += !ok;
}

/* ---------------------------------------------------------------- files and modules ---- */

/* The whole file, at most 4 KiB of it; "" and errno where it can't be read. */
static inline const char *slurp(const char *path)
{
    static char text[4][4096];
    static unsigned which;
    char *at = text[which++ % 4];
    const int fd = open(path, O_RDONLY);
    ssize_t n = -1, total = 0;

    while (fd >= 0 && (n = read(fd, at + total, 4095 - (size_t)total)) > 0) {
        total += n;
    }
    if (fd >= 0) {
        close(fd);
    }
    at[n < 0 ? 0 : total] = '\0';
    return at;
}

static inline int put(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY);

    if (fd < 0) {
        return -errno;
    }
    const ssize_t n = write(fd, text, strlen(text));
    const int err = n < 0 ? -errno : 0;

    close(fd);
    return err;
}

static inline int insert(const char *name, const char *parameters)
{
    char path[64];

    snprintf(path, sizeof(path), "/%s.ko", name);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const int err = fd < 0 || syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;

    if (fd >= 0) {
        close(fd);
    }
    return err;
}

static inline int take_out(const char *name)
{
    return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

/* The kernel's log, whole. */
static inline char *kernel_log(void)
{
    static char log[1 << 20];
    const int n = klogctl(3 /* SYSLOG_ACTION_READ_ALL */, log, sizeof(log) - 1);

    log[n > 0 ? n : 0] = '\0';
    return log;
}

/* Another program of this guest, with checks of its own. */
static inline void also(const char *path)
{
    int status = -1;

    fflush(stdout);
    const pid_t child = fork();

    if (!child) {
        execl(path, path, (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    check(!status, "%s: status %#x", path, (unsigned)status);
}

/* Nothing in it that a person would have to look at. */
static inline void log_is_clean(void)
{
    static const char *const bad[] = {
        "BUG",       "WARNING",       "Oops",   "Call Trace",        "Call trace",
        "rcu_sched", "rcu_preempt",   "lockup", "sleeping function", "scheduling while atomic",
        "wrong",     "use-after-free"};
    char *log = kernel_log();

    check(*log, "the kernel's log can be read");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *at = strstr(log, bad[i]);

        check(!at, "the log has no \"%s\"%s%.200s", bad[i], at ? ": " : "", at ? at : "");
    }
    for (char *line = strtok(log, "\n"); line; line = strtok(NULL, "\n")) {
        if (strstr(line, "xsc")) {
            printf("log  %s\n", line);
        }
    }
}

#endif /* XSC_KERNEL_GUEST_H */
