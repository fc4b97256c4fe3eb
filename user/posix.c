/* SPDX-License-Identifier: MIT */
/* The part of the port that any POSIX system can do: stepping aside, threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <unistd.h>

#include "arch/arch.h"
#include "core/clock.h"
#include "core/port.h"
#include "user/library.h"

static uint64_t counter(void)
{
    return xsc_arch_counter();
}

void xsc_port_clocks(struct xsc_clock_sources *sources)
{
    sources->counter = counter;
    sources->now_ns = xsc_port_now_ns;
}

void xsc_port_yield(void)
{
    sched_yield();
}

int xsc_no_cancel(void)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

void xsc_cancel_as(int before)
{
    pthread_setcancelstate(before, &before);
}

uint32_t xsc_port_slot_hint(void)
{
    static uint32_t threads;
    static _Thread_local uint32_t mine;

    if (!mine) {
        mine = __atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED);
    }
    return mine;
}

bool xsc_port_may_judge(void)
{
    return true;
}
