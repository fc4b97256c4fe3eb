/* SPDX-License-Identifier: MIT */
/* Shards on a system of which only POSIX is known: no descriptors, and no CPU to choose. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS, which POSIX has had since 2024 only */
#include "user/shard.h"

#include <errno.h>
#include <sys/mman.h>

void *xsc_shard_map(size_t size)
{
    const int saved = errno;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    errno = saved;
    return memory == MAP_FAILED ? NULL : memory;
}

void xsc_shard_unmap(void *memory, size_t size)
{
    munmap(memory, size);
}

int xsc_shard_pin(int cpu, struct xsc_affinity *before)
{
    before->moved = 0;
    return cpu < 0 ? 0 : -ENOTSUP;
}

void xsc_shard_unpin(const struct xsc_affinity *before)
{
    (void)before;
}

int xsc_poll_open(struct xsc_poll *poll)
{
    poll->set = poll->bell = -1;
    return -ENOTSUP;
}

void xsc_poll_close(const struct xsc_poll *poll)
{
    (void)poll;
}

int xsc_poll_add(const struct xsc_poll *poll, int fd, uint32_t events)
{
    (void)poll;
    (void)fd;
    (void)events;
    return -ENOTSUP;
}

int xsc_poll_remove(const struct xsc_poll *poll, int fd)
{
    (void)poll;
    (void)fd;
    return -ENOTSUP;
}

void xsc_poll_ring(void *arg)
{
    (void)arg;
}

int xsc_poll_wait(void *arg, uint64_t deadline_ns)
{
    (void)arg;
    (void)deadline_ns;
    return -1;
}
