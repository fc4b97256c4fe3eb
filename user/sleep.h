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

/*
 * Sleeps unless *word is no longer `expected`, until xsc_wake() for that word and one of
 * `bits`, until deadline_ns of the OS clock (XSC_FOREVER: none), or for no reason. Compare and sleep
 * is one step for a writer that stores and then calls xsc_wake(). shared: the writer may be in
 * another process. True: a wake ended it, and was counted for this sleeper.
 */
bool xsc_sleep(const volatile uint32_t *word, uint32_t expected, uint32_t bits,
               uint64_t deadline_ns, bool shared);

/*
 * The same, shared, for 8 aligned bytes, any of which may change; woken as its first half,
 * by a wake with any bits; *woken says whether. False: there is no such thing here, nothing was slept.
 */
bool xsc_sleep_wide(const volatile uint64_t *word, uint64_t expected, uint64_t deadline_ns,
                    bool *woken);

/*
 * How late the kernel may make this thread's timers, in ns; returns what it was before. Makes a
 * nap end when it should. 0 where there is no such thing, or nothing to be done.
 */
uint64_t xsc_slack(uint64_t ns);

/* The CPU that this thread runs on, or ran on a moment ago; -1 where that can't be told. */
int xsc_this_cpu(void);

/*
 * Wakes at most count of those that sleep for that word and one of bits, in the kernel's order (by
 * priority). Returns how many; 0 where sleepers wake by themselves.
 */
uint32_t xsc_wake(const volatile uint32_t *word, uint32_t bits, uint32_t count, bool shared);

/*
 * Registers this process for xsc_barrier_everywhere(), its own or (shared) anybody's. May take
 * some 10 ms where there are several threads. False: not to be had.
 */
bool xsc_barrier_register(bool shared);

/*
 * On return every thread of this process, or (shared) of all registered processes, has been
 * through a full memory barrier since the call. False: not so.
 */
bool xsc_barrier_everywhere(bool shared);

#endif /* XSC_USER_SLEEP_H */
