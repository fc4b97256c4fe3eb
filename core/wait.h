/* SPDX-License-Identifier: MIT */
/* core/wait.h - the life of one wait; see core/wait.c */
#ifndef XSC_CORE_WAIT_H
#define XSC_CORE_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include <xsc/watch.h>

struct xsc_engine;

enum xsc_end {
    XSC_MET,       /* the condition held of a value loaded with acquire ordering */
    XSC_TIMED_OUT, /* it never did, and timeout_ns have passed */
};

/* The watch must be valid (xsc_watch_valid). asked: see xsc_engine_choose(). */
enum xsc_end xsc_core_wait(struct xsc_engine *e, const struct xsc_watch *w, uint64_t timeout_ns,
                           const char *(*asked)(void));

/* Until one of n conditions holds: *which, the first that was seen to. n >= 1. */
enum xsc_end xsc_core_wait_any(struct xsc_engine *e, const struct xsc_watch *w, uint32_t n,
                               uint64_t timeout_ns, const char *(*asked)(void), uint32_t *which);

/*
 * Its two parts, for callers that decide in between. xsc_core_spin(): the tight spin of about 1 us;
 * true when the condition was met in it. *spun_ns: what it took at least, or 0.
 */
bool xsc_core_spin(struct xsc_engine *e, const struct xsc_watch *w, uint64_t *spun_ns);

struct xsc_watching {
    const char *(*asked)(void); /* see xsc_engine_choose() */
    bool again;                 /* in: part of a wait that has been counted already */
    bool naps;        /* in: a long one may leave the CPU now and then, where the engine naps */
    uint32_t n;       /* in: words; w is the first of them */
    uint32_t met;     /* out: which of them, where n > 1 */
    uint64_t took_ns; /* out: from its start to the look that met, or to its end */
};

/*
 * WHEN A WATCHER MUST LEAVE THE CPU. A thread under a real-time policy (Linux: SCHED_FIFO, SCHED_RR,
 * SCHED_DEADLINE) keeps lower threads off its CPU for as long as it does not sleep: neither a spin
 * hint nor sched_yield() lets them run. If the writer is one of them, on the same CPU, watching ends
 * only where the kernel throttles real-time threads (after 950 ms, by default), or never. So every
 * loop that watches another thread's progress without sleeping asks xsc_nap_due(), which says how
 * long to sleep before the next look: 0 in a wait's first millisecond, and 0 for ordinary threads,
 * among which the scheduler is fair; then a sixteenth of what the wait has lasted, a millisecond at
 * most. The lower thread has a third of the CPU at first, and more as the wait grows.
 *
 * The policy may change at any moment, so it is not remembered beyond one wait, and in a wait it is
 * asked for again each time the length has doubled.
 */
struct xsc_giving_way {
    uint64_t ask_ns; /* when the policy is asked for next; 0: not asked yet */
    bool must_sleep; /* what it said */
};

/* How long to sleep now in a wait that has lasted ns; 0: not at all. *way: zeroed at its start. */
uint64_t xsc_nap_due(struct xsc_giving_way *way, uint64_t ns);

/* And the watch that follows, for timeout_ns from now. */
enum xsc_end xsc_core_watch(struct xsc_engine *e, const struct xsc_watch *w, uint64_t timeout_ns,
                            struct xsc_watching *how);

#endif /* XSC_CORE_WAIT_H */
