/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_OUTPUTS 2 /* --output and --json=FILE */

/* Temporary files there are now, for the signal handler. */
static char *volatile temps[MAX_OUTPUTS];

static enum exit_status failed(const char *what, const char *path, int error)
{
    return complain(error == EACCES || error == EPERM ? STATUS_DENIED : STATUS_BAD_ARGUMENT,
                    "%s%s%s: %s", what, *what ? " " : "", path, strerror(error));
}

/* --------------------------------------------------------------------------- signals ---- */

static void remove_and_exit(int sig)
{
    for (int i = 0; i < MAX_OUTPUTS; i++) {
        if (temps[i]) {
            unlink(temps[i]);
        }
    }
    progress_end();
    _exit(128 + sig); /* also ends the trial's other thread */
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

#define N_SIGNALS (sizeof(signals) / sizeof(signals[0]))

void output_clean_up_on_signals(void)
{
    for (size_t i = 0; i < N_SIGNALS; i++) {
        struct sigaction act = {.sa_handler = remove_and_exit};
        struct sigaction now;

        sigemptyset(&act.sa_mask);
        for (size_t k = 0; k < N_SIGNALS; k++) {
            sigaddset(&act.sa_mask, signals[k]);
        }
        /* nohup's SIGHUP, a background job's SIGINT: ignored they stay. */
        if (!sigaction(signals[i], NULL, &now) && now.sa_handler != SIG_IGN) {
            sigaction(signals[i], &act, NULL);
        }
    }
}

/* Between a file's making and its entry in temps[] no signal may come. */
static void hold_signals(sigset_t *before)
{
    sigset_t all;

    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, before);
}

static void remember(char *temp)
{
    for (int i = 0; i < MAX_OUTPUTS; i++) {
        if (!temps[i]) {
            temps[i] = temp;
            return;
        }
    }
}

static void forget(const char *temp)
{
    for (int i = 0; i < MAX_OUTPUTS; i++) {
        if (temps[i] == temp) {
            temps[i] = NULL;
        }
    }
}

/* ----------------------------------------------------------------------------- files ---- */

/* "dir/name" -> "dir/.xsc-wait-probe-XXXXXX" */
static char *temp_beside(const char *path)
{
    static const char name[] = ".xsc-wait-probe-XXXXXX";
    const char *slash = strrchr(path, '/');
    const size_t dir = slash ? (size_t)(slash - path) + 1 : 0;
    char *temp = malloc(dir + sizeof(name));

    if (temp) {
        memcpy(temp, path, dir);
        memcpy(temp + dir, name, sizeof(name));
    }
    return temp;
}

static mode_t usual_mode(void)
{
    const mode_t mask = umask(0);

    umask(mask);
    return 0666 & ~mask;
}

/* before: what is replaced, whose owner, group and mode the new file takes; NULL: nothing is. */
static int open_temp(struct output *o, const struct stat *before)
{
    sigset_t signals_before;

    o->temp = temp_beside(o->path);
    if (!o->temp) {
        return -1;
    }
    hold_signals(&signals_before);
    o->fd = mkostemp(o->temp, O_CLOEXEC);
    if (o->fd >= 0) {
        remember(o->temp);
    }
    sigprocmask(SIG_SETMASK, &signals_before, NULL);
    if (o->fd < 0) {
        free(o->temp);
        o->temp = NULL;
        return -1;
    }
    /* The owner first: changing it takes the set-user-ID bit away. */
    if (before && fchown(o->fd, before->st_uid, before->st_gid)) {
        return -1;
    }
    return fchmod(o->fd, before ? before->st_mode & 07777 : usual_mode());
}

static void drop_temp(struct output *o)
{
    if (o->fd >= 0) {
        close(o->fd);
        o->fd = -1;
    }
    if (o->temp) {
        unlink(o->temp);
        forget(o->temp);
    }
    free(o->temp);
    o->temp = NULL;
}

/* For a file that can't be replaced under its owner's name: emptied, then written to in place. */
static int open_in_place(struct output *o)
{
    drop_temp(o);
    o->fd = open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return o->fd < 0 ? -1 : 0;
}

static int open_target(struct output *o, const char *path)
{
    struct stat s;
    const bool exists = !stat(path, &s);

    if (!exists && (errno != ENOENT || !lstat(path, &s))) {
        return -1; /* ENOENT, and yet lstat() finds it: a link to nowhere */
    }
    o->path = exists ? realpath(path, NULL) : strdup(path);
    if (!o->path) {
        return -1;
    }
    if (exists && S_ISDIR(s.st_mode)) {
        errno = EISDIR;
        return -1;
    }
    if (exists && !S_ISREG(s.st_mode)) {
        o->fd = open(o->path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
        return o->fd < 0 ? -1 : 0;
    }
    /* rename() asks no leave of the file that it replaces; we do. */
    if (exists && access(o->path, W_OK)) {
        return -1;
    }
    if (!open_temp(o, exists ? &s : NULL)) {
        return 0;
    }
    /* Another user's file: its contents may be changed, a new one would not be that user's. */
    return exists && o->temp && errno == EPERM ? open_in_place(o) : -1;
}

enum exit_status output_open(struct output *o, const char *option, const char *path)
{
    if (open_target(o, path)) {
        const int error = errno;

        output_discard(o);
        return failed(option, path, error);
    }
    return STATUS_VALIDATED;
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size) {
        const ssize_t n = write(fd, text, size);

        if (n < 0 && errno != EINTR) {
            return -1;
        }
        if (n > 0) {
            text += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

enum exit_status output_write(struct output *o, const char *text, size_t size)
{
    struct stat s;

    if (o->fd < 0) {
        return STATUS_VALIDATED;
    }
    const bool empties = !o->temp && !fstat(o->fd, &s) && S_ISREG(s.st_mode);

    if ((empties && ftruncate(o->fd, 0)) || write_all(o->fd, text, size)) {
        return failed("writing", o->path, errno);
    }
    return STATUS_VALIDATED;
}

enum exit_status output_commit(struct output *o)
{
    const int fd = o->fd;

    if (fd < 0) {
        return STATUS_VALIDATED;
    }
    o->fd = -1;
    /* close() is where some file systems tell that the disk was full. */
    if (close(fd) || (o->temp && rename(o->temp, o->path))) {
        return failed("writing", o->path, errno);
    }
    if (o->temp) {
        forget(o->temp);
        free(o->temp);
        o->temp = NULL;
    }
    return STATUS_VALIDATED;
}

void output_discard(struct output *o)
{
    drop_temp(o);
    free(o->path);
    *o = (struct output)OUTPUT_NONE;
}

bool output_same(const struct output *a, const struct output *b)
{
    return a->path && b->path && !strcmp(a->path, b->path);
}

enum exit_status write_stdout(const char *text, size_t size)
{
    return write_all(STDOUT_FILENO, text, size) ? failed("", "standard output", errno)
                                                : STATUS_VALIDATED;
}
