/* SPDX-License-Identifier: MIT */
/*
 * Shards on Linux. System calls are made by syscall(): the C library's epoll_wait() and write() are
 * cancellation points.
 *
 * The bell is an eventfd(2), edge-triggered: each write is one event, and no thread has to read it
 * (epoll(7): an edge-triggered descriptor reports each change). It would block at 2^64 - 1 rings.
 */
#define _GNU_SOURCE
#include "user/shard.h"

#include <errno.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xsc/watch.h>

#include "core/port.h"
#include "user/sleep.h"

#define NS_PER_S 1000000000u
#define NS_PER_MS 1000000u
#define LONGEST_MS 1000000 /* then the caller asks again */
#define LONGEST_S 1000000

#if !defined(SYS_epoll_pwait2)
#define SYS_epoll_pwait2 441 /* the same on every architecture: Linux 5.11 */
#endif

/* ---------------------------------------------------------------------- memory and CPUs ---- */

void *xsc_shard_map(size_t size)
{
    const int saved = errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED) {
        memory = NULL;
    } else {
        madvise(memory, size, MADV_WIPEONFORK); /* before Linux 4.14: a child must not use it */
    }
    errno = saved;
    return memory;
}

void xsc_shard_unmap(void *memory, size_t size)
{
    munmap(memory, size);
}

int xsc_shard_pin(int cpu, struct xsc_affinity *before)
{
    struct xsc_cpu_set one;

    before->moved = 0;
    if (cpu < 0) {
        return 0;
    }
    if (!xsc_cpus_only(cpu, &one) || !xsc_cpus_of(0, &before->set)) {
        return -EINVAL;
    }
    const int err = xsc_cpus_move(0, &one);

    before->moved = !err;
    return err;
}

void xsc_shard_unpin(const struct xsc_affinity *before)
{
    if (before->moved) {
        xsc_cpus_move(0, &before->set);
    }
}

/* -------------------------------------------------------------------------- descriptors ---- */

static int control(const struct xsc_poll *poll, int operation, int fd, uint32_t events)
{
    const int saved = errno;
    struct epoll_event event = {.events = events, .data.fd = fd};
    const int err = epoll_ctl(poll->set, operation, fd, &event) ? -errno : 0;

    errno = saved;
    return err;
}

int xsc_poll_open(struct xsc_poll *poll)
{
    const int saved = errno;
    int err = 0;

    poll->bell = -1;
    poll->set = epoll_create1(EPOLL_CLOEXEC);
    if (poll->set >= 0) {
        poll->bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    }
    if (poll->bell < 0) {
        err = -errno;
    } else {
        err = control(poll, EPOLL_CTL_ADD, poll->bell, EPOLLIN | EPOLLET);
    }
    if (err) {
        xsc_poll_close(poll);
    }
    errno = saved;
    return err;
}

void xsc_poll_close(const struct xsc_poll *poll)
{
    const int saved = errno;

    if (poll->bell >= 0) {
        syscall(SYS_close, poll->bell);
    }
    if (poll->set >= 0) {
        syscall(SYS_close, poll->set);
    }
    errno = saved;
}

int xsc_poll_add(const struct xsc_poll *poll, int fd, uint32_t events)
{
    return control(poll, EPOLL_CTL_ADD, fd, events);
}

int xsc_poll_remove(const struct xsc_poll *poll, int fd)
{
    return fd == poll->bell ? -EINVAL : control(poll, EPOLL_CTL_DEL, fd, 0);
}

void xsc_poll_ring(void *arg)
{
    const struct xsc_poll *poll = arg;
    const uint64_t one = 1;
    const int saved = errno;

    /*
     * EAGAIN: 2^64 - 2 rings, and the last one was an edge as well. Where the write is refused, a
     * change of what is waited for makes an event: an eventfd can always be written to.
     */
    if (syscall(SYS_write, poll->bell, &one, sizeof(one)) < 0 && errno != EAGAIN) {
        control(poll, EPOLL_CTL_MOD, poll->bell, EPOLLIN | EPOLLOUT | EPOLLET);
    }
    errno = saved;
}

/* What is left, rounded up to milliseconds: never early. */
static int milliseconds(uint64_t left_ns)
{
    const uint64_t ms = left_ns / NS_PER_MS + (left_ns % NS_PER_MS != 0);

    return ms < LONGEST_MS ? (int)ms : LONGEST_MS;
}

int xsc_poll_wait(void *arg, uint64_t deadline_ns)
{
    const struct xsc_poll *poll = arg;
    static uint32_t coarse; /* no epoll_pwait2() here */
    const int saved = errno;
    const uint64_t now_ns = deadline_ns ? xsc_port_now_ns() : 0;
    const uint64_t left_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    struct epoll_event event = {.data.fd = poll->bell};
    long n = -1;

    if (left_ns && deadline_ns != XSC_FOREVER && !__atomic_load_n(&coarse, __ATOMIC_RELAXED)) {
        /* The kernel's own type, also where the C library's has 32 bits. */
        const int64_t left[2] = {left_ns / NS_PER_S < LONGEST_S ? (int64_t)(left_ns / NS_PER_S)
                                                                : LONGEST_S,
                                 (int64_t)(left_ns % NS_PER_S)};

        n = syscall(SYS_epoll_pwait2, poll->set, &event, 1, left, NULL, (size_t)0);
        if (n < 0 && errno != EINTR && errno != EBADF) { /* too old, or a filter refuses it */
            __atomic_store_n(&coarse, 1, __ATOMIC_RELAXED);
        }
    }
    if (!left_ns || deadline_ns == XSC_FOREVER || __atomic_load_n(&coarse, __ATOMIC_RELAXED)) {
        n = syscall(SYS_epoll_pwait, poll->set, &event, 1,
                    deadline_ns == XSC_FOREVER ? -1 : milliseconds(left_ns), NULL, (size_t)0);
    }
    if (n < 0 && errno != EINTR && left_ns) { /* refused, or the set was closed: not to spin */
        xsc_port_nap(left_ns < XSC_REFUSED_NAP_NS ? left_ns : XSC_REFUSED_NAP_NS);
    }
    errno = saved;
    return n == 1 && event.data.fd != poll->bell ? event.data.fd : -1;
}
