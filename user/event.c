/* SPDX-License-Identifier: MIT */
/*
 * The event count of xsc/event.h.
 *
 * WHAT EACH SIDE STORES AND READS
 *
 *     writer                                      waiter
 *     W1  make the condition true                 P1  c = waiters += 8             (atomic)
 *     --  compiler barrier                        P2  barrier, as in user/park.c, by c
 *     W2  n = waiters; 0: done                    P3  key = seq                   (acquire)
 *     W3  fence; n = waiters; none: done          --  prepare returns
 *     W4  seq += 1                   (atomic)     P4  look at the condition; true: P8
 *     W5  fence; n = waiters                      P5  watch seq for a while
 *     W6  n & PARKED: wake, as W4 of              P6  waiters |= PARKED (atomic); fence
 *         user/park.c, with SECOND of n           P7  futex_wait(seq, key), until seq != key
 *                                                 P8  waiters -= 8; the last one: PARKED and
 *                                                     SECOND off
 *
 * A wake-up is lost if P4 misses W1 and P7 sleeps with no thread to wake it. W2, W3 and P1, P2, P4
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
 * W6 wakes one sleeper for a signal, in the kernel's order, which is by priority. It may be one that
 * prepared after W4: its key is not older than W4, and it has to sleep on, while the wake was for
 * another. So there are two classes of sleepers, and a discarded wake is passed on: DISCARDED WAKES
 * in user/park.c, with seq for the word and the bit SECOND of waiters for `seconds`. D3 sets SECOND
 * (atomic) and fences before its look at seq, W4 and W5 have a fence between, and P8 takes it off
 * as it does PARKED. W6 may be late, after the event's memory was freed: it has SECOND from W5.
 *
 * PARKED stays set until the last waiter between P1 and P8 leaves: a stale one costs a system call,
 * and taking it off earlier could take off another waiter's.
 *
 * FENCED. All zeroes: writers do not fence, and P2 is membarrier(). P1 found FENCED: P2 is a fence.
 * FENCED is set only where P2 could not reach the writers (WITHOUT MEMBARRIER in user/park.c), by
 * a waiter that found none. It can't look at the condition for itself, so it returns for its caller
 * to look:
 *
 *     T1  P7, but until XSC_SETTLE_NS after P1 at most; seq != key: P8
 *     T2  seq += 1                   (atomic)
 *     T3  waiters |= FENCED          (atomic)
 *     T4  wake all
 *     T5  P8; the caller looks, and prepares again
 *
 * A waiter whose P1 finds FENCED needs only a fence, for the reasons given there: the one that
 * executed T3 was counted since XSC_SETTLE_NS before, so a writer that loaded 0 did so before that,
 * and its W1 has become visible. It is never taken off. A waiter whose P1 found none does not know
 * of a later T3 when it comes to P6, so it goes by the FENCED that P6 finds. If it finds none, it
 * executes T1 to T5. If it finds one, then T2, which comes before T3, is visible: either its key is
 * older, and P7 returns for its caller to look, after T3; or P3 has read T2 and P4 is after T2,
 * when the W1 of writers that loaded 0 had become visible. T4, because a sleeper that takes the wake
 * of a signal and finds seq changed by T2 alone returns, and does not pass that wake on.
 *
 * SHARED. A writer in another process is reached by membarrier(GLOBAL_EXPEDITED) only if that
 * process has registered. It knows that itself (xsc_event_joined), so it fences unless it has;
 * the waiter always executes the barrier. Registering while others wait is safe: P1, a fence, the
 * kernel's look at which processes have registered; against registration, a fence, xsc_event_joined
 * set (release), read (acquire), W2. The litmus again: either P2 reaches the writer's process, or a
 * W2 that trusts xsc_event_joined sees P1. The kernel has full barriers at both places; the fences are
 * the library's own (xsc_barrier_heavy(), xsc_event_join_shared()), so that the argument needs
 * nothing of the kernel but the order of its own steps. FENCED is not used.
 * A waiter whose P2 is refused can't know which processes have registered: it waits a millisecond
 * at most, and returns for its caller to look. A waiter in a shared event returns once a second,
 * because the writer may have been killed between W1 and W2.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>

#include <xsc/cas.h>
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
extern inline struct xsc_event_wake xsc_event_signal_begin(struct xsc_event *event);
extern inline struct xsc_event_wake xsc_event_broadcast_begin(struct xsc_event *event);
extern inline struct xsc_event_wake xsc_event_signal_begin_shared(struct xsc_event *event);
extern inline struct xsc_event_wake xsc_event_broadcast_begin_shared(struct xsc_event *event);
extern inline void xsc_event_signal_end(struct xsc_event_wake wake);
extern inline bool xsc_event_has_waiters(const struct xsc_event *event);

_Static_assert(sizeof(struct xsc_event) == 8, "an event is 8 bytes");

/* Of the futex's bit set: the classes of sleepers. */
#define FIRST_BIT 1u
#define SECOND_BIT 2u

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
            next &= ~(XSC_EVENT_PARKED | XSC_EVENT_SECOND);
        }
    } while (!__atomic_compare_exchange_n(&e->waiters, &now, next, 1, XSC_CAS_RELEASE));
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

static struct xsc_event_wake waking(struct xsc_event *e, uint32_t count, uint32_t n, bool shared)
{
    const uint32_t flags = (n & XSC_EVENT_SECOND) | (shared ? XSC_EVENT_WAKE_SHARED_ : 0);

    return (struct xsc_event_wake){n & XSC_EVENT_PARKED ? &e->seq : NULL, count, flags};
}

/* W6. */
void xsc_event_signal_end_slow(struct xsc_event_wake w)
{
    xsc_wake_classes(w.at, FIRST_BIT, SECOND_BIT, w.count, w.flags & XSC_EVENT_SECOND,
                     w.flags & XSC_EVENT_WAKE_SHARED_);
}

/* D2 and D3, where others are in the event. */
static bool pass_signal_on(const struct sleeper *s)
{
    const uint32_t n = xsc_fence_load(&s->event->waiters);

    if (n < 2 * XSC_EVENT_WAITER) {
        return false;
    }
    xsc_event_signal_end_slow(waking(s->event, 1, n, s->shared));
    __atomic_fetch_or(&s->event->waiters, XSC_EVENT_SECOND, __ATOMIC_SEQ_CST);
    xsc_fence();
    return true;
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

/* T2 to T4. */
static void signals_must_fence(struct xsc_event *e)
{
    __atomic_fetch_add(&e->seq, 1, __ATOMIC_SEQ_CST);
    __atomic_fetch_or(&e->waiters, XSC_EVENT_FENCED, __ATOMIC_SEQ_CST);
    xsc_wake_classes(&e->seq, FIRST_BIT, SECOND_BIT, UINT32_MAX, true, false);
}

/* P6 and P7. True where the caller is to look at its condition. */
static bool sleep_on_event(void *arg, uint64_t deadline_ns)
{
    const struct sleeper *s = arg;
    const bool in_doubt = unreached(
        s, __atomic_fetch_or(&s->event->waiters, XSC_EVENT_PARKED, __ATOMIC_SEQ_CST));
    const uint64_t until_ns = xsc_next_look(deadline_ns, look_every_ns(s, in_doubt));

    xsc_fence();
    bool second = false, over = false, moved = moved_on(s);
    uint64_t refused_ns = 0;

    while (!moved && !over) {
        const enum xsc_slept end = xsc_sleep(&s->event->seq, s->key,
                                             second ? SECOND_BIT : FIRST_BIT, until_ns, s->shared);

        xsc_nap_if_refused(end, &refused_ns, until_ns);
        over = until_ns != XSC_FOREVER && xsc_port_now_ns() >= until_ns;
        moved = moved_on(s);
        if (end == XSC_SLEPT_WOKEN && !moved && !second) {
            second = pass_signal_on(s);
        }
    }
    if (moved || until_ns == deadline_ns) {
        return moved;
    }
    if (in_doubt && !s->shared) {
        signals_must_fence(s->event);
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

/* W4 and W5. */
static struct xsc_event_wake advance(struct xsc_event *e, uint32_t count, bool shared)
{
    __atomic_fetch_add(&e->seq, 1, __ATOMIC_SEQ_CST);
    return waking(e, count, xsc_fence_load(&e->waiters), shared);
}

struct xsc_event_wake xsc_event_signal_begin_slow(struct xsc_event *event, uint32_t count)
{
    if (xsc_fence_load(&event->waiters) >= XSC_EVENT_WAITER) { /* W3 */
        return advance(event, count, false);
    }
    return (struct xsc_event_wake){NULL, 0, 0};
}

struct xsc_event_wake xsc_event_signal_begin_shared_slow(struct xsc_event *event, uint32_t count)
{
    if (xsc_fence_load(&event->waiters) >= XSC_EVENT_WAITER) {
        return advance(event, count, true);
    }
    return (struct xsc_event_wake){NULL, 0, 0};
}

void xsc_event_signal_slow(struct xsc_event *event, uint32_t count)
{
    xsc_event_signal_end(xsc_event_signal_begin_slow(event, count));
}

void xsc_event_signal_shared_slow(struct xsc_event *event, uint32_t count)
{
    xsc_event_signal_end(xsc_event_signal_begin_shared_slow(event, count));
}
