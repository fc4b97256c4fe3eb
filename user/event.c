/* SPDX-License-Identifier: MIT */
/*
 * The event count of xsc/event.h.
 *
 * WHAT EACH SIDE STORES AND READS
 *
 *     writer                                      waiter
 *     W1  make the condition true                 P1  c = waiters += 4             (atomic)
 *     --  compiler barrier                        P2  barrier, as in user/park.c, by c
 *     W2  n = waiters; 0: done                    P3  key = seq                   (acquire)
 *     W3  fence; n = waiters; none: done          --  prepare returns
 *     W4  seq += 1                   (atomic)     P4  look at the condition; true: P8
 *     W5  fence; n = waiters                      P5  watch seq for a while
 *     W6  n & PARKED: futex_wake(seq)             P6  waiters |= PARKED (atomic); fence
 *                                                 P7  futex_wait(seq, key), until seq != key
 *                                                 P8  waiters -= 4; the last one: PARKED off
 *
 * A wake-up is lost if P4 misses W1 and P7 sleeps with nobody to wake it. W2, W3 and P1, P2, P4
 * are the litmus of user/park.c, with the condition for the word: if P4 misses W1, the
 * writer sees P1 and comes to W4. What remains:
 *
 *     W4 before P3 reads seq:  then P3 acquires W4's release, and P4 would have seen W1.
 *     W4 after P3:             key is old. P5 sees it, or P7's comparison does, unless we are
 *                              asleep by then: queued before W4 was visible to P7.
 *     Asleep:                  W4 and W5 against P6 and P7 are once more the litmus, with a fence
 *                              on either side: P7 misses W4, so W5 sees P6, and W6 wakes.
 *
 * The key is read after the barrier, so that fewer old signals end the wait; before it would do.
 * One sleeper is woken by W6 for each signal, and any sleeper that it may be has a key older
 * than W4, or the kernel would not have let it sleep; so no wake is spent on one that sleeps on.
 *
 * PARKED stays set until nobody is left between P1 and P8: a stale one costs a system call,
 * and taking it off with somebody inside could take off another's.
 *
 * FENCED. All zeroes: writers do not fence, and P2 is membarrier(). P1 found FENCED: P2 is a fence.
 * FENCED is set only where P2 could not reach the writers (WITHOUT MEMBARRIER in user/park.c), by
 * a waiter that found none. It can't look at the condition for itself, so it returns for its caller
 * to look:
 *
 *     T1  P7, but until XSC_SETTLE_NS after P1 at most; seq != key: P8
 *     T2  seq += 1                   (atomic)
 *     T3  waiters |= FENCED          (atomic)
 *     T4  P8; the caller looks, and prepares again
 *
 * A waiter whose P1 finds FENCED needs only a fence, for the reasons given there: the one that
 * executed T3 was counted since XSC_SETTLE_NS before, so a writer that loaded 0 did so before that,
 * and its W1 has become visible. It is never taken off. A waiter whose P1 found none does not know
 * of a later T3 when it comes to P6, so it goes by the FENCED that P6 finds. If it finds none, it
 * executes T1 to T4. If it finds one, then T2, which comes before T3, is visible: either its key is
 * older, and P7 returns for its caller to look, after T3; or P3 has read T2 and P4 is after T2,
 * when the W1 of writers that loaded 0 had become visible. Others need not be woken by T2: those
 * asleep found no FENCED at P6 and return by T1.
 *
 * SHARED. A writer in another process is reached by membarrier(GLOBAL_EXPEDITED) only if that
 * process has registered. It knows that itself (xsc_event_joined), so it fences unless it has;
 * the waiter always executes the barrier. Registering while others wait is safe: P1, a full
 * barrier, the kernel's look at who has registered; against registration, a full barrier,
 * xsc_event_joined set (release), read (acquire), W2. The litmus again: either P2 reaches the
 * writer's process, or a W2 that trusts xsc_event_joined sees P1. FENCED is not used.
 * A waiter whose P2 is refused can't know who has registered: it waits a millisecond at most,
 * and returns for its caller to look. A waiter in a shared event returns once a second, because the
 * writer may have been killed between W1 and W2.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>

#include <xsc/event.h>

#include "core/port.h"
#include "user/barrier.h"
#include "user/park.h"
#include "user/sleep.h"

/* C99 inline: these make the external definitions, for callers that can't inline. */
extern inline void xsc_event_signal(struct xsc_event *event);
extern inline void xsc_event_broadcast(struct xsc_event *event);
extern inline void xsc_event_signal_shared(struct xsc_event *event);
extern inline void xsc_event_broadcast_shared(struct xsc_event *event);

_Static_assert(sizeof(struct xsc_event) == 8, "an event is 8 bytes");

#define ANY_BIT 1u /* of the futex's bit set: an event's sleepers are all alike */

/* ----------------------------------------------------------------------------- waiting ---- */

static uint32_t prepare(struct xsc_event *e, bool shared)
{
    const uint32_t before = __atomic_fetch_add(&e->waiters, XSC_EVENT_WAITER, __ATOMIC_SEQ_CST);

    if (shared || (!(before & XSC_EVENT_FENCED) && xsc_park_in_force() == XSC_PARK_ASYMMETRIC)) {
        xsc_barrier_heavy(shared); /* refused: remembered, and the wait is kept short */
    } else {
        xsc_fence();
    }
    return __atomic_load_n(&e->seq, __ATOMIC_ACQUIRE);
}

static void leave(struct xsc_event *e)
{
    uint32_t now = __atomic_load_n(&e->waiters, __ATOMIC_RELAXED), next;

    do {
        next = now - XSC_EVENT_WAITER;
        if (next < XSC_EVENT_WAITER) {
            next &= ~XSC_EVENT_PARKED;
        }
    } while (!__atomic_compare_exchange_n(&e->waiters, &now, next, 1, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

struct sleeper {
    struct xsc_event *event;
    uint32_t key;
    bool shared;
};

static bool moved_on(const struct sleeper *s)
{
    return __atomic_load_n(&s->event->seq, __ATOMIC_ACQUIRE) != s->key;
}

/* Whether P2 may have missed a writer. now: what P6 found in the event's waiters. */
static bool unreached(const struct sleeper *s, uint32_t now)
{
    if (s->shared) {
        return xsc_barrier_refused(true);
    }
    return !(now & XSC_EVENT_FENCED) &&
           (xsc_park_in_force() != XSC_PARK_ASYMMETRIC || xsc_barrier_refused(false));
}

static uint64_t look_every_ns(const struct sleeper *s, bool in_doubt)
{
    if (s->shared) {
        return in_doubt ? XSC_LOOK_REFUSED_NS : XSC_LOOK_SHARED_NS;
    }
    return in_doubt ? XSC_SETTLE_NS : XSC_FOREVER;
}

/* T2 and T3. */
static void signals_must_fence(struct xsc_event *e)
{
    __atomic_fetch_add(&e->seq, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&e->waiters, XSC_EVENT_FENCED, __ATOMIC_SEQ_CST);
}

/* P6 and P7. True where the caller is to look at its condition. */
static bool sleep_on_event(void *arg, uint64_t deadline_ns)
{
    const struct sleeper *s = arg;
    const bool in_doubt = unreached(
        s, __atomic_fetch_or(&s->event->waiters, XSC_EVENT_PARKED, __ATOMIC_SEQ_CST));
    const uint64_t until_ns = xsc_next_look(deadline_ns, look_every_ns(s, in_doubt));

    xsc_fence();
    uint64_t refused_ns = 0;

    while (!moved_on(s)) {
        xsc_nap_if_refused(xsc_sleep(&s->event->seq, s->key, ANY_BIT, until_ns, s->shared),
                           &refused_ns, until_ns);
        if (until_ns != XSC_FOREVER && xsc_port_now_ns() >= until_ns) {
            const bool moved = moved_on(s);

            if (moved || until_ns == deadline_ns) {
                return moved;
            }
            if (in_doubt && !s->shared) {
                signals_must_fence(s->event);
            }
            return true;
        }
    }
    return true;
}

static int wait_for(struct xsc_event *e, uint32_t key, uint64_t timeout_ns, bool shared)
{
    if (!e || (uintptr_t)e & 3) {
        return -EINVAL;
    }
    struct sleeper s = {e, key, shared};
    const struct xsc_watch watch = {&e->seq, key, UINT32_MAX, sizeof(e->seq), XSC_UNTIL_NOT};
    const int end = xsc_watch_then(&watch, NULL, timeout_ns, sleep_on_event, &s);

    leave(e);
    return end;
}

uint32_t xsc_event_prepare(struct xsc_event *event)
{
    xsc_barrier_decide(XSC_PARK_AUTO);
    return prepare(event, false);
}

uint32_t xsc_event_prepare_shared(struct xsc_event *event)
{
    xsc_event_join_shared();
    return prepare(event, true);
}

int xsc_event_wait(struct xsc_event *event, uint32_t key, uint64_t timeout_ns)
{
    return wait_for(event, key, timeout_ns, false);
}

int xsc_event_wait_shared(struct xsc_event *event, uint32_t key, uint64_t timeout_ns)
{
    return wait_for(event, key, timeout_ns, true);
}

void xsc_event_cancel(struct xsc_event *event, uint32_t key)
{
    (void)key;
    leave(event);
}

void xsc_event_cancel_shared(struct xsc_event *event, uint32_t key)
{
    (void)key;
    leave(event);
}

/* -------------------------------------------------------------------------- signalling ---- */

/* W4 to W6. */
static void let_look(struct xsc_event *e, uint32_t count, bool shared)
{
    __atomic_fetch_add(&e->seq, 1, __ATOMIC_SEQ_CST);
    if (xsc_fence_load(&e->waiters) & XSC_EVENT_PARKED) {
        xsc_wake_counted(&e->seq, ANY_BIT, count, shared);
    }
}

void xsc_event_signal_slow(struct xsc_event *event, uint32_t count)
{
    if (xsc_fence_load(&event->waiters) >= XSC_EVENT_WAITER) { /* W3 */
        let_look(event, count, false);
    }
}

void xsc_event_signal_shared_slow(struct xsc_event *event, uint32_t count)
{
    if (xsc_fence_load(&event->waiters) >= XSC_EVENT_WAITER) {
        let_look(event, count, true);
    }
}
