/* SPDX-License-Identifier: MIT */
/* user/barrier.h - the barrier between a waiter and the writers; see user/park.c for its use */
#ifndef XSC_USER_BARRIER_H
#define XSC_USER_BARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include <xsc/park.h>

/* Selects XSC_PARK_SEQ_CST or XSC_PARK_ASYMMETRIC, if no thread has yet. */
enum xsc_park_barrier xsc_barrier_decide(enum xsc_park_barrier want);

/*
 * A full barrier on every CPU that runs a thread of ours, or (shared) of a process that has
 * registered. False where the kernel refuses, after having been willing: then, and from then
 * on (see xsc_barrier_refused()), a waiter must not rely on being woken.
 */
bool xsc_barrier_heavy(bool shared);

/* Whether xsc_barrier_heavy() has failed for any thread of this process. */
bool xsc_barrier_refused(bool shared);

/*
 * The writer's fence, in the slow path: whatever was stored before is visible
 * before *counter is loaded. ThreadSanitizer knows no fences; for it, as for any checker,
 * an atomic addition of nothing to the same counter that the waiter adds to does as well:
 * of two atomic read-modify-writes of one object, one reads what the other wrote.
 */
#if defined(__SANITIZE_THREAD__)
#define XSC_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define XSC_TSAN 1
#endif
#endif

static inline void xsc_fence(void)
{
#if !defined(XSC_TSAN)
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
#endif
}

static inline uint32_t xsc_fence_load(uint32_t *counter)
{
#if defined(XSC_TSAN)
    return __atomic_fetch_add(counter, 0, __ATOMIC_SEQ_CST);
#else
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return __atomic_load_n(counter, __ATOMIC_ACQUIRE);
#endif
}

/* What a barrier of xsc_barrier_heavy() has taken of late, in ns; 0: none has been made. */
uint32_t xsc_barrier_ns(void);

#endif /* XSC_USER_BARRIER_H */
