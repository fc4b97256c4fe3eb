/* SPDX-License-Identifier: MIT */
/*
 * Sleeping on a system of which only POSIX is known: in naps of a millisecond at most, with a
 * look at the word between. No waiter needs waking then, and nothing can be lost: a store is
 * noticed when the nap ends. Barriers on other CPUs are unavailable, so unparks fence.
 */
#include "core/port.h"
#include "user/sleep.h"

#include <xsc/watch.h>

#define NAP_NS 1000000u

enum xsc_slept xsc_sleep(const volatile uint32_t *word, uint32_t expected, uint32_t bits,
                         uint64_t deadline_ns, bool shared)
{
    (void)bits;
    (void)shared;
    if (__atomic_load_n(word, __ATOMIC_RELAXED) != expected) {
        return XSC_SLEPT_CHANGED;
    }
    const uint64_t now = xsc_port_now_ns();

    if (deadline_ns == XSC_FOREVER || deadline_ns > now + NAP_NS) {
        xsc_port_nap(NAP_NS);
        return XSC_SLEPT_INTERRUPTED;
    }
    if (deadline_ns > now) {
        xsc_port_nap(deadline_ns - now);
    }
    return XSC_SLEPT_TIMED_OUT;
}

enum xsc_slept xsc_sleep_wide(const volatile uint64_t *word, uint64_t expected,
                              uint64_t deadline_ns)
{
    (void)word;
    (void)expected;
    (void)deadline_ns;
    return XSC_SLEPT_REFUSED;
}

uint64_t xsc_slack(uint64_t ns)
{
    (void)ns;
    return 0;
}

int xsc_this_cpu(void)
{
    return -1;
}

uint32_t xsc_wake(const volatile uint32_t *word, uint32_t bits, uint32_t count, bool shared)
{
    (void)word;
    (void)bits;
    (void)count;
    (void)shared;
    return 0;
}

bool xsc_barrier_register(bool shared)
{
    (void)shared;
    return false;
}

bool xsc_barrier_everywhere(bool shared)
{
    (void)shared;
    return false;
}
