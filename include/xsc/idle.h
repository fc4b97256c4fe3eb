/* SPDX-License-Identifier: MIT */
/*
 * xsc/idle.h - an idle governor: how long to sleep when there is nothing to do
 *
 * For a loop that is told "idle" over and over and has no notification when work arrives: a
 * vCPU thread whose wait-for-interrupt exit comes back at once, a poller without a wake-up call.
 * Sleeping each time makes it sluggish, never sleeping burns a CPU. So sleeps grow with the
 * number of idle waits in a row, and end with the row:
 *
 *     idle waits in a row    1-50   51-100   101-200   201-500   more
 *     sleep, of the maximum  none      10%       25%       50%   100%
 *
 * Two waits are of one row if no more than 1 ms lies between them. Work ends a row at once. In the
 * first 15 s after xsc_idle_init(), while a guest boots, it counts but never sleeps.
 *
 * These functions are arithmetic: no clock is read, nothing is slept, nothing allocated. Times are
 * ns of one monotonic clock of the caller's. One struct belongs to one thread (a vCPU); different
 * structs are independent. xsc/nap.h has a sleep that ends when there is work.
 */
#ifndef XSC_IDLE_H
#define XSC_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include <xsc/watch.h>

#ifdef __cplusplus
extern "C" {
#endif

#define XSC_IDLE_NO_SLEEP 50u    /* waits of a row: up to here none is slept after */
#define XSC_IDLE_TENTH 100u      /* up to here a tenth of the maximum */
#define XSC_IDLE_QUARTER 200u    /* up to here a quarter */
#define XSC_IDLE_HALF 500u       /* up to here half; then all of it */
#define XSC_IDLE_GAP_NS 1000000u /* a longer gap between two waits ends the row */
#define XSC_IDLE_BOOT_S 15u      /* no sleep so long after xsc_idle_init() */

/* 32 bytes; the fields are the functions' own. */
struct xsc_idle {
    uint64_t max_sleep_ns;
    uint64_t ready_ns; /* the end of the first 15 s */
    uint64_t last_ns;  /* the time of the last wait */
    uint32_t waits;    /* in the row so far; stays at XSC_IDLE_HALF + 1 */
    uint32_t reserved;
};

/*
 * Starts afresh at the time now_ns. max_sleep_ns is the longest sleep that will be given, any
 * number of ns; with 0 the governor is off and never gives one.
 */
XSC_API void xsc_idle_init(struct xsc_idle *idle, uint64_t max_sleep_ns, uint64_t now_ns);

/*
 * The caller is about to wait, at the time now_ns. has_work: it knows of something to do (an
 * interrupt is pending, a timer is due). Returns for how many ns to sleep now; 0: not at all. A
 * timer of the caller's own may be due sooner: then the caller cuts the sleep, or leaves it out.
 */
XSC_API uint64_t xsc_idle_on_wait(struct xsc_idle *idle, uint64_t now_ns, bool has_work);

/* There was work: the next wait is the first of a row. */
XSC_API void xsc_idle_on_activity(struct xsc_idle *idle);

#ifdef __cplusplus
}
#endif

#endif /* XSC_IDLE_H */
