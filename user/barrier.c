/* SPDX-License-Identifier: MIT */
/* The barrier that parking uses: selected once a process, by the first waiter that needs it. */
#define _GNU_SOURCE
#include "user/barrier.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <xsc/event.h>

#include "core/port.h"
#include "user/sleep.h"

static uint32_t in_force;   /* enum xsc_park_barrier; 0: nothing decided */
static uint32_t refused[2]; /* [shared]: a barrier was refused after registration */
static uint32_t takes_ns;   /* what a barrier takes, of late; 0: none was made */
static uint32_t no_shared;  /* registration for other processes' barriers was refused */

/*
 * All zeroes: no writer fences. That needs no decision, since what makes an unfenced writer safe is
 * done by each waiter, after it has counted itself here (user/park.c). The table is the ABI's, see
 * xsc/park.h.
 */
uint32_t xsc_parked[XSC_PARK_BUCKETS] __attribute__((aligned(64)));
uint32_t xsc_event_joined;

static bool seq_cst_by_environment(void)
{
#if defined(__GLIBC__)
    const char *value = secure_getenv("XSC_PARK");
#else
    const char *value = getenv("XSC_PARK");
#endif
    return value && (!strcmp(value, "seqcst") || !strcmp(value, "seq_cst"));
}

enum xsc_park_barrier xsc_barrier_decide(enum xsc_park_barrier want)
{
    uint32_t mode = __atomic_load_n(&in_force, __ATOMIC_ACQUIRE), none = 0;

    if (mode) {
        return (enum xsc_park_barrier)mode;
    }
    if (want == XSC_PARK_AUTO && seq_cst_by_environment()) {
        want = XSC_PARK_SEQ_CST;
    }
    mode = want != XSC_PARK_SEQ_CST && xsc_barrier_register(false) ? XSC_PARK_ASYMMETRIC
                                                                   : XSC_PARK_SEQ_CST;
    /* Several threads may come here at once, or one and its signal handler: the first is right. */
    if (!__atomic_compare_exchange_n(&in_force, &none, mode, 0, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        return (enum xsc_park_barrier)none;
    }
    return (enum xsc_park_barrier)mode;
}

uint32_t xsc_barrier_ns(void)
{
    return __atomic_load_n(&takes_ns, __ATOMIC_RELAXED);
}

/* A quarter of the way to each new one. */
static void note(uint64_t took_ns)
{
    const uint32_t now = xsc_barrier_ns();
    const uint32_t ns = took_ns < UINT32_MAX / 2 ? (uint32_t)took_ns : UINT32_MAX / 2;

    __atomic_store_n(&takes_ns, now ? now - now / 4 + ns / 4 : ns, __ATOMIC_RELAXED);
}

bool xsc_barrier_heavy(bool shared)
{
    const uint64_t start_ns = xsc_port_now_ns();

    xsc_fence(); /* explicit, although the system call implies one */
    if (xsc_barrier_everywhere(shared)) {
        note(xsc_port_now_ns() - start_ns);
        return true;
    }
    __atomic_store_n(&refused[shared], 1, __ATOMIC_RELAXED);
    return false;
}

bool xsc_barrier_refused(bool shared)
{
    return __atomic_load_n(&refused[shared], __ATOMIC_RELAXED);
}

int xsc_park_init(enum xsc_park_barrier want)
{
    if (want != XSC_PARK_AUTO && want != XSC_PARK_SEQ_CST && want != XSC_PARK_ASYMMETRIC) {
        return -EINVAL;
    }
    const bool early = !__atomic_load_n(&in_force, __ATOMIC_ACQUIRE);
    const enum xsc_park_barrier got = xsc_barrier_decide(want);

    if (want == got || want == XSC_PARK_AUTO) {
        return 0;
    }
    return early && got == XSC_PARK_SEQ_CST ? -ENOTSUP : -EALREADY;
}

enum xsc_park_barrier xsc_park_in_force(void)
{
    return (enum xsc_park_barrier)__atomic_load_n(&in_force, __ATOMIC_ACQUIRE);
}

int xsc_event_join_shared(void)
{
    if (__atomic_load_n(&xsc_event_joined, __ATOMIC_ACQUIRE)) {
        return 0;
    }
    if (xsc_barrier_decide(XSC_PARK_AUTO) != XSC_PARK_ASYMMETRIC ||
        __atomic_load_n(&no_shared, __ATOMIC_RELAXED)) {
        return -ENOTSUP;
    }
    if (!xsc_barrier_register(true)) {
        __atomic_store_n(&no_shared, 1, __ATOMIC_RELAXED);
        return -ENOTSUP;
    }
    __atomic_store_n(&xsc_event_joined, 1, __ATOMIC_RELEASE);
    return 0;
}
