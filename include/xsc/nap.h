/* SPDX-License-Identifier: MIT */
/*
 * xsc/nap.h - the sleeping half of the idle governor (xsc/idle.h)
 *
 *     vCPU thread, at its wait-for-interrupt exit       a thread with work for it
 *
 *     ns = xsc_idle_on_wait(&idle, now, pending());     make it pending
 *     if (ns)                                           xsc_nap_kick(&vcpu->nap)
 *         xsc_nap(&vcpu->nap, until timer or ns)
 *     look for work
 *
 * A kick ends a nap at once. One that comes before the nap is kept, and that nap does not sleep, so
 * there is no moment at which a kick is lost: not between the look for work and the nap either.
 * (At once on Linux. The port for other systems can't wake a thread: there a nap looks for a kick
 * once a millisecond, and at its end.)
 *
 * Safe in signal handlers (kicks). No allocation; errno is left alone; no cancellation points.
 * A nap is for the threads of one process. Its memory may be freed when no nap and no kick is in
 * progress or to come: a kick writes to it, so a late kick is not harmless.
 */
#ifndef XSC_NAP_H
#define XSC_NAP_H

#include <xsc/wait.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zeroes to begin with. One thread naps on it at a time; any may kick it. */
struct xsc_nap_word {
    uint32_t state;
};

/*
 * Sleeps until a kick, at most ns of CLOCK_MONOTONIC (XSC_FOREVER: no limit). Returns
 *   0           kicked, now or since the last nap: what was written before the kick is seen
 *               (acquire);
 *   -ETIMEDOUT  not kicked; at least ns have passed.
 * How much later than ns a nap ends is the OS's timer slack: 50 us on Linux, unless the
 * thread asks for less with prctl(PR_SET_TIMERSLACK).
 */
XSC_API int xsc_nap(struct xsc_nap_word *word, uint64_t ns);

/*
 * Ends the nap, or forbids the next one. Release: the thread that napped sees what was written
 * before. One atomic exchange; a system call only if the thread sleeps. Thread-safe.
 */
XSC_API void xsc_nap_kick(struct xsc_nap_word *word);

/*
 * What the environment says of naps. XSC_IDLE_SLEEP is the longest of them in us: 50, 100
 * (recommended) or 200; unset, empty or 0: no governor (it is ignored in set-user-ID programs).
 * Stores that in ns, or 0, in *max_sleep_ns, for xsc_idle_init(). Returns
 *   0        on or off, as asked. The first time it is on, a line on standard error says so, and
 *            another at the first nap after that;
 *   -EINVAL  the variable says something else: off, and a line on standard error, once a process,
 *            names what may be; or max_sleep_ns is NULL.
 * Thread-safe as far as getenv() is.
 */
XSC_API int xsc_idle_asked(uint64_t *max_sleep_ns);

#ifdef __cplusplus
}
#endif

#endif /* XSC_NAP_H */
