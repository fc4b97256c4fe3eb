/* SPDX-License-Identifier: MIT */
/*
 * user/shard.h - what shards need from an OS: memory, a CPU of their own, descriptors
 *
 * user/linux_shard.c (epoll, eventfd), user/other_shard.c (none of that). Nothing here is a
 * cancellation point or touches errno.
 */
#ifndef XSC_USER_SHARD_H
#define XSC_USER_SHARD_H

#include <stddef.h>
#include <stdint.h>

#include "user/affinity.h"

/* Zeroed memory of the process, in whole pages; to a child after fork() all zeroes, if it can. */
void *xsc_shard_map(size_t size);
void xsc_shard_unmap(void *memory, size_t size);

/* Pins the calling thread. 0, -EINVAL, -ENOTSUP. */
int xsc_shard_pin(int cpu, struct xsc_affinity *before);
void xsc_shard_unpin(const struct xsc_affinity *before);

/* Descriptors to wait for, and a bell among them that any thread may ring. */
struct xsc_poll {
    int set, bell;
};

int xsc_poll_open(struct xsc_poll *poll); /* 0, or why not */
void xsc_poll_close(const struct xsc_poll *poll);
int xsc_poll_add(const struct xsc_poll *poll, int fd, uint32_t events);
int xsc_poll_remove(const struct xsc_poll *poll, int fd);

/*
 * arg is a struct xsc_poll, as struct xsc_shard_ring would have it. One system call. A bell that is
 * rung while no thread waits ends the next wait. Signal-safe.
 */
void xsc_poll_ring(void *arg);

/*
 * Waits until deadline_ns of the OS clock, 0: looks. A ready descriptor, or -1: the bell, a
 * signal, the deadline.
 */
int xsc_poll_wait(void *arg, uint64_t deadline_ns);

#endif /* XSC_USER_SHARD_H */
