/* SPDX-License-Identifier: MIT */
/*
 * user/sleep.h - leaving the CPU, and the barrier that reaches the other CPUs: what parking
 * needs from an OS
 *
 * One file an OS: user/linux_sleep.c (futex, membarrier), user/other_sleep.c (neither).
 * Nothing here is a cancellation point or touches errno; all is safe in signal handlers.
 */
#ifndef XSC_USER_SLEEP_H
#define XSC_USER_SLEEP_H

#include <stdbool.h>
#include <stdint.h>

#include "core/port.h"

/* Why a sleep ended. */
enum xsc_slept {
    XSC_SLEPT_WOKEN,       /* by xsc_wake(), or by a wake of the same address that was not ours */
    XSC_SLEPT_CHANGED,     /* the word was not as expected: there was no sleep */
    XSC_SLEPT_TIMED_OUT,   /* the deadline */
    XSC_SLEPT_INTERRUPTED, /* a signal, or a port that wakes to look */
    XSC_SLEPT_REFUSED,     /* the OS can't sleep on this word: it returns at once, every time */
};

/*
 * Sleeps unless *word is no longer `expected`, until xsc_wake() for that word and one of `bits`,
 * until deadline_ns of the OS clock (XSC_FOREVER: none), or until a signal. Compare-and-sleep is
 * atomic with respect to a writer that stores and then calls xsc_wake(). shared: the writer may be
 * in another process. XSC_SLEPT_WOKEN: a wake ended it, and counted this sleeper among its own.
 *
 * XSC_SLEPT_REFUSED: memory that the kernel takes no futex in (a device's, a read-only private
 * mapping), or a filter that forbids the system call. A caller that would call again naps in
 * between (xsc_nap_if_refused()), or it would spin.
 */
enum xsc_slept xsc_sleep(const volatile uint32_t *word, uint32_t expected, uint32_t bits,
                         uint64_t deadline_ns, bool shared);

/*
 * The same, shared, for 8 aligned bytes, any of which may change; woken as its first half, by a wake
 * with any bits. XSC_SLEPT_REFUSED also where the OS has no such call.
 */
enum xsc_slept xsc_sleep_wide(const volatile uint64_t *word, uint64_t expected,
                              uint64_t deadline_ns);

/*
 * After each sleep of a loop: where it was refused, a nap takes its place, of a sixteenth of the
 * time since the first refusal, at least 1 ms and at most 16 ms, and not past until_ns. So a wait
 * is late by a millisecond or a sixteenth of itself, and costs a few microseconds of CPU a nap.
 * *since_ns is the loop's own, 0 at first.
 */
#define XSC_REFUSED_NAP_NS 1000000u
#define XSC_REFUSED_NAP_MAX_NS 16000000u

static inline void xsc_nap_if_refused(enum xsc_slept end, uint64_t *since_ns, uint64_t until_ns)
{
    if (end != XSC_SLEPT_REFUSED) {
        return;
    }
    const uint64_t now_ns = xsc_port_now_ns();

    if (!*since_ns) {
        *since_ns = now_ns;
    }
    const uint64_t part = (now_ns - *since_ns) / 16;
    const uint64_t ns = part < XSC_REFUSED_NAP_NS       ? XSC_REFUSED_NAP_NS
                        : part < XSC_REFUSED_NAP_MAX_NS ? part
                                                        : XSC_REFUSED_NAP_MAX_NS;

    if (until_ns > now_ns) {
        xsc_port_nap(until_ns - now_ns < ns ? until_ns - now_ns : ns);
    }
}

/*
 * How late the kernel may make this thread's timers, in ns; returns what it was before. Makes a
 * nap end when it should. 0 where there is no such thing, or nothing to be done.
 */
uint64_t xsc_slack(uint64_t ns);

/* The CPU that this thread runs on, or ran on a moment ago; -1 where that is unknown. */
int xsc_this_cpu(void);

/*
 * Wakes at most count of those that sleep for that word and one of bits, in the kernel's order (by
 * priority). Returns how many; 0 where sleepers wake by themselves.
 */
uint32_t xsc_wake(const volatile uint32_t *word, uint32_t bits, uint32_t count, bool shared);

/*
 * Registers this process for xsc_barrier_everywhere(): its own barriers or (shared) those of any
 * process. May take some 10 ms where there are several threads. False: unavailable.
 */
bool xsc_barrier_register(bool shared);

/*
 * On return every thread of this process, or (shared) of all registered processes, has been
 * through a full memory barrier since the call. False: not so.
 */
bool xsc_barrier_everywhere(bool shared);

#endif /* XSC_USER_SLEEP_H */
