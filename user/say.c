/* SPDX-License-Identifier: MIT */
/*
 * One line to the user that runs the process, on descriptor 2: the part of the port that must not
 * harm the program that it runs in. A line that can't be written at once is dropped.
 *
 * NEVER BLOCKED. A pipe or a socket is written to without waiting, a terminal only where poll(2)
 * says that it takes more. 320 bytes are below PIPE_BUF, so a pipe takes all of the line or nothing.
 *
 * NO SIGNAL. A pipe with no reader (SIGPIPE), a file at its limit (SIGXFSZ) and a terminal that stops
 * background writers (SIGTTOU) raise one in the thread that writes. They are blocked meanwhile, and
 * what the write raised is taken out again, unless the program had one pending already.
 *
 * NO DATA FILE. A program may have closed descriptor 2, and the next file that it opened is
 * descriptor 2 now. So a regular file is written to only if it was opened for appending, or as a
 * shell opens it for "2>file": for writing alone, and not close-on-exec, which nothing that a
 * program was started with can be. A program that opens its data write-only as descriptor 2 looks
 * the same; it gets the C library's messages there, too. Other kinds of file are written to if they
 * are a terminal, another character device, a pipe or a socket.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#if defined(__linux__)
#include <sys/syscall.h>
#endif

#include "core/port.h"
#include "user/library.h"

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0
#endif
#define NOWAIT 8 /* RWF_NOWAIT, which old headers lack */

static bool is_log(const struct stat *s)
{
    const int flags = fcntl(STDERR_FILENO, F_GETFL);

    if (!S_ISREG(s->st_mode)) {
        return S_ISCHR(s->st_mode) || S_ISFIFO(s->st_mode) || S_ISSOCK(s->st_mode);
    }
    return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY &&
           (flags & O_APPEND ||
            ((flags & O_ACCMODE) == O_WRONLY && !(fcntl(STDERR_FILENO, F_GETFD) & FD_CLOEXEC)));
}

static void write_now(const struct stat *s, char *text, size_t n)
{
    struct pollfd room = {.fd = STDERR_FILENO, .events = POLLOUT};
    ssize_t done = -1;

    if (S_ISSOCK(s->st_mode)) {
        done = send(STDERR_FILENO, text, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else {
        if (poll(&room, 1, 0) != 1 || !(room.revents & POLLOUT)) {
            return;
        }
#if defined(__linux__) && defined(SYS_pwritev2)
        /* Another writer may fill the pipe now. Refused where the kernel can't promise it. */
        const struct iovec whole = {text, n};

        if (S_ISFIFO(s->st_mode)) {
            done = syscall(SYS_pwritev2, STDERR_FILENO, &whole, 1, -1L, -1L, NOWAIT);
            if (done >= 0 || errno == EAGAIN || errno == EPIPE) {
                return;
            }
        }
#endif
        done = write(STDERR_FILENO, text, n);
    }
    (void)done; /* nothing more can be done for the line */
}

void xsc_port_say(const char *line)
{
    static const int raised[] = {SIGPIPE, SIGXFSZ, SIGTTOU};
    char text[320];
    const size_t n = strnlen(line, sizeof(text) - 1);
    const int saved = errno, cancel = xsc_no_cancel();
    sigset_t block, before, earlier, now;
    struct stat s;

    memcpy(text, line, n);
    text[n] = '\n';
    sigemptyset(&block);
    for (size_t i = 0; i < sizeof(raised) / sizeof(raised[0]); i++) {
        sigaddset(&block, raised[i]);
    }
    if (!fstat(STDERR_FILENO, &s) && is_log(&s) && !sigpending(&earlier) &&
        !pthread_sigmask(SIG_BLOCK, &block, &before)) {
        write_now(&s, text, n + 1);
        sigpending(&now);
        for (size_t i = 0; i < sizeof(raised) / sizeof(raised[0]); i++) {
            if (sigismember(&now, raised[i]) && !sigismember(&earlier, raised[i])) {
                sigset_t one;
                int taken;

                sigemptyset(&one);
                sigaddset(&one, raised[i]);
                sigwait(&one, &taken);
            }
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    xsc_cancel_as(cancel);
    errno = saved;
}
