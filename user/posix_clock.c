/* SPDX-License-Identifier: MIT */
/* The clocks of a POSIX system of which nothing more is known. Linux: user/linux_clock.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

#include "core/port.h"
#include "user/library.h"

static uint64_t read_ns(clockid_t id)
{
    struct timespec t;

    return clock_gettime(id, &t) ? 0 : (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t xsc_port_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

uint64_t xsc_port_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void xsc_port_nap(uint64_t ns)
{
    const struct timespec t = {(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
    const int saved = errno, cancel = xsc_no_cancel();

    if (nanosleep(&t, NULL) && errno != EINTR) {
        poll(NULL, 0, (int)(ns / 1000000u < INT_MAX ? (ns + 999999u) / 1000000u : INT_MAX));
    }
    xsc_cancel_as(cancel);
    errno = saved;
}
