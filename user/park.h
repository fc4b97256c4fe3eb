/* SPDX-License-Identifier: MIT */
/* user/park.h - watch first, then sleep: what parking and events share */
#ifndef XSC_USER_PARK_H
#define XSC_USER_PARK_H

#include <stdbool.h>
#include <stdint.h>

#include <xsc/watch.h>

/* Sleeps after an unsuccessful watch, off the CPU, until deadline_ns. True: the wait is over. */
typedef bool xsc_sleep_fn(void *arg, uint64_t deadline_ns);

/*
 * Waits for w as the plan of its site says, or of the caller's own (user/watch_then.c): watches, and
 * calls sleep(arg) once or twice. sleep NULL: no writer will wake it, so it naps instead. w must be
 * valid. Counts the wait. Returns 0 or -ETIMEDOUT, by the watch or by sleep().
 */
struct xsc_site;
int xsc_watch_then(const struct xsc_watch *w, struct xsc_site *own, uint64_t timeout_ns,
                   xsc_sleep_fn *sleep, void *arg);

/* Before a wake-up: stores its time, for the waiter that it wakes. */
void xsc_stamp_wake(const volatile void *word);

/* Wakes, and counts that. Returns how many were woken. */
uint32_t xsc_wake_counted(const volatile uint32_t *word, uint32_t bits, uint32_t count,
                          bool shared);

/*
 * Wakes `count` sleepers of the class `first`, and all of `second` if there are fewer and `look_second`
 * says that some may be there. UINT32_MAX: all of both. See DISCARDED in user/park.c.
 */
void xsc_wake_classes(const volatile uint32_t *word, uint32_t first, uint32_t second,
                      uint32_t count, bool look_second, bool shared);

/*
 * How long a sleeper goes without looking for itself: until its deadline where its waker
 * can be relied on, else `every_ns`.
 */
uint64_t xsc_next_look(uint64_t deadline_ns, uint64_t every_ns);

/* xsc_park_site(), which counts in *parks how often it left the CPU: by one thread at a time. */
int xsc_park_told(struct xsc_site *site, const struct xsc_watch *watch, uint64_t timeout_ns,
                  uint64_t *parks);

/*
 * xsc_park_slow() for a waiter that may discard a wake: for words whose state tells the next writer
 * to wake a waiter again.
 */
int xsc_park_no_pass(const struct xsc_watch *watch, uint64_t timeout_ns);

/* xsc_unpark_all(), which tells whether it entered the kernel. */
bool xsc_unpark_told(const volatile void *word);

/* A writer has fenced for that bucket, and no waiter was counted. */
void xsc_park_fenced(uint32_t b);

#define XSC_LOOK_SHARED_NS 1000000000u /* a waker in another process may be killed */
#define XSC_LOOK_REFUSED_NS 1000000u   /* no barrier: a writer may have missed us */
#define XSC_SETTLE_NS 10000000u        /* the same, once: see WITHOUT MEMBARRIER in user/park.c */

#endif /* XSC_USER_PARK_H */
