/* SPDX-License-Identifier: MIT */
/*
 * Doorbells on Linux. System calls are made by syscall(), as in user/linux_shard.c: the C library's
 * are cancellation points, or (epoll_create1) known to ThreadSanitizer, which then has to see the
 * close of the descriptor, too.
 */
#define _GNU_SOURCE
#include "user/doorbell.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* kernel/xsc_doorbell.h, which belongs to the kernel's side; tests/guest holds them together. */
#define RING _IO('X', 0xd0)

/* What a system call returned, as an errno value; errno is as it was. */
static int result_of(long result, int saved)
{
    const int err = result < 0 ? -errno : (int)result;

    errno = saved;
    return err;
}

int xsc_bell_open(const char *path)
{
    const int saved = errno;

    return result_of(path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NONBLOCK)
                          : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
                     saved);
}

void xsc_bell_close(int fd)
{
    const int saved = errno;

    result_of(syscall(SYS_close, fd), saved);
}

int xsc_bell_ring(int fd, bool device, uint32_t peer)
{
    const uint64_t one = 1;
    const int saved = errno;

    if (device) {
        return result_of(syscall(SYS_ioctl, fd, RING, (unsigned long)peer), saved);
    }
    if (peer) {
        return -ENXIO;
    }
    const int n = result_of(syscall(SYS_write, fd, &one, sizeof(one)), saved);

    return n < 0 ? n : 0;
}

bool xsc_bell_gone(int fd)
{
    const int saved = errno;
    const int64_t no_time[2] = {0, 0}; /* as the kernel's timespec, 32 or 64 bits */
    struct pollfd p = {.fd = fd};

    /* POLLHUP and POLLERR are told unasked (poll(2)). */
    return result_of(syscall(SYS_ppoll, &p, 1, no_time, NULL, (size_t)0), saved) > 0;
}

/* Edge-triggered: each ring is an event of each set, which no waiter has to read (epoll(7)). */
int xsc_bell_listen(struct xsc_poll *set, int fd)
{
    const int saved = errno;

    set->bell = -1;
    set->set = result_of(syscall(SYS_epoll_create1, EPOLL_CLOEXEC), saved);
    if (set->set < 0) {
        return set->set;
    }
    const int err = xsc_poll_add(set, fd, EPOLLIN | EPOLLET);

    if (err) {
        xsc_poll_close(set);
    }
    return err;
}
