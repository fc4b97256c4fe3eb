/* SPDX-License-Identifier: MIT */
/* Doorbells on a system of which only POSIX is known: there are none, so nothing to listen to. */
#include "user/doorbell.h"

#include <errno.h>

int xsc_bell_open(const char *path)
{
    (void)path;
    return -ENOTSUP;
}

void xsc_bell_close(int fd)
{
    (void)fd;
}

int xsc_bell_ring(int fd, bool device, uint32_t peer)
{
    (void)fd;
    (void)device;
    (void)peer;
    return -ENOTSUP;
}

bool xsc_bell_gone(int fd)
{
    (void)fd;
    return true;
}

int xsc_bell_listen(struct xsc_poll *set, int fd)
{
    (void)fd;
    set->set = set->bell = -1;
    return -ENOTSUP;
}
