/* SPDX-License-Identifier: MIT */
/*
 * xsc/lock.h - three locks that wait as the rest of the library does
 *
 *     struct xsc_mutex m = {0};                      4 bytes
 *     xsc_mutex_lock(&m); ... xsc_mutex_unlock(&m);
 *
 *     struct xsc_ticket t = {0};                     4 bytes
 *     xsc_ticket_lock(&t); ... xsc_ticket_unlock(&t);
 *
 *     struct xsc_queue q = {0};                      a pointer
 *     struct xsc_queue_node node;                    a few cache lines, on the caller's stack
 *     xsc_queue_lock(&q, &node); ... xsc_queue_unlock(&q, &node);
 *
 * WHICH ONE
 *
 *     mutex     the default choice. Leaves the CPU when waiting lasts; a running thread may take a
 *               free lock before those that wait (that is what makes it fast), but not for ever: a
 *               thread that has waited 10 ms reserves the lock and gets it next.
 *     ticket    first come, first served. For short sections where order matters, and no more
 *               threads than CPUs: the next waiter may not be running, and then all wait for it.
 *     queue     first come, first served, and each waiter watches a line of its own, so that an
 *               unlock disturbs one CPU and not all. Waiters leave the CPU when waiting lasts.
 *
 * PRIORITIES. None is inherited: while a thread of low priority has a lock, threads between it and a
 * waiter may keep it from its CPU. But no waiter does that itself. The mutex's and the queue
 * lock's sleep; the ticket lock's yield, which helps equals only, and under a real-time policy
 * (SCHED_FIFO, SCHED_RR, SCHED_DEADLINE) nap after some two milliseconds, for a sixteenth of the
 * wait so far and a millisecond at most, so that an owner of lower priority on the same CPU goes
 * on. Such a waiter notices its turn so much later. A thread that has waited 10 ms for a mutex gets it
 * next, whatever its priority: then a waiter of higher priority may find the mutex free and wait for
 * that thread to run.
 *
 * WHAT IS PROMISED
 *
 * - All zeroes is an unlocked lock. There is nothing to initialise and nothing to destroy.
 * - A lock that succeeds acquires, an unlock releases: what was written under the lock is seen by
 *   the next owner.
 * - trylock returns 0 or -EBUSY, and never waits. It fails only where the lock is held, or (mutex)
 *   reserved by a thread that has waited long, or (ticket, queue) others are waiting.
 * - xsc_mutex_lock_for() returns 0, or -ETIMEDOUT, not before timeout_ns of CLOCK_MONOTONIC
 *   have passed. 0 tries once, XSC_FOREVER has no deadline.
 * - An unlock does not touch the lock after the moment from which another thread can have it: the
 *   next owner may free the memory at once, if no other thread waits for the lock or will try to. The
 *   unlock's system call, if it makes one, may come after that; it uses the address only, and is
 *   harmless. A queue's node may be used again, or freed, when its unlock has returned.
 * - xsc_*_is_held() and xsc_*_has_waiters() say how a lock is at some moment during the call: for
 *   assertions and statistics, not for deciding to go without the lock. The words have bits that
 *   those functions know how to read: after a lock that timed out a mutex's word keeps a bit until
 *   the next lock or unlock finds no thread parked.
 * - Not recursive: an owner that locks again waits for itself. At most 65535 threads may wait for a
 *   ticket lock. Threads of one process only. Not to be copied or moved while in use.
 * - No allocation; errno is left alone; not cancellation points. Not for signal handlers, but for
 *   trylock and the unlock that goes with it. Stack: as said in xsc/wait.h.
 * - After fork() the child has a copy of the lock, and none of the threads that waited for it. It may
 *   use it as it is if at the fork no thread waited for it, and none but the one that forked held it
 *   (a queue lock: none at all). Otherwise, and wherever it can't know, it gives the lock all zeroes
 *   again instead of unlocking it: what a waiter of the parent reserved stays reserved for ever.
 *
 * WHAT IT COSTS. A lock without contention: one atomic operation to lock. To unlock: a mutex,
 * two loads and a store; a queue lock, a store and a load; no atomic operation, where the process
 * has a working membarrier(2) and has parked before or has called xsc_park_init(). Otherwise a call
 * and an atomic operation. While a thread is parked for a mutex, an atomic operation, and a call if
 * a thread is to be woken. A ticket lock: a load and a store.
 *
 * THE STORE AND THE EVENT. A waiter that sleeps until a store (UMWAIT, MWAITX, WFE, WFET, WRS.STO)
 * sees an unlock because the unlock stores to the very word that it has armed. Only on 32-bit
 * Arm is the store no event: there XSC_UNLOCK_EVENT sends one (SEV). Which it is, is stated by
 * each mechanism's traits (mech/mech.h), and user/lock.c does not compile where a mechanism needs
 * an event that unlock does not make.
 *
 * IN C++ each lock has lock(), try_lock() and unlock(), so that std::lock_guard and
 * std::unique_lock take it. For the queue lock it is class xsc_queue_turn, which brings the node.
 */
#ifndef XSC_LOCK_H
#define XSC_LOCK_H

#include <stdbool.h>

#include <xsc/cas.h>
#include <xsc/park.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ------------------------------------------------------------------------- the event ---- */

/*
 * What an unlock does after its store so that waiters notice: 0 nothing, the store is the event; 1
 * DSB ISHST and SEV, because on ARMv7 a store that clears an exclusive monitor is no wake-up event
 * (DDI 0406C, B1.8.13; on ARMv8 it is: DDI 0487, D1.6.1).
 */
#if defined(__arm__)
#define XSC_UNLOCK_EVENT 1
#define XSC_UNLOCK_SEND_EVENT_() __asm__ __volatile__("dsb ishst\n\tsev" ::: "memory")
#else
#define XSC_UNLOCK_EVENT 0
#define XSC_UNLOCK_SEND_EVENT_() ((void)0)
#endif

/* ------------------------------------------------------------------------ ticket lock ---- */

/* The next ticket in the upper half of the value, the owner's in the lower. */
struct xsc_ticket {
    uint32_t word;
#ifdef __cplusplus
    inline void lock();
    inline bool try_lock();
    inline void unlock();
#endif
};

XSC_API XSC_INLINE void xsc_ticket_lock(struct xsc_ticket *t);
XSC_API XSC_INLINE int xsc_ticket_trylock(struct xsc_ticket *t);
XSC_API XSC_INLINE void xsc_ticket_unlock(struct xsc_ticket *t);

/* Whether a thread has it; whether others wait for it: both exact. */
XSC_API XSC_INLINE bool xsc_ticket_is_held(const struct xsc_ticket *t);
XSC_API XSC_INLINE bool xsc_ticket_has_waiters(const struct xsc_ticket *t);

/* Waits until the owner's half is `mine`. */
XSC_API void xsc_ticket_lock_slow(struct xsc_ticket *t, uint16_t mine);

/* ------------------------------------------------------------------------- queue lock ---- */

/* Neighbours are fetched in pairs on x86; and the lowest byte of a node's address is free. */
#define XSC_QUEUE_ALIGN 256

/* A waiter. The caller's, from lock to unlock; then free to be used again. */
struct xsc_queue_node {
    struct xsc_queue_node *next;
    uint32_t turn; /* 1: this one is next */
} __attribute__((aligned(XSC_QUEUE_ALIGN)));

struct xsc_queue {
    uintptr_t word; /* the last one waiting, or 0; and XSC_QUEUE_HELD */
};

XSC_API XSC_INLINE void xsc_queue_lock(struct xsc_queue *q, struct xsc_queue_node *node);
XSC_API XSC_INLINE int xsc_queue_trylock(struct xsc_queue *q, struct xsc_queue_node *node);
XSC_API XSC_INLINE void xsc_queue_unlock(struct xsc_queue *q, struct xsc_queue_node *node);

/* Whether a thread has it; whether others wait for it: both exact. */
XSC_API XSC_INLINE bool xsc_queue_is_held(const struct xsc_queue *q);
XSC_API XSC_INLINE bool xsc_queue_has_waiters(const struct xsc_queue *q);

/* Held, or others wait. */
XSC_API void xsc_queue_lock_slow(struct xsc_queue *q, struct xsc_queue_node *node);

/* ------------------------------------------------------------------------------ mutex ---- */

struct xsc_mutex {
    uint32_t word; /* XSC_MUTEX_* below */
#ifdef __cplusplus
    inline void lock();
    inline bool try_lock();
    inline void unlock();
#endif
};

XSC_API XSC_INLINE void xsc_mutex_lock(struct xsc_mutex *m);
XSC_API XSC_INLINE int xsc_mutex_trylock(struct xsc_mutex *m);
XSC_API XSC_INLINE int xsc_mutex_lock_for(struct xsc_mutex *m, uint64_t timeout_ns);
XSC_API XSC_INLINE void xsc_mutex_unlock(struct xsc_mutex *m);

/*
 * Whether a thread has it: exact. Whether others are parked for it: true only if a thread is
 * parked, and where addresses share a counter of xsc_parked[] that may be another lock's waiter.
 * False also for threads that still watch, and from the unlock that wakes one until that one has
 * run.
 */
XSC_API XSC_INLINE bool xsc_mutex_is_held(const struct xsc_mutex *m);
XSC_API XSC_INLINE bool xsc_mutex_has_waiters(const struct xsc_mutex *m);

/* What isn't inline. */
XSC_API int xsc_mutex_lock_slow(struct xsc_mutex *m, uint64_t timeout_ns);
XSC_API void xsc_mutex_unlock_slow(struct xsc_mutex *m);
XSC_API void xsc_mutex_unlocked(const volatile void *m);

/* -------------------------------------------------------------------------- mistakes ---- */

/*
 * Compiled with XSC_LOCK_DEBUG defined, every C call of lock, trylock, unlock and destroy records
 * the lock's owner and where it was taken. A thread that locks what it has, or unlocks what it has
 * not, and a lock destroyed while held, is reported on stderr with the lock's address and both
 * places, and abort() is called. Costs some 100 ns a call, and orders all locks' users. C++ member
 * functions are not checked. Up to some hundred locks held at one time; what is beyond goes
 * unchecked.
 *
 * destroy does nothing else, and nothing at all without XSC_LOCK_DEBUG. What is unlocked by code
 * that was compiled without it is still taken to be held: compile all users of a lock alike.
 */
enum xsc_lock_step {
    XSC_LOCK_WANTED = 0,
    XSC_LOCK_TAKEN = 1,
    XSC_LOCK_GIVEN = 2,
    XSC_LOCK_DESTROYED = 3,
};

XSC_API void xsc_lock_debug(enum xsc_lock_step step, const char *kind, const volatile void *lock,
                            int held, const char *site);

#if !defined(XSC_LOCK_DEBUG)
#define xsc_mutex_destroy(m) ((void)(m))
#define xsc_ticket_destroy(t) ((void)(t))
#define xsc_queue_destroy(q) ((void)(q))
#endif

/* ---------------------------------------------------------------- the inline part ---- */

#define XSC_TICKET_NEXT 0x10000u
#define XSC_TICKET_OWNER 0xffffu

/*
 * The mutex's third byte in memory is 1 while it is held, so that its owner can give it back with
 * a plain store and no waiter's bit is lost by it. A waiter that has reserved the lock watches that
 * byte. The queue lock has such a byte in the lowest of its word, which the first in line watches.
 */
#define XSC_MUTEX_PARKED 1u   /* a waiter may be asleep: the unlock takes this off and wakes one */
#define XSC_MUTEX_RESERVED 2u /* for a thread that has waited long */
#define XSC_MUTEX_HELD_BYTE 2
#define XSC_QUEUE_HELD ((uintptr_t)1)
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define XSC_MUTEX_HELD 0x100u
#define XSC_TICKET_OWNER_HALF 1
#define XSC_QUEUE_HELD_BYTE (sizeof(uintptr_t) - 1)
#else
#define XSC_MUTEX_HELD 0x10000u
#define XSC_TICKET_OWNER_HALF 0
#define XSC_QUEUE_HELD_BYTE 0
#endif

#if defined(__SANITIZE_THREAD__)
#define XSC_WHOLE_WORDS_ 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define XSC_WHOLE_WORDS_ 1
#endif
#endif

/* The owner's half, a 2-byte word of its own as far as its waiters and its owner go. */
typedef uint16_t __attribute__((may_alias)) xsc_half_;

XSC_INLINE bool xsc_ticket_is_held(const struct xsc_ticket *t)
{
    const uint32_t seen = __atomic_load_n(&t->word, __ATOMIC_ACQUIRE);

    return seen >> 16 != (seen & XSC_TICKET_OWNER);
}

XSC_INLINE bool xsc_ticket_has_waiters(const struct xsc_ticket *t)
{
    const uint32_t seen = __atomic_load_n(&t->word, __ATOMIC_ACQUIRE);

    return (((seen >> 16) - seen) & XSC_TICKET_OWNER) > 1;
}

XSC_INLINE bool xsc_queue_is_held(const struct xsc_queue *q)
{
    return __atomic_load_n(&q->word, __ATOMIC_ACQUIRE) & XSC_QUEUE_HELD;
}

XSC_INLINE bool xsc_queue_has_waiters(const struct xsc_queue *q)
{
    return __atomic_load_n(&q->word, __ATOMIC_ACQUIRE) & ~XSC_QUEUE_HELD;
}

XSC_INLINE bool xsc_mutex_is_held(const struct xsc_mutex *m)
{
    return __atomic_load_n(&m->word, __ATOMIC_ACQUIRE) & XSC_MUTEX_HELD;
}

XSC_INLINE bool xsc_mutex_has_waiters(const struct xsc_mutex *m)
{
    return __atomic_load_n(&m->word, __ATOMIC_ACQUIRE) & (XSC_MUTEX_PARKED | XSC_MUTEX_RESERVED) &&
           __atomic_load_n(&xsc_parked[xsc_park_bucket(m)], __ATOMIC_RELAXED) > XSC_PARK_FENCED;
}

XSC_INLINE void xsc_ticket_lock(struct xsc_ticket *t)
{
    const uint32_t seen = __atomic_fetch_add(&t->word, XSC_TICKET_NEXT, __ATOMIC_ACQUIRE);

    if (__builtin_expect(seen >> 16 != (seen & XSC_TICKET_OWNER), 0)) {
        xsc_ticket_lock_slow(t, (uint16_t)(seen >> 16));
    }
}

XSC_INLINE int xsc_ticket_trylock(struct xsc_ticket *t)
{
    uint32_t seen = __atomic_load_n(&t->word, __ATOMIC_RELAXED);

    return seen >> 16 == (seen & XSC_TICKET_OWNER) &&
                   __atomic_compare_exchange_n(&t->word, &seen, seen + XSC_TICKET_NEXT, 0,
                                               XSC_CAS_ACQUIRE)
               ? 0
               : -EBUSY;
}

/* Only the owner stores to the owner's half. */
XSC_INLINE void xsc_ticket_unlock(struct xsc_ticket *t)
{
    xsc_half_ *owner = (xsc_half_ *)&t->word + XSC_TICKET_OWNER_HALF;

    __atomic_store_n(owner, (uint16_t)(__atomic_load_n(owner, __ATOMIC_RELAXED) + 1),
                     __ATOMIC_RELEASE);
    XSC_UNLOCK_SEND_EVENT_();
}

/* A lock that no thread holds or waits for is taken without the node. */
XSC_INLINE int xsc_queue_trylock(struct xsc_queue *q, struct xsc_queue_node *node)
{
    uintptr_t none = 0;

    (void)node;
    return __atomic_compare_exchange_n(&q->word, &none, XSC_QUEUE_HELD, 0, XSC_CAS_ACQUIRE)
               ? 0
               : -EBUSY;
}

XSC_INLINE void xsc_queue_lock(struct xsc_queue *q, struct xsc_queue_node *node)
{
    if (__builtin_expect(xsc_queue_trylock(q, node) != 0, 0)) {
        xsc_queue_lock_slow(q, node);
    }
}

/* The byte is its owner's; then the first waiter in line may be parked. As the mutex, see below. */
XSC_INLINE void xsc_queue_unlock(struct xsc_queue *q, struct xsc_queue_node *node)
{
    uint8_t *held = (uint8_t *)&q->word + XSC_QUEUE_HELD_BYTE;

    (void)node;
#if defined(XSC_WHOLE_WORDS_)
    __atomic_fetch_and(&q->word, ~XSC_QUEUE_HELD, __ATOMIC_RELEASE);
#else
    __atomic_store_n(held, 0, __ATOMIC_RELEASE);
#endif
    XSC_UNLOCK_SEND_EVENT_();
    xsc_unpark_one(held);
}

XSC_INLINE void xsc_mutex_lock(struct xsc_mutex *m)
{
    uint32_t was = 0;

    if (__builtin_expect(
            !__atomic_compare_exchange_n(&m->word, &was, XSC_MUTEX_HELD, 0, XSC_CAS_ACQUIRE), 0)) {
        (void)xsc_mutex_lock_slow(m, XSC_FOREVER);
    }
}

XSC_INLINE int xsc_mutex_trylock(struct xsc_mutex *m)
{
    uint32_t was = __atomic_load_n(&m->word, __ATOMIC_RELAXED);

    while (!(was & (XSC_MUTEX_HELD | XSC_MUTEX_RESERVED))) {
        if (__atomic_compare_exchange_n(&m->word, &was, was | XSC_MUTEX_HELD, 0, XSC_CAS_ACQUIRE)) {
            return 0;
        }
    }
    return -EBUSY;
}

XSC_INLINE int xsc_mutex_lock_for(struct xsc_mutex *m, uint64_t timeout_ns)
{
    return xsc_mutex_trylock(m) ? xsc_mutex_lock_slow(m, timeout_ns) : 0;
}

/*
 * No waiter is counted (0): the store, and then the same question again, because a waiter may have
 * parked between the first load and the store. After the store only the lock's address is used. A
 * waiter is counted: one atomic operation, which finds out whether it is to be woken. Only
 * XSC_PARK_FENCED: the same, and the library counts the fence. The argument is in user/mutex.c.
 * ThreadSanitizer takes a store to a part of a word for one to another object: for it, the whole
 * word.
 */
XSC_INLINE void xsc_mutex_unlock(struct xsc_mutex *m)
{
    const uint32_t *parked = &xsc_parked[xsc_park_bucket(m)];
    const uint32_t n = __atomic_load_n(parked, __ATOMIC_RELAXED);
    uint32_t was = XSC_MUTEX_HELD;

    if (__builtin_expect(n != 0, 0)) {
        if (n != XSC_PARK_FENCED &&
            __atomic_compare_exchange_n(&m->word, &was, 0, 0, XSC_CAS_RELEASE)) {
            XSC_UNLOCK_SEND_EVENT_();
        } else {
            xsc_mutex_unlock_slow(m);
        }
        return;
    }
#if defined(XSC_WHOLE_WORDS_)
    __atomic_fetch_and(&m->word, ~XSC_MUTEX_HELD, __ATOMIC_RELEASE);
#else
    __atomic_store_n((uint8_t *)&m->word + XSC_MUTEX_HELD_BYTE, 0, __ATOMIC_RELEASE);
#endif
    __asm__ __volatile__("" ::: "memory");
    if (__builtin_expect(__atomic_load_n(parked, __ATOMIC_RELAXED) != 0, 0)) {
        xsc_mutex_unlocked(m);
    }
    XSC_UNLOCK_SEND_EVENT_();
}

#ifdef __cplusplus
}

/* ------------------------------------------------------------------- as C++ has them ---- */

inline void xsc_ticket::lock()
{
    xsc_ticket_lock(this);
}

inline bool xsc_ticket::try_lock()
{
    return xsc_ticket_trylock(this) == 0;
}

inline void xsc_ticket::unlock()
{
    xsc_ticket_unlock(this);
}

inline void xsc_mutex::lock()
{
    xsc_mutex_lock(this);
}

inline bool xsc_mutex::try_lock()
{
    return xsc_mutex_trylock(this) == 0;
}

inline void xsc_mutex::unlock()
{
    xsc_mutex_unlock(this);
}

/* One thread's turn at a queue lock: xsc_queue_turn turn(queue); std::lock_guard<...> g(turn); */
class xsc_queue_turn
{
  public:
    explicit xsc_queue_turn(xsc_queue &queue) : queue_(queue)
    {
    }
    xsc_queue_turn(const xsc_queue_turn &) = delete;
    xsc_queue_turn &operator=(const xsc_queue_turn &) = delete;

    void lock()
    {
        xsc_queue_lock(&queue_, &node_);
    }
    bool try_lock()
    {
        return xsc_queue_trylock(&queue_, &node_) == 0;
    }
    void unlock()
    {
        xsc_queue_unlock(&queue_, &node_);
    }

  private:
    xsc_queue &queue_;
    xsc_queue_node node_ = {};
};
#endif

#if defined(XSC_LOCK_DEBUG)
#define XSC_LOCK_TEXT_(x) #x
#define XSC_LOCK_LINE_(x) XSC_LOCK_TEXT_(x)
#define XSC_LOCK_SITE_ __FILE__ ":" XSC_LOCK_LINE_(__LINE__)

/* A lock's three functions, each with the place that calls it. */
#define XSC_LOCK_CHECKED_(kind, is_held, declare, argument)                                        \
    static inline void xsc_##kind##_lock_checked_ declare                                          \
    {                                                                                              \
        xsc_lock_debug(XSC_LOCK_WANTED, #kind, lock, 0, site);                                     \
        xsc_##kind##_lock argument;                                                                \
        xsc_lock_debug(XSC_LOCK_TAKEN, #kind, lock, 1, site);                                      \
    }                                                                                              \
    static inline int xsc_##kind##_trylock_checked_ declare                                        \
    {                                                                                              \
        const int err = xsc_##kind##_trylock argument;                                             \
                                                                                                   \
        if (!err) {                                                                                \
            xsc_lock_debug(XSC_LOCK_TAKEN, #kind, lock, 1, site);                                  \
        }                                                                                          \
        return err;                                                                                \
    }                                                                                              \
    static inline void xsc_##kind##_unlock_checked_ declare                                        \
    {                                                                                              \
        xsc_lock_debug(XSC_LOCK_GIVEN, #kind, lock, is_held, site);                                \
        xsc_##kind##_unlock argument;                                                              \
    }                                                                                              \
    static inline void xsc_##kind##_destroy_checked_(struct xsc_##kind *lock, const char *site)    \
    {                                                                                              \
        xsc_lock_debug(XSC_LOCK_DESTROYED, #kind, lock, is_held, site);                            \
    }

XSC_LOCK_CHECKED_(mutex, (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) & XSC_MUTEX_HELD) != 0,
                  (struct xsc_mutex * lock, const char *site), (lock))
XSC_LOCK_CHECKED_(ticket,
                  __atomic_load_n(&lock->word, __ATOMIC_RELAXED) >> 16 !=
                      (__atomic_load_n(&lock->word, __ATOMIC_RELAXED) & XSC_TICKET_OWNER),
                  (struct xsc_ticket * lock, const char *site), (lock))
XSC_LOCK_CHECKED_(queue, __atomic_load_n(&lock->word, __ATOMIC_RELAXED) != 0,
                  (struct xsc_queue * lock, struct xsc_queue_node *node, const char *site),
                  (lock, node))
#undef XSC_LOCK_CHECKED_

static inline int xsc_mutex_lock_for_checked_(struct xsc_mutex *lock, uint64_t timeout_ns,
                                              const char *site)
{
    xsc_lock_debug(XSC_LOCK_WANTED, "mutex", lock, 0, site);
    const int err = xsc_mutex_lock_for(lock, timeout_ns);

    if (!err) {
        xsc_lock_debug(XSC_LOCK_TAKEN, "mutex", lock, 1, site);
    }
    return err;
}

#define xsc_mutex_lock(m) xsc_mutex_lock_checked_((m), XSC_LOCK_SITE_)
#define xsc_mutex_lock_for(m, ns) xsc_mutex_lock_for_checked_((m), (ns), XSC_LOCK_SITE_)
#define xsc_mutex_trylock(m) xsc_mutex_trylock_checked_((m), XSC_LOCK_SITE_)
#define xsc_mutex_unlock(m) xsc_mutex_unlock_checked_((m), XSC_LOCK_SITE_)
#define xsc_mutex_destroy(m) xsc_mutex_destroy_checked_((m), XSC_LOCK_SITE_)
#define xsc_ticket_lock(t) xsc_ticket_lock_checked_((t), XSC_LOCK_SITE_)
#define xsc_ticket_trylock(t) xsc_ticket_trylock_checked_((t), XSC_LOCK_SITE_)
#define xsc_ticket_unlock(t) xsc_ticket_unlock_checked_((t), XSC_LOCK_SITE_)
#define xsc_ticket_destroy(t) xsc_ticket_destroy_checked_((t), XSC_LOCK_SITE_)
#define xsc_queue_lock(q, node) xsc_queue_lock_checked_((q), (node), XSC_LOCK_SITE_)
#define xsc_queue_trylock(q, node) xsc_queue_trylock_checked_((q), (node), XSC_LOCK_SITE_)
#define xsc_queue_unlock(q, node) xsc_queue_unlock_checked_((q), (node), XSC_LOCK_SITE_)
#define xsc_queue_destroy(q) xsc_queue_destroy_checked_((q), XSC_LOCK_SITE_)
#endif

#endif /* XSC_LOCK_H */
