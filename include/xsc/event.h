/* SPDX-License-Identifier: MIT */
/*
 * xsc/event.h - an event count: sleep until a lock-free structure is worth another look
 *
 * WHAT IT IS
 *
 * A stack that is empty, a queue that is full: conditions that no single word shows. An event
 * lets a thread wait for "something may have changed" without a lock:
 *
 *     waiter                                             writer
 *     while (!pop(&stack, &item)) {                      push(&stack, item);
 *         uint32_t key = xsc_event_prepare(&e);          xsc_event_signal(&e);
 *         if (!empty(&stack)) {
 *             xsc_event_cancel(&e, key);
 *         } else {
 *             xsc_event_wait(&e, key, XSC_FOREVER);
 *         }
 *     }
 *
 * The condition is looked at between prepare and wait, and the writer signals after it has
 * made the condition true. Then no wake-up is lost: see user/event.c for why. With no thread
 * between prepare and the end of wait, signal and broadcast cost one load and a branch, from an
 * event's first signal on; with a thread there that still watches, a fence and one atomic addition;
 * a system call only for a thread that has left the CPU.
 *
 * WHAT IS PROMISED
 *
 * - Every prepare is followed by one wait or one cancel, by the same thread, with its key. A wait
 *   that returns 0 or -ETIMEDOUT has ended what prepare began: no cancel follows.
 * - xsc_event_wait() returns 0: look again; -ETIMEDOUT: timeout_ns of CLOCK_MONOTONIC have
 *   passed and no signal was seen; -EINVAL: a NULL or misaligned event. A 0 may come without
 *   a signal that was meant for this waiter (another waiter's, or none): an event count says
 *   when to look, the structure says what is there.
 * - A 0 may come without any signal: a shared wait returns 0 when it has slept for a second, or
 *   for 1 ms where there is no membarrier; another wait may after 10 ms where there is none, or
 *   XSC_PARK=seqcst. timeout_ns is counted from the call, so a loop that passes the same to each
 *   wait ends too late, or never. A loop with a deadline computes the time left before each wait:
 *
 *       const uint64_t end_ns = now_ns() + timeout_ns;  // CLOCK_MONOTONIC; not XSC_FOREVER
 *
 *       while (!pop(&stack, &item)) {
 *           const uint32_t key = xsc_event_prepare(&e);
 *           const uint64_t at_ns = now_ns();
 *
 *           if (!empty(&stack)) {
 *               xsc_event_cancel(&e, key);
 *           } else if (xsc_event_wait(&e, key, at_ns < end_ns ? end_ns - at_ns : 0)) {
 *               return pop(&stack, &item) ? 0 : -ETIMEDOUT;
 *           }
 *       }
 *
 * - n signals end the waits of at least n threads, or of all that prepared before the first of them
 *   and neither cancel nor time out. The n need not be from among these: a thread that prepared
 *   between two of the signals may be ended in place of one that prepared before both. Signals may
 *   end more waits (of all that still watch). A broadcast ends the waits of all that prepared
 *   before it. This holds whatever the threads' priorities are: a wake that the kernel gives to a
 *   thread that prepared after the signal, and for which there was no later one, is passed on.
 * - Which of the threads a signal ends is not said. Where they wait for conditions unlike each other,
 *   broadcast: a signal for one condition may end the wait of a thread that waits for another.
 * - ABA: exactly 2^32 signals between a waiter's prepare and wait go unnoticed.
 * - prepare is a full barrier, and acquires what came before the signals that it counts.
 * - Thread-safe. prepare, wait, cancel, signal, broadcast: safe in signal handlers, errno left
 *   alone, not cancellation points, no allocation.
 *
 * WHEN IT MAY BE FREED
 *
 * - A signal, and a broadcast, touches the event, and may write to it. So the event's memory may be
 *   freed when no thread is between prepare and the return of its wait or cancel, and every signal
 *   and broadcast (of one in two parts, its begin) has returned; and none of these will come.
 *   xsc_event_has_waiters() says whether a thread is between prepare and the end of wait or cancel.
 * - Where a lock protects the condition, that is not so if the writer signals after its unlock: the
 *   waiter may lock, see the condition, and free the event, before the writer's signal. Signalling
 *   before the unlock is safe but wakes a thread that then waits for the lock. So a signal, and a
 *   broadcast, has two parts: begin, under the lock, touches the event; end, after the unlock
 *   (xsc_event_signal_end(), for both), makes the system call if there is to be one, and uses the
 *   event's address and no more. It is harmless when the event is gone and its memory is another's
 *   by then: at worst it wakes a sleeper of this library there for nothing, which passes that on or
 *   sleeps again.
 *
 *       // the writer
 *       xsc_mutex_lock(&q->lock);
 *       q->finished = true;
 *       struct xsc_event_wake w = xsc_event_signal_begin(&q->event);
 *       xsc_mutex_unlock(&q->lock);                     // now q may be gone
 *       xsc_event_signal_end(w);
 *
 *       // the waiter, the only thread that still uses q once it is finished
 *       xsc_mutex_lock(&q->lock);
 *       while (!q->finished) {
 *           const uint32_t key = xsc_event_prepare(&q->event);
 *
 *           xsc_mutex_unlock(&q->lock);
 *           xsc_event_wait(&q->event, key, XSC_FOREVER);
 *           xsc_mutex_lock(&q->lock);
 *       }
 *       xsc_mutex_unlock(&q->lock);
 *       free(q);
 *
 *   It is as cheap as a signal: the two parts are what a signal consists of. Each begin is followed by
 *   one end, by the same thread, soon: until then sleepers sleep on.
 *
 * prepare costs the waiter a barrier on every CPU that runs a thread of its process
 * (membarrier(2), 0.2 to 8 us), or a fence where XSC_PARK=seqcst (see xsc/park.h). So look at
 * the structure a few times before preparing. Where there is no membarrier, waits of an event
 * return after 10 ms, for the caller to look, until one has lasted that long: from then on that
 * event's signals fence, some 10 ns.
 *
 * SHARED FORMS
 *
 * After fork() the child has a copy of an event in private memory, with the parent's waiters
 * counted in it, which it does not have. The event works, but each of its signals may enter the
 * kernel: initialise it again where threads of the parent may have been waiting.
 *
 * For an event in memory that several processes map: all of them use the _shared forms, all
 * the time. They need nothing but the mapping. A process that only signals, and has never waited,
 * pays a fence a signal (some 10 ns, no system call) until it calls xsc_event_join_shared():
 * the waiters' barrier reaches only the processes that have registered for it. After that, signal
 * is two loads and two branches. A process killed between prepare and the end of wait stays
 * counted: from then on signals of that event take the slow path. They stay correct.
 */
#ifndef XSC_EVENT_H
#define XSC_EVENT_H

#include <stdbool.h>

#include <xsc/park.h>

#ifdef __cplusplus
extern "C" {
#endif

/* All zeroes: no thread waits for it. 8 bytes; neither copied nor moved while in use. */
struct xsc_event {
    uint32_t seq;     /* moves on with every signal that finds a waiter; the futex */
    uint32_t waiters; /* XSC_EVENT_* below */
};

#define XSC_EVENT_INIT                                                                             \
    {                                                                                              \
        0, 0                                                                                       \
    }

/* Announces that the caller is about to look at the condition, and wait. The key is for wait. */
XSC_API uint32_t xsc_event_prepare(struct xsc_event *event);

/*
 * Waits until a signal that came after prepare; timeout_ns is counted from this call. A 0 may come
 * without one. See "what is promised" above.
 */
XSC_API int xsc_event_wait(struct xsc_event *event, uint32_t key, uint64_t timeout_ns);

/* The condition holds: no wait. */
XSC_API void xsc_event_cancel(struct xsc_event *event, uint32_t key);

/* After the condition was made true: lets at least one waiter, or all of them, look again. */
XSC_API XSC_INLINE void xsc_event_signal(struct xsc_event *event);
XSC_API XSC_INLINE void xsc_event_broadcast(struct xsc_event *event);

/*
 * A signal in two parts: see "when it may be freed". What begin returns is passed by value to end; its
 * members are the library's.
 */
struct xsc_event_wake {
    const volatile uint32_t *at; /* NULL: there is nothing to be done */
    uint32_t count, flags;
};

XSC_API XSC_INLINE struct xsc_event_wake xsc_event_signal_begin(struct xsc_event *event);
XSC_API XSC_INLINE struct xsc_event_wake xsc_event_broadcast_begin(struct xsc_event *event);
XSC_API XSC_INLINE void xsc_event_signal_end(struct xsc_event_wake wake);

/*
 * Whether a thread is between prepare and the end of its wait or cancel. It may miss a prepare, or
 * still count a wait or cancel, that is going on at this moment; one that happened before the call
 * it counts rightly. For all forms of event.
 */
XSC_API XSC_INLINE bool xsc_event_has_waiters(const struct xsc_event *event);

/* The same for an event that several processes map. xsc_event_signal_end() is for both. */
XSC_API uint32_t xsc_event_prepare_shared(struct xsc_event *event);
XSC_API int xsc_event_wait_shared(struct xsc_event *event, uint32_t key, uint64_t timeout_ns);
XSC_API void xsc_event_cancel_shared(struct xsc_event *event, uint32_t key);
XSC_API XSC_INLINE void xsc_event_signal_shared(struct xsc_event *event);
XSC_API XSC_INLINE void xsc_event_broadcast_shared(struct xsc_event *event);
XSC_API XSC_INLINE struct xsc_event_wake xsc_event_signal_begin_shared(struct xsc_event *event);
XSC_API XSC_INLINE struct xsc_event_wake xsc_event_broadcast_begin_shared(struct xsc_event *event);

/*
 * Registers this process for the barriers of other processes' waiters, so that its shared
 * signals need no fence. Takes some 10 ms where there are threads already, once. Returns 0, or
 * -ENOTSUP where the kernel refuses or XSC_PARK_SEQ_CST is in force: signals go on fencing.
 * Done by prepare_shared, too. Thread-safe.
 */
XSC_API int xsc_event_join_shared(void);

/* ---------------------------------------------------------------- the inline part ---- */

/*
 * waiters: bit 0 as in xsc_parked[]: writers have to fence and look again. Bit 1: a waiter
 * may have left the CPU. Bit 2: a sleeper may have passed a wake on. Above: how many threads are
 * between prepare and the end of wait.
 */
#define XSC_EVENT_FENCED 1u
#define XSC_EVENT_PARKED 2u
#define XSC_EVENT_SECOND 4u
#define XSC_EVENT_WAITER 8u
#define XSC_EVENT_WAKE_SHARED_ 1u /* in xsc_event_wake.flags, beside XSC_EVENT_SECOND */

/* 1: this process is registered for the barriers of other processes. The library's to write. */
XSC_API extern uint32_t xsc_event_joined;

/* Fences where one is needed, looks again, moves seq on, wakes. count: UINT32_MAX for all. */
XSC_API void xsc_event_signal_slow(struct xsc_event *event, uint32_t count);
XSC_API void xsc_event_signal_shared_slow(struct xsc_event *event, uint32_t count);
XSC_API struct xsc_event_wake xsc_event_signal_begin_slow(struct xsc_event *event, uint32_t count);
XSC_API struct xsc_event_wake xsc_event_signal_begin_shared_slow(struct xsc_event *event,
                                                                 uint32_t count);
XSC_API void xsc_event_signal_end_slow(struct xsc_event_wake wake);

/* W2: whether the slow part is needed. */
#define XSC_EVENT_CALLS_(event)                                                                    \
    __builtin_expect(__atomic_load_n(&(event)->waiters, __ATOMIC_RELAXED) != 0, 0)
#define XSC_EVENT_CALLS_shared_(event)                                                             \
    __builtin_expect(!__atomic_load_n(&xsc_event_joined, __ATOMIC_ACQUIRE) ||                      \
                         __atomic_load_n(&(event)->waiters, __ATOMIC_RELAXED),                     \
                     0)

XSC_INLINE void xsc_event_signal_end(struct xsc_event_wake wake)
{
    if (wake.at) {
        xsc_event_signal_end_slow(wake);
    }
}

XSC_INLINE bool xsc_event_has_waiters(const struct xsc_event *event)
{
    return __atomic_load_n(&event->waiters, __ATOMIC_ACQUIRE) >= XSC_EVENT_WAITER;
}

#define XSC_DEFINE_SIGNAL_(name, form, calls, count)                                               \
    XSC_INLINE void xsc_event_##name##form(struct xsc_event *event)                                \
    {                                                                                              \
        __asm__ __volatile__("" ::: "memory");                                                     \
        if (calls(event)) {                                                                        \
            xsc_event_signal##form##_slow(event, count);                                           \
        }                                                                                          \
    }                                                                                              \
    XSC_INLINE struct xsc_event_wake xsc_event_##name##_begin##form(struct xsc_event *event)       \
    {                                                                                              \
        struct xsc_event_wake none = {0, 0, 0};                                                    \
                                                                                                   \
        __asm__ __volatile__("" ::: "memory");                                                     \
        return calls(event) ? xsc_event_signal_begin##form##_slow(event, count) : none;            \
    }

XSC_DEFINE_SIGNAL_(signal, , XSC_EVENT_CALLS_, 1)
XSC_DEFINE_SIGNAL_(broadcast, , XSC_EVENT_CALLS_, UINT32_MAX)
XSC_DEFINE_SIGNAL_(signal, _shared, XSC_EVENT_CALLS_shared_, 1)
XSC_DEFINE_SIGNAL_(broadcast, _shared, XSC_EVENT_CALLS_shared_, UINT32_MAX)
#undef XSC_DEFINE_SIGNAL_

#ifdef __cplusplus
}
#endif

#endif /* XSC_EVENT_H */
