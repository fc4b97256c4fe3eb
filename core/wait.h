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
 * Its two parts, for those who decide in between. xsc_core_spin(): the tight spin of about 1 us;
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

/* And the watch that follows, for timeout_ns from now. */
enum xsc_end xsc_core_watch(struct xsc_engine *e, const struct xsc_watch *w, uint64_t timeout_ns,
                            struct xsc_watching *how);

#endif /* XSC_CORE_WAIT_H */
