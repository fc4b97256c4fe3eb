/* SPDX-License-Identifier: MIT */
/*
 * user/doorbell.h - what doorbells need from an OS, beside the descriptors of user/shard.h
 *
 * user/linux_doorbell.c (eventfd, /dev/xsc-doorbellN), user/other_doorbell.c (none). Nothing here
 * is a cancellation point or touches errno.
 */
#ifndef XSC_USER_DOORBELL_H
#define XSC_USER_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

#include "user/shard.h"

/* A descriptor, of a software doorbell where path is NULL; or why not. */
int xsc_bell_open(const char *path);
void xsc_bell_close(int fd);

/* One system call. 0, or why not. Signal-safe. */
int xsc_bell_ring(int fd, bool device, uint32_t peer);

/* Whether the device has gone that fd stands for. */
bool xsc_bell_gone(int fd);

/*
 * Makes *set, for xsc_poll_wait(): from now on every ring ends one wait for it, now or when one
 * comes; and so does one made before, perhaps. 0, or why not. Ended by xsc_poll_close().
 */
int xsc_bell_listen(struct xsc_poll *set, int fd);

#endif /* XSC_USER_DOORBELL_H */
